"""What every file has, however it is written: its name while it is open, its header, and how a demo ends."""

from __future__ import annotations

import atexit
import contextlib
import json
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from imitation_ros import __version__
from imitation_ros.data.folder import publish
from imitation_ros.data.hdf5.atomic import AtomicFile
from imitation_ros.errors import DataError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]
Attributes = Mapping[str, str | int | float | bool]

FORMAT_VERSION = 1
CACHED_BYTES = 1 << 22  # of metadata, among which are JPEGs: by itself HDF5 goes on to 32 MB over an episode
JPEG_BYTES = h5py.vlen_dtype(np.uint8)
OPEN: weakref.WeakSet[PartFile] = weakref.WeakSet()


@atexit.register
def abandon_open() -> None:
    """Let go of what a program leaves open: HDF5 would still write it when there is no Python left to write with."""
    for file in list(OPEN):
        file.abandon()


class PartFile:
    """An HDF5 file that is called `path`.part until it is published; a crash leaves what was committed last.

    Args:
        part: another name for it while it is open.

    Raises:
        DataError: the file, or its `.part`, is there already; recordings are never overwritten.
    """

    def __init__(self, path: Path, spec: RobotSpec, part: Path | None = None) -> None:
        self.path, self.part = path, part or path.with_name(path.name + ".part")
        for existing in (path, self.part):
            if existing.exists():
                raise DataError(f"{existing} exists already, and recordings are not overwritten. Move it away.")
        self.bytes = AtomicFile(self.part, "x")
        self.file = h5py.File(self.bytes, "w")
        OPEN.add(self)
        try:
            bound_cache(self.file, CACHED_BYTES)
            self.data = self.file.create_group("data")
            self.data.attrs["format_version"] = FORMAT_VERSION
            self.data.attrs["robot_spec"] = spec.to_yaml()
            env = {"env_name": spec.task or spec.name, "type": 2, "env_kwargs": {}}
            self.data.attrs["env_args"] = json.dumps(env)
        except BaseException:  # the disk is full: nothing is recorded yet
            self.discard()
            raise

    def demo(self, index: int, attributes: Attributes) -> h5py.Group:
        self.bytes.check()  # or a Ctrl-C would wait until the last of many
        demo = self.data.create_group(f"demo_{index}")
        demo.attrs.update({"software": f"imitation_ros {__version__}", **attributes})
        return demo

    def commit(self) -> None:
        """Make what was written so far what a crash leaves."""
        self.file.flush()
        self.bytes.commit()

    def publish(self, steps: int) -> Path:
        """Give the file its name: it holds this many steps in all."""
        self.data.attrs["total"] = steps
        self.file.close()
        self.bytes.commit()
        publish(self.part, self.path)
        self.bytes.close()  # its lock is held until it has its name
        OPEN.discard(self)
        return self.path

    def abandon(self) -> None:
        """Let the file go, as when the disk takes no more; `*.part` stays as it was committed last."""
        self.bytes.end()
        with contextlib.suppress(Exception):
            self.file.close()
        self.bytes.close()
        OPEN.discard(self)

    def discard(self) -> None:
        self.abandon()
        with contextlib.suppress(OSError):
            self.part.unlink(missing_ok=True)


def bound_cache(file: h5py.File, size: int) -> None:
    """Keep HDF5's cache of a file's metadata at a size in bytes."""
    config = file.id.get_mdc_config()
    config.set_initial_size = True
    config.initial_size = config.min_size = config.max_size = size
    config.incr_mode = config.flash_incr_mode = config.decr_mode = 0
    file.id.set_mdc_config(config)


def observation_name(field: Field) -> str:
    """Return where in a demo a field's observations lie."""
    return f"images/{field.name}" if field.is_image and field.storage == "jpeg" else f"obs/{field.name}"


def unit_actions(spec: RobotSpec, labels: Mapping[str, Array]) -> tuple[Array, int]:
    """Return the actions in [-1, 1] that robomimic learns, (T, A), and in how many ticks they were clipped.

    They follow from the float32 labels that the file holds, so that both agree bitwise.
    """
    parts = [field.to_unit(labels[field.name].astype(np.float64)) for field in spec.action]
    actions = np.concatenate(parts, axis=1)
    clipped = int((np.abs(actions) > 1.0 + 1e-6).any(axis=1).sum())
    return np.clip(actions, -1.0, 1.0).astype(np.float32), clipped


def end_demo(demo: h5py.Group, steps: int, clipped: int, attributes: Attributes) -> None:
    """Write what is known only when an episode is over."""
    dones = np.zeros(steps, dtype=np.int64)
    dones[-1:] = 1  # robomimic's word for the last step of a demo
    demo.create_dataset("dones", data=dones)
    demo.create_dataset("states", shape=(steps, 0), dtype=np.float32)  # a real robot has none
    demo.attrs.update({"num_samples": steps, "clipped_ticks": clipped, **attributes})
