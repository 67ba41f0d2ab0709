"""What is to be done: one file per task.

A task is a module of constants and functions of the observation (field name to array). So the
simulator, a scripted operator and a test ask the same question of the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.tasks import peg_insert, pick_place, push, pusher, reach
from imitation_ros.errors import SpecError, did_you_mean

Observation = Mapping[str, NDArray[Any]]
Action = dict[str, NDArray[np.float64]]


class Task(Protocol):
    """What each module in this folder holds.

    Attributes:
        FIELDS: the observation fields that its functions read.
        TIME_LIMIT_S: after which an episode is truncated [s].
        DWELL_TICKS: for how many ticks in a row is_success must hold.
    """

    @property
    def FIELDS(self) -> tuple[str, ...]: ...  # noqa: N802 constants of a module

    @property
    def TIME_LIMIT_S(self) -> float: ...  # noqa: N802

    @property
    def DWELL_TICKS(self) -> int: ...  # noqa: N802

    def place(
        self, rng: np.random.Generator
    ) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:  # pose field to position, quaternion
        ...

    def reward(self, observation: Observation) -> float: ...

    def is_success(self, observation: Observation) -> bool: ...

    def expert(self, observation: Observation) -> Action: ...


TASKS: dict[str, Task] = {
    "reach": reach,
    "push": push,
    "pick_place": pick_place,
    "peg_insert": peg_insert,
    "pusher": pusher,
}


def find_task(name: str) -> Task:
    """Return the task of this name.

    Raises:
        SpecError: there is none; says which there are.
    """
    if name not in TASKS:
        raise SpecError(f"the task {name!r} is unknown.{did_you_mean(name, TASKS)} Known: {', '.join(TASKS)}.")
    return TASKS[name]


class Expert:
    """A task's scripted expert, as a policy: `act` in physical units, no state."""

    def __init__(self, task: str) -> None:
        find_task(task)
        self.task = task

    def act(self, observation: Observation) -> Action:
        return find_task(self.task).expert(observation)
