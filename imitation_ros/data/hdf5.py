"""Episode to file and back: the only module that imports h5py.

One episode is one file that robomimic reads as it is (demo_0 under /data), plus the robot spec, the
stamps and what the robot was really told. While it is written it is called `*.part`; it gets its name
when it is complete and on the disk, so a file without `.part` is always whole.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from imitation_ros import __version__
from imitation_ros.data.episode import Episode, Timing
from imitation_ros.data.folder import publish
from imitation_ros.data.row import Row, row_of
from imitation_ros.errors import DataError, SpecError
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

Array = NDArray[Any]

FORMAT_VERSION = 1
BUFFER_ROWS = 50  # resizing a dataset at every row costs 40 times as much
FLUSH_S = 1.0  # what a crash may cost
TIMES = ("stamps", "received")


class EpisodeWriter:
    """Streams one episode into `path`.part, and renames it to `path` when it is closed.

    A crash costs at most the last FLUSH_S seconds. Use it as `append`, `append`, ..., `close`.

    Args:
        path: the file to make; must not exist.
        spec: what the numbers mean; stored in the file.
        timed: whether rows come with stamps, which are then stored.

    Raises:
        DataError: the file, or its `.part`, is there already; recordings are never overwritten.
    """

    def __init__(self, path: Path, spec: RobotSpec, attributes: Mapping[str, str | int | float], timed: bool) -> None:
        self.path, self.spec, self.timed = path, spec, timed
        self.part = path.with_name(path.name + ".part")
        self.rows: list[Row] = []
        self.steps = 0
        self.clipped = 0
        self.flushed_s = time.monotonic()
        for existing in (path, self.part):
            if existing.exists():
                raise DataError(f"{existing} exists already, and recordings are not overwritten. Move it away.")
        self.file = h5py.File(self.part, "x")
        try:
            self.begin(attributes)
        except BaseException:  # the disk is full: nothing is recorded yet
            self.discard()
            raise

    def begin(self, attributes: Mapping[str, str | int | float]) -> None:
        data, spec = self.file.create_group("data"), self.spec
        data.attrs["format_version"] = FORMAT_VERSION
        data.attrs["robot_spec"] = spec.to_yaml()
        data.attrs["env_args"] = json.dumps({"env_name": spec.task or spec.name, "type": 2, "env_kwargs": {}})
        self.demo = data.create_group("demo_0")
        self.demo.attrs.update({"software": f"imitation_ros {__version__}", **attributes})
        self.create_datasets()

    def create_datasets(self) -> None:
        width = sum(field.width for field in self.spec.action)
        self.create("actions", width, np.float32)
        for field in self.spec.action:
            self.create(f"actions_raw/{field.name}", field.width, np.float32)
            self.create(f"actions_executed/{field.name}", field.width, np.float32)
            if self.timed:
                self.create(f"silent/{field.name}", None, np.bool_)
        for field in self.spec.observation:
            self.create(f"obs/{field.name}", field.width, np.float32)
            if self.timed:
                for kind in TIMES:
                    self.create(f"{kind}/{field.name}", None, np.float64)
        self.create("rewards", None, np.float32)
        self.create("is_human", None, np.bool_)
        if self.timed:
            self.create("ticks", None, np.float64)

    def create(self, name: str, width: int | None, dtype: Any) -> None:
        shape = (0,) if width is None else (0, width)
        self.demo.create_dataset(
            name, shape, dtype, maxshape=(None, *shape[1:]), chunks=(max(BUFFER_ROWS, 256), *shape[1:])
        )

    def append(self, row: Row) -> None:
        """Add one step; it is on its way to the disk within FLUSH_S."""
        self.rows.append(row)
        if len(self.rows) >= BUFFER_ROWS or time.monotonic() - self.flushed_s > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        self.write_rows()
        self.demo.attrs["num_samples"] = self.steps
        self.file.flush()
        self.flushed_s = time.monotonic()

    def write_rows(self) -> None:
        if not self.rows:
            return
        rows, self.rows = self.rows, []
        self.steps += len(rows)
        unit = []
        for field in self.spec.action:
            raw = np.array([row.action[field.name] for row in rows], dtype=np.float32)
            unit.append(field.to_unit(raw.astype(np.float64)))  # of what the file holds, so that both agree bitwise
            self.extend(f"actions_raw/{field.name}", raw)
            self.extend(f"actions_executed/{field.name}", np.array([row.executed[field.name] for row in rows]))
            if self.timed:
                self.extend(f"silent/{field.name}", np.array([row.silent[field.name] for row in rows]))
        actions = np.concatenate(unit, axis=1)
        self.clipped += int((np.abs(actions) > 1.0 + 1e-6).any(axis=1).sum())
        self.extend("actions", np.clip(actions, -1.0, 1.0))
        for field in self.spec.observation:
            self.extend(f"obs/{field.name}", np.array([row.observation[field.name] for row in rows]))
            if self.timed:
                self.extend(f"stamps/{field.name}", np.array([row.stamps_s[field.name] for row in rows]))
                self.extend(f"received/{field.name}", np.array([row.received_s[field.name] for row in rows]))
        self.extend("rewards", np.array([row.reward for row in rows]))
        self.extend("is_human", np.array([row.is_human for row in rows]))
        if self.timed:
            self.extend("ticks", np.array([row.tick_s for row in rows]))

    def extend(self, name: str, values: Array) -> None:
        dataset = self.demo[name]
        before = len(dataset)
        dataset.resize(before + len(values), axis=0)
        dataset[before:] = values

    def close(self, final: Row, attributes: Mapping[str, str | int | float | bool]) -> Path:
        """Finish the episode and give the file its name.

        Args:
            final: the observation after the last action; its action is ignored.
            attributes: success, ended_by, terminated, and what else is known only now.
        """
        self.write_rows()
        for field in self.spec.observation:
            value = np.asarray(final.observation[field.name], dtype=np.float32)
            self.demo.create_dataset(f"final_obs/{field.name}", data=value)
            if self.timed:
                self.extend(f"stamps/{field.name}", np.array([final.stamps_s[field.name]]))
                self.extend(f"received/{field.name}", np.array([final.received_s[field.name]]))
        if self.timed:
            self.extend("ticks", np.array([final.tick_s]))
            for field in self.spec.observation:
                ages = self.demo["ticks"][:] - self.demo[f"stamps/{field.name}"][:]
                self.demo.create_dataset(f"ages/{field.name}", data=ages)
        dones = np.zeros(self.steps, dtype=np.int64)
        dones[-1:] = 1  # robomimic's word for the last step of a demo
        self.demo.create_dataset("dones", data=dones)
        self.demo.create_dataset("states", shape=(self.steps, 0), dtype=np.float32)  # a real robot has none
        self.demo.attrs.update({"num_samples": self.steps, "clipped_ticks": self.clipped, **attributes})
        self.file["data"].attrs["total"] = self.steps
        self.file.close()
        publish(self.part, self.path)
        return self.path

    def abandon(self) -> None:
        """Let the file go when the disk takes no more; `*.part` stays as it is."""
        with contextlib.suppress(Exception):
            self.file.close()

    def discard(self) -> None:
        """Throw the open episode away."""
        self.abandon()
        with contextlib.suppress(OSError):
            self.part.unlink(missing_ok=True)


def write_episode(path: Path, episode: Episode) -> Path:
    """Write a whole episode to a new file; read_episode gives an equal one back."""
    timing = episode.timing
    attributes = dict(episode.attributes)
    writer = EpisodeWriter(path, episode.spec, attributes, timed=timing is not None)
    try:
        for index in range(episode.steps):
            writer.append(row_of(episode, index))
        outcome: dict[str, Any] = {"terminated": episode.terminated, "rewards_given": episode.rewards is not None}
        if episode.success is not None:
            outcome["success"] = episode.success
        return writer.close(row_of(episode, episode.steps), outcome)
    except BaseException:
        writer.discard()
        raise


def read_episodes(path: Path) -> Iterator[Episode]:
    """Yield the episodes of one file, in the order of their numbers.

    Raises:
        DataError: the file is not readable, or lacks what an episode needs.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} is not a readable HDF5 file: {error}.") from None
    with file:
        data = file.get("data")
        if not isinstance(data, h5py.Group) or "robot_spec" not in data.attrs:
            raise DataError(
                f"{path} has no `data` group with a `robot_spec`: it was not recorded by imitation_ros, so what its "
                f"numbers mean is unknown."
            )
        version = data.attrs.get("format_version", 0)
        if not isinstance(version, int | np.integer) or version > FORMAT_VERSION:
            raise DataError(
                f"{path} has format version {version}; this imitation_ros reads up to {FORMAT_VERSION}. Upgrade it."
            )
        try:
            spec = spec_from_yaml(str(data.attrs["robot_spec"]), f"{path} (robot_spec)")
        except SpecError as error:
            raise DataError(f"the robot spec inside a recording is broken. {error}") from None
        for name in sorted(data, key=lambda name: demo_number(name, path)):
            try:
                episode = read_demo(data[name], spec)
            except (KeyError, AttributeError, TypeError, ValueError, OSError, RuntimeError, DataError) as error:
                raise DataError(f"{path}, {name} is broken: {error}") from None
            yield episode


