"""What a command may be: within its field's limits, from where the last command left the robot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import COMPONENTS

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

    Only joints have names that say so: every pose has an x, and every Float64 a data.
    """
    named = COMPONENTS[action.type] is None and COMPONENTS[observation.type] is None
    return named and (observation.names, observation.quantity) == (action.names, action.quantity)
