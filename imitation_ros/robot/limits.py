"""What a command may be: within its field's limits, from where the last command left the robot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import JOINTED, rotation_matrix

Array = NDArray[np.float64]

NEAR_S = 1.0  # of travel at the velocity limit: a robot that is further behind a command does not follow it


def limited(field: Field, wanted: Array, start: Array | None, period_s: float, speed_scale: float) -> Array:
    """Return the value nearest to `wanted`, (width,), that obeys the field's limits one period after `start`.

    For a velocity, `velocity` bounds the value and `acceleration` its change; for a position,
    `position_low/high` bound the value and `velocity` its change. The scale's ends bound both.
    """
    low, high = field.scale
    value = np.clip(wanted, low, high)
    limits = field.limits
    speed = None if limits.velocity is None else np.array(limits.velocity) * speed_scale
    if field.quantity == "velocity":
        step = None if limits.acceleration is None else np.array(limits.acceleration) * period_s
        if speed is not None:
            value = np.clip(value, -speed, speed)
    else:
        step = None if speed is None else speed * period_s
        if limits.position_low is not None:
            value = np.maximum(value, limits.position_low)
        if limits.position_high is not None:
            value = np.minimum(value, limits.position_high)
    if step is not None and start is not None:
        value = np.clip(value, start - step, start + step)
    return np.asarray(value, dtype=np.float64)


def says_where(observation: Field, action: Field) -> bool:
    """Whether an observation holds the very numbers that an action commands.

    Only joints have names that say so: every pose has an x, and every Float64 a data. Two arms of one kind have
    joints of one name; then their part, or the prefix of their joints, says whose they are.
    """
    named = {*JOINTED, "std_msgs/msg/Float64MultiArray"}  # whose numbers only the spec names: as joints, here
    return action.type in named and observation.type in named and identity(observation) == identity(action)


def measuring(observations: Iterable[Field], action: Field) -> list[Field]:
    """Return the observations that say where an action's joints are.

    A leader and its follower name their joints alike: then those count that share the most of the action's namespace.
    Where two topics are left, nobody knows which arm is meant.
    """
    found = [observation for observation in observations if says_where(observation, action)]
    shared = [shared_namespace(observation.topic, action.topic) for observation in found]
    return [observation for observation, parts in zip(found, shared, strict=True) if parts == max(shared)]


def shared_namespace(one: str, other: str) -> int:
    """Return how many parts of their namespaces two topics have in common."""
    pairs = zip(one.split("/")[:-1], other.split("/")[:-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def identity(field: Field) -> tuple[str, tuple[str, ...], str]:
    """Return whose joints a field's numbers belong to, and what they are of them."""
    return field.part, field.joint_names, field.quantity


class CommandLimiter:
    """Lets out commands within the limits, one period after another, and knows how to hold.

    Args:
        fields: the action fields.
        period_s: between two commands [s].
        speed_scale: share of the velocity limits that is used.
        measured: where the robot is now, for a position field; None where nobody says, or said lately.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        period_s: float,
        speed_scale: float,
        measured: Callable[[Field], Array | None],
    ) -> None:
        self.fields, self.period_s, self.speed_scale, self.measured = fields, period_s, speed_scale, measured
        self.previous: dict[str, Array] = {}
        self.stays: dict[str, Array] = {}  # where a hold found a robot that did not follow its commands

    def restart(self) -> None:
        """Begin anew from where the robot is: the last command says nothing any more."""
        self.previous, self.stays = {}, {}

    def ramp_in(self) -> None:
        """Ticks were left out: who follows a velocity may have stopped; who was told a position is there, or comes."""
        self.previous = {
            field.name: self.previous[field.name]
            for field in self.fields
            if field.quantity != "velocity" and field.name in self.previous
        }

    def limit(self, action: Mapping[str, NDArray[Any]]) -> dict[str, Array]:
        """Return the nearest command that obeys the limits, field name to (width,); `action` is finite.

        Raises:
            MessageError: what comes of it says no rotation, such as numbers that all reach the end of their scale.
        """
        values = {
            field.name: self.limit_field(field, np.asarray(action[field.name], dtype=np.float64))
            for field in self.fields
        }
        for field in self.fields:
            if field.rotation is not None:
                rotation_matrix(field, values[field.name])
        self.previous, self.stays = values, {}
        return values

    def limit_field(self, field: Field, wanted: Array) -> Array:
        if field.kind == "binary":
            low, high = field.scale
            return low if np.abs(wanted - low) < np.abs(wanted - high) else high
        return limited(field, wanted, self.start_of(field), self.period_s, self.speed_scale)

    def start_of(self, field: Field) -> Array | None:
        """Return the last command; before the first: standing still, or where the joints are measured."""
        if field.name in self.previous:
            return self.previous[field.name]
        return np.zeros(field.width) if field.quantity == "velocity" else self.measured(field)

    def hold(self) -> dict[str, Array]:
        """Return what keeps the robot where it is: zero velocity, or the last position; never zero positions.

        A position that nobody commanded or measured is left out: there is nothing to say.
        """
        held: dict[str, Array] = {}
        for field in self.fields:
            start = np.zeros(field.width) if field.quantity == "velocity" else self.start_of(field)
            if start is not None:
                held[field.name] = start if field.quantity == "velocity" else self.held_position(field, start)
        self.previous = {**self.previous, **held}
        return held

    def held_position(self, field: Field, start: Array) -> Array:
        """Return the last command, or what leads from it, within the limits, to a robot that did not follow it.

        An arm that was blocked, or switched off, would else leap to the last command as soon as it can.
        """
        measured = None if field.limits.velocity is None or field.kind == "binary" else self.measured(field)
        if measured is not None and np.any(np.abs(start - measured) > NEAR_S * np.array(field.limits.velocity)):
            self.stays[field.name] = measured
        if field.name not in self.stays:
            return start
        return limited(field, self.stays[field.name], start, self.period_s, self.speed_scale)