def demo_number(name: str, path: Path) -> int:
    number = name.removeprefix("demo_")
    if number == name or not number.isdecimal():
        raise DataError(f"{path} holds {name!r} in its `data` group; every member should be called demo_0, demo_1, ...")
    return int(number)


def read_episode(path: Path) -> Episode:
    """Return the only episode of a file."""
    episodes = list(read_episodes(path))
    if len(episodes) != 1:
        raise DataError(f"{path} holds {len(episodes)} episodes; one was expected. Use read_episodes.")
    return episodes[0]


def read_demo(demo: h5py.Group, spec: RobotSpec) -> Episode:
    attributes = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in sorted(demo.attrs.items())
    }
    timing = None
    if "ticks" in demo:
        timing = Timing(
            ticks_s=demo["ticks"][:],
            stamps_s={field.name: demo[f"stamps/{field.name}"][:] for field in spec.observation},
            received_s={field.name: demo[f"received/{field.name}"][:] for field in spec.observation},
            silent={field.name: demo[f"silent/{field.name}"][:] for field in spec.action},
        )
    success = attributes.pop("success", None)
    rewards_given = bool(attributes.pop("rewards_given", False))
    terminated = bool(attributes.pop("terminated", False))
    for own in ("num_samples", "clipped_ticks"):
        attributes.pop(own, None)
    return Episode(
        spec=spec,
        observations={
            field.name: np.concatenate([demo[f"obs/{field.name}"][:], demo[f"final_obs/{field.name}"][:][None]])
            for field in spec.observation
        },
        actions={field.name: demo[f"actions_raw/{field.name}"][:] for field in spec.action},
        executed={field.name: demo[f"actions_executed/{field.name}"][:] for field in spec.action},
        timing=timing,
        rewards=demo["rewards"][:] if rewards_given else None,
        terminated=terminated,
        success=None if success is None else bool(success),
        is_human=demo["is_human"][:],
        attributes=attributes,
    )
