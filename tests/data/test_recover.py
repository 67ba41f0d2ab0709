"""`imitation-ros recover`: what it makes of a part, what it leaves alone, and what it says."""

from __future__ import annotations

import shutil
import time

import h5py
import numpy as np
import pytest
from crash_child import row

from imitation_ros import cli
from imitation_ros.data.folder import dataset_files, episode_path
from imitation_ros.data.hdf5 import EpisodeWriter, layout, read_episode, write_episode
from imitation_ros.data.hdf5.recovery import look_at, recover
from imitation_ros.data.load import load_episodes
from imitation_ros.errors import DataError, RecordingError
from imitation_ros.recording import Recorder
from imitation_ros.recovering import run_recovery


@pytest.fixture
def writer_of(tmp_path):
    """Begins episode 0 with so many steps, which are flushed."""

    def begin(spec, steps: int, timed: bool = True, **attributes) -> EpisodeWriter:
        writer = EpisodeWriter(episode_path(tmp_path, 0), spec, {"operator": "ana", **attributes}, timed=timed)
        for step in range(steps):
            writer.append(row(spec, 0, step))
        while writer.ready() < len(writer.rows):
            time.sleep(0.001)  # until the pictures are encoded
        writer.flush()
        return writer

    return begin


@pytest.fixture
def part_of(writer_of):
    """Leaves the part of an episode of which so many steps were flushed."""

    def leave(spec, steps: int, **options):
        writer = writer_of(spec, steps, **options)
        writer.abandon()
        return writer.part

    return leave


def said(capsys) -> str:
    return " ".join(capsys.readouterr().out.split())


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# what it makes


def test_what_is_recovered_is_what_a_stop_at_the_last_whole_tick_would_have_saved(tmp_path, camera_spec, part_of):
    part = part_of(camera_spec, 30)
    done = recover(part)
    stopped = EpisodeWriter(tmp_path / "stopped.hdf5", camera_spec, {"operator": "ana"}, timed=True)
    for step in range(29):
        stopped.append(row(camera_spec, 0, step))
    same = read_episode(stopped.close(row(camera_spec, 0, 29), {"stale_ticks": 0}))
    back = read_episode(done.path)
    assert done.steps == back.steps == 29 and done.seconds == pytest.approx(29 * camera_spec.period_s)
    for kind in ("observations", "actions", "executed"):
        for name, values in getattr(same, kind).items():
            np.testing.assert_array_equal(getattr(back, kind)[name], values)
    for name, jpeg in enumerate(same.observations["wrist"].jpegs):
        np.testing.assert_array_equal(back.observations["wrist"].jpegs[name], jpeg)
    for name, times in same.timing.stamps_s.items():
        np.testing.assert_array_equal(back.timing.stamps_s[name], times)
    with h5py.File(done.path) as file, h5py.File(tmp_path / "stopped.hdf5") as other:
        found, expected = [], []
        file.visit(found.append)
        other.visit(expected.append)
        assert found == expected, "robomimic finds all that it looks for"


def test_a_recovered_episode_says_so(spec, part_of):
    part = part_of(spec, 10, task="wipe", started_at="2026-01-01T00:00:00+00:00")
    attributes = read_episode(recover(part).path).attributes
    assert attributes["ended_by"] == "crash" and attributes["recovered_ticks"] == 9
    assert attributes["recovered_from"] == part.name and attributes["recovered_at"].startswith("20")
    assert (attributes["operator"], attributes["task"]) == ("ana", "wipe")


@pytest.mark.parametrize("success", [True, False, None])
def test_what_the_operator_said_before_the_crash_is_kept(spec, writer_of, success):
    writer = writer_of(spec, 10)
    writer.note({"stale_ticks": 3, "executed_assumed_ticks": 2})
    if success is not None:
        writer.note({"success": not success})
        writer.note({"success": success})  # he corrected himself
    writer.flush()
    writer.abandon()
    back = read_episode(recover(writer.part).path)
    assert back.success is success
    assert back.attributes["executed_assumed_ticks"] == 2
    assert back.attributes["stale_ticks"] == 0, "counted again, over the ticks that there are"


def test_the_recorder_flushes_what_it_waits_with(tmp_path, spec, monkeypatch):
    """A step and the operator's word reach the disk, though no other step comes."""
    recorder = Recorder(spec, tmp_path)
    for tick in range(4):
        for field in (*spec.observation, *spec.action):
            recorder.put(field.name, np.full(field.width, 0.1), 100.0 + tick * 0.05, 100.0 + tick * 0.05)
        recorder.put("velocity/executed", np.full(2, 0.1), 100.0 + tick * 0.05, 100.0 + tick * 0.05)
        if tick == 0:
            recorder.start(100.0)
    recorder.close_ticks(100.3)
    assert recorder.steps >= 2
    recorder.mark_success()
    monkeypatch.setattr("imitation_ros.data.hdf5.streaming.FLUSH_S", -1.0)
    recorder.close_ticks(100.3)
    steps = recorder.steps
    recorder.open.writer.abandon()
    done = recover(recorder.open.writer.part)
    assert done.steps == steps - 1 and read_episode(done.path).success is True


