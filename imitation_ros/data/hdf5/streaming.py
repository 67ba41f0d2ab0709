"""Stream an episode into a file while it is recorded; a crash costs at most the last second.

The order of things in the file follows from the rows alone, not from when they are written or flushed: what begins
a chunk or a column begins a run of rows (`run_length`), and the images of a run are written row by row.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.data.hdf5.columns import CHUNK_ROWS, Column, JpegColumn
from imitation_ros.data.hdf5.layout import Attributes, PartFile, end_demo, observation_name, unit_actions
from imitation_ros.data.images import ImageQueue, as_stored
from imitation_ros.data.row import Row
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]

BUFFER_ROWS = 50  # resizing a dataset at every row costs 40 times as much
IMAGE_ROWS = 10  # with images, so that the next tick does not wait long while they are written
BUFFER_BYTES = 32_000_000  # of images, which fill the memory before there are as many rows
FLUSH_S = 1.0  # what a crash may cost
TIMES = ("stamps", "received")


class EpisodeWriter:
    """Streams one episode into `path`.part, and renames it to `path` when it is closed.

    A crash costs at most the last FLUSH_S seconds. Use it as `append`, `append`, ..., `close`. Images are encoded in
    threads of their own; a step is written once all of its images are.

    Args:
        path: the file to make; must not exist.
        spec: what the numbers mean; stored in the file.
        timed: whether rows come with stamps, which are then stored.

    Raises:
        DataError: the file, or its `.part`, is there already; recordings are never overwritten.
    """

    def __init__(
        self, path: Path, spec: RobotSpec, attributes: Attributes, timed: bool, part: Path | None = None
    ) -> None:
        self.path, self.spec, self.timed = path, spec, timed
        self.numbers = [field for field in spec.observation if not field.is_image]
        self.image_fields = [field for field in spec.observation if field.is_image]
        self.rows: list[Row] = []  # without their images, which are in the queue
        self.steps = 0
        self.clipped = 0
        self.as_labels = {field.name for field in spec.action}  # of which what was executed never differed yet
        self.noted: Attributes = {}
        self.unflushed = False
        self.columns: dict[str, Column] = {}
        self.jpegs: dict[str, JpegColumn] = {}
        self.flushed_s = time.monotonic()
        self.file = PartFile(path, spec, part)
        try:
            self.demo = self.file.demo(0, {**attributes, "num_samples": 0, "success": False})
            del self.demo.attrs["success"]  # nobody said yet; whenever it is said, there is room for it
            self.create_datasets()
            self.file.commit()
        except BaseException:  # the disk is full: nothing is recorded yet
            self.file.discard()
            raise
        self.images = ImageQueue(self.image_fields)

    @property
    def part(self) -> Path:
        return self.file.part

    def create_datasets(self) -> None:
        self.create("actions", (sum(field.width for field in self.spec.action),))
        for field in self.spec.action:
            self.create(f"actions_raw/{field.name}", field.row_shape)
            self.demo[f"actions_executed/{field.name}"] = self.demo[f"actions_raw/{field.name}"]  # until they differ
            if self.timed:
                self.create(f"silent/{field.name}", (), np.bool_)
        for field in self.spec.observation:
            self.create_observation(field)
            if self.timed:
                for kind in TIMES:
                    self.create(f"{kind}/{field.name}", (), np.float64)
        self.create("rewards", ())
        self.create("is_human", (), np.bool_)
        if self.timed:
            self.create("ticks", (), np.float64)

    def create_observation(self, field: Field) -> None:
        name = observation_name(field)
        if name.startswith("images/"):
            self.jpegs[name] = JpegColumn(self.demo, name)
        elif field.is_image:
            self.create(name, field.row_shape, np.uint8, chunk_rows=1)
        else:
            self.create(name, field.row_shape)

    def create(self, name: str, row: tuple[int, ...], dtype: Any = np.float32, chunk_rows: int = CHUNK_ROWS) -> None:
        self.columns[name] = Column(self.demo, name, row, dtype, chunk_rows)

    def append(self, row: Row) -> None:
        """Add one step; it is on its way to the disk within FLUSH_S."""
        for field in self.image_fields:
            self.images.put(field.name, row.observation[field.name])
        numbers = {field.name: row.observation[field.name] for field in self.numbers}
        self.rows.append(replace(row, observation=numbers) if self.image_fields else row)
        self.unflushed = True
        most = IMAGE_ROWS if self.image_fields else BUFFER_ROWS
        if time.monotonic() - self.flushed_s > FLUSH_S:
            self.flush()
        elif len(self.rows) >= most or self.images.held_bytes >= BUFFER_BYTES:
            self.write_rows(self.ready())

    def note(self, attributes: Attributes) -> None:
        """Keep what `close` would say of the episode now, for who recovers it after a crash."""
        for name, value in attributes.items():
            if name not in self.noted:
                self.demo.attrs[name] = value
            elif self.noted[name] != value:
                self.demo.attrs.modify(name, value)
        self.unflushed |= self.noted != attributes
        self.noted = {**self.noted, **attributes}

    def ready(self) -> int:
        """Return how many rows can be written without waiting for their images."""
        return self.images.ready() if self.image_fields else len(self.rows)

    def flush_due(self) -> None:
        """Flush what has waited for a second: the next row may be long in coming."""
        if self.unflushed and time.monotonic() - self.flushed_s > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Make all that was added, but for images that are not encoded yet, what a crash leaves."""
        self.write_rows(self.ready())
        self.demo.attrs.modify("num_samples", self.steps)
        self.file.commit()
        self.flushed_s, self.unflushed = time.monotonic(), bool(self.rows)

    def write_rows(self, count: int) -> None:
        """Write the oldest rows; waits for their images."""
        while count > 0:
            length = self.run_length(self.rows[:count])
            rows, self.rows = self.rows[:length], self.rows[length:]
            self.write_run(rows)
            count -= length

    def run_length(self, rows: list[Row]) -> int:
        """Return how many rows come before the next that begins a chunk, or a column of what was executed."""
        length = min(len(rows), CHUNK_ROWS - self.steps % CHUNK_ROWS)
        for name in self.as_labels:
            differs = rows_of(rows[:length], "action", name) != rows_of(rows[:length], "executed", name)
            later = np.flatnonzero(differs[1:].any(axis=1))
            length = int(later[0]) + 1 if later.size else length
        return length

    def write_run(self, rows: list[Row]) -> None:
        labels: dict[str, Array] = {}
        for field in self.spec.action:
            labels[field.name] = rows_of(rows, "action", field.name)
            self.extend_executed(field, labels[field.name], rows_of(rows, "executed", field.name))
            if self.timed:
                self.extend(f"silent/{field.name}", rows_of(rows, "silent", field.name))
        actions, clipped = unit_actions(self.spec, labels)
        self.clipped += clipped
        self.extend("actions", actions)
        for field in self.numbers:
            self.extend(f"obs/{field.name}", rows_of(rows, "observation", field.name))
        if self.timed:
            for field in self.spec.observation:
                self.extend(f"stamps/{field.name}", rows_of(rows, "stamps_s", field.name))
                self.extend(f"received/{field.name}", rows_of(rows, "received_s", field.name))
            self.extend("ticks", np.array([row.tick_s for row in rows]))
        self.extend("rewards", np.array([row.reward for row in rows]))
        self.extend("is_human", np.array([row.is_human for row in rows]))
        self.write_images(len(rows))
        self.steps += len(rows)

    def write_images(self, count: int) -> None:
        images = self.images.take(count) if self.image_fields else {}
        for index in range(count):
            for field in self.image_fields:
                name, image = observation_name(field), images[field.name][index]
                if name in self.jpegs:
                    self.jpegs[name].append(image)
                else:
                    self.extend(name, image[None])

    def extend(self, name: str, values: Array) -> None:
        self.columns[name].extend(values)

    def extend_executed(self, field: Field, labels: Array, executed: Array) -> None:
        """Add labels and what was executed: one dataset of two names while they are the same."""
        name = f"actions_executed/{field.name}"
        if field.name in self.as_labels and not np.array_equal(labels, executed):
            self.as_labels.remove(field.name)
            del self.demo[name]
            self.create(name, field.row_shape)
            self.extend(name, self.demo[f"actions_raw/{field.name}"][:])
        self.extend(f"actions_raw/{field.name}", labels)
        if field.name not in self.as_labels:
            self.extend(name, executed)

    def close(self, final: Row, attributes: Attributes) -> Path:
        """Finish the episode and give the file its name; waits for the images that are not encoded yet.

        Args:
            final: the observation after the last action; its action is ignored.
            attributes: success, ended_by, terminated, and what else is known only now.
        """
        self.write_rows(len(self.rows))
        self.images.close()
        for field in self.spec.observation:
            value = final.observation[field.name]
            last = as_stored(value, field) if field.is_image else np.asarray(value, dtype=np.float32)
            self.demo.create_dataset(f"final_obs/{field.name}", data=last)
            if self.timed:
                self.extend(f"stamps/{field.name}", np.array([final.stamps_s[field.name]]))
                self.extend(f"received/{field.name}", np.array([final.received_s[field.name]]))
        if self.timed:
            self.extend("ticks", np.array([final.tick_s]))
            for field in self.spec.observation:
                ages = self.demo["ticks"][:] - self.demo[f"stamps/{field.name}"][:]
                self.demo.create_dataset(f"ages/{field.name}", data=ages)
        end_demo(self.demo, self.steps, self.clipped, attributes)
        return self.file.publish(self.steps)

    def abandon(self) -> None:
        """Let the file go when the disk takes no more; `*.part` stays as it is."""
        self.images.close()
        self.file.abandon()

    def discard(self) -> None:
        """Throw the open episode away."""
        self.images.close()
        self.file.discard()


def rows_of(rows: list[Row], kind: str, name: str) -> Array:
    """Return one of the numbers or arrays of some rows as a file holds them, (len(rows), ...)."""
    values = np.array([getattr(row, kind)[name] for row in rows])
    return values.astype(np.float32) if kind in ("observation", "action", "executed") else values
