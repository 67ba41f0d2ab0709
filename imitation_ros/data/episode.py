"""An episode: one run of a robot from reset to end, at the robot spec's fixed rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.data.checks import check_finite, check_values
from imitation_ros.data.images import EncodedImages, images_of
from imitation_ros.errors import DataError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Timing:
    """When things really happened, beside the grid; every time on the ROS clock [s].

    Attributes:
        ticks_s: the fixed grid, shape (T + 1,).
        stamps_s: observation field to the stamp of the value taken, shape (T + 1,).
        received_s: observation field to when that value arrived, shape (T + 1,).
        silent: action field to whether no command was in force at a tick, shape (T,).
    """

    ticks_s: Array
    stamps_s: Arrays
    received_s: Arrays
    silent: Arrays

    def age_s(self, name: str) -> Array:
        """Return how old the value of an observation field was at each tick [s], shape (T + 1,)."""
        return np.asarray(self.ticks_s - self.stamps_s[name])


@dataclass(frozen=True)
class Episode:
    """One run from reset to end, at the robot spec's fixed rate.

    Action k is in force between observations k and k + 1, so T actions have
    T + 1 observations (Sutton & Barto 2018, section 3.1).

    Attributes:
        spec: what the numbers mean.
        observations: field name to array, float32 of shape (T + 1, width), SI units; of an image uint8 of shape
            (T + 1, height, width, channels), or EncodedImages, which are indexed alike.
        actions: field name to the labels (what the expert chose), float32 of shape (T, width), SI units.
        executed: field name to what the robot was told, float32 of shape (T, width), SI units.
        timing: when each value was stamped and received; None where nothing was asynchronous.
        rewards: the task's reward for each action, shape (T,); None where nobody gave one.
        terminated: the task ended it; False means that time ran out (truncated).
        success: what the operator or the task said; None where nobody did.
        is_human: whether a person chose the label at a tick, shape (T,).
        attributes: operator, task, seed, started_at, software, ended_by: for people.

    Raises:
        DataError: a field is missing, or an array's shape is not the one given above.
    """

    spec: RobotSpec
    observations: Mapping[str, Any]
    actions: Arrays
    executed: Arrays
    timing: Timing | None = None
    rewards: Array | None = None
    terminated: bool = False
    success: bool | None = None
    is_human: Array | None = None
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        steps = self.steps
        kinds = (
            ("observation", self.observations, self.spec.observation, steps + 1),
            ("action", self.actions, self.spec.action, steps),
            ("executed action", self.executed, self.spec.action, steps),
        )
        for kind, arrays, fields, _ in kinds:
            if set(arrays) != {item.name for item in fields}:
                expected = ", ".join(item.name for item in fields)
                raise DataError(f"the episode has the {kind} fields {sorted(arrays)}; the spec has {expected}.")
        for kind, arrays, fields, length in kinds:
            for item in fields:
                check_shape(f"{kind} {item.name!r}", arrays[item.name], (length, *item.row_shape))
                if item.is_image and arrays[item.name].dtype != np.uint8:
                    raise DataError(
                        f"{kind} {item.name!r} holds {arrays[item.name].dtype}; pixels are uint8, 0 to 255."
                    )
        if self.rewards is not None:
            check_shape("rewards", self.rewards, (steps,))
        if self.is_human is not None:
            check_shape("is_human", self.is_human, (steps,))
        if self.timing is not None:
            self.check_timing(self.timing, steps)

    def check_timing(self, timing: Timing, steps: int) -> None:
        check_shape("ticks_s", timing.ticks_s, (steps + 1,))
        for kind, times, fields, length in (
            ("stamps_s", timing.stamps_s, self.spec.observation, steps + 1),
            ("received_s", timing.received_s, self.spec.observation, steps + 1),
            ("silent", timing.silent, self.spec.action, steps),
        ):
            for item in fields:
                if item.name not in times:
                    raise DataError(f"the episode has no {kind} for {item.name!r}.")
                check_shape(f"{kind} {item.name!r}", times[item.name], (length,))

    @property
    def steps(self) -> int:
        """T, the number of actions."""
        return len(next(iter(self.actions.values()), ()))

    def unit_actions(self, which: str = "actions") -> NDArray[np.float32]:
        """Return all action fields side by side in [-1, 1], shape (T, A), not clipped.

        Args:
            which: "actions" (the labels) or "executed".
        """
        arrays: Arrays = getattr(self, which)
        parts = [item.to_unit(arrays[item.name]) for item in self.spec.action]
        return np.concatenate(parts, axis=1).astype(np.float32)


def check_shape(what: str, array: Array | EncodedImages, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise DataError(f"{what} has shape {array.shape}; it should be {shape}: T actions have T + 1 observations.")


@dataclass
class EpisodeBuilder:
    """Collects an episode one step at a time; `build` checks it.

    Used where observation and action arrive together (the simulator); the recorder streams to a file
    instead.
    """

    spec: RobotSpec
    observations: list[Arrays] = field(default_factory=list)
    actions: list[Arrays] = field(default_factory=list)
    executed: list[Arrays] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    is_human: list[bool | None] = field(default_factory=list)

    def add_observation(self, observation: Arrays) -> None:
        self.observations.append(observation)

    def add_action(self, action: Arrays, executed: Arrays, reward: float, is_human: bool | None = None) -> None:
        """Add a tick: the label, what the robot was told, and whether a person chose; None where nobody says."""
        self.actions.append(action)
        self.executed.append(executed)
        self.rewards.append(reward)
        self.is_human.append(is_human)

    def build(
        self,
        terminated: bool = False,
        success: bool | None = None,
        attributes: Mapping[str, str | int | float] | None = None,
    ) -> Episode:
        said = any(word is not None for word in self.is_human)
        return Episode(
            spec=self.spec,
            observations=stack(self.observations, self.spec.observation),
            actions=stack(self.actions, self.spec.action),
            executed=stack(self.executed, self.spec.action),
            rewards=np.array(self.rewards, dtype=np.float32),
            terminated=terminated,
            success=success,
            is_human=np.array(self.is_human, dtype=np.bool_) if said else None,  # None: no person's, where others are
            attributes=attributes or {},
        )


def stack(rows: Sequence[Arrays], fields: Sequence[Field]) -> dict[str, Any]:
    """Return field name to what an episode holds of it: float32 of shape (len(rows), width), or images."""
    return {
        item.name: images_of([row[item.name] for row in rows], item)
        if item.is_image
        else np.array([row[item.name] for row in rows], dtype=np.float32).reshape(len(rows), item.width)
        for item in fields
    }


def episode_from_arrays(
    spec: RobotSpec,
    observations: Mapping[str, Any],
    actions: Mapping[str, Any],
    rewards: Any = None,
    terminated: bool = False,
    success: bool | None = None,
) -> Episode:
    """Return the episode that arrays of your own hold; what was executed is taken to be the actions.

    Args:
        spec: what the numbers mean, such as load_spec("my_setup.yaml").
        observations: field name to T + 1 rows, in the spec's units; (T + 1,) where a row is one number.
        actions: field name to T rows.
        rewards: of each action, (T,); None where nobody gave any.

    Raises:
        DataError: a field is missing, is not of finite numbers, has too few or too many rows, or a value that is
            none of its categories.
    """
    for kind, arrays in (("observations", observations), ("actions", actions)):
        if not isinstance(arrays, Mapping):
            raise DataError(f"{kind} is a {type(arrays).__name__}; give rows by the names of fields: {{name: rows}}.")
    labels = {name: as_rows(values, name, spec.action) for name, values in actions.items()}
    observed = {name: as_rows(values, name, spec.observation) for name, values in observations.items()}
    steps = len(next(iter(labels.values()), ()))
    short = [name for name, values in observed.items() if len(values) == steps]
    if short and steps:
        raise DataError(
            f"observation {short[0]!r} has {steps} rows, and so have the actions; T actions need T + 1 observations. "
            f"Add the one after the last action, or leave the last action out (actions[:-1])."
        )
    given = None if rewards is None else as_numbers(rewards, "rewards").astype(np.float32)
    episode = Episode(spec, observed, labels, labels, rewards=given, terminated=terminated, success=success)
    check_values(episode, "the arrays")
    if given is not None:
        check_finite(given, "the arrays: rewards")
    return episode


def as_rows(values: Any, name: str, fields: Sequence[Field]) -> Any:
    """Return values as an episode holds them; a field that the spec lacks is refused later, by name."""
    if isinstance(values, EncodedImages):
        return values
    array = as_numbers(values, name)
    chosen = next((item for item in fields if item.name == name), None)
    if chosen is None or chosen.is_image:
        return array
    rows = array[:, None] if array.ndim == 1 and chosen.width == 1 else array
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, which is refused
        return rows.astype(np.float32)


def as_numbers(values: Any, name: str) -> Array:
    """Return values as an array of numbers."""
    if np.ma.is_masked(values):
        raise DataError(f"{name!r} has masked numbers, and none is invented for them. Leave such rows out.")
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"{name!r} should be rows of numbers: {error}") from None
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        raise DataError(f"{name!r} is {values!r:.60}; it should be rows of numbers.")
    return array
