"""One step of an episode, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from imitation_ros.data.episode import Episode

Array = NDArray[Any]


@dataclass(frozen=True)
class Row:
    """One step of an episode: the observation at a tick and the action from it on.

    Attributes:
        tick_s: the tick's time [s].
        observation: field name to (width,).
        action: field name to the label, (width,); executed: what the robot was told.
        stamps_s, received_s: field name to the times of the observation [s]; empty without timing.
        silent: field name to whether no command was in force; empty without timing.
    """

    tick_s: float
    observation: Mapping[str, Array]
    action: Mapping[str, Array]
    executed: Mapping[str, Array]
    stamps_s: Mapping[str, float]
    received_s: Mapping[str, float]
    silent: Mapping[str, bool]
    reward: float = 0.0
    is_human: bool = True


def row_of(episode: Episode, index: int) -> Row:
    timing, last = episode.timing, index == episode.steps
    return Row(
        tick_s=0.0 if timing is None else float(timing.ticks_s[index]),
        observation={name: values[index] for name, values in episode.observations.items()},
        action={} if last else {name: values[index] for name, values in episode.actions.items()},
        executed={} if last else {name: values[index] for name, values in episode.executed.items()},
        stamps_s={} if timing is None else {name: float(v[index]) for name, v in timing.stamps_s.items()},
        received_s={} if timing is None else {name: float(v[index]) for name, v in timing.received_s.items()},
        silent={} if timing is None or last else {name: bool(v[index]) for name, v in timing.silent.items()},
        reward=0.0 if episode.rewards is None or last else float(episode.rewards[index]),
        is_human=True if episode.is_human is None or last else bool(episode.is_human[index]),
    )
