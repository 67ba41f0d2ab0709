"""One step of an episode, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Row:
    """One step of an episode: the observation at a tick and the action from it on.

    Attributes:
        tick_s: the tick's time [s].
        observation: field name to (width,); of an image pixels, or the bytes of a JPEG.
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
