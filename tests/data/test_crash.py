"""A process that is killed while it records: what was closed is whole, what was open is no episode."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import imitation_ros
from imitation_ros.data.folder import dataset_files, episode_path
from imitation_ros.data.hdf5 import EpisodeWriter, read_episode
from imitation_ros.data.images import EncodedImages
from imitation_ros.data.row import Row
from imitation_ros.errors import DataError
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

STEPS = 60  # more than one buffer, so that rows reach the file while it is open


def row(spec: RobotSpec, index: int, step: int) -> Row:
    """Return a step whose every number says which one it is."""
    value = 1000.0 * index + step
    return Row(
        tick_s=value,
        observation={
            field.name: np.full(
                field.row_shape, step if field.is_image else value, np.uint8 if field.is_image else float
            )
            for field in spec.observation
        },
        action={field.name: np.full(field.width, value) for field in spec.action},
        executed={field.name: np.full(field.width, value) for field in spec.action},
        stamps_s={field.name: value for field in spec.observation},
        received_s={field.name: value for field in spec.observation},
        silent={field.name: False for field in spec.action},
    )


def record(path: Path, spec: RobotSpec, index: int) -> Path:
    writer = EpisodeWriter(path, spec, {"seed": index}, timed=True)
    for step in range(STEPS):
        writer.append(row(spec, index, step))
    return writer.close(row(spec, index, STEPS), {"ended_by": "operator"})


def record_for_ever(spec: RobotSpec, folder: Path) -> None:
    """Record one episode after the other, with a line for each that is closed."""
    for index in range(sys.maxsize):
        record(episode_path(folder, index), spec, index)
        print(index, flush=True)


def record_and_die(spec: RobotSpec, folder: Path) -> None:
    """Die in the middle of an episode, one step after a flush."""
    writer = EpisodeWriter(episode_path(folder, 0), spec, {}, timed=True)
    for step in range(73):
        writer.append(row(spec, 0, step))
    while spec.observation[-1].is_image and writer.images.ready() < len(writer.rows):
        time.sleep(0.01)  # until the pictures are encoded
    writer.flush()
    writer.append(row(spec, 0, 73))
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def run_it(tmp_path, spec):
    """Starts this file's `what` in a process of its own, which writes into the folder `episodes`."""
    (tmp_path / "episodes").mkdir()
    started = []

    def start(what: str, spec: RobotSpec = spec) -> subprocess.Popen:
        (tmp_path / "spec.yaml").write_text(spec.to_yaml())
        root = str(Path(imitation_ros.__file__).parents[1])
        command = [sys.executable, __file__, what, str(tmp_path / "spec.yaml"), str(tmp_path / "episodes")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("wait_ms", [0, 3, 7, 11, 19, 40])
def test_a_kill_leaves_closed_episodes_intact_and_the_open_one_a_part(tmp_path, spec, run_it, wait_ms):
    writer = run_it("record_for_ever")
    closed = [int(writer.stdout.readline()) for _ in range(2)]
    with pytest.raises(subprocess.TimeoutExpired):
        writer.wait(wait_ms / 1000)
    writer.kill()  # SIGKILL: nothing of its own runs any more
    closed += [int(line) for line in writer.stdout.read().split()]

    folder = tmp_path / "episodes"
    files = dataset_files(folder)
    assert files[: len(closed)] == [episode_path(folder, index) for index in closed]
    parts = [path for path in folder.iterdir() if path not in files]
    assert len(parts) <= 1 and all(path.name == f"episode_{len(files):06d}.hdf5.part" for path in parts)
    assert len(files) <= len(closed) + 1, "at most the newest was closed and not yet announced"
    for index, path in enumerate(files):
        same = record(tmp_path / "undisturbed.hdf5", spec, index)
        assert path.read_bytes() == same.read_bytes()
        assert read_episode(path).steps == STEPS
        same.unlink()


def test_a_part_is_readable_up_to_its_last_flush_and_never_an_episode(tmp_path, run_it):
    assert run_it("record_and_die").wait() == -signal.SIGKILL
    with h5py.File(tmp_path / "episodes" / "episode_000000.hdf5.part") as file:
        demo = file["data/demo_0"]
        assert demo.attrs["num_samples"] == 73
        np.testing.assert_array_equal(demo["ticks"], np.arange(73.0))
        np.testing.assert_array_equal(demo["obs/joints"], np.arange(73.0)[:, None].repeat(2, axis=1))
    with pytest.raises(DataError, match="1 unfinished episode"):
        dataset_files(tmp_path / "episodes")


def test_pictures_are_readable_up_to_the_last_flush_too(tmp_path, camera_spec, run_it):
    assert run_it("record_and_die", camera_spec).wait() == -signal.SIGKILL
    with h5py.File(tmp_path / "episodes" / "episode_000000.hdf5.part") as file:
        demo = file["data/demo_0"]
        assert demo.attrs["num_samples"] == 73
        np.testing.assert_array_equal(demo["obs/front"][:, 0, 0, 0], np.arange(73))
        wrist = EncodedImages(demo["images/wrist"][:], camera_spec.field("wrist"))
        np.testing.assert_array_equal(np.asarray(wrist)[:, 0, 0, 0], np.arange(73))


if __name__ == "__main__":
    act = {"record_for_ever": record_for_ever, "record_and_die": record_and_die}[sys.argv[1]]
    act(spec_from_yaml(Path(sys.argv[2]).read_text(), sys.argv[2]), Path(sys.argv[3]))
