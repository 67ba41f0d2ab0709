"""The one rule that turns asynchronous values into samples and commands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_ros.errors import MessageError
from imitation_ros.robot.field import Field
from imitation_ros.robot.sampler import Command, Sampler

T0 = 1.7e9  # as large as today's time, where a float64 is coarse
PERIOD_S, WAIT_S = 0.05, 0.02
RATE = "std_msgs/msg/Float64"


def sensor(name: str = "sensor", max_age_s: float = 0.1) -> Field:
    return Field(name, name, RATE, ("data",), max_age_s=max_age_s, file="cell.yaml")


def command(reduce: str = "last", when_silent: str = "hold", timeout_s: float = 0.1) -> Field:
    return Field("command", "command", RATE, ("data",), reduce=reduce, when_silent=when_silent, timeout_s=timeout_s)


def sampler(*observation: Field, action: tuple[Field, ...] = (), lockstep: bool = False) -> Sampler:
    return Sampler(observation, action, PERIOD_S, WAIT_S, lockstep)


def put(target: Sampler, name: str, stamp_s: float | None, value: float, received_s: float | None = None) -> None:
    """Put one number, with times counted from T0."""
    received_s = stamp_s if received_s is None else received_s
    target.put(name, np.array([value]), None if stamp_s is None else T0 + stamp_s, T0 + received_s)


def told(field: Field, *values: tuple[float, float], tick_s: float = 0.0) -> Command:
    """Return what was in force over a tick, from (stamp, value) pairs."""
    target = sampler(action=(field,))
    for stamp_s, value in values:
        put(target, "command", stamp_s, value)
    return target.command("command", T0 + tick_s)


# observations


def test_the_newest_value_stamped_at_or_before_the_tick_is_taken():
    target = sampler(sensor())
    for stamp_s in (-0.06, -0.01, 0.0, 0.001):
        put(target, "sensor", stamp_s, stamp_s)
    sample = target.sample(T0)
    assert sample.values["sensor"] == [0.0]
    assert sample.stamps_s["sensor"] == T0
    assert sample.stale == ()


def test_a_value_that_arrives_after_the_wait_is_left_out():
    target = sampler(sensor())
    put(target, "sensor", -0.03, 1.0)
    put(target, "sensor", -0.01, 2.0, received_s=WAIT_S + 0.001)
    assert target.sample(T0).values["sensor"] == [1.0]
    assert target.sample(T0 + PERIOD_S).values["sensor"] == [2.0], "but it counts for the next tick"


def test_a_value_that_arrives_within_the_wait_counts():
    target = sampler(sensor())
    put(target, "sensor", -0.03, 1.0)
    put(target, "sensor", -0.01, 2.0, received_s=WAIT_S)
    sample = target.sample(T0)
    assert sample.values["sensor"] == [2.0]
    assert sample.received_s["sensor"] == pytest.approx(T0 + WAIT_S)


@pytest.mark.parametrize(("age_s", "stale"), [(0.1, ()), (0.101, ("sensor",))])
def test_a_value_older_than_its_max_age_is_stale_and_still_there(age_s, stale):
    target = sampler(sensor(max_age_s=0.1))
    put(target, "sensor", -age_s, 1.0)
    sample = target.sample(T0)
    assert sample.stale == stale
    assert sample.values["sensor"] == [1.0]


def test_a_field_never_received_is_stale_and_absent():
    sample = sampler(sensor()).sample(T0)
    assert sample.stale == ("sensor",)
    assert dict(sample.values) == {}


def test_a_stamp_in_the_future_is_an_error_that_names_the_clocks():
    target = sampler(sensor())
    put(target, "sensor", 0.09, 1.0, received_s=0.0)
    with pytest.raises(
        MessageError, match=r"'sensor' \(sensor\) is stamped 0\.200 s in the future.*0\.1 s.*cell\.yaml"
    ):
        put(target, "sensor", 0.2, 1.0, received_s=0.0)


def test_a_stamp_of_another_clock_is_an_error_that_names_the_clocks():
    target = sampler(sensor(), action=(command(),))
    for name in ("sensor", "command"):
        put(target, name, -9.9, 1.0, received_s=0.0)
        with pytest.raises(MessageError, match=r"in the past; at most 10\.0 s .*another clock\? Set use_sim_time"):
            put(target, name, 5.0 - T0, 1.0, received_s=0.0)


def test_a_stamp_days_in_the_future_is_of_another_clock():
    target = sampler(sensor())
    for received_s, words in ((T0 - 60.0, "chrony"), (5.0, r"use_sim_time \(--use-sim-time\) as its publisher does")):
        with pytest.raises(MessageError, match=rf"in the future; .*{words}.*cell\.yaml"):
            target.put("sensor", np.zeros(1), T0, received_s)


def test_before_the_first_clock_no_stamp_is_judged_and_the_newest_value_is_kept():
    target = sampler(sensor(), action=(command(),))
    for stamp_s in (5.0, T0, 7.0):
        target.put("sensor", np.array([stamp_s]), stamp_s, received_s=0.0)
        target.put("command", np.array([stamp_s]), stamp_s, received_s=0.0)
    assert target.sample(7.05).values["sensor"] == [7.0]
    assert target.command("command", 7.0).data == [7.0]
    assert [len(stream.values) for stream in (target.observation["sensor"], target.action["command"])] == [1, 1]


def test_what_may_be_old_may_be_stamped_long_ago():
    target = sampler(sensor(max_age_s=3600.0))
    put(target, "sensor", -3000.0, 1.0, received_s=0.0)
    assert target.sample(T0).stale == ()


def test_a_message_without_a_header_is_stamped_when_it_is_received():
    target = sampler(sensor())
    put(target, "sensor", None, 3.0, received_s=-0.01)
    assert target.sample(T0).stamps_s["sensor"] == pytest.approx(T0 - 0.01)


STAMPS_MS = st.lists(st.integers(-100, 500), min_size=1, max_size=30, unique=True)


@given(stamps_ms=STAMPS_MS, data=st.data())
def test_the_order_of_arrival_does_not_matter_when_all_arrive_in_time(stamps_ms, data):
    samples = []
    for order in (sorted(stamps_ms), data.draw(st.permutations(stamps_ms))):
        target = sampler(sensor())
        for stamp_ms in order:
            put(target, "sensor", stamp_ms / 1000, float(stamp_ms))
        samples.append([target.sample(T0 + k * PERIOD_S).values.get("sensor") for k in range(10)])
    assert samples[0] == samples[1]


@given(
    stamps_ms=STAMPS_MS,
    delays_ms=st.lists(st.integers(0, 300), min_size=30, max_size=30),
    late=st.integers(0, 400),
)
def test_ticks_closed_in_time_and_ticks_closed_late_give_the_rules_sample(stamps_ms, delays_ms, late):
    arrivals = sorted((stamp + delay, stamp) for stamp, delay in zip(stamps_ms, delays_ms, strict=False))
    wait_ms = round(WAIT_S * 1000)
    ticks_ms = range(0, 500, round(PERIOD_S * 1000))
    for lag_ms in (0, late):  # a busy machine closes ticks late, when newer values have long come
        target = sampler(sensor())
        pending = list(arrivals)
        for tick_ms in ticks_ms:
            while pending and pending[0][0] <= tick_ms + wait_ms + lag_ms:
                received_ms, stamp_ms = pending.pop(0)
                put(target, "sensor", stamp_ms / 1000, float(stamp_ms), received_s=received_ms / 1000)
            fitting = [s for r, s in arrivals if s <= tick_ms and r <= tick_ms + wait_ms]
            expected = [float(max(fitting))] if fitting else None
            assert target.sample(T0 + tick_ms / 1000).values.get("sensor") == expected


def test_what_can_no_longer_matter_is_forgotten():
    target = sampler(sensor(), action=(command(),))
    for k in range(1000):
        put(target, "sensor", k * 0.001, k)
        put(target, "command", k * 0.001, k)
    target.sample(T0 + 0.9)
    target.command("command", T0 + 0.9)
    assert len(target.observation["sensor"].values) == 100
    target.forget_before(T0 + 5.0)
    assert [len(stream.values) for stream in (*target.observation.values(), *target.action.values())] == [1, 1]


def test_ticks_are_due_by_time_and_as_many_as_there_are():
    target = sampler(sensor(), action=(command(),))
    target.start(T0)
    assert not target.observation_due(target.tick_s(3), T0 + 0.165)
    assert target.observation_due(target.tick_s(3), T0 + 0.17)
    assert not target.command_due(target.tick_s(3), T0 + 0.215)
    assert target.command_due(target.tick_s(3), T0 + 0.22)


def test_a_sampler_without_tick_0_says_so():
    with pytest.raises(RuntimeError, match="no tick 0"):
        sampler(sensor()).tick_s(0)


# commands


def test_the_last_command_of_a_tick_stands_for_it():
    assert told(command("last"), (-0.01, 1.0), (0.0, 2.0), (0.03, 3.0), (0.05, 4.0)).data == [3.0]


def test_a_command_stamped_with_the_tick_answers_it():
    assert told(command("last"), (-0.01, 1.0), (0.0, 2.0)).data == [2.0]
    assert told(command("last"), (0.0, 2.0), (0.05, 4.0)).data == [2.0], "the next tick's is not this one's"


def test_the_mean_weighs_commands_by_how_long_they_held():
    taken = told(command("mean"), (-0.01, 1.0), (0.01, 2.0), (0.04, 6.0))
    assert not taken.silent
    assert taken.data == pytest.approx([(1.0 * 0.01 + 2.0 * 0.03 + 6.0 * 0.01) / 0.05], rel=1e-4)


def test_a_command_stays_in_force_until_its_timeout():
    field = command(timeout_s=0.1)
    assert told(field, (0.0, 1.0), tick_s=0.09) == Command(np.array([1.0]), silent=False)
    assert told(field, (0.0, 1.0), tick_s=0.101).silent


@pytest.mark.parametrize("reduce", ["last", "mean"])
@pytest.mark.parametrize(("when_silent", "expected"), [("hold", 1.0), ("zero", 0.0)])
def test_after_the_timeout_when_silent_applies_and_the_tick_is_marked(reduce, when_silent, expected):
    taken = told(command(reduce, when_silent), (0.0, 1.0), tick_s=0.5)
    assert taken.silent
    assert taken.data == [expected]


def test_a_timeout_within_a_tick_counts_for_its_share_of_the_mean():
    zero, hold = (told(command("mean", word), (0.0, 1.0), tick_s=0.08) for word in ("zero", "hold"))
    assert not zero.silent and not hold.silent
    assert zero.data == pytest.approx([0.02 / 0.05], rel=1e-4)
    assert hold.data == pytest.approx([1.0])


def test_a_held_command_that_nobody_gave_is_none_and_a_zero_one_is_zero():
    for reduce in ("last", "mean"):
        assert told(command(reduce, "hold")) == Command(None, silent=True)
        zero = told(command(reduce, "zero"))
        assert zero.silent and zero.data == [0.0]


def test_a_command_that_arrives_after_the_wait_counts_from_the_next_tick():
    target = sampler(action=(command(),))
    put(target, "command", -0.02, 1.0)
    put(target, "command", 0.01, 2.0, received_s=PERIOD_S + WAIT_S + 0.001)
    assert target.command("command", T0).data == [1.0]
    assert target.command("command", T0 + PERIOD_S).data == [2.0]


def test_a_command_too_late_for_two_ticks_does_not_make_the_one_before_it_forgotten():
    target = sampler(action=(command(timeout_s=1.0),))
    put(target, "command", -0.02, 1.0)
    put(target, "command", -0.01, 2.0, received_s=0.3)
    assert [target.command("command", T0 + k * PERIOD_S).data for k in range(2)] == [[1.0], [1.0]]


@given(phase=st.floats(0, 1 / 15), jitter=st.lists(st.floats(-0.01, 0.01), min_size=60, max_size=60))
def test_a_15_hz_stream_on_a_20_hz_grid_leaves_no_holes(phase, jitter):
    target = sampler(action=(command("mean", "zero", timeout_s=0.1),))
    stamps_s = [phase - 1 / 15 + k / 15 + shift for k, shift in enumerate(jitter)]
    for stamp_s in stamps_s:
        put(target, "command", stamp_s, 0.7)
    ticks = round((stamps_s[-1] - 0.05) / PERIOD_S)
    commands = [target.command("command", T0 + k * PERIOD_S) for k in range(1, ticks)]
    assert not any(taken.silent for taken in commands)
    np.testing.assert_allclose([taken.data[0] for taken in commands], 0.7, atol=1e-9)


@given(stamps_ms=st.lists(st.integers(0, 900), max_size=20, unique=True), seed=st.integers(0, 99))
def test_the_means_of_all_ticks_add_up_to_what_was_commanded(stamps_ms, seed):
    field = command("mean", "zero", timeout_s=0.1)
    target = sampler(action=(field,))
    rng = np.random.default_rng(seed)
    stamps_s = [0.0, *(stamp / 1000 for stamp in sorted(stamps_ms) if stamp)]
    values = rng.normal(size=len(stamps_s))
    for stamp_s, value in zip(stamps_s, values, strict=True):
        put(target, "command", stamp_s, value)
    taken = [target.command("command", T0 + k * PERIOD_S).data[0] for k in range(22)]
    spans_s = np.minimum(np.diff([*stamps_s, np.inf]), field.timeout_s)
    assert sum(taken) * PERIOD_S == pytest.approx((values * spans_s).sum(), abs=1e-5)


# lock-step


def lockstep() -> Sampler:
    """Two stamped sensors; a stamped command and one without a header."""
    bare = Field("gripper", "gripper", RATE, ("data",), timeout_s=1.0)
    return sampler(sensor("one"), sensor("two"), action=(command(), bare), lockstep=True)


def test_a_lockstep_tick_closes_when_every_field_has_come_and_not_by_time():
    target = lockstep()
    target.start(T0)
    put(target, "one", 0.0, 1.0)
    assert not target.observation_due(T0, now_s=T0 + 1e6)
    put(target, "two", 0.0, 1.0)
    assert target.observation_due(T0, now_s=0.0)
    put(target, "command", 0.0, 1.0)
    assert not target.command_due(T0, now_s=T0 + 1e6)
    put(target, "gripper", None, 1.0, received_s=9.0)
    assert target.command_due(T0, now_s=0.0)


def test_in_lockstep_the_stamps_of_the_simulator_are_never_too_old():
    target = lockstep()
    target.put("one", np.array([1.0]), 5.0, T0)
    assert target.observation["one"].newest_s == 5.0


def test_in_lockstep_a_value_is_never_too_late():
    target = lockstep()
    put(target, "one", 0.0, 1.0)
    put(target, "two", 0.0, 2.0, received_s=1000.0)
    assert target.sample(T0).values["two"] == [2.0]


def test_in_lockstep_the_nth_message_without_a_header_is_the_nth_ticks():
    target = lockstep()
    put(target, "gripper", None, 10.0, received_s=5.0)  # before anybody knew when tick 0 is
    target.start(T0)
    put(target, "gripper", None, 11.0, received_s=5.0)
    put(target, "gripper", None, 12.0, received_s=5.0)
    assert [target.command("gripper", target.tick_s(k)).data for k in range(3)] == [[10.0], [11.0], [12.0]]


def test_moving_tick_0_does_not_change_which_message_is_which():
    target = lockstep()
    target.start(T0)
    put(target, "gripper", None, 10.0, received_s=5.0)
    target.start(T0 + PERIOD_S)
    for value in (11.0, 12.0):
        put(target, "gripper", None, value, received_s=5.0)
    assert [target.command("gripper", target.tick_s(k)).data for k in range(2)] == [[11.0], [12.0]]


def test_after_clearing_commands_counting_begins_again():
    target = lockstep()
    target.start(T0)
    put(target, "gripper", None, 10.0, received_s=5.0)
    put(target, "one", 0.0, 1.0)
    target.clear_commands()
    put(target, "gripper", None, 20.0, received_s=9.0)
    target.start(T0 + 3.0)
    assert target.command("gripper", T0 + 3.0).data == [20.0]
    assert target.sample(T0).values["one"] == [1.0], "observations stay"


@given(data=st.data())
def test_any_interleaving_of_topics_gives_the_same_lockstep_samples(data):
    ticks = 6
    topics = {
        "one": [(k * PERIOD_S, 1.0 * k) for k in range(ticks)],
        "two": [(k * PERIOD_S, 2.0 * k) for k in range(ticks)],
        "command": [(k * PERIOD_S, 3.0 * k) for k in range(ticks)],
        "gripper": [(None, 4.0 * k) for k in range(ticks)],
    }
    order = data.draw(st.permutations([name for name in topics for _ in range(ticks)]))
    target, pending, closed = lockstep(), {name: list(values) for name, values in topics.items()}, []
    for name in order:
        stamp_s, value = pending[name].pop(0)
        put(target, name, stamp_s, value, received_s=data.draw(st.floats(0, 1)))
        if name == "command" and stamp_s == 0.0:
            target.start(T0)
        while target.start_s is not None and len(closed) < ticks:
            tick_s = target.tick_s(len(closed))
            if not (target.observation_due(tick_s, 0.0) and target.command_due(tick_s, 0.0)):
                break
            sample = target.sample(tick_s)
            closed.append([*(sample.values[name][0] for name in ("one", "two")), *commands_at(target, tick_s)])
            assert sample.stale == ()
    assert closed == [[1.0 * k, 2.0 * k, 3.0 * k, 4.0 * k] for k in range(ticks)]


def commands_at(target: Sampler, tick_s: float) -> list[float]:
    return [float(target.command(name, tick_s).data[0]) for name in ("command", "gripper")]
