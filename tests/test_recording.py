"""The recorder: stamped values in, one file per episode out, and in words what it will not do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_ros.data.hdf5 import read_episode
from imitation_ros.data.open_episode import MOST_TROUBLE
from imitation_ros.errors import MessageError, RecordingError
from imitation_ros.recording import EXECUTED, Recorder
from imitation_ros.recording.arrivals import IDLE_KEEP_IMAGES_S, IDLE_KEEP_S, joined
from imitation_ros.recording.health import LEARNED_FROM
from imitation_ros.recording.watching import Watch
from imitation_ros.robot.messages.images import encoded
from imitation_ros.robot.sampler import Value
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

T0 = 1.7e9
PERIOD_S = 0.05


def sense(recorder: Recorder, time_s: float, value: float | None = None, but: tuple[str, ...] = ()) -> None:
    """Put every observation, stamped and received at a time counted from T0."""
    value = time_s if value is None else value
    for field in recorder.spec.observation:
        if field.name not in but:
            recorder.put(field.name, np.full(field.width, value), T0 + time_s, T0 + time_s)


def command(recorder: Recorder, time_s: float, velocity: float = 0.1, gripper: float | None = 0.08) -> None:
    recorder.put("velocity", np.full(2, velocity), T0 + time_s, T0 + time_s)
    if gripper is not None:
        recorder.put("gripper", np.array([gripper]), None, T0 + time_s)


def drive(recorder: Recorder, start_s: float, ticks: int) -> float:
    """Sense and command at every tick, close what is due, and return the time after the last."""
    for k in range(ticks):
        time_s = start_s + k * PERIOD_S
        sense(recorder, time_s)
        command(recorder, time_s)
        recorder.close_ticks(T0 + time_s)
    end_s = start_s + ticks * PERIOD_S
    sense(recorder, end_s)
    return end_s + recorder.spec.wait_s


def started(spec: RobotSpec, output: Path, **options: object) -> Recorder:
    """Return a recorder that waits for its first command, at T0."""
    recorder = Recorder(spec, output, **options)
    sense(recorder, -0.01)
    recorder.start(T0)
    return recorder


def without_executed(tiny_yaml: str) -> RobotSpec:
    return spec_from_yaml(tiny_yaml.replace("    executed_topic: servo/executed\n", ""), "tiny.yaml")


# folders


def test_a_new_folder_is_made_and_numbering_begins_at_0(tmp_path, spec):
    recorder = started(spec, tmp_path / "new" / "demos")
    path = recorder.stop(T0 + drive(recorder, 0.0, 3))
    assert path == tmp_path / "new" / "demos" / "episode_000000.hdf5"


@pytest.mark.parametrize("there", ["episode_000004.hdf5", "episode_000004.hdf5.part"])
def test_a_folder_with_episodes_is_refused_unless_they_are_to_be_added_to(tmp_path, spec, there):
    (tmp_path / there).write_bytes(b"an afternoon's work")
    with pytest.raises(RecordingError, match=r"already holds 1 episode\(s\).*append"):
        Recorder(spec, tmp_path)
    recorder = started(spec, tmp_path, append=True)
    assert recorder.stop(T0 + drive(recorder, 0.0, 2)).name == "episode_000005.hdf5"
    assert (tmp_path / there).read_bytes() == b"an afternoon's work"


def test_other_files_are_no_episodes(tmp_path, spec):
    for name in ("notes.txt", "episode_final.hdf5", "episode_².hdf5"):
        (tmp_path / name).touch()
    assert Recorder(spec, tmp_path).next_index == 0


def test_a_file_in_place_of_the_folder_is_refused(tmp_path, spec):
    (tmp_path / "demos").touch()
    with pytest.raises(RecordingError, match=r"demos cannot be made: File exists\. Choose another"):
        Recorder(spec, tmp_path / "demos")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_is_recorded(spec):
    with pytest.raises(RecordingError, match="/proc/demos cannot be made"):
        Recorder(spec, Path("/proc/demos"))
    with pytest.raises(RecordingError, match="/proc is not writable"):
        Recorder(spec, Path("/proc"))


def test_an_episode_that_cannot_be_written_is_said_and_the_recorder_is_idle_again(tmp_path, spec):
    recorder = started(spec, tmp_path / "demos")
    (tmp_path / "demos").rmdir()
    command(recorder, 0.0)  # its publisher can do nothing about it
    assert recorder.summary()["state"] == "idle"
    [notice] = recorder.take_notices()
    assert "episode 0 cannot be written" in notice and "~/start again" in notice


def broken_disk(recorder: Recorder, monkeypatch, method: str) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recorder.open.writer, method, refuse)


@pytest.mark.parametrize("method", ["append", "flush", "write_rows"])
def test_a_disk_that_takes_no_more_makes_the_recorder_idle_and_names_the_part_that_is_kept(
    tmp_path, spec, monkeypatch, method
):
    monkeypatch.setattr("imitation_ros.data.hdf5.streaming.FLUSH_S", 0.0)
    recorder = started(spec, tmp_path)
    drive(recorder, 0.0, 3)
    broken_disk(recorder, monkeypatch, method)
    drive(recorder, 3 * PERIOD_S, 3)
    assert recorder.summary()["state"] == "idle"
    [notice] = recorder.take_notices()
    part = tmp_path / "episode_000000.hdf5.part"
    assert "No space left" in notice and f"kept as {part}" in notice and "df -h" in notice
    assert part.is_file()
    sense(recorder, 1.0)
    assert recorder.start(T0 + 1.0).startswith("episode 1 is armed"), "the number of the part is not used again"


def test_a_full_disk_at_stop_is_said_to_whoever_stops(tmp_path, spec, monkeypatch):
    for method in ("write_rows", "append"):  # at the end, and while the last ticks are written
        recorder = started(spec, tmp_path, append=True)
        end_s = drive(recorder, 0.0, 3)
        broken_disk(recorder, monkeypatch, method)
        with pytest.raises(RecordingError, match=r"is not saved: .*No space left.*\.part\. Check the disk"):
            recorder.stop(T0 + end_s)
        assert recorder.summary()["state"] == "idle"


def test_shutting_down_on_a_full_disk_says_so_and_goes_on(tmp_path, spec, monkeypatch):
    recorder = started(spec, tmp_path)
    end_s = drive(recorder, 0.0, 3)
    broken_disk(recorder, monkeypatch, "write_rows")
    assert recorder.shut_down(T0 + end_s) is None
    [notice] = recorder.take_notices()
    assert "No space left" in notice


@pytest.mark.parametrize("episode_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_limit_that_is_no_time_is_refused(tmp_path, spec, episode_s):
    with pytest.raises(RecordingError, match=r"episode_s is .* above 0 s"):
        Recorder(spec, tmp_path / "demos", episode_s=episode_s)


# clocks


def test_a_command_of_another_clock_begins_no_episode(tmp_path, spec):
    recorder = started(spec, tmp_path)
    with pytest.raises(MessageError, match=r"Set use_sim_time \(--use-sim-time\) as its publisher does"):
        recorder.put("velocity", np.zeros(2), 5.0, T0)
    assert recorder.summary()["state"] == "armed"


def test_a_clock_that_jumps_ends_the_episode_where_it_is_instead_of_filling_the_gap(tmp_path, spec):
    recorder = started(spec, tmp_path)
    end_s = drive(recorder, 0.0, 4)
    recorder.close_ticks(T0 + end_s)
    recorder.close_ticks(T0 + 1e8)
    [notice] = recorder.take_notices()
    assert "the clock went on by" in notice and "kept up to there" in notice
    episode = read_episode(tmp_path / "episode_000000.hdf5")
    assert (episode.steps, episode.attributes["ended_by"]) == (4, "clock")
    assert recorder.summary()["state"] == "idle"


def test_a_clock_that_jumps_before_the_first_tick_leaves_no_file(tmp_path, spec):
    recorder = started(spec, tmp_path)
    command(recorder, 0.0)
    recorder.close_ticks(T0 + 1e8)
    assert list(tmp_path.iterdir()) == []
    assert "is discarded" in recorder.take_notices()[0]


def test_absurd_ages_are_said_to_be_of_another_clock(tmp_path, spec):
    recorder = Recorder(spec, tmp_path)
    for field in spec.observation:
        recorder.put(field.name, np.zeros(field.width), 5.0, 5.0)
    with pytest.raises(RecordingError, match="stamps are of another clock: set use_sim_time") as refusal:
        recorder.start(T0)
    assert "'joints' (joint_states), 'tool' (tool/pose): each was last heard" in str(refusal.value)


def test_what_several_fields_say_alike_is_one_sentence():
    late = [f"{name!r} ({name}/pose) is {age_s} s old" for name, age_s in (("a", 3), ("b", 5))]
    mute = [f"{name!r} ({name}/pose) is silent: `ros2 topic hz {name}/pose`" for name in ("c1", "c2")]
    both = "'a' (a/pose), 'b' (b/pose): each is 3 s old"
    assert joined([late[0], mute[0], late[1], mute[1], "no /clock"]) == [both, *mute, "no /clock"]
    assert joined([late[0]]) == [late[0]]


# start


def test_start_is_refused_while_fields_are_silent_and_says_how_to_look(tmp_path, spec):
    recorder = Recorder(spec, tmp_path)
    with pytest.raises(RecordingError) as caught:
        recorder.start(T0)
    assert "'joints' (joint_states) was never heard: `ros2 topic hz joint_states`" in str(caught.value)
    assert "'tool' (tool/pose) was never heard: `ros2 topic hz tool/pose`" in str(caught.value)
    sense(recorder, 0.0)
    with pytest.raises(RecordingError, match=r"'joints' \(joint_states\) was last heard 0\.15 s ago") as caught:
        recorder.start(T0 + 0.15)
    assert "tool" not in str(caught.value), "which may be 0.2 s old"
    assert recorder.start(T0 + 0.05) == "episode 0 is armed and begins with the first command"


def test_start_is_refused_while_an_episode_is_open_or_armed(tmp_path, spec):
    recorder = started(spec, tmp_path)
    with pytest.raises(RecordingError, match="already being recorded"):
        recorder.start(T0)
    drive(recorder, 0.0, 2)
    with pytest.raises(RecordingError, match="already being recorded"):
        recorder.start(T0 + 0.1)


def test_start_is_refused_when_the_disk_is_nearly_full(tmp_path, spec, monkeypatch):
    monkeypatch.setattr("imitation_ros.data.folder.LEAST_FREE_BYTES", 10**18)
    recorder = Recorder(spec, tmp_path)
    sense(recorder, 0.0)
    with pytest.raises(RecordingError, match=r"not started: .* MB are free .* are needed"):
        recorder.start(T0)


def test_the_first_command_makes_tick_0(tmp_path, spec):
    recorder = started(spec, tmp_path)
    for k in range(20):
        sense(recorder, k * 0.017)
        recorder.close_ticks(T0 + k * 0.017)
    assert list(tmp_path.iterdir()) == [], "a person may take a while"
    episode = read_episode(recorder.stop(T0 + drive(recorder, 0.4, 4)))
    assert episode.steps == 4
    np.testing.assert_allclose(episode.timing.ticks_s, T0 + 0.4 + np.arange(5) * PERIOD_S)


def test_what_was_executed_begins_no_episode(tmp_path, spec):
    recorder = started(spec, tmp_path)
    recorder.put("velocity" + EXECUTED, np.zeros(2), T0, T0)
    assert recorder.summary()["state"] == "armed"
    command(recorder, 0.01)
    assert recorder.summary()["state"] == "recording"


# what is in the file


def test_observations_commands_and_words_are_in_the_file(tmp_path, spec):
    recorder = started(spec, tmp_path, operator="ana")
    episode = read_episode(recorder.stop(T0 + drive(recorder, 0.0, 5)))
    np.testing.assert_allclose(episode.observations["joints"][:, 0], np.arange(6) * PERIOD_S, atol=1e-6)
    np.testing.assert_allclose(episode.actions["velocity"], 0.1, atol=1e-6)
    np.testing.assert_allclose(episode.timing.age_s("tool"), 0.0, atol=1e-6)
    assert not episode.timing.silent["gripper"].any()
    words = {word: episode.attributes[word] for word in ("operator", "task", "ended_by", "stale_ticks")}
    assert words == {"operator": "ana", "task": "wipe", "ended_by": "operator", "stale_ticks": 0}
    assert (episode.success, episode.rewards, episode.terminated) == (None, None, False)


def test_labels_are_what_the_person_chose_and_executed_what_the_robot_was_told(tmp_path, spec):
    recorder = started(spec, tmp_path)
    for k in range(4):
        sense(recorder, k * PERIOD_S)
        command(recorder, k * PERIOD_S, velocity=0.1)
        if k != 2:  # nothing said: then it is taken to be what was commanded
            recorder.put("velocity" + EXECUTED, np.full(2, 0.3), T0 + k * PERIOD_S, T0 + k * PERIOD_S)
    sense(recorder, 4 * PERIOD_S)
    episode = read_episode(recorder.stop(T0 + 0.3))
    np.testing.assert_allclose(episode.actions["velocity"], 0.1, atol=1e-6)
    np.testing.assert_allclose(episode.executed["velocity"], 0.3, atol=1e-6, err_msg="it lasts for its timeout")
    np.testing.assert_array_equal(episode.executed["gripper"], episode.actions["gripper"])


def test_where_nobody_says_what_was_executed_it_is_what_was_commanded(tmp_path, tiny_yaml):
    recorder = started(without_executed(tiny_yaml), tmp_path)
    episode = read_episode(recorder.stop(T0 + drive(recorder, 0.0, 3)))
    np.testing.assert_array_equal(episode.executed["velocity"], episode.actions["velocity"])


def test_a_silent_command_is_marked_and_zero_or_held_as_the_spec_says(tmp_path, spec):
    recorder = started(spec, tmp_path)
    sense(recorder, 0.0)
    command(recorder, 0.0, velocity=0.2, gripper=0.08)
    for k in range(1, 30):
        sense(recorder, k * PERIOD_S)
    recorder.close_ticks(T0 + 29 * PERIOD_S)
    episode = read_episode(recorder.stop(T0 + 29 * PERIOD_S))
    assert episode.timing.silent["velocity"][:4].tolist() == [False, False, True, True]
    np.testing.assert_allclose(episode.actions["velocity"][:4, 0], [0.2, 0.2, 0.0, 0.0], atol=1e-6)
    assert episode.timing.silent["gripper"].tolist() == [False] * 20 + [True] * (episode.steps - 20)
    np.testing.assert_allclose(episode.actions["gripper"], 0.08, atol=1e-6)


def test_a_command_held_from_before_the_start_stays_in_force(tmp_path, spec):
    recorder = Recorder(spec, tmp_path)
    recorder.put("gripper", np.array([0.08]), None, T0 - 0.5)
    sense(recorder, -0.01)
    recorder.start(T0)
    for k in range(3):
        sense(recorder, k * PERIOD_S)
        command(recorder, k * PERIOD_S, gripper=None)
    sense(recorder, 0.15)
    episode = read_episode(recorder.stop(T0 + 0.2))
    np.testing.assert_allclose(episode.actions["gripper"], 0.08, atol=1e-6)


def test_the_episode_waits_for_a_held_command_that_nobody_gave_and_says_so_once(tmp_path, spec):
    recorder = started(spec, tmp_path)
    for k in range(8):
        sense(recorder, k * PERIOD_S)
        command(recorder, k * PERIOD_S, gripper=None if k < 5 else 0.0)
        recorder.close_ticks(T0 + k * PERIOD_S)
    sense(recorder, 8 * PERIOD_S)
    episode = read_episode(recorder.stop(T0 + 8 * PERIOD_S + 0.02))
    assert recorder.take_notices() == ["tick 0: 'gripper' was not commanded yet; the episode waits for it."]
    np.testing.assert_allclose(episode.timing.ticks_s, T0 + np.arange(5, 9) * PERIOD_S)


def test_the_episode_waits_for_an_observation_that_began_after_the_command(tmp_path, spec):
    recorder = Recorder(spec, tmp_path)
    sense(recorder, 0.0)
    recorder.start(T0)
    recorder.put("velocity", np.zeros(2), T0 - 0.12, T0)  # was long on its way
    recorder.put("gripper", np.zeros(1), None, T0 - 0.12)
    episode = read_episode(recorder.stop(T0 + drive(recorder, 0.03, 3)))
    assert recorder.take_notices() == ["tick 0: 'joints' was not observed yet; the episode waits for it."]
    assert episode.timing.ticks_s[0] == pytest.approx(T0 + 0.03)


def test_a_stamp_in_the_future_is_refused_and_the_rest_goes_on(tmp_path, spec):
    recorder = started(spec, tmp_path)
    with pytest.raises(MessageError, match="in the future"):
        recorder.put("velocity", np.zeros(2), T0 + 1.0, T0)
    assert read_episode(recorder.stop(T0 + drive(recorder, 0.0, 2))).steps == 2


def test_a_field_that_falls_silent_is_said_once_marked_and_said_again_when_it_is_back(tmp_path, spec):
    recorder = started(spec, tmp_path)
    for k in range(12):
        sense(recorder, k * PERIOD_S, but=("joints",) if 3 <= k < 8 else ())
        command(recorder, k * PERIOD_S)
        recorder.close_ticks(T0 + k * PERIOD_S)
    episode = read_episode(recorder.stop(T0 + 11 * PERIOD_S + 0.02))
    assert recorder.take_notices() == [
        "'joints' (joint_states) is 0.15 s old; the limit is 0.10 s. "
        "The tick is marked. Check `ros2 topic hz joint_states`.",
        "'joints' is fresh again.",
    ]
    assert recorder.take_notices() == []
    assert episode.attributes["stale_ticks"] == 3
    np.testing.assert_allclose(episode.observations["joints"][5:8, 0], 0.1, atol=1e-6, err_msg="old, and not invented")
    np.testing.assert_allclose(episode.timing.age_s("joints")[5:8], [0.15, 0.2, 0.25], atol=1e-6)


# images


def look(recorder: Recorder, time_s: float, value: int, jpeg: bool = True) -> None:
    """Sense, with pictures of one grey: a JPEG from the wrist, or pixels."""
    sense(recorder, time_s, but=("wrist", "front"))
    for field in recorder.spec.observation:
        if field.is_image:
            pixels = np.full(field.row_shape, value, np.uint8)
            data = encoded(pixels, field) if jpeg and field.name == "wrist" else pixels
            recorder.put(field.name, data, T0 + time_s, T0 + time_s)


def record_pictures(recorder: Recorder, ticks: int, jpeg: bool = True) -> Path:
    look(recorder, -0.01, 0, jpeg)
    recorder.start(T0)
    for k in range(ticks):
        look(recorder, k * PERIOD_S, 10 * k, jpeg)
        command(recorder, k * PERIOD_S)
        recorder.close_ticks(T0 + k * PERIOD_S)
    look(recorder, ticks * PERIOD_S, 10 * ticks, jpeg)
    return recorder.stop(T0 + ticks * PERIOD_S + 0.02)


@pytest.mark.parametrize("jpeg", [True, False])
def test_pictures_are_in_the_file_tick_by_tick(tmp_path, camera_spec, jpeg):
    path = record_pictures(Recorder(camera_spec, tmp_path), 6, jpeg)
    episode = read_episode(path)
    for name in ("wrist", "front"):
        np.testing.assert_array_equal(np.asarray(episode.observations[name])[:, 0, 0, 0], 10 * np.arange(7))
        np.testing.assert_allclose(episode.timing.age_s(name), 0.0, atol=1e-6)
    with h5py.File(path) as file:
        assert set(file["data/demo_0/obs"]) == {"joints", "tool", "front"}
        assert set(file["data/demo_0/images"]) == {"wrist"}


def test_pictures_that_arrive_faster_than_they_are_encoded_are_said_once_and_none_is_lost(
    tmp_path, camera_spec, monkeypatch
):
    monkeypatch.setattr("imitation_ros.data.images.WAITING_BYTES", 1)
    recorder = Recorder(camera_spec, tmp_path)
    assert read_episode(record_pictures(recorder, 8, jpeg=False)).steps == 8
    [notice] = recorder.take_notices()
    assert "images ('wrist', 'front') arrive faster than they are encoded" in notice and "compressed" in notice


def test_a_picture_that_cannot_be_decoded_ends_the_episode_in_words(tmp_path, camera_spec):
    wrist = replace(camera_spec.field("wrist"), storage="raw")
    observation = tuple(wrist if field.name == "wrist" else field for field in camera_spec.observation)
    recorder = Recorder(replace(camera_spec, observation=observation), tmp_path)
    look(recorder, -0.01, 0)
    recorder.put("wrist", np.zeros(50, np.uint8), T0 - 0.005, T0)
    recorder.start(T0)
    command(recorder, 0.0)
    with pytest.raises(RecordingError, match=r"is not saved: 'wrist' .* cannot be decoded.*Check the camera"):
        recorder.stop(T0 + 0.1)


def test_an_idle_recorder_keeps_no_more_than_a_second_of_pictures(tmp_path, camera_spec):
    recorder = Recorder(camera_spec, tmp_path)
    for k in range(200):
        look(recorder, k * PERIOD_S, 0)
        recorder.close_ticks(T0 + k * PERIOD_S)
    kept = {name: len(stream.values) for name, stream in recorder.sampler.observation.items()}
    assert kept["wrist"] == kept["front"] <= IDLE_KEEP_IMAGES_S / PERIOD_S + 2 < kept["joints"]


# end


def test_at_its_time_limit_the_episode_waits_for_stop(tmp_path, spec):
    recorder = started(spec, tmp_path, episode_s=0.2)
    end_s = drive(recorder, 0.0, 9)
    recorder.close_ticks(T0 + end_s)
    assert recorder.full and recorder.summary()["ticks"] == "4"
    episode = read_episode(recorder.stop(T0 + end_s))
    assert episode.steps == 4
    assert episode.timing.ticks_s[-1] == pytest.approx(T0 + 0.2)
    np.testing.assert_allclose(episode.observations["joints"][-1], 0.2, atol=1e-6)


@pytest.mark.parametrize("success", [True, False])
def test_a_mark_is_in_the_file(tmp_path, spec, success):
    recorder = started(spec, tmp_path)
    with pytest.raises(RecordingError, match="no episode is open"):
        recorder.mark_success()
    end_s = drive(recorder, 0.0, 2)
    recorder.mark_success(not success)
    assert recorder.mark_success(success) == f"episode 0 is marked a {'success' if success else 'failure'}"
    assert read_episode(recorder.stop(T0 + end_s)).success is success


def test_the_mark_is_not_carried_to_the_next_episode(tmp_path, spec):
    recorder = started(spec, tmp_path)
    end_s = drive(recorder, 0.0, 2)
    recorder.mark_success()
    recorder.stop(T0 + end_s)
    sense(recorder, 1.0)
    recorder.start(T0 + 1.0)
    path = recorder.stop(T0 + drive(recorder, 1.0, 2))
    assert path.name == "episode_000001.hdf5"
    assert read_episode(path).success is None


def test_a_discarded_episode_leaves_its_number_to_the_next(tmp_path, spec):
    recorder = started(spec, tmp_path)
    end_s = drive(recorder, 0.0, 3)
    assert recorder.discard(T0 + end_s) == "episode 0 is discarded"
    assert list(tmp_path.iterdir()) == []
    sense(recorder, 1.0)
    recorder.start(T0 + 1.0)
    assert recorder.stop(T0 + drive(recorder, 1.0, 3)).name == "episode_000000.hdf5"


def test_discarding_before_the_first_command_makes_the_recorder_idle(tmp_path, spec):
    recorder = started(spec, tmp_path)
    assert "nothing was recorded yet" in recorder.discard(T0)
    assert recorder.summary()["state"] == "idle"
    with pytest.raises(RecordingError, match="no episode is open"):
        recorder.discard(T0)


def test_stop_without_an_episode_or_without_a_command_says_so(tmp_path, spec):
    recorder = Recorder(spec, tmp_path)
    with pytest.raises(RecordingError, match="no episode is open"):
        recorder.stop(T0)
    sense(recorder, 0.0)
    recorder.start(T0)
    with pytest.raises(RecordingError, match="nothing was recorded: no command came"):
        recorder.stop(T0)
    recorder.start(T0)
    command(recorder, 0.0)
    with pytest.raises(RecordingError, match="no complete tick yet"):
        recorder.stop(T0 + 0.01)
    assert recorder.summary()["state"] == "recording"


def test_shutting_down_keeps_the_open_episode(tmp_path, spec):
    recorder = started(spec, tmp_path)
    path = recorder.shut_down(T0 + drive(recorder, 0.0, 3))
    episode = read_episode(path)
    assert (episode.steps, episode.attributes["ended_by"]) == (3, "shutdown")
    assert recorder.shut_down(T0 + 1.0) is None


def test_shutting_down_keeps_ticks_that_were_due_but_not_closed_yet(tmp_path, spec):
    recorder = started(spec, tmp_path)
    for k in range(3):
        sense(recorder, k * PERIOD_S)
        command(recorder, k * PERIOD_S)
    assert read_episode(recorder.shut_down(T0 + 2 * PERIOD_S + 0.02)).steps == 2


def test_shutting_down_without_a_tick_leaves_nothing(tmp_path, spec):
    recorder = started(spec, tmp_path)
    assert recorder.shut_down(T0) is None
    command(recorder, 0.0)
    assert recorder.shut_down(T0 + 0.01) is None
    assert list(tmp_path.iterdir()) == []


def test_an_idle_recorder_does_not_fill_the_memory(tmp_path, spec):
    recorder = Recorder(spec, tmp_path)
    for k in range(2000):
        sense(recorder, k * 0.1)
        recorder.close_ticks(T0 + k * 0.1)
    kept = {len(stream.values) for stream in recorder.sampler.observation.values()}
    assert max(kept) <= IDLE_KEEP_S / 0.1 + 2


def test_a_full_episode_that_waits_for_stop_does_not_fill_the_memory(tmp_path, spec):
    recorder = started(spec, tmp_path, episode_s=0.2)
    drive(recorder, 0.0, 6)
    for k in range(6, 4000):
        sense(recorder, k * PERIOD_S)
        command(recorder, k * PERIOD_S)
        recorder.close_ticks(T0 + k * PERIOD_S)
    streams = [*recorder.sampler.observation.values(), *recorder.sampler.action.values()]
    assert max(len(stream.values) for stream in streams) <= IDLE_KEEP_S / PERIOD_S + 2
    episode = read_episode(recorder.stop(T0 + 4000 * PERIOD_S))
    assert episode.steps == 4
    np.testing.assert_allclose(episode.observations["joints"][-1], 0.2, atol=1e-6)


# the same values, the same file


def data_of(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()].tobytes()} if hasattr(item, "shape") else {}))
    return found


def record_jittered(spec: RobotSpec, output: Path, seed: int, looks_s: list[float]) -> dict[str, bytes]:
    """Record the same late and jittered values, closing ticks at some times only."""
    rng = np.random.default_rng(seed)
    events = []
    for name, every_s, width in (("joints", 0.011, 2), ("tool", 0.034, 9), ("velocity", 0.067, 2), ("gripper", 0.4, 1)):
        for k in range(round(1.2 / every_s)):
            stamp_s = k * every_s + rng.uniform(0, 0.004)
            delay_s = min(rng.exponential(0.03), 0.5)  # some come after their tick's wait
            events.append((stamp_s + delay_s, name, stamp_s, rng.normal(size=width)))
    events.sort(key=lambda event: event[0])
    recorder = Recorder(spec, output)
    sense(recorder, -0.01)
    recorder.start(T0)
    looks_s = sorted(looks_s)
    for received_s, name, stamp_s, data in events:
        while looks_s and looks_s[0] <= received_s:
            recorder.close_ticks(T0 + looks_s.pop(0))
        recorder.put(name, data, None if name == "gripper" else T0 + stamp_s, T0 + received_s)
    return data_of(recorder.stop(T0 + 2.0))


def test_the_same_values_give_the_same_bytes(tmp_path, spec):
    looks_s = [k * 0.025 for k in range(60)]
    first = record_jittered(spec, tmp_path / "one", 1, looks_s)
    assert first == record_jittered(spec, tmp_path / "two", 1, looks_s)
    assert first != record_jittered(spec, tmp_path / "three", 2, looks_s)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), looks_s=st.lists(st.floats(0, 1.5), max_size=20))
def test_it_does_not_matter_when_ticks_are_closed(tmp_path_factory, spec, seed, looks_s):
    """A busy machine closes ticks late; stamps and times of receipt decide what is in them."""
    folder = tmp_path_factory.mktemp("looks")
    often = record_jittered(spec, folder / "often", seed, [k * 0.005 for k in range(300)])
    assert record_jittered(spec, folder / "seldom", seed, looks_s) == often


# lock-step


def lockstep_events(spec: RobotSpec, ticks: int, start_s: float = 100.0) -> dict[str, list[tuple]]:
    """Return what a simulator and an operator send on each topic, after the first observation."""
    rng = np.random.default_rng(0)
    topics: dict[str, list[tuple]] = {}
    for field in spec.observation:
        topics[field.name] = [(start_s + k * PERIOD_S, rng.normal(size=field.width)) for k in range(1, ticks + 1)]
    for name in ("velocity", "velocity" + EXECUTED):
        topics[name] = [(start_s + k * PERIOD_S, rng.normal(size=2)) for k in range(ticks)]
    topics["gripper"] = [(None, rng.normal(size=1)) for _ in range(ticks)]
    return topics


def lockstep_recorder(spec: RobotSpec, output: Path, **options: object) -> Recorder:
    recorder = Recorder(spec, output, lockstep=True, **options)
    for field in spec.observation:
        recorder.put(field.name, np.zeros(field.width), 100.0, 100.0)
    recorder.start(100.0)
    return recorder


@settings(max_examples=20)
@given(data=st.data())
def test_in_lockstep_any_interleaving_of_topics_gives_the_same_bytes(tmp_path_factory, spec, data):
    ticks, files = 4, []
    for order in ("in turn", "shuffled"):
        topics = lockstep_events(spec, ticks)
        names = [name for _ in range(ticks) for name in topics]
        if order == "shuffled":
            names = data.draw(st.permutations(names))
        recorder = lockstep_recorder(spec, tmp_path_factory.mktemp("lockstep"), episode_s=ticks * PERIOD_S)
        for name in names:
            recorder.put(name, topics[name][0][1], topics[name].pop(0)[0], 100.0)
            recorder.close_ticks(100.0)
        files.append({name: content for name, content in data_of(recorder.stop(100.0)).items() if "ages" not in name})
    assert files[0] == files[1]


def test_in_lockstep_an_observation_whose_stamp_is_empty_is_refused_in_words(tmp_path, spec):
    recorder = Recorder(spec, tmp_path, lockstep=True)
    with pytest.raises(MessageError, match=r"'joints' \(joint_states\) came without a stamp.*fill header\.stamp"):
        recorder.put("joints", np.zeros(2), None, 100.0)
    joints = replace(spec.field("joints"), stamp="received")
    observation = tuple(joints if field.name == "joints" else field for field in spec.observation)
    counted = Recorder(replace(spec, observation=observation), tmp_path / "counted", lockstep=True)
    counted.put("joints", np.zeros(2), None, 100.0)  # the spec says so


def test_in_lockstep_stop_waits_for_the_last_ticks(tmp_path, spec):
    topics = lockstep_events(spec, 3)
    recorder = lockstep_recorder(spec, tmp_path, episode_s=3 * PERIOD_S)
    last = topics["tool"].pop()
    for name in topics:
        for stamp_s, data in topics[name]:
            recorder.put(name, data, stamp_s, 100.0)
    with pytest.raises(RecordingError, match=r"still waiting for tick 3 of 3 \(episode_s\): call again"):
        recorder.stop(1e9)
    recorder.put("tool", last[1], last[0], 100.0)
    episode = read_episode(recorder.stop(100.0))
    assert episode.steps == 3
    np.testing.assert_allclose(episode.timing.age_s("tool"), 0.0, atol=1e-9)


def test_in_lockstep_stop_waits_for_the_last_observation_without_a_limit_too(tmp_path, spec):
    topics = lockstep_events(spec, 2)
    recorder = lockstep_recorder(spec, tmp_path)
    for name in ("velocity", "velocity" + EXECUTED, "gripper"):
        recorder.put(name, topics[name][0][1], topics[name][0][0], 100.0)
    with pytest.raises(RecordingError, match="still waiting for the observation after tick 0"):
        recorder.stop(100.0)
    for name in ("joints", "tool"):
        recorder.put(name, topics[name][0][1], topics[name][0][0], 100.0)
    assert read_episode(recorder.stop(100.0)).steps == 1


def test_in_lockstep_every_episode_has_commands_of_its_own(tmp_path, spec):
    recorder = lockstep_recorder(spec, tmp_path, episode_s=2 * PERIOD_S)
    for start_s in (100.0, 101.0):
        if start_s > 100.0:
            for field in spec.observation:
                recorder.put(field.name, np.zeros(field.width), start_s, start_s)
            recorder.start(start_s)
        for name, values in lockstep_events(spec, 2, start_s).items():
            for stamp_s, data in values:
                recorder.put(name, data + start_s, stamp_s, start_s)
        episode = read_episode(recorder.stop(start_s))
        np.testing.assert_allclose(episode.actions["gripper"], start_s, atol=5.0)
        np.testing.assert_allclose(episode.timing.ticks_s, start_s + np.arange(3) * PERIOD_S)


def test_in_lockstep_stamps_that_jump_end_the_episode_too(tmp_path, spec):
    recorder = lockstep_recorder(spec, tmp_path)
    for start_s in (100.0, T0):
        for name, values in lockstep_events(spec, 2, start_s).items():
            for stamp_s, data in values:
                recorder.put(name, data, stamp_s if stamp_s else None, 100.0)
        recorder.put("gripper", np.zeros(1), None, 100.0)
        recorder.close_ticks(100.0)
    recorder.sampler.stream("gripper").put(Value(T0, 100.0, np.zeros(1)))
    recorder.close_ticks(100.0)
    assert "the clock went on" in recorder.take_notices()[-1]
    assert recorder.summary()["state"] == "idle"


@pytest.mark.parametrize(("said", "assumed"), [(True, 0), (False, 5)])
def test_ticks_of_which_the_robot_did_not_say_what_it_executed_are_counted_in_the_file(tmp_path, spec, said, assumed):
    recorder = started(spec, tmp_path)
    if said:
        for k in range(8):
            recorder.put("velocity" + EXECUTED, np.zeros(2), T0 + k * PERIOD_S, T0 + k * PERIOD_S)
    episode = read_episode(recorder.stop(T0 + drive(recorder, 0.0, 5)))
    assert episode.attributes["executed_assumed_ticks"] == assumed


def test_what_a_discarded_episode_executed_late_does_not_begin_the_next(tmp_path, spec):
    recorder = lockstep_recorder(spec, tmp_path)
    recorder.put("velocity" + EXECUTED, np.zeros(2), 99.0, 100.0)
    assert recorder.summary()["state"] == "armed"


def test_in_lockstep_shutting_down_keeps_the_open_episode(tmp_path, spec):
    recorder = lockstep_recorder(spec, tmp_path, episode_s=10.0)
    for name, values in lockstep_events(spec, 3).items():
        for stamp_s, data in values:
            recorder.put(name, data, stamp_s, 100.0)
    assert read_episode(recorder.shut_down(100.0)).steps == 3


# what gets worse, and ends an episode early


def watched(spec: RobotSpec, output: Path, **options: object) -> Recorder:
    return started(spec, output, watch=Watch(spec.observation, [*spec.action]), **options)


def test_what_gets_worse_is_said_at_once_and_marked_in_the_file(tmp_path, spec):
    recorder = Recorder(spec, tmp_path, watch=Watch(spec.observation, spec.action))
    drive_idle(recorder, -3.0, 0.0)
    recorder.start(T0)
    for k in range(60):
        sense(recorder, k * PERIOD_S, but=("joints",) if 20 <= k and k % 2 else ())
        command(recorder, k * PERIOD_S)
        recorder.close_ticks(T0 + k * PERIOD_S)
    notices = recorder.take_notices()
    assert len(notices) == 1 and "'joints' (joint_states) comes at 10.0 Hz; it was 20.0 Hz" in notices[0]
    attributes = read_episode(recorder.stop(T0 + 3.0)).attributes
    assert re.fullmatch(r"[12]\.\d s: 'joints' \(joint_states\) comes at .* began", attributes["trouble"])
    assert attributes["missing_messages"] == f"joints {LEARNED_FROM}", "from then on it is another rate"


def drive_idle(recorder: Recorder, start_s: float, end_s: float) -> None:
    for k in range(round((end_s - start_s) / PERIOD_S)):
        sense(recorder, start_s + k * PERIOD_S)


def test_where_nothing_happened_nothing_is_marked(tmp_path, spec):
    recorder = watched(spec, tmp_path)
    attributes = read_episode(recorder.stop(T0 + drive(recorder, 0.0, 40))).attributes
    assert not {"trouble", "missing_messages"} & set(attributes)


def test_stale_fields_are_among_the_trouble_in_the_file_up_to_a_limit(tmp_path, spec):
    recorder = started(spec, tmp_path)
    for k in range(400):
        sense(recorder, k * PERIOD_S, but=("joints",) if k % 8 > 2 else ())
        command(recorder, k * PERIOD_S)
        recorder.close_ticks(T0 + k * PERIOD_S)
    trouble = read_episode(recorder.stop(T0 + 20.0)).attributes["trouble"].split("; ")
    assert sum("'joints' (joint_states) is 0.15 s old" in each for each in trouble) == MOST_TROUBLE


def silent_from(recorder: Recorder, tick: int, ticks: int = 20) -> None:
    for k in range(ticks):
        sense(recorder, k * PERIOD_S, but=("joints",) if k >= tick else ())
        command(recorder, k * PERIOD_S)
        recorder.close_ticks(T0 + k * PERIOD_S)


def test_on_gap_stop_ends_the_episode_before_the_first_stale_tick(tmp_path, spec):
    recorder = started(spec, tmp_path, on_gap="stop")
    silent_from(recorder, 10)
    [notice] = recorder.take_notices()
    assert "'joints' (joint_states) is 0.15 s old; the limit is 0.10 s. The episode is kept up to there" in notice
    episode = read_episode(tmp_path / "episode_000000.hdf5")
    assert (episode.steps, episode.attributes["ended_by"], episode.attributes["stale_ticks"]) == (12, "gap", 0)
    assert episode.timing.age_s("joints")[:-1].max() <= 0.1 + 1e-6
    assert (recorder.state, recorder.gaps) == ("idle", 1)


def test_on_gap_discard_throws_the_episode_away_and_its_number_is_used_again(tmp_path, spec):
    recorder = started(spec, tmp_path, on_gap="discard")
    silent_from(recorder, 10)
    assert "is discarded, as on_gap says" in recorder.take_notices()[0]
    assert list(tmp_path.iterdir()) == [] and recorder.next_index == 0


@settings(max_examples=10)
@given(looks_s=st.lists(st.floats(0, 1.0), max_size=10))
def test_where_a_gap_ends_an_episode_does_not_depend_on_when_ticks_are_closed(tmp_path_factory, spec, looks_s):
    recorder = started(spec, tmp_path_factory.mktemp("gap"), on_gap="stop")
    looks_s = sorted(looks_s)
    for k in range(20):
        while looks_s and looks_s[0] <= k * PERIOD_S:
            recorder.close_ticks(T0 + looks_s.pop(0))
        sense(recorder, k * PERIOD_S, but=("joints",) if k >= 10 else ())
        command(recorder, k * PERIOD_S)
    recorder.close_ticks(T0 + 1.0)
    assert read_episode(recorder.output / "episode_000000.hdf5").steps == 12


def test_an_unknown_on_gap_is_refused(tmp_path, spec):
    with pytest.raises(RecordingError, match="on_gap is 'ignore'; it should be one of warn, discard, stop"):
        Recorder(spec, tmp_path, on_gap="ignore")


def test_an_episode_ends_before_the_disk_is_full(tmp_path, spec, monkeypatch):
    monkeypatch.setattr("imitation_ros.recording.guarding.LOOK_EVERY_S", -1.0)
    recorder = started(spec, tmp_path)
    drive(recorder, 0.0, 5)
    monkeypatch.setattr("imitation_ros.recording.guarding.FULL_BYTES", 10**18)
    drive(recorder, 5 * PERIOD_S, 2)
    [notice] = recorder.take_notices()
    assert "MB are free" in notice and "kept up to there" in notice and "Make room" in notice
    episode = read_episode(tmp_path / "episode_000000.hdf5")
    assert (episode.steps, episode.attributes["ended_by"]) == (4, "disk")
    assert recorder.state == "idle"


def test_a_simulator_that_starts_again_ends_the_episode_and_the_next_begins_at_its_time(tmp_path, spec):
    recorder = started(spec, tmp_path)
    drive(recorder, 500.0, 10)
    recorder.close_ticks(T0 + 500.5)
    recorder.close_ticks(T0 + 0.1)
    [notice] = recorder.take_notices()
    assert "the clock went back by 500.4 s, as when a simulator starts again. The episode is kept" in notice
    episode = read_episode(tmp_path / "episode_000000.hdf5")
    assert episode.attributes["ended_by"] == "clock" and episode.steps == 9
    with pytest.raises(RecordingError, match="was never heard"):
        recorder.start(T0 + 0.1)
    sense(recorder, 0.2)
    recorder.start(T0 + 0.2)
    episode = read_episode(recorder.stop(T0 + drive(recorder, 0.25, 4)))
    np.testing.assert_allclose(episode.timing.ticks_s, T0 + 0.25 + np.arange(5) * PERIOD_S)


def test_a_clock_that_is_kept_right_by_little_ends_nothing(tmp_path, spec):
    recorder = started(spec, tmp_path)
    drive(recorder, 0.0, 10)
    recorder.close_ticks(T0 + 0.5)
    recorder.close_ticks(T0 + 0.3)
    assert recorder.take_notices() == [] and recorder.state == "recording"


# undo


def test_the_last_episode_can_be_undone_and_is_only_renamed(tmp_path, spec):
    recorder = started(spec, tmp_path)
    first = recorder.stop(T0 + drive(recorder, 0.0, 3))
    content = first.read_bytes()
    first.with_suffix(".mcap").write_bytes(b"its bag")
    assert "is put aside as episode_000000.hdf5.undone" in recorder.undo()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "episode_000000.hdf5.undone": content,
        "episode_000000.mcap.undone": b"its bag",
    }
    sense(recorder, 1.0)
    recorder.start(T0 + 1.0)
    command(recorder, 1.0)
    with pytest.raises(RecordingError, match="an episode is being recorded: ~/discard"):
        recorder.undo()
    assert recorder.stop(T0 + drive(recorder, 1.0, 3)).name == "episode_000001.hdf5"


def test_only_episodes_of_this_recorder_are_undone_the_last_first(tmp_path, spec):
    (tmp_path / "episode_000000.hdf5").write_bytes(b"of yesterday")
    recorder = Recorder(spec, tmp_path, append=True)
    for start_s in (0.0, 1.0):
        sense(recorder, start_s)
        recorder.start(T0 + start_s)
        recorder.stop(T0 + drive(recorder, start_s, 3))
    assert "episode_000002" in recorder.undo() and "episode_000001" in recorder.undo()
    with pytest.raises(RecordingError, match="has saved no episode that could be undone"):
        recorder.undo()
    assert (tmp_path / "episode_000000.hdf5").read_bytes() == b"of yesterday"
