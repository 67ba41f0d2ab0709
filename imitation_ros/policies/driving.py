"""Who drives an episode: a policy alone, or two that share it.

A driver is anything with `act` (observation in, action out, no memory), or with `begin`, which is called at the
start of every episode: it draws random numbers, remembers, mixes two policies, or is watched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import TrainingError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]
Values = Mapping[str, Array]
"""Field name to value, physical units: an observation, or an action."""


@dataclass(frozen=True)
class Choice:
    """What is done at one tick.

    Attributes:
        action: told to the robot.
        label: what the expert chose; the action itself where no expert was asked.
        is_human: whether a person, or whoever stands for one, chose; None where nobody says.
    """

    action: Values
    label: Values
    is_human: bool | None = None


Chooses = Callable[[Values], Choice]


@runtime_checkable
class Acts(Protocol):
    """A policy without memory: observation in, action out in arrays of its own, both in physical units; picklable."""

    def act(self, observation: Values) -> Values: ...


@runtime_checkable
class Drives(Protocol):
    """A policy that draws, remembers or mixes; picklable."""

    def begin(self, generator: np.random.Generator) -> Chooses:
        """Begin an episode: return what chooses at each of its ticks, with random numbers of the episode's own."""
        ...


Driver = Acts | Drives


def begin_episode(driver: Driver, generator: np.random.Generator) -> Chooses:
    """Return what chooses at each tick of an episode: `begin` where the driver has one, else `act`."""
    if isinstance(driver, Drives):
        return driver.begin(generator)
    act = driver.act

    def choose(observation: Values) -> Choice:
        action = act(observation)
        return Choice(action, action)

    return choose


@dataclass(frozen=True)
class Mode:
    """A policy's `act` alone, where `begin` would draw: what evaluations drive with."""

    policy: Acts

    def act(self, observation: Values) -> Values:
        return self.policy.act(observation)


def without_drawing(driver: Driver) -> Driver:
    """Return a driver that does not draw, where it has `act`; a mixture stays what it is."""
    return Mode(driver) if isinstance(driver, Acts) else driver


@dataclass(frozen=True)
class Mixture:
    """Expert and learner share the episode, and the expert labels every tick (DAgger, Ross et al. 2011, Algorithm 3.1).

    Attributes:
        expert, learner: policies with `act`.
        beta: how likely the expert's action is the one executed, 0 to 1.
        per_episode: draw once for the whole episode, instead of at each tick.

    Raises:
        TrainingError: beta is not within 0 and 1.
    """

    expert: Acts
    learner: Acts
    beta: float
    per_episode: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.beta <= 1.0:
            raise TrainingError(f"beta is {self.beta}; it is the expert's share of the ticks: give 0 to 1.")

    def begin(self, generator: np.random.Generator) -> Chooses:
        expert, learner, beta = self.expert.act, self.learner.act, self.beta
        drawn = generator.random() if self.per_episode else None

        def choose(observation: Values) -> Choice:
            label = expert(observation)
            number = generator.random() if drawn is None else drawn
            return Choice(label if number < beta else learner(observation), label)

        return choose


class Gate(Protocol):
    """Decides who drives: stands for the person who watches a learner (Kelly et al. 2019); picklable."""

    def begin(self) -> Callable[[Values, Values, Values, bool], bool]:
        """Begin an episode: return what decides at each tick whether the expert drives.

        It is given the observation, the learner's action, the expert's action, and whether the expert drives so far.
        """
        ...


@dataclass(frozen=True)
class Supervised:
    """The learner drives until a gate gives the expert the wheel, and again once it is given back (HG-DAgger).

    While the expert drives, the label is its action and is_human is True; else the label is what the learner did,
    and is_human False.

    Attributes:
        learner, expert: policies with `act`; the expert is asked at every tick, for the gate to compare.
    """

    learner: Acts
    expert: Acts
    gate: Gate

    def begin(self, generator: np.random.Generator) -> Chooses:
        learner, expert, decide = self.learner.act, self.expert.act, self.gate.begin()
        expert_drives = False

        def choose(observation: Values) -> Choice:
            nonlocal expert_drives
            own, wanted = learner(observation), expert(observation)
            expert_drives = decide(observation, own, wanted, expert_drives)
            chosen = wanted if expert_drives else own
            return Choice(chosen, chosen, expert_drives)

        return choose


@dataclass(frozen=True)
class Disagreement:
    """A gate that compares actions: the expert takes over after a learner that keeps doing something else.

    Attributes:
        spec: whose action scales make numbers of different units comparable.
        takes_over: the largest difference between the two actions, in units of [-1, 1], beyond which a tick counts
            against the learner.
        hands_back: below which a tick counts for it, once the expert drives; smaller than takes_over.
        ticks: how many such ticks in a row it takes, either way.
    """

    spec: RobotSpec
    takes_over: float = 0.5
    hands_back: float = 0.2
    ticks: int = 3

    def __post_init__(self) -> None:
        if not 0.0 < self.hands_back <= self.takes_over or self.ticks < 1:
            raise TrainingError(
                f"hands_back is {self.hands_back}, takes_over {self.takes_over} and ticks {self.ticks}; "
                f"give 0 < hands_back <= takes_over, and at least one tick."
            )

    def begin(self) -> Callable[[Values, Values, Values, bool], bool]:
        in_a_row = 0

        def decide(observation: Values, own: Values, wanted: Values, expert_drives: bool) -> bool:
            nonlocal in_a_row
            apart = self.apart(own, wanted)
            in_a_row = in_a_row + 1 if (apart < self.hands_back if expert_drives else apart > self.takes_over) else 0
            if in_a_row < self.ticks:
                return expert_drives
            in_a_row = 0
            return not expert_drives

        return decide

    def apart(self, own: Values, wanted: Values) -> float:
        """Return the largest difference between two actions, in units of [-1, 1]."""
        return max(
            float(np.max(np.abs(own[field.name] - wanted[field.name]) / field.half_span)) for field in self.spec.action
        )


@dataclass(frozen=True)
class AnyAction:
    """Drives by chance, every action of the spec as likely as any other: for a first look at an environment."""

    spec: RobotSpec

    def begin(self, generator: np.random.Generator) -> Chooses:
        def choose(observation: Values) -> Choice:
            action = {field.name: any_value(field, generator) for field in self.spec.action}
            return Choice(action, action)

        return choose


def any_value(field: Field, generator: np.random.Generator) -> Array:
    """Return an action within its scale, (width,), physical units: any number, either end, or any category."""
    low, high = (np.asarray(end, np.float32) for end in field.scale)
    if field.kind == "category":
        return np.asarray(low + generator.integers(field.categories), np.float32)
    chances = generator.random(field.width, np.float32)
    return np.asarray(low + (high - low) * (chances.round() if field.kind == "binary" else chances), np.float32)
