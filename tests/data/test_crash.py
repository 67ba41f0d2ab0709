"""A process that is killed while it records: what was closed is whole, what was open is recovered to its last flush."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from crash_child import DIFFERS, STEPS, record, row

import imitation_ros
from imitation_ros.data import images
from imitation_ros.data.folder import dataset_files, episode_path
from imitation_ros.data.hdf5 import EpisodeWriter, atomic, read_episode
from imitation_ros.data.hdf5.recovery import opened, recover
from imitation_ros.errors import DataError
from imitation_ros.robot.messages.images import encoded

KILLS = 200
FLUSH_EVERY = 7
EVENTS = 3 * (STEPS + 2 * (STEPS // FLUSH_EVERY) + 2)  # lines that a child says in all


@pytest.fixture(scope="module", params=["numbers", "cameras"])
def recorded(request, spec, camera_spec):
    return spec if request.param == "numbers" else camera_spec


@pytest.fixture(scope="module")
def run_child(recorded, tmp_path_factory):
    """Has a process of its own record until it is killed; returns what it said before."""
    home = tmp_path_factory.mktemp("child")
    (home / "spec.yaml").write_text(recorded.to_yaml())
    root = str(Path(imitation_ros.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(Path(__file__).with_name("crash_child.py")), str(home / "spec.yaml")]
    server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(**job: object) -> list[str]:
        server.stdin.write(json.dumps(job) + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    yield run
    server.stdin.close()
    server.wait()


@pytest.fixture(scope="module")
def whole(recorded, tmp_path_factory):
    """The bytes of each episode, as a process writes them that is neither killed nor ever flushes."""
    folder = tmp_path_factory.mktemp("whole")
    return [record(episode_path(folder, index), recorded, index).read_bytes() for index in range(3)]


def check_folder(folder: Path, spec, whole: list[bytes], said: list[str]) -> None:
    """Check that closed episodes are as they should be, and that the open one is recovered up to its last flush."""
    files = sorted(folder.glob("*.hdf5"))
    closed = sum(line.startswith("closed") for line in said)
    assert closed <= len(files) <= closed + 1, "at most the newest was closed and not yet announced"
    assert [path.read_bytes() for path in files] == whole[: len(files)]
    parts = [path for path in folder.iterdir() if path not in files]
    assert [path.name for path in parts] in ([], [f"episode_{len(files):06d}.hdf5.part"])
    since = said[max([place for place, line in enumerate(said) if line.startswith("closed")], default=-1) + 1 :]
    flushed = max([int(line.split()[1]) for line in since if line.startswith("flushed")], default=0)
    for part in parts:
        before = part.read_bytes()
        done = recover(part)
        assert done.steps >= flushed - 1 and done.left_out == 0
        if done.complete:
            assert done.path.read_bytes() == whole[len(files)]
            continue
        assert done.kept.read_bytes() == before
        if done.steps:
            check_steps(read_episode(done.path), spec, len(files), done.steps)
    assert not list(folder.glob("*.part")) + list(folder.glob("*.recovering"))


def check_steps(episode, spec, index: int, steps: int) -> None:
    """Check an episode's numbers; each says which step it is of."""
    values = 1000.0 * index + np.arange(steps + 1)
    assert episode.steps == steps and episode.attributes["ended_by"] == "crash"
    np.testing.assert_array_equal(episode.timing.ticks_s, values)
    for field in spec.observation:
        if field.is_image:
            np.testing.assert_array_equal(
                np.asarray(episode.observations[field.name])[:, 0, 0, 0], np.arange(steps + 1)
            )
        else:
            np.testing.assert_array_equal(episode.observations[field.name][:, 0], values.astype(np.float32))
        np.testing.assert_array_equal(episode.timing.stamps_s[field.name], values)
    for field in spec.action:
        np.testing.assert_array_equal(episode.actions[field.name][:, 0], values[:-1])
        told = values[:-1] + (np.arange(steps) >= DIFFERS)
        np.testing.assert_array_equal(episode.executed[field.name][:, 0], told)


