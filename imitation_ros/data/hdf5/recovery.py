"""Make an episode of the `*.part` that a crash left: its whole rows, of which the last is the final observation."""

from __future__ import annotations

import contextlib
import datetime
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from imitation_ros.data.folder import publish, sync
from imitation_ros.data.hdf5.atomic import AtomicFile, finish_commit
from imitation_ros.data.hdf5.layout import Array, observation_name
from imitation_ros.data.hdf5.reading import BROKEN, parsed_spec, read_attributes, read_episode
from imitation_ros.data.hdf5.streaming import TIMES, EpisodeWriter
from imitation_ros.data.row import Row
from imitation_ros.errors import DataError, SpecError
from imitation_ros.robot.sampler import SAME_TIME_S
from imitation_ros.robot.spec import RobotSpec

BLOCK_ROWS = 256
IMAGE_BLOCK_ROWS = 16  # of which a few MB each may be in memory
KEPT, MAKING = ".recovered", ".recovering"  # what is added to the part's name afterwards, to the episode's meanwhile
FROM = "recovered_from"
SIGNATURE = b"\x89HDF\r\n\x1a\n"  # its first commit gives it to a file


@dataclass(frozen=True)
class Recovery:
    """What became of a `*.part`, or would.

    Attributes:
        path: the episode.
        steps: how many it has; 0: nothing was flushed, so there is none.
        seconds: how long they take.
        left_out: how many more could not be read.
        complete: nothing was missing but its name.
        kept: what the part is called now; None where it became the episode.
    """

    path: Path
    steps: int
    seconds: float
    left_out: int = 0
    complete: bool = False
    kept: Path | None = None


class Part:
    """An open `*.part`, as its last commit left it; it is locked, and stays as it is."""

    def __init__(self, part: Path, store: AtomicFile, file: h5py.File) -> None:
        self.store, data = store, file["data"]
        self.spec: RobotSpec = parsed_spec(str(data.attrs["robot_spec"]), part)
        self.complete = "total" in data.attrs
        self.demo: h5py.Group = data["demo_0"]
        self.attributes = read_attributes(self.demo.id)
        self.timed = "ticks" in self.demo
        flushed = int(self.demo.attrs.get("num_samples", 0))  # what is beyond may be room that nothing was written to
        self.rows = flushed if self.complete else min(flushed, *(len(self.demo[name]) for name in self.columns()))

    @property
    def steps(self) -> int:
        return self.rows if self.complete else max(self.rows - 1, 0)

    def columns(self) -> list[str]:
        names = ["actions", "rewards", "is_human", *(["ticks"] if self.timed else [])]
        for field in self.spec.action:
            names += [f"actions_raw/{field.name}", f"actions_executed/{field.name}"]
            names += [f"silent/{field.name}"] if self.timed else []
        for field in self.spec.observation:
            names += [observation_name(field), *(f"{kind}/{field.name}" for kind in TIMES if self.timed)]
        return names

    def whole_rows(self) -> Iterator[Row]:
        """Yield the rows up to the first that cannot be read, or whose tick does not follow the one before."""
        before_s = -math.inf
        with contextlib.suppress(*BROKEN):
            for row in self.readable():
                if self.timed and not before_s < row.tick_s:
                    return
                before_s = row.tick_s
                yield row

    def readable(self) -> Iterator[Row]:
        size = IMAGE_BLOCK_ROWS if any(field.is_image for field in self.spec.observation) else BLOCK_ROWS
        for first in range(0, self.rows, size):
            last = min(first + size, self.rows)
            try:
                rows: Iterable[Row] = self.read(first, last)
            except BROKEN:
                rows = (self.read(index, index + 1)[0] for index in range(first, last))
            yield from rows

    def read(self, first: int, last: int) -> list[Row]:
        block = {name: self.demo[name][first:last] for name in self.columns()}
        self.store.check()
        for field in self.spec.observation:
            if field.is_image and any(image.size == 0 for image in block[observation_name(field)]):
                raise ValueError(f"{field.name!r} has an image without a byte")
        return [self.row(block, index) for index in range(last - first)]

    def row(self, block: dict[str, Array], index: int) -> Row:
        spec = self.spec

        def all_of(kind: str, fields: Any) -> dict[str, Any]:
            return {field.name: block[f"{kind}/{field.name}"][index] for field in fields}

        return Row(
            tick_s=block["ticks"][index] if self.timed else 0.0,
            observation={field.name: block[observation_name(field)][index] for field in spec.observation},
            action=all_of("actions_raw", spec.action),
            executed=all_of("actions_executed", spec.action),
            stamps_s=all_of("stamps", spec.observation) if self.timed else {},
            received_s=all_of("received", spec.observation) if self.timed else {},
            silent=all_of("silent", spec.action) if self.timed else {},
            reward=block["rewards"][index],
            is_human=block["is_human"][index],
        )


