"""What arrives of a field: rates, gaps, clocks and frozen values are found as messages come."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_ros.recording.health import LEARNED_FROM, LIVELY_OVER, StreamHealth
from imitation_ros.recording.watching import Watch

T0 = 1.7e9
PERIOD_S = 0.02


def hear(health: StreamHealth, stamps: list[int], way_s: float = 0.003, start_s: float = T0) -> StreamHealth:
    """Hear messages of some numbers, each with a value of its own."""
    for number in stamps:
        stamp_s = start_s + number * PERIOD_S
        health.hear(str(number).encode(), stamp_s, stamp_s + way_s)
    return health


def test_rate_age_and_way_are_those_of_the_messages():
    health = hear(StreamHealth(), list(range(120)))
    now_s = T0 + 119 * PERIOD_S + 0.01
    assert health.rate_hz(now_s) == pytest.approx(50.0, rel=1e-3)
    assert health.age_s(now_s) == pytest.approx(0.01, abs=1e-6)
    assert health.way_s == pytest.approx(0.003, abs=1e-6)
    assert health.jitter_s == pytest.approx(0.0, abs=1e-6)
    assert (health.messages, health.drops, health.duplicates, health.late) == (120, 0, 0, 0)


def test_a_topic_that_fell_silent_has_no_rate():
    health = hear(StreamHealth(), list(range(120)))
    assert health.rate_hz(T0 + 60.0) == 0.0
    assert StreamHealth().rate_hz(T0) == 0.0 and StreamHealth().age_s(T0) == math.inf


@given(dropped=st.sets(st.integers(LEARNED_FROM + 1, 150), max_size=12))
def test_every_message_that_is_missing_is_counted_by_the_gap_in_the_stamps(dropped):
    kept = [number for number in range(160) if number not in dropped]
    assert hear(StreamHealth(), kept).drops == len(dropped)


def test_a_message_that_was_overtaken_is_late_and_not_lost():
    order = list(range(60))
    order[40], order[41] = order[41], order[40]
    health = hear(StreamHealth(), order)
    assert (health.drops, health.late, health.jumped_s) == (0, 1, 0.0)


def test_messages_that_come_twice_are_duplicates():
    health = hear(StreamHealth(), [*range(30), 29, *range(30, 40)])
    assert (health.duplicates, health.drops) == (1, 0)


def test_who_has_no_period_loses_nothing():
    rng = np.random.default_rng(0)
    health = StreamHealth()
    for stamp_s in np.cumsum(rng.exponential(0.05, 300)):
        health.hear(b"", T0 + stamp_s, T0 + stamp_s)
    assert health.period.period_s is None and health.drops == 0


def test_a_driver_that_was_set_to_another_rate_loses_nothing_more_once_that_is_learned():
    health = hear(StreamHealth(), [*range(60), *range(62, 62 + 4 * LEARNED_FROM, 2)])
    lost_while_learning = health.drops
    hear(health, list(range(62 + 4 * LEARNED_FROM, 400, 2)))
    assert health.drops == lost_while_learning <= LEARNED_FROM + 1
    assert health.period.period_s == pytest.approx(2 * PERIOD_S)


def test_an_operator_who_rests_loses_nothing():
    health = hear(StreamHealth(longest_gap_s=0.1), [*range(60), *range(200, 260)])
    assert health.drops == 0 and health.jitter_s == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("jump_s", [-3.0, 0.5])
def test_stamps_that_jump_are_noticed_within_two_messages_and_once(jump_s):
    health = hear(StreamHealth(), list(range(80)))
    jumps = []
    for number in range(80, 160):
        received_s = T0 + number * PERIOD_S + 0.003
        health.hear(str(number).encode(), received_s - 0.003 + jump_s, received_s)
        jumps.append(health.jumped_s)
    [found] = [each for each in jumps if each]
    assert found == pytest.approx(jump_s, abs=2 * PERIOD_S)
    assert any(jumps[:2]) and health.drops == 0


def test_a_network_that_holds_messages_back_makes_no_stamp_jump():
    health = hear(StreamHealth(), list(range(80)))
    for number in range(80, 120):
        stamp_s = T0 + number * PERIOD_S
        health.hear(b"", stamp_s, max(stamp_s, T0 + 120 * PERIOD_S))
        assert health.jumped_s == 0.0
    assert health.drops == 0
    hear(health, list(range(120, 200)))
    assert health.way_s == pytest.approx(0.003, abs=1e-6)


def test_a_senders_clock_that_is_ahead_shows_as_a_way_below_zero():
    assert hear(StreamHealth(), list(range(100)), way_s=-0.04).way_s == pytest.approx(-0.04, abs=1e-6)


def test_without_stamps_rate_and_age_are_those_of_the_arrivals():
    health = StreamHealth()
    for number in range(100):
        health.hear(b"", None, T0 + number * PERIOD_S)
    assert health.rate_hz(T0 + 2.0) == pytest.approx(50.0, rel=1e-3)
    assert health.way_s is None and health.drops == 0


def test_a_senders_clock_that_is_ahead_is_named(watch):
    for number in range(100):
        stamp_s = T0 + number * PERIOD_S
        watch.hear("joints", np.full(2, number), stamp_s, stamp_s - 0.05)
    assert watch.state("joints", T0 + 99 * PERIOD_S) == "its clock is ahead"


# in an episode


def fed(watch: Watch, name: str, start: int, stop: int, step: int = 1, value: float | None = None) -> list[str]:
    """Hear messages of a field; return what they showed."""
    found = []
    for number in range(start, stop, step):
        stamp_s = T0 + number * PERIOD_S
        data = np.full(watch.fields[name].width, number if value is None else value)
        found += [str(each) for each in watch.hear(name, data, stamp_s, stamp_s + 0.002)]
    return found


@pytest.fixture
def watch(spec):
    return Watch(spec.observation, spec.action)


def test_a_rate_that_falls_during_an_episode_is_said_once_and_so_is_its_return(watch):
    assert fed(watch, "joints", 0, 150) == []
    watch.begin()
    assert fed(watch, "joints", 150, 300) == []
    [said] = fed(watch, "joints", 300, 500, step=2)
    assert said == (
        "'joints' (joint_states) comes at 25.0 Hz; it was 50.0 Hz when the episode began. "
        "Check `ros2 topic hz joint_states`."
    )
    assert fed(watch, "joints", 500, 700) == ["'joints' comes at 50.0 Hz again."]


def test_a_gap_that_the_ticks_mark_as_stale_is_not_said_again_as_a_low_rate(watch):
    fed(watch, "joints", 0, 150)
    watch.begin()
    assert fed(watch, "joints", 150, 160) == []
    assert fed(watch, "joints", 190, 300) == []
    assert watch.marks() == {"missing_messages": "joints 30"}


def test_between_episodes_nothing_is_said(watch):
    fed(watch, "joints", 0, 150)
    assert fed(watch, "joints", 150, 400, step=3) == []
    assert watch.marks() == {}


def test_nothing_is_marked_where_nothing_happened(watch):
    fed(watch, "joints", 0, 150)
    watch.begin()
    fed(watch, "joints", 150, 400)
    assert watch.marks() == {}


def test_a_sensor_that_freezes_while_the_robot_is_commanded_is_said(watch):
    lively = round(4 * LIVELY_OVER)
    fed(watch, "joints", 0, lively)
    watch.begin()
    said = []
    for number in range(lively, lively + 100):
        said += fed(watch, "velocity", number, number + 1)
        said += fed(watch, "joints", number, number + 1, value=1.0)
    [frozen] = said
    assert "'joints' (joint_states) has not changed for 1.0 s while others do" in frozen
    assert watch.state("joints", T0 + (lively + 99) * PERIOD_S) == "frozen"
    assert fed(watch, "joints", lively + 100, lively + 101) == ["'joints' changes again."]


def test_a_robot_at_rest_is_not_frozen(watch):
    lively = round(4 * LIVELY_OVER)
    fed(watch, "joints", 0, lively)
    fed(watch, "velocity", 0, lively)
    watch.begin()
    said = []
    for number in range(lively, lively + 200):
        said += fed(watch, "velocity", number, number + 1, value=0.0)
        said += fed(watch, "joints", number, number + 1, value=1.0)
        said += fed(watch, "tool", number, number + 1)  # which has noise
    assert said == []


def test_a_goal_that_never_changed_is_not_frozen(watch):
    fed(watch, "tool", 0, 1000, value=0.5)
    watch.begin()
    for number in range(1000, 1100):
        assert fed(watch, "velocity", number, number + 1) == fed(watch, "tool", number, number + 1, value=0.5) == []


def test_a_clock_that_is_set_during_an_episode_is_said(watch):
    fed(watch, "joints", 0, 150)
    watch.begin()
    fed(watch, "joints", 150, 200)
    [said] = [each for number in range(200, 205) for each in late_by(watch, number, 3.0)]
    assert said.startswith("the stamps of 'joints' (joint_states) jumped back by 2.9")


def late_by(watch: Watch, number: int, seconds: float) -> list[str]:
    received_s = T0 + number * PERIOD_S
    found = watch.hear("joints", np.full(2, number), received_s - seconds, received_s)
    return [str(each) for each in found]


def test_what_the_middleware_loses_is_said_once_per_episode_and_counted(watch):
    watch.hear_lost(["joints"], 2)
    watch.begin()
    [said] = watch.hear_lost(["joints"], 5)
    assert "'joints' (joint_states) lost 3 message(s) in the queue, 5 since the start" in str(said)
    assert watch.hear_lost(["joints"], 9) == []
    assert watch.marks() == {"missing_messages": "joints 7"}
    watch.begin()
    assert watch.marks() == {}


def test_in_lockstep_nothing_is_judged(spec):
    watch = Watch(spec.observation, spec.action, judging=False)
    fed(watch, "joints", 0, 150)
    watch.begin()
    assert fed(watch, "joints", 150, 400, step=3) == [] and watch.marks() == {}
    assert watch.state("joints", T0 + 100.0) == ""


def test_a_camera_that_repeats_one_picture_while_joints_move_is_frozen(camera_spec):
    slow = replace(camera_spec.field("front"), max_age_s=0.5)
    watch = Watch([camera_spec.field("joints"), slow], [])
    lively = round(4 * LIVELY_OVER)
    said = []
    for number in range(lively + 100):
        if number == lively - 50:
            watch.begin()
        stamp_s = T0 + number * PERIOD_S
        picture = np.full((12, 16, 1), min(number, lively) % 256, np.uint8)
        said += watch.hear("front", picture, stamp_s, stamp_s)
        said += watch.hear("joints", np.full(2, number), stamp_s, stamp_s)
    assert ["'front' (front/image) has not changed" in str(each) for each in said] == [True]


@given(
    gaps=st.lists(st.floats(-1.0, 2.0), min_size=1, max_size=80),
    ways=st.lists(st.floats(-0.2, 5.0), min_size=80, max_size=80),
)
def test_whatever_the_stamps_say_counts_stay_sound(gaps, ways):
    health = StreamHealth()
    stamp_s, received_s = T0, T0
    for gap_s, way_s in zip(gaps, ways, strict=False):
        stamp_s += gap_s
        received_s = max(received_s, stamp_s + way_s)
        health.hear(b"", stamp_s, received_s)
        assert health.drops >= 0 and health.duplicates >= 0
        assert health.rate_hz(received_s) >= 0.0
    assert health.messages == len(gaps)