def test_an_episode_without_times_is_recovered_too(spec, part_of):
    back = read_episode(recover(part_of(spec, 5, timed=False)).path)
    assert back.steps == 4 and back.timing is None


def test_the_part_is_kept_as_it_was(tmp_path, spec, part_of):
    part = part_of(spec, 10)
    before = part.read_bytes()
    assert run_recovery(tmp_path)
    assert names(tmp_path) == ["episode_000000.hdf5", "episode_000000.hdf5.part.recovered"]
    assert (tmp_path / "episode_000000.hdf5.part.recovered").read_bytes() == before
    assert run_recovery(tmp_path), "again: there is nothing left to do"
    assert dataset_files(tmp_path) == [episode_path(tmp_path, 0)] and len(load_episodes(tmp_path)) == 1
    assert Recorder(spec, tmp_path, append=True).next_index == 1


def test_a_part_that_lacks_only_its_name_gets_it(tmp_path, spec, writer_of, monkeypatch, capsys):
    writer = writer_of(spec, 10)
    monkeypatch.setattr(layout, "publish", lambda part, path: None)  # it died just before
    writer.close(row(spec, 0, 10), {"ended_by": "operator"})
    before = writer.part.read_bytes()
    assert look_at(writer.part).complete
    assert run_recovery(tmp_path)
    assert "complete, 10 ticks (0.5 s); it lacked only its name" in said(capsys)
    assert names(tmp_path) == ["episode_000000.hdf5"] and writer.path.read_bytes() == before
    assert read_episode(writer.path).attributes["ended_by"] == "operator"


@pytest.mark.parametrize("steps", [0, 1])
def test_a_part_without_two_ticks_holds_no_episode_and_is_put_aside(tmp_path, spec, part_of, steps, capsys):
    part_of(spec, steps)
    assert run_recovery(tmp_path)
    assert "no two ticks of it were flushed" in said(capsys)
    assert names(tmp_path) == ["episode_000000.hdf5.part.recovered"]


def test_an_empty_part_is_put_aside(tmp_path):
    (tmp_path / "episode_000000.hdf5.part").touch()
    assert run_recovery(tmp_path)
    assert names(tmp_path) == ["episode_000000.hdf5.part.recovered"]


# what is damaged: parts of recorders that were less careful, or of a disk that lost something


@pytest.mark.parametrize("name", ["obs/joints", "actions_raw/velocity", "ticks", "stamps/wrist", "images/wrist"])
def test_columns_of_different_lengths_are_cut_to_the_shortest(camera_spec, part_of, name):
    part = part_of(camera_spec, 30)
    with h5py.File(part, "r+") as file:
        file["data/demo_0"][name].resize(21, axis=0)
    assert recover(part).steps == 20


def test_rows_that_were_never_flushed_are_not_invented(spec, part_of):
    part = part_of(spec, 30)
    with h5py.File(part, "r+") as file:  # as HDF5 may leave it: the room is there, and zeros in it
        demo = file["data/demo_0"]
        demo.visititems(lambda _, item: item.resize(40, axis=0) if isinstance(item, h5py.Dataset) else None)
    assert recover(part).steps == 29


def test_an_episode_ends_before_an_image_that_is_lost(tmp_path, camera_spec, part_of, capsys):
    part = part_of(camera_spec, 30)
    with h5py.File(part, "r+") as file:
        file["data/demo_0/images/wrist"][25] = np.zeros(0, np.uint8)
    assert run_recovery(tmp_path)
    assert "24 ticks (1.2 s) recovered" in (text := said(capsys)) and "5 ticks that could not be read" in text


def test_an_episode_ends_before_a_chunk_that_is_lost(camera_spec, part_of):
    part = part_of(camera_spec, 30)
    with h5py.File(part) as file:
        place = file["data/demo_0/images/wrist"].id.get_chunk_info(0).byte_offset
    with part.open("r+b") as file:  # a reference to nowhere, behind the length of its image
        file.seek(place + 20 * 16 + 4)
        file.write(b"\x0e" * 8)
    assert recover(part).steps == 19


