"""Messages that name joints: JointState, JointTrajectory, JointJog."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from imitation_ros.errors import MessageError
from imitation_ros.robot.messages.registry import Array, reads, writes

if TYPE_CHECKING:
    from imitation_ros.robot.field import Field

PLURAL = {"position": "positions", "velocity": "velocities", "effort": "effort"}  # as JointTrajectoryPoint has them
JOGGED = {"position": "displacements", "velocity": "velocities"}


def names_no_joint_of(message: Any, field: Field) -> bool:
    """Whether a message names joints, but none of the field's: drivers of an arm and a gripper may share a topic."""
    names: Sequence[str] = getattr(message, "name", None) or getattr(message, "joint_names", None) or ()
    return bool(names) and not set(field.joint_names) & set(names)


def in_order(names: Sequence[str], numbers: Sequence[float], field: Field) -> Array:
    """Return a message's numbers in the order of `field.names`; drivers reorder joints freely."""
    if len(numbers) != len(names):
        raise MessageError(
            f"{field.name!r} ({field.topic}) names {len(names)} joints but has {len(numbers)} values of "
            f"{field.quantity}. Some drivers leave {field.quantity} empty: choose another quantity in {field.file}."
        )
    value_of = dict(zip(names, numbers))  # noqa: B905 the lengths were compared above
    wanted = field.joint_names
    missing = [name for name in wanted if name not in value_of]
    if missing:
        raise MessageError(
            f"{field.name!r} ({field.topic}) has no joint {', '.join(missing)}; it has {', '.join(names) or 'none'}. "
            f"Mend `names` or `joint_prefix` in {field.file}; `ros2 topic echo --once {field.topic}` shows the message."
        )
    return np.array([value_of[name] for name in wanted], dtype=np.float64)


@reads("sensor_msgs/msg/JointState")
def read_joint_state(message: Any, field: Field) -> Array:
    """Return `field.quantity` of the field's joints."""
    return in_order(message.name, getattr(message, field.quantity), field)


@writes("sensor_msgs/msg/JointState")
def write_joint_state(message: Any, field: Field, values: Array) -> None:
    """Add the field's joints to a message that may hold others already; what nobody gave is NaN."""
    own = field.joint_names
    names = [*message.name, *(name for name in own if name not in message.name)]
    for quantity in ("position", "velocity", "effort"):
        numbers = list(getattr(message, quantity))
        if quantity != field.quantity and not numbers:
            continue  # an empty list says that a driver does not measure it
        value_of = {**dict.fromkeys(names, math.nan), **dict(zip(message.name, numbers))}  # noqa: B905 may be empty
        if quantity == field.quantity:
            value_of.update(zip(own, values.tolist(), strict=True))
        setattr(message, quantity, [value_of[name] for name in names])
    message.name = names


@reads("trajectory_msgs/msg/JointTrajectory")
def read_joint_trajectory(message: Any, field: Field) -> Array:
    """Return the last point, where the trajectory leads; teleoperation streams trajectories of one point."""
    if not message.points:
        raise MessageError(
            f"{field.name!r} ({field.topic}) is a trajectory without points, which cancels motion and commands "
            f"nothing. Look at `ros2 topic echo {field.topic}`."
        )
    return in_order(message.joint_names, getattr(message.points[-1], PLURAL[field.quantity]), field)


@writes("trajectory_msgs/msg/JointTrajectory")
def write_joint_trajectory(message: Any, field: Field, values: Array) -> None:
    """Fill the only point, to be reached `field.time_from_start_s` after the stamp; the message comes with it."""
    point = message.points[0]
    setattr(point, PLURAL[field.quantity], values.tolist())
    point.time_from_start.sec, point.time_from_start.nanosec = divmod(round(1e9 * field.time_from_start_s), 10**9)
    message.joint_names = list(field.joint_names)


@reads("control_msgs/msg/JointJog")
def read_joint_jog(message: Any, field: Field) -> Array:
    """Return velocities, or displacements for a field of positions."""
    return in_order(message.joint_names, getattr(message, jogged(field)), field)


@writes("control_msgs/msg/JointJog")
def write_joint_jog(message: Any, field: Field, values: Array) -> None:
    message.joint_names = list(field.joint_names)
    setattr(message, jogged(field), values.tolist())


def jogged(field: Field) -> str:
    if field.quantity not in JOGGED:
        raise MessageError(
            f"{field.name!r} ({field.topic}): a JointJog has no {field.quantity}. "
            f"Set `quantity: velocity` in {field.file}."
        )
    return JOGGED[field.quantity]
