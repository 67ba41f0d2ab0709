"""Where episodes begin and end in a bag, what is left out, and that this is said."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rosbags")

from bag_writer import joy, make, word, write_bag
from demonstration import (
    JOY,
    STATE,
    T0,
    WORD,
    driven,
    flag_at,
    imported,
    in_order,
    joints_at,
    twist_at,
)

from imitation_ros.bag_import.cuts import parse_cuts
from imitation_ros.data.hdf5 import read_episode
from imitation_ros.errors import DataError, RecordingError, SpecError


@pytest.fixture
def import_items(spec, tmp_path):
    def run(items, **options):
        bag = write_bag(tmp_path / "bag", in_order(items))
        return [read_episode(path) for path in imported(bag, spec, tmp_path / "episodes", **options)]

    return run


def begin_s(episode):
    return round(float(episode.timing.ticks_s[0] - T0), 3)


def end_s(episode):
    return round(float(episode.timing.ticks_s[-1] - T0), 3)


def test_a_bag_is_one_episode_from_its_first_command_to_its_last(import_items):
    items = [*driven(0.0, 1.0, commands=False), *driven(1.0, 3.0), *driven(3.0, 9.0, commands=False)]
    (episode,) = import_items(items)
    assert (begin_s(episode), end_s(episode)) == (1.0, 3.0)
    assert not episode.timing.silent["velocity"].any()
    assert episode.attributes["ended_by"] == "silence"
    assert episode.attributes["source"] == "bag"
    assert episode.attributes["started_at"] == "2023-11-14T22:13:21+00:00"


def test_a_pause_in_the_commands_is_part_of_an_episode_unless_it_is_to_cut(import_items):
    (episode,) = import_items([*driven(0.0, 1.0), *driven(1.0, 8.0, commands=False), *driven(8.0, 9.0)])
    assert (begin_s(episode), end_s(episode)) == (0.0, 8.95)
    silent = episode.timing.silent["velocity"]
    assert silent[25:155].all() and not silent[:18].any()


def test_commands_that_pause_for_longer_than_the_gap_cut_episodes(import_items):
    items = [*driven(0.0, 1.0), *driven(1.0, 3.5, commands=False), *driven(3.5, 5.0)]
    first, second = import_items(items, gap_s=1.0)
    assert (begin_s(first), end_s(first)) == (0.0, 1.0)
    assert (begin_s(second), end_s(second)) == (3.5, 4.95)


def test_a_hole_in_the_bag_ends_an_episode(import_items, capsys):
    first, second = import_items([*driven(0.0, 1.0), *driven(100.0, 101.0)])
    assert (end_s(first), begin_s(second)) == (0.95, 100.0)
    assert "nothing was recorded for 99 s" in capsys.readouterr().out


def said(time_s, text):
    return "/episodes", WORD, word(text), T0 + time_s


def test_words_on_a_topic_start_stop_discard_and_judge(import_items, capsys):
    words = [(0.5, "start"), (0.9, "success"), (1.0, "Stop "), (1.2, "start"), (1.6, "discard"), (1.7, "begin")]
    words += [(2.0, "start"), (2.4, "failure"), (2.5, "stop"), (2.6, "success")]
    episodes = import_items([*driven(0.0, 3.0), *(said(*each) for each in words)], topic="episodes")
    assert [(begin_s(each), each.success) for each in episodes] == [(0.5, True), (2.0, False)]
    output = capsys.readouterr().out
    assert "an episode was discarded by its operator" in output
    assert "said 'begin' 1 times; known: start, stop, discard, success, failure" in output
    assert "said 'success' while no episode was open" in output
    assert "1 successes, 1 failures" in output
    assert "imitation-ros info" in output


def test_a_button_starts_and_stops(import_items):
    presses = [(0.5, 1), (0.52, 1), (0.6, 0), (1.5, 1), (1.6, 0), (2.0, 1)]
    items = [("/joy", JOY, joy(T0 + time_s, [0, down]), T0 + time_s) for time_s, down in presses]
    first, second = import_items([*driven(0.0, 3.0), *items], topic="/joy", button=1)
    assert (begin_s(first), end_s(second)) == (0.5, 2.95)
    assert second.attributes["ended_by"] == "bag", "nobody stopped it"


def test_a_flag_that_is_said_all_the_time_is_one_start_and_one_stop(import_items):
    flags = [flag_at(0.1 * index, 5 <= index < 20) for index in range(30)]
    (episode,) = import_items([*driven(0.0, 3.0), *flags], topic="episodes")
    assert (begin_s(episode), end_s(episode)) == (0.5, 1.95)


def test_given_times_cut_since_the_bag_began_or_of_day_with_marks(import_items, tmp_path, capsys):
    file = tmp_path / "times.csv"
    file.write_text(f"# start end\n0.5, 1.0, success\n\n{T0 + 2.0} {T0 + 2.5} failure  # dropped it\n7 8\n")
    first, second = import_items(driven(0.0, 3.0), times=[str(file), "1.1:1.6"])[::2]
    assert (begin_s(first), first.success) == (pytest.approx(0.5, abs=0.03), True)
    assert (begin_s(second), second.success) == (2.0, False)
    assert "1 of the given times lie after the end of the bag" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"times": ["3:2"]}, "'3 2' is no episode. Write START:END"),
        ({"times": ["1:2:good"]}, "is no episode"),
        ({"times": ["nowhere.csv"]}, "name a file that exists"),
        ({"times": ["1:3", "2:4"]}, "begins before the one from 1 s ends"),
        ({"gap_s": -1.0}, "--gap-s is -1"),
        ({"gap_s": 1.0, "topic": "episodes"}, "--episodes-topic and --gap-s are given"),
        ({"button": 3}, "--episodes-button is 3"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words):
    with pytest.raises(SpecError, match=words):
        parse_cuts(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"topic": "episode"}, r"has no /episode .*Did you mean '/episodes'\?"),
        ({"topic": "joint_states"}, r"joint_states \(--episodes-topic\) is a sensor_msgs/msg/JointState; it should be"),
        ({"topic": "episodes", "button": 1}, "has no buttons"),
        ({"sim_time": True}, "it has no /clock"),
        ({"namespace": "left"}, r"needs /left/joint_states .*--namespace"),
    ],
)
def test_a_bag_without_what_was_asked_for_is_refused_before_anything_is_made(import_items, tmp_path, options, words):
    with pytest.raises(DataError, match=words):
        import_items([*driven(0.0, 1.0), flag_at(0.1, True)], **options)
    assert not (tmp_path / "episodes").exists()


def test_topics_that_are_missing_or_of_another_type_are_all_named(import_items):
    items = [item for item in driven(0.0, 1.0) if item[0] not in ("/tool/pose", "/gripper/command")]
    items.append(("/gripper/command", STATE, joints_at(0.5)[2], T0 + 0.5))
    with pytest.raises(DataError) as caught:
        import_items(items)
    assert "'tool' needs /tool/pose (geometry_msgs/msg/PoseStamped), which is not in it" in str(caught.value)
    assert "'gripper' (/gripper/command) is a sensor_msgs/msg/JointState; the setup says std_msgs" in str(caught.value)


def test_nothing_is_made_where_no_episode_comes_of_it_and_all_reasons_are_said(import_items, tmp_path):
    items = [item for item in driven(0.0, 1.0) if item[0] != "/tool/pose"] + [driven(5.0, 5.1)[1]]
    with pytest.raises(DataError, match=r"(?s)no episode was made.*was not made: 'tool' \(tool/pose\) was never heard"):
        import_items(items)
    assert not (tmp_path / "episodes").exists()


def test_several_bags_become_one_folder_and_episodes_are_added_only_on_demand(spec, tmp_path):
    bags = [write_bag(tmp_path / name, in_order(driven(0.0, 1.0))) for name in ("monday", "tuesday")]
    output = tmp_path / "episodes"
    paths = imported(bags, spec, output)
    assert [read_episode(path).attributes["source"] for path in paths] == ["monday", "tuesday"]
    with pytest.raises(RecordingError, match="already holds 2 episode"):
        imported(bags, spec, output)
    (third,) = imported(bags[0], spec, output, append=True)
    assert third.name == "episode_000002.hdf5"
    assert sorted(path.name for path in output.iterdir()) == [f"episode_00000{index}.hdf5" for index in range(3)]


def test_topics_in_a_namespace_are_found(spec, tmp_path):
    items = [(f"/left{topic}", *rest) for topic, *rest in driven(0.0, 1.0)]
    assert (
        len(imported(write_bag(tmp_path / "bag", in_order(items)), spec, tmp_path / "episodes", namespace="left")) == 1
    )


def test_a_simulators_bag_is_read_by_its_clock(spec, tmp_path):
    def clock(time_s):
        time = make("builtin_interfaces/msg/Time", sec=int(time_s), nanosec=round(time_s % 1 * 1e9))
        return make("rosgraph_msgs/msg/Clock", clock=time)

    items = []
    for topic, kind, message, log_s in driven(0.0, 2.0):
        if hasattr(message, "header"):
            message.header.stamp.sec -= int(T0) - 10  # the simulator's time begins at 10 s and runs at half speed
        items.append((topic, kind, message, T0 + 2 * (log_s - T0) + 1e-4))
    items += [("/clock", "rosgraph_msgs/msg/Clock", clock(10 + 0.005 * n), T0 + 0.01 * n) for n in range(440)]
    bag = write_bag(tmp_path / "bag", in_order(items))
    with pytest.raises(DataError, match="use_sim_time"):
        imported(bag, spec, tmp_path / "episodes")
    (path,) = imported(bag, spec, tmp_path / "episodes", sim_time=True)
    episode = read_episode(path)
    np.testing.assert_allclose(episode.timing.ticks_s[[0, -1]], [10.0, 12.0], atol=0.06)
    assert episode.attributes["stale_ticks"] == 0


def test_an_observation_that_nobody_can_read_is_counted_and_the_one_before_it_taken(import_items, capsys):
    items = in_order(driven(0.0, 2.0))
    broken = [
        (topic, kind, b"\0\1\0\0" + bytes(9), log_s) for topic, kind, _, log_s in items if topic == "/joint_states"
    ]
    kept = [item for item in items if item[0] != "/joint_states" or item[3] < T0 + 1.0]
    (episode,) = import_items([*kept, *(item for item in broken if item[3] >= T0 + 1.0)])
    assert "/joint_states: a message cannot be decoded" in capsys.readouterr().out
    assert episode.attributes["stale_ticks"] > 15
    np.testing.assert_allclose(episode.observations["joints"][25:, 0], 0.992, atol=1e-6)


def test_a_command_that_nobody_can_read_is_counted(import_items, capsys):
    items = [twist_at(time_s, time_s) for time_s in np.arange(0.51, 1.0, 0.1)]
    for _, _, message, _ in items:
        message.header.frame_id = "camera"
    (episode,) = import_items([*driven(0.0, 2.0), *items])
    assert "5 times, first: 'velocity' (servo/twist) is in frame 'camera'" in capsys.readouterr().out
    assert episode.steps == 39
