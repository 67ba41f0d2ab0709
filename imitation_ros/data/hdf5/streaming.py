"""Stream an episode into a file while it is recorded; a crash costs at most the last second."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.data.hdf5.layout import JPEG_BYTES, Attributes, PartFile, end_demo, observation_name, unit_actions
from imitation_ros.data.images import ImageQueue, as_stored
from imitation_ros.data.row import Row
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]

BUFFER_ROWS = 50  # resizing a dataset at every row costs 40 times as much
IMAGE_ROWS = 10  # with images, so that the next tick does not wait long while they are written
BUFFER_BYTES = 32_000_000  # of images, which fill the memory before there are as many rows
CHUNK_ROWS = 256
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

    def __init__(self, path: Path, spec: RobotSpec, attributes: Attributes, timed: bool) -> None:
        self.path, self.spec, self.timed = path, spec, timed
        self.numbers = [field for field in spec.observation if not field.is_image]
        self.image_fields = [field for field in spec.observation if field.is_image]
        self.rows: list[Row] = []  # without their images, which are in the queue
        self.steps = 0
        self.clipped = 0
        self.as_labels = {field.name for field in spec.action}  # of which what was executed never differed yet
        self.flushed_s = time.monotonic()
        self.file = PartFile(path, spec)
        try:
            self.demo = self.file.demo(0, attributes)
            self.create_datasets()
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
            self.create(name, (), JPEG_BYTES)
        elif field.is_image:
            self.create(name, field.row_shape, np.uint8, chunk_rows=1)
        else:
            self.create(name, field.row_shape)

    def create(self, name: str, row: tuple[int, ...], dtype: Any = np.float32, chunk_rows: int = CHUNK_ROWS) -> None:
        self.demo.create_dataset(name, (0, *row), dtype, maxshape=(None, *row), chunks=(chunk_rows, *row))

    def append(self, row: Row) -> None:
        """Add one step; it is on its way to the disk within FLUSH_S."""
        for field in self.image_fields:
            self.images.put(field.name, row.observation[field.name])
        numbers = {field.name: row.observation[field.name] for field in self.numbers}
        self.rows.append(replace(row, observation=numbers) if self.image_fields else row)
        most = IMAGE_ROWS if self.image_fields else BUFFER_ROWS
        if time.monotonic() - self.flushed_s > FLUSH_S:
            self.flush()
        elif len(self.rows) >= most or self.images.held_bytes >= BUFFER_BYTES:
            self.write_rows(self.ready())

    def ready(self) -> int:
        """Return how many rows can be written without waiting for their images."""
        return self.images.ready() if self.image_fields else len(self.rows)

    def flush(self) -> None:
        self.write_rows(self.ready())
        self.demo.attrs["num_samples"] = self.steps
        self.file.file.flush()
        self.flushed_s = time.monotonic()

    def write_rows(self, count: int) -> None:
        """Write the oldest rows; waits for their images."""
        if count == 0:
            return
        rows, self.rows = self.rows[:count], self.rows[count:]
        images = self.images.take(count)
        labels: dict[str, Array] = {}
        for field in self.spec.action:
            labels[field.name] = np.array([row.action[field.name] for row in rows], dtype=np.float32)
            executed = np.array([row.executed[field.name] for row in rows], dtype=np.float32)
            self.extend_executed(field, labels[field.name], executed)
            if self.timed:
                self.extend(f"silent/{field.name}", np.array([row.silent[field.name] for row in rows]))
        actions, clipped = unit_actions(self.spec, labels)
        self.clipped += clipped
        self.extend("actions", actions)
        for field in self.numbers:
            self.extend(f"obs/{field.name}", np.array([row.observation[field.name] for row in rows]))
        for field in self.image_fields:
            self.extend_images(observation_name(field), images[field.name])
        if self.timed:
            for field in self.spec.observation:
                self.extend(f"stamps/{field.name}", np.array([row.stamps_s[field.name] for row in rows]))
                self.extend(f"received/{field.name}", np.array([row.received_s[field.name] for row in rows]))
            self.extend("ticks", np.array([row.tick_s for row in rows]))
        self.extend("rewards", np.array([row.reward for row in rows]))
        self.extend("is_human", np.array([row.is_human for row in rows]))
        self.steps += count

    def extend(self, name: str, values: Array) -> None:
        dataset = self.demo[name]
        before = len(dataset)
        dataset.resize(before + len(values), axis=0)
        dataset[before:] = values

    def extend_images(self, name: str, images: list[Array]) -> None:
        dataset = self.demo[name]
        before = len(dataset)
        dataset.resize(before + len(images), axis=0)
        for index, image in enumerate(images, before):
            if dataset.dtype == np.uint8:  # a chunk each, which no cache has to hold
                dataset.id.write_direct_chunk((index, 0, 0, 0), np.ascontiguousarray(image))
            else:
                dataset[index] = image

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