def test_an_episode_ends_before_a_tick_that_the_disk_has_lost(spec, part_of):
    part = part_of(spec, 30)
    with h5py.File(part, "r+") as file:
        file["data/demo_0/ticks"][20:] = 0.0  # room that nothing was written to: a power cut may leave it so
    assert recover(part).steps == 19


# what it leaves alone


def test_a_part_that_is_being_written_is_left_alone(tmp_path, spec, writer_of, capsys):
    writer = writer_of(spec, 10)
    before = writer.part.read_bytes()
    for only_look in (True, False):
        assert not run_recovery(tmp_path, only_look)
        assert "is being written right now. Wait until its recorder has stopped" in said(capsys)
    assert names(tmp_path) == ["episode_000000.hdf5.part"] and writer.part.read_bytes() == before
    writer.append(row(spec, 0, 10))
    assert read_episode(writer.close(row(spec, 0, 11), {})).steps == 11


@pytest.mark.parametrize("there", ["episode_000000.hdf5", "episode_000000.hdf5.part.recovered"])
def test_nothing_is_ever_overwritten(tmp_path, spec, part_of, make_episode, there, capsys):
    part = part_of(spec, 10)
    path = write_episode(tmp_path / "other.hdf5", make_episode(spec)).rename(tmp_path / there)
    before = path.read_bytes(), part.read_bytes()
    assert not run_recovery(tmp_path)
    assert f"{there} exists already, and stays as it is. Move it away." in said(capsys)
    assert (path.read_bytes(), part.read_bytes()) == before


@pytest.mark.parametrize("content", [b"somebody's afternoon", b"\x89HDF\r\n\x1a\n" + b"\1" * 500])
def test_what_is_no_recording_is_named_and_left_alone_and_the_rest_is_recovered(
    tmp_path, spec, part_of, content, capsys
):
    part_of(spec, 10)
    odd = tmp_path / "aaa.part"
    odd.write_bytes(content)
    assert not run_recovery(tmp_path)
    text = said(capsys)
    assert f"{odd} cannot be read, and stays as it is" in text and "9 ticks (0.5 s) recovered" in text
    assert odd.read_bytes() == content


def test_a_file_that_was_not_recorded_is_left_alone(tmp_path, spec, make_episode, capsys):
    path = write_episode(tmp_path / "saved.hdf5", make_episode(spec, steps=4))
    with h5py.File(path, "r+") as file:
        del file["data"].attrs["total"], file["data/demo_0/actions"]
    path.rename(tmp_path / "saved.hdf5.part")
    assert not run_recovery(tmp_path)
    assert "has to be made again" in said(capsys) and names(tmp_path) == ["saved.hdf5.part"]


def test_looking_changes_nothing(tmp_path, spec, part_of, capsys):
    before = part_of(spec, 21).read_bytes()
    assert run_recovery(tmp_path, only_look=True)
    assert "20 ticks (1.0 s) can be recovered, as episode_000000.hdf5." in said(capsys)
    assert names(tmp_path) == ["episode_000000.hdf5.part"]
    assert (tmp_path / "episode_000000.hdf5.part").read_bytes() == before


# the command line, and the recorder


def verb(monkeypatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["imitation-ros", "recover", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_exit_code_says_whether_all_went_well(tmp_path, spec, part_of, monkeypatch, capsys):
    part = part_of(spec, 10)
    assert verb(monkeypatch, tmp_path, "--list") == 0
    assert verb(monkeypatch, part) == 0
    assert verb(monkeypatch, tmp_path) == 0
    assert "nothing to recover" in said(capsys)
    shutil.copy(f"{part}.recovered", part)
    assert verb(monkeypatch, tmp_path) == 1
    assert verb(monkeypatch, tmp_path / "nowhere") == 2
    assert "is no folder and no *.part" in capsys.readouterr().err


def test_the_recorder_says_that_there_is_a_part_and_how_to_recover_it(tmp_path, spec, part_of):
    part_of(spec, 10)
    [notice] = Recorder(spec, tmp_path, append=True).take_notices()
    assert "episode_000000.hdf5.part" in notice and f"`imitation-ros recover {tmp_path}`" in notice
    with pytest.raises(RecordingError, match=r"set append.*imitation-ros recover"):
        Recorder(spec, tmp_path)


def test_a_name_that_was_taken_meanwhile_is_not_overwritten(spec, writer_of):
    writer = writer_of(spec, 10)
    writer.path.write_bytes(b"somebody's afternoon")
    with pytest.raises(DataError, match=r"exists already.*\.part is complete: rename it"):
        writer.close(row(spec, 0, 10), {})
    writer.abandon()
    assert writer.path.read_bytes() == b"somebody's afternoon" and look_at(writer.part).complete