def test_200_kills_at_random_moments_cost_what_was_not_flushed(tmp_path, recorded, run_child, whole):
    moments = random.Random(7)
    for number in range(KILLS // 2):  # half of them with cameras
        folder = tmp_path / str(number)
        folder.mkdir()
        kill = {"kill_at": moments.randrange(EVENTS + 1), "wait_s": moments.uniform(0.0, 0.003)}
        said = run_child(folder=str(folder), flush_every=FLUSH_EVERY, **kill)
        check_folder(folder, recorded, whole, said)


@pytest.mark.parametrize(
    "window",
    [
        "in a write",
        "before a commit",
        "while a commit is appended",
        "while pages are put in their places",
        "after a commit",
        "while a dataset is added",
        "before the file is synced",
        "before it is renamed",
        "after it is renamed",
    ],
)
def test_a_kill_in_any_window_costs_what_was_not_flushed(tmp_path, recorded, run_child, whole, window):
    said = run_child(folder=str(tmp_path), flush_every=FLUSH_EVERY, window=window)
    assert "ended" not in said
    check_folder(tmp_path, recorded, whole, said)


@pytest.mark.parametrize(
    "window",
    [
        "while the recovered episode is written",
        "before the file is synced",
        "before it is renamed",
        "after it is renamed",
        "before the part is put aside",
    ],
)
def test_a_recovery_that_is_killed_can_be_called_again(tmp_path, recorded, run_child, whole, window):
    part = left(tmp_path, recorded, 40)
    said = run_child(folder=str(tmp_path), recover=str(part), window=window)
    assert said in ([], ["ended"]), "a recovery comes to some windows but once"
    for _ in range(2):
        for again in tmp_path.glob("*.part"):
            recover(again)
    assert sorted(path.name for path in tmp_path.iterdir()) == [part.stem, f"{part.name}.recovered"]
    check_steps(read_episode(part.with_suffix("")), recorded, 0, 39)


def left(folder: Path, spec, steps: int) -> Path:
    """Leave the part of an episode of which so many steps were flushed."""
    folder.mkdir(exist_ok=True)
    writer = EpisodeWriter(episode_path(folder, 0), spec, {"seed": 0}, timed=True)
    for step in range(steps):
        writer.append(row(spec, 0, step))
        while writer.image_fields and writer.images.ready() < len(writer.rows):
            time.sleep(0.001)  # until the pictures are encoded
    writer.flush()
    writer.abandon()
    return writer.part


def test_whichever_write_is_the_last_one_the_part_holds_its_last_flush(tmp_path, recorded, monkeypatch):
    """Rebuild the file as each of its writes leaves it, whole or half done; enough rows to split HDF5's index."""
    log: list[tuple[int, bytes | None]] = []
    flushes: list[tuple[int, int]] = []

    def write(descriptor, view, place, original=atomic.write_at):
        log.append((place, bytes(view)))
        original(descriptor, view, place)

    class Os:
        def __getattr__(self, name):
            return getattr(os, name)

        def ftruncate(self, descriptor, size):
            log.append((size, None))
            os.ftruncate(descriptor, size)

    monkeypatch.setattr(atomic, "write_at", write)
    monkeypatch.setattr(atomic, "os", Os())
    writer = EpisodeWriter(episode_path(tmp_path, 0), recorded, {}, timed=True)
    steps = 90 if writer.image_fields else 270
    for step in range(steps):
        writer.append(row(recorded, 0, step))
        if step % (steps // 6) == 0:
            while writer.ready() < len(writer.rows):
                time.sleep(0.001)
            writer.flush()
            flushes.append((len(log), writer.steps))
    writer.close(row(recorded, 0, steps), {})
    monkeypatch.undo()

    file, part = bytearray(), tmp_path / "rebuilt.hdf5.part"
    for number, (place, data) in enumerate(log):
        for share in [0.5, 1.0] if data is not None and number % 4 == 0 else [1.0]:
            if data is None:
                file = file[:place].ljust(place, b"\0")
            else:
                written = data[: round(len(data) * share)]
                file = file.ljust(place + len(written), b"\0")
                file[place : place + len(written)] = written
            part.write_bytes(file)
            flushed = max((rows for count, rows in flushes if count <= number), default=0)
            with opened(part) as found:
                assert (0 if found is None else found.rows) >= flushed
                rows = [] if found is None else list(found.whole_rows())
            assert len(rows) >= flushed
            assert [each.tick_s for each in rows] == list(range(len(rows)))
            for field in recorded.observation if rows else ():
                assert not field.is_image or all(each.observation[field.name].any() for each in rows[1:])
    assert len(log) > 200


def test_the_bytes_of_an_episode_do_not_depend_on_when_it_is_flushed(tmp_path, recorded, whole, monkeypatch):
    for every in (1, 3, 26, 59):
        path = record(tmp_path / f"{every}.hdf5", recorded, 1, flush_every=every)
        assert path.read_bytes() == whole[1]
    monkeypatch.setattr(images, "as_stored", lambda value, field: encoded(value, field))
    monkeypatch.setattr("imitation_ros.data.hdf5.streaming.IMAGE_ROWS", 4)
    monkeypatch.setattr("imitation_ros.data.hdf5.streaming.BUFFER_ROWS", 11)
    assert record(tmp_path / "small_buffer.hdf5", recorded, 1).read_bytes() == whole[1]


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_it_is_announced(
    tmp_path, recorded, monkeypatch
):
    done = []

    def noted(name, original):
        def call(*arguments):
            done.append((name, os.readlink(f"/proc/self/fd/{arguments[0]}") if name == "fsync" else str(arguments[1])))
            return original(*arguments)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    path = record(episode_path(tmp_path, 0), recorded, 0)
    assert done == [("fsync", f"{path}.part"), ("replace", str(path)), ("fsync", str(tmp_path))]
    done.clear()
    recover(left(tmp_path.joinpath("crashed"), recorded, 9))
    crashed = str(tmp_path / "crashed")
    name = f"{crashed}/episode_000000.hdf5"
    assert done == [("fsync", f"{name}.recovering"), ("replace", name), ("fsync", crashed), ("fsync", crashed)]


def test_a_part_is_never_an_episode(tmp_path, recorded):
    left(tmp_path, recorded, 20)
    with pytest.raises(DataError, match=r"1 unfinished episode.*imitation-ros recover"):
        dataset_files(tmp_path)


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from crash_child import row
from imitation_ros.data.hdf5 import EpisodeWriter
from imitation_ros.robot.spec import spec_from_yaml
spec = spec_from_yaml(Path(sys.argv[1]).read_text(), "spec.yaml")
writer = EpisodeWriter(Path(sys.argv[2]), spec, {}, timed=True)
for step in range(30):
    writer.append(row(spec, 0, step))
writer.write_rows(len(writer.rows))
writer.flush()
room = writer.part.stat().st_size + 20_000
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
try:
    for step in range(30, 5000):
        writer.append(row(spec, 0, step))
        writer.flush()
except OSError as error:
    print(error)
    if sys.argv[4] == "abandon":
        writer.abandon()
"""


@pytest.mark.parametrize("then", ["abandon", "leave it open"])
def test_a_disk_that_takes_no_more_leaves_the_last_flush_and_no_crash_at_exit(tmp_path, recorded, then):
    (tmp_path / "spec.yaml").write_text(recorded.to_yaml())
    path = tmp_path / "one.hdf5"
    command = [
        sys.executable,
        "-c",
        FULL_DISK,
        str(tmp_path / "spec.yaml"),
        str(path),
        str(Path(__file__).parent),
        then,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "File too large" in done.stdout
    found = recover(path.with_name("one.hdf5.part"))
    assert found.steps >= 29 and found.left_out == 0
    check_steps(read_episode(path), recorded, 0, found.steps)
