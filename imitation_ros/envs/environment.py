"""What collecting needs of an environment: a robot of ours in a scene, or any of gymnasium's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imitation_ros.robot.spec import RobotSpec

PURPOSES = {"train": 0, "validation": 1, "test": 2, "rollout": 3}
"""What a start is for: starts of different purposes never share random numbers."""


@dataclass(frozen=True)
class Outcome:
    """What one action led to.

    Attributes:
        observation: field name to value, as a recording holds it (float32, or uint8 of an image).
        executed: action field name to what the robot was told, (width,), physical units.
        terminated: the task ended it; truncated: time ran out.
    """

    observation: dict[str, NDArray[Any]]
    executed: Mapping[str, NDArray[Any]]
    reward: float
    terminated: bool
    truncated: bool


class Environment(Protocol):
    """One episode after another, in physical units by the fields of a robot spec.

    Attributes:
        success: whether the running episode has succeeded; None where the task does not say.
        drawn: what randomisation drew for the running episode, `cube.mass_kg` to number.
    """

    robot_spec: RobotSpec

    @property
    def success(self) -> bool | None: ...

    @property
    def drawn(self) -> Mapping[str, float]: ...

    def begin(self, seed: int, purpose: str, start: int) -> Mapping[str, NDArray[Any]]:
        """Begin start `start` of a purpose under a seed, whatever ran before; return the first observation."""
        ...

    def advance(self, action: Mapping[str, NDArray[Any]]) -> Outcome:
        """Act for one tick."""
        ...

    def close(self) -> None: ...


def start_sequence(seed: int, purpose: str, start: int) -> np.random.SeedSequence:
    """Return the random numbers of one start.

    Raises:
        ValueError: the purpose is unknown.
    """
    if purpose not in PURPOSES:
        raise ValueError(f"the purpose {purpose!r} is unknown; there are {', '.join(PURPOSES)}")
    return np.random.SeedSequence([seed, PURPOSES[purpose], start])
