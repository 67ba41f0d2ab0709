"""Messages that are just numbers: Float64, Float64MultiArray, Bool, Joy, LaserScan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imitation_ros.errors import MessageError
from imitation_ros.robot.messages.registry import Array, reads, writes

if TYPE_CHECKING:
    from imitation_ros.robot.field import Field


@reads("std_msgs/msg/Float64")
def read_float64(message: Any, field: Field) -> Array:
    return np.array([message.data], dtype=np.float64)


@writes("std_msgs/msg/Float64")
def write_float64(message: Any, field: Field, values: Array) -> None:
    message.data = float(values[0])


@reads("std_msgs/msg/Bool")
def read_bool(message: Any, field: Field) -> Array:
    return np.array([1.0 if message.data else 0.0])


@writes("std_msgs/msg/Bool")
def write_bool(message: Any, field: Field, values: Array) -> None:
    message.data = bool(values[0] > 0.5)


@reads("std_msgs/msg/Float64MultiArray")
def read_float64_multi_array(message: Any, field: Field) -> Array:
    """Return the numbers as they come: their order is the one in the spec, since the message names none."""
    if len(message.data) != field.width:
        raise MessageError(
            f"{field.name!r} ({field.topic}) holds {len(message.data)} numbers; the spec names {field.width}: "
            f"{', '.join(field.names)}. Mend `names` in {field.file}, in the order of the message."
        )
    return np.array(message.data, dtype=np.float64)


@writes("std_msgs/msg/Float64MultiArray")
def write_float64_multi_array(message: Any, field: Field, values: Array) -> None:
    message.data = values.tolist()


@reads("sensor_msgs/msg/Joy")
def read_joy(message: Any, field: Field) -> Array:
    """Return the axes (-1 to 1) and buttons (0 or 1) that the field names, such as axes.1 and buttons.4."""
    numbers = []
    for name in field.names:
        part, _, index = name.partition(".")
        found = getattr(message, part)
        if int(index) >= len(found):
            raise MessageError(
                f"{field.name!r} ({field.topic}) has no {name}: this joystick has {len(message.axes)} axes and "
                f"{len(message.buttons)} buttons. Mend `names` in {field.file}; `ros2 topic echo {field.topic}` shows "
                f"which move."
            )
        numbers.append(found[int(index)])
    return np.array(numbers, dtype=np.float64)


@writes("sensor_msgs/msg/Joy")
def write_joy(message: Any, field: Field, values: Array) -> None:
    """Set the axes and buttons that the field names; the others are 0."""
    axes, buttons = list(message.axes), list(message.buttons)
    for name, value in zip(field.names, values.tolist(), strict=True):
        part, _, index = name.partition(".")
        numbers = axes if part == "axes" else buttons
        numbers.extend([0] * (int(index) + 1 - len(numbers)))
        numbers[int(index)] = value if part == "axes" else int(value > 0.5)
    message.axes, message.buttons = [float(value) for value in axes], buttons


@reads("sensor_msgs/msg/LaserScan")
def read_laser_scan(message: Any, field: Field) -> Array:
    """Return the nearest obstacle [m] in each of as many equal sectors as the field has beams.

    As REP-117 has it: inf is nothing within range, and becomes range_max; -inf is too near to measure, and becomes
    range_min; NaN, and what lies outside range_min to range_max, is no measurement. A sector without one is refused.
    """
    ranges = np.asarray(message.ranges, dtype=np.float32)  # as on the wire, so that range_max is within range_max
    low, high = np.float32(message.range_min), np.float32(message.range_max)
    if len(ranges) < field.width:
        raise MessageError(
            f"{field.name!r} ({field.topic}) has {len(ranges)} rays; the spec asks for {field.width} beams. Ask for "
            f"at most as many as there are rays, in {field.file}."
        )
    ranges = np.where(np.isposinf(ranges), high, np.where(np.isneginf(ranges), low, ranges))
    measured = np.where((ranges >= low) & (ranges <= high), ranges, np.float32(np.inf))  # NaN compares as False
    nearest = np.array([sector.min() for sector in np.array_split(measured, field.width)], dtype=np.float64)
    blind = np.flatnonzero(np.isinf(nearest))
    if len(blind) and np.isfinite(high):
        raise MessageError(
            f"{field.name!r} ({field.topic}) measured nothing in {field.names[blind[0]]} and {len(blind) - 1} more: "
            f"every ray there is NaN or outside {low:g} to {high:g} m. Ask for fewer beams in {field.file}; if the "
            f"driver says 0 where nothing is in range, let it say inf (REP-117); laser_filters can."
        )
    return nearest


@writes("sensor_msgs/msg/LaserScan")
def write_laser_scan(message: Any, field: Field, values: Array) -> None:
    """Write one ray per beam, over a whole turn where the message does not say which angles it covers."""
    if message.angle_max <= message.angle_min:
        message.angle_min, message.angle_max = -np.pi, np.pi
    message.angle_increment = (message.angle_max - message.angle_min) / max(field.width - 1, 1)
    message.range_max = max(float(message.range_max), float(values.max(initial=0.0)))
    message.ranges = values.tolist()
