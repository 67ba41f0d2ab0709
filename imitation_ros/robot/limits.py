"""What a command may be: within its field's limits, from where the last command left the robot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import JOINTED

Array = NDArray[np.float64]


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


def identity(field: Field) -> tuple[str, tuple[str, ...], str]:
    """Return whose joints a field's numbers belong to, and what they are of them."""
    return field.part, field.joint_names, field.quantity


class CommandLimiter:
    """Lets out commands within the limits, one period after another, and knows how to hold.

    Args:
        fields: the action fields.
        period_s: between two commands [s].
        speed_scale: share of the velocity limits that is used.
        measured: where the robot is, for a position field; None where nobody says.
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

    def restart(self) -> None:
        """Begin anew from where the robot is: the last command says nothing any more."""
        self.previous = {}

    def limit(self, action: Mapping[str, NDArray[Any]]) -> dict[str, Array]:
        """Return the nearest command that obeys the limits, field name to (width,); `action` is finite."""
        self.previous = {
            field.name: self.limit_field(field, np.asarray(action[field.name], dtype=np.float64))
            for field in self.fields
        }
        return self.previous

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
        starts = {
            field.name: np.zeros(field.width) if field.quantity == "velocity" else self.start_of(field)
            for field in self.fields
        }
        held = {name: value for name, value in starts.items() if value is not None}
        self.previous = {**self.previous, **held}
        return held