@contextlib.contextmanager
def opened(part: Path) -> Iterator[Part | None]:
    """Open a part; None where nothing of it was ever flushed.

    Raises:
        DataError: it is being written right now, or is no recording.
    """
    with contextlib.ExitStack() as stack:
        found = None
        try:
            store = stack.enter_context(AtomicFile(part, "r"))
            if store.read(len(SIGNATURE)).strip(b"\0"):
                found = Part(part, store, stack.enter_context(h5py.File(store, "r")))
        except (*BROKEN, SpecError) as error:
            raise DataError(
                f"{part} cannot be read, and stays as it is: {str(error).rstrip('.')}. Only what a recorder left can "
                f"be recovered; what else is called .part has to be made again by whatever made it."
            ) from None
        yield found


def look_at(part: Path) -> Recovery:
    """Return what `recover` would make of a part, and change nothing.

    Raises:
        DataError: it is being written right now, or is no recording.
    """
    with opened(part) as found:
        if found is None:
            return Recovery(part.with_suffix(""), 0, 0.0)
        return Recovery(part.with_suffix(""), found.steps, found.steps * found.spec.period_s, complete=found.complete)


def recover(part: Path) -> Recovery:
    """Make an episode of what a crash left, beside it; the part is kept as `*.part.recovered`.

    Cut short, by whatever, it can be called again.

    Raises:
        DataError: it is being written right now, is no recording, or there is an episode of its name.
    """
    path, kept = part.with_suffix(""), part.with_name(part.name + KEPT)
    with opened(part) as found:
        again = path.exists() and found is not None and came_from(path, part, found)
        for there in (kept, path):
            if there.exists() and not (again and there == path):
                raise DataError(f"{part} is not recovered: {there} exists already, and stays as it is. Move it away.")
        done = Recovery(path, 0, 0.0, kept=kept)
        if found is not None and found.complete:
            done = Recovery(path, found.steps, found.steps * found.spec.period_s, complete=True)
        elif found is not None:
            steps = read_episode(path).steps if again else write_whole_rows(found, part, path)
            done = Recovery(path, steps, steps * found.spec.period_s, found.steps - steps, kept=kept)
        if not done.complete:
            os.rename(part, kept)
            sync(part.parent)
            return done
    finish_commit(part)
    read_episode(part)  # or it is not complete
    publish(part, path)
    return done


def came_from(path: Path, part: Path, found: Part) -> bool:
    """Return whether an episode was recovered from a part before, and only the part was not put aside any more."""
    there = read_episode(path).attributes
    return there.get(FROM) == part.name and there.get("started_at") == found.attributes.get("started_at")


def write_whole_rows(found: Part, part: Path, path: Path) -> int:
    """Write the episode that whole rows make, and return how many steps it has; none is written for 0."""
    making, spec = path.with_name(path.name + MAKING), found.spec
    making.unlink(missing_ok=True)  # of a recovery that was cut short
    attributes = {FROM: part.name, **found.attributes}
    writer = EpisodeWriter(path, spec, attributes, found.timed, part=making)
    try:
        rows, stale, last = found.whole_rows(), 0, None
        for row in rows:
            if last is not None:
                writer.append(last)
                stale += is_stale(spec, last)
            last = row
        steps = len(writer.rows) + writer.steps
        if last is None or steps == 0:
            writer.discard()
            return 0
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        ending: dict[str, str | int | bool] = {"ended_by": "crash", "recovered_at": now, "recovered_ticks": steps}
        ending["stale_ticks"] = stale
        if "success" in found.attributes:
            ending["success"] = bool(found.attributes["success"])
        writer.close(last, {"rewards_given": False, **ending})
    except BaseException:
        writer.discard()
        raise
    return steps


def is_stale(spec: RobotSpec, row: Row) -> bool:
    ages_s = {name: row.tick_s - stamp_s for name, stamp_s in row.stamps_s.items()}
    return any(age_s > spec.field(name).max_age_s + SAME_TIME_S for name, age_s in ages_s.items())
