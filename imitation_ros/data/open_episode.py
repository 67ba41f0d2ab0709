"""The episode that is being recorded: sample by sample into its file, and what was noticed on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from imitation_ros.data.hdf5 import EpisodeWriter
from imitation_ros.data.row import Row
from imitation_ros.errors import MessageError, RecordingError
from imitation_ros.robot.field import Field
from imitation_ros.robot.sampler import Command, Sample, Sampler
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]

MOST_TROUBLE = 20  # entries in a file
EXECUTED = "/executed"
"""Suffix of the streams that say what the robot was really told."""


def executed_fields(spec: RobotSpec) -> list[Field]:
    """Return a stream for every action whose executed value has a topic of its own."""
    return [
        replace(item, name=item.name + EXECUTED, topic=item.executed_topic)
        for item in spec.action
        if item.executed_topic is not None
    ]


@dataclass
class OpenEpisode:
    """The episode that is being recorded.

    Attributes:
        sampler: where its samples and commands come from; `start_s` is its tick 0 [s].
        limit_steps: how many steps it may have; None for no limit.
        ends_at_gap: no step is written whose observation is stale; `gap` says then which it was.
        assumed_ticks: at how many the label stands for what was executed, because the robot did not say.
        waits_for: why tick 0 has moved on.
        final: the observation after the last action, once the time limit, or a gap, is reached.
        trouble: what got worse on the way, in words; in the file, as `marks` are.
        notices: what happened, in words; whoever takes them clears them.
    """

    writer: EpisodeWriter
    sampler: Sampler
    start_s: float
    limit_steps: int | None = None
    ends_at_gap: bool = False
    gap: str = ""
    trouble: list[str] = field(default_factory=list)
    marks: Mapping[str, str] = field(default_factory=dict)
    steps: int = 0
    stale: frozenset[str] = frozenset()
    stale_ticks: int = 0
    assumed_ticks: int = 0
    success: bool | None = None
    waits_for: str = ""
    final: Sample | None = None
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sampler.start(self.start_s)
        with self.writing():
            self.writer.note(self.outcome())

    @property
    def spec(self) -> RobotSpec:
        return self.writer.spec

    @property
    def full(self) -> bool:
        """Whether the time limit is reached."""
        return self.limit_steps is not None and self.steps >= self.limit_steps

    @property
    def next_tick_s(self) -> float:
        """The tick that follows the last complete step [s]."""
        return self.sampler.tick_s(self.steps)

    def observed(self, now_s: float) -> bool:
        """Whether the observation after the last action can be closed."""
        return self.final is not None or self.sampler.observation_due(self.next_tick_s, now_s)

    def write_due(self, now_s: float) -> None:
        """Write every step that is due by now, by stamp, as many as there are.

        Raises:
            RecordingError: the disk takes no more.
        """
        while (
            not self.full
            and not self.gap
            and self.observed(now_s)
            and self.sampler.command_due(self.next_tick_s, now_s)
        ):
            self.write_step()
        if self.full and self.final is None and self.observed(now_s):
            self.final = self.sampler.sample(self.next_tick_s)
        with self.writing():
            self.writer.note(self.outcome())
            self.writer.flush_due()

    def write_step(self) -> None:
        tick_s = self.next_tick_s
        sample = self.sampler.sample(tick_s)
        for item in self.spec.observation:
            if item.name not in sample.values:  # it began after the command: there is nothing to record yet
                self.wait_for(f"{item.name!r} was not observed yet")
                return
        if self.ends_at_gap and sample.stale:
            self.final, self.gap = sample, f"{self.stale_words(sample, sample.stale[0])}."
            return
        self.note_stale(sample)
        commands = {name: self.sampler.command(name, tick_s) for name in self.sampler.action}
        for item in self.spec.action:
            if commands[item.name].data is None:  # held, and nobody gave one: the robot's own state is unknown to us
                self.wait_for(f"{item.name!r} was not commanded yet")
                return
        row = self.row(sample, commands)
        waits = self.writer.images.waits
        with self.writing():
            self.writer.append(row)
        self.steps += 1
        if waits == 0 and self.writer.images.waits:
            self.note_slow_images()

    def row(self, sample: Sample, commands: Mapping[str, Command]) -> Row:
        labels: dict[str, Array] = {}
        executed: dict[str, Array] = {}
        assumed = False
        for item in self.spec.action:
            label, told = commands[item.name], commands.get(item.name + EXECUTED)
            assert label.data is not None  # or the episode would wait for it
            labels[item.name] = executed[item.name] = label.data
            if told is not None and told.data is not None and not told.silent:
                executed[item.name] = told.data
            elif told is not None and not label.silent:
                assumed = True  # nobody said what was executed: counted, and said in the file
        self.assumed_ticks += assumed
        return Row(
            tick_s=sample.tick_s,
            observation=sample.values,
            action=labels,
            executed=executed,
            stamps_s=sample.stamps_s,
            received_s=sample.received_s,
            silent={name: commands[name].silent for name in labels},
        )

    def wait_for(self, what: str) -> None:
        """Move tick 0 one tick on, while nothing is written yet, and say so once."""
        if what != self.waits_for:
            self.notices.append(f"tick 0: {what}; the episode waits for it.")
        self.waits_for = what
        self.start_s += self.spec.period_s
        self.sampler.start(self.start_s)

    def check_complete(self, now_s: float, keep: bool) -> None:
        """Check in lock-step that what belongs to the episode has arrived.

        Raises:
            RecordingError: a tick, or the observation after the last one, is still to come.
        """
        observed = self.observed(now_s)
        if self.limit_steps is not None and not (self.full and observed):
            raise RecordingError(f"still waiting for tick {self.steps} of {self.limit_steps} (episode_s): call again.")
        if keep and not observed:
            raise RecordingError(f"still waiting for the observation after tick {self.steps - 1}: call again.")

    def outcome(self) -> dict[str, str | int | float | bool]:
        """Return what is known of the episode so far, for its file."""
        said: dict[str, str | int | float | bool] = {} if self.success is None else {"success": self.success}
        counts = {"stale_ticks": self.stale_ticks, "executed_assumed_ticks": self.assumed_ticks}
        if self.trouble:
            said["trouble"] = "; ".join(self.trouble)
        return {**counts, "rewards_given": False, **said, **self.marks}

    def mark(self, time_s: float, found: str) -> None:
        """Note in the file what got worse, and when in the episode; the first of it where there is much."""
        if len(self.trouble) < MOST_TROUBLE:
            self.trouble.append(f"{max(time_s - self.start_s, 0.0):.1f} s: {found}")

    def close(self, ended_by: str) -> Path:
        """Finish the episode with the observation after its last action, and return its file.

        Raises:
            RecordingError: the disk is full, or the folder is gone.
        """
        attributes: dict[str, str | int | float | bool] = {"ended_by": ended_by, **self.outcome()}
        sample = self.final or self.sampler.sample(self.next_tick_s)
        final = Row(sample.tick_s, sample.values, {}, {}, sample.stamps_s, sample.received_s, {})
        with self.writing():
            return self.writer.close(final, attributes)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn what the disk refuses into words, and let the file go."""
        try:
            yield
        except (OSError, RuntimeError, MessageError) as error:  # h5py has two for a disk that takes no more
            self.writer.abandon()
            part = self.writer.part
            left = f"What reached the disk is kept as {part}" if part.exists() else f"{part} is gone"
            what = "camera" if isinstance(error, MessageError) else f"disk (`df -h {part.parent}`)"
            raise RecordingError(
                f"{self.writer.path.name} is not saved: {str(error).rstrip('.')}. {left}. Check the {what}, then "
                f"record the episode again."
            ) from None

    def note_stale(self, sample: Sample) -> None:
        """Say once when a field falls silent and once when it is back; ages are in the file."""
        stale = frozenset(sample.stale)
        for name in stale - self.stale:
            found, topic = self.stale_words(sample, name), self.spec.field(name).topic
            self.notices.append(f"{found}. The tick is marked. Check `ros2 topic hz {topic}`.")
            self.mark(sample.tick_s, found)
        self.notices += [f"{name!r} is fresh again." for name in self.stale - stale]
        self.stale = stale
        self.stale_ticks += bool(stale)

    def stale_words(self, sample: Sample, name: str) -> str:
        source, age_s = self.spec.field(name), sample.tick_s - sample.stamps_s[name]
        return f"{name!r} ({source.topic}) is {age_s:.2f} s old; the limit is {source.max_age_s:.2f} s"

    def waiting_images(self) -> str:
        """Return in words how far encoding is behind."""
        images = self.writer.images
        return f"{images.encoding_bytes / 1e6:.0f} MB wait to be encoded, ticks waited {images.waits} times"

    def note_slow_images(self) -> None:
        """Say once per episode that encoding does not keep up, so that ticks are closed late."""
        names = ", ".join(repr(item.name) for item in self.writer.image_fields)
        self.notices.append(
            f"tick {self.steps}: images ({names}) arrive faster than they are encoded, so ticks are written late. "
            f"Nothing is left out yet. Set a lower rate_hz, a smaller image, `storage: raw`, or subscribe to the "
            f"camera's compressed topic, which is stored as it comes."
        )
