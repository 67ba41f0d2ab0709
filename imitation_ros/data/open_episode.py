"""The episode that is being recorded: its file, how far it is, and what was noticed on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imitation_ros.data.hdf5 import EpisodeWriter
from imitation_ros.data.row import Row
from imitation_ros.errors import RecordingError
from imitation_ros.robot.sampler import Sample


@dataclass
class OpenEpisode:
    """The episode that is being recorded.

    Attributes:
        start_s: tick 0 [s].
        assumed_ticks: at how many the label stands for what was executed, because the robot did not say.
        waits_for: why tick 0 has moved on.
        final: the observation after the last action, once the time limit is reached.
    """

    writer: EpisodeWriter
    start_s: float
    steps: int = 0
    stale: frozenset[str] = frozenset()
    stale_ticks: int = 0
    assumed_ticks: int = 0
    success: bool | None = None
    waits_for: str = ""
    final: Sample | None = None

    def append(self, row: Row) -> None:
        """Add one step.

        Raises:
            RecordingError: the disk is full, or the folder is gone.
        """
        with self.writing():
            self.writer.append(row)
        self.steps += 1

    def close(self, sample: Sample, ended_by: str) -> Path:
        """Finish the episode with the observation after its last action, and return its file.

        Raises:
            RecordingError: the disk is full, or the folder is gone.
        """
        attributes: dict[str, str | int | float | bool] = {
            "ended_by": ended_by,
            "stale_ticks": self.stale_ticks,
            "executed_assumed_ticks": self.assumed_ticks,
            "rewards_given": False,
        }
        if self.success is not None:
            attributes["success"] = self.success
        final = Row(sample.tick_s, sample.values, {}, {}, sample.stamps_s, sample.received_s, {})
        with self.writing():
            return self.writer.close(final, attributes)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn what the disk refuses into words, and let the file go."""
        try:
            yield
        except (OSError, RuntimeError) as error:  # h5py has both for a disk that takes no more
            self.writer.abandon()
            part = self.writer.part
            left = f"What reached the disk is kept as {part}" if part.exists() else f"{part} is gone"
            raise RecordingError(
                f"{self.writer.path.name} is not saved: {error}. {left}. Check the disk (`df -h {part.parent}`), then "
                f"record the episode again."
            ) from None

    def note_stale(self, sample: Sample) -> list[str]:
        """Say once when a field falls silent and once when it is back; ages are in the file."""
        notices = []
        stale = frozenset(sample.stale)
        for name in stale - self.stale:
            age_s = sample.tick_s - sample.stamps_s[name]
            field = self.writer.spec.field(name)
            notices.append(
                f"{name!r} ({field.topic}) is {age_s:.2f} s old; the limit is {field.max_age_s:.2f} s. "
                f"The tick is marked. Check `ros2 topic hz {field.topic}`."
            )
        notices += [f"{name!r} is fresh again." for name in self.stale - stale]
        self.stale = stale
        self.stale_ticks += bool(stale)
        return notices
