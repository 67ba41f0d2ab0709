"""Message to array and back: one reader and one writer per message type.

Messages are duck-typed: those of rclpy, of a bag and of a test are read by the same lines, and
nothing here imports ROS. A reader returns float64 of shape (field.width,) in the field's unit and
order, or raises MessageError. A writer fills an empty message from such an array.

To add a type: one function under `@reads`, one under `@writes`, its component names in COMPONENTS
if it has fixed ones, and a round trip in tests/robot/test_messages.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import MessageError
from imitation_ros.robot.rotations import ROTATIONS, matrix_to_quaternion, quaternion_to_matrix

if TYPE_CHECKING:
    from imitation_ros.robot.field import Field

Array = NDArray[np.float64]
Reader = Callable[[Any, "Field"], Array]
Writer = Callable[[Any, "Field", Array], None]

READERS: dict[str, Reader] = {}
WRITERS: dict[str, Writer] = {}

POSITION = ("x", "y", "z")
TWIST = ("linear.x", "linear.y", "linear.z", "angular.x", "angular.y", "angular.z")

COMPONENTS: dict[str, tuple[str, ...] | None] = {
    "sensor_msgs/msg/JointState": None,  # the spec names the joints
    "geometry_msgs/msg/Pose": POSITION,
    "geometry_msgs/msg/PoseStamped": POSITION,
    "geometry_msgs/msg/Twist": TWIST,
    "geometry_msgs/msg/TwistStamped": TWIST,
    "std_msgs/msg/Float64": ("data",),
    "std_msgs/msg/Bool": ("data",),
}
"""Message type to the names of its numbers; None where only the spec can name them."""

STAMPED = {"sensor_msgs/msg/JointState", "geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/TwistStamped"}
"""The types whose header says when a value is from."""


def reads(message_type: str) -> Callable[[Reader], Reader]:
    def register(reader: Reader) -> Reader:
        READERS[message_type] = reader
        return reader

    return register


def writes(message_type: str) -> Callable[[Writer], Writer]:
    def register(writer: Writer) -> Writer:
        WRITERS[message_type] = writer
        return writer

    return register


def read(message: Any, field: Field) -> Array:
    """Return the field's values, shape (field.width,), from a message of the field's type.

    Raises:
        MessageError: another frame, joints that are not there, a value that is not finite.
    """
    check_frame(message, field)
    values = READERS[field.type](message, field)
    if not np.isfinite(values).all():
        raise MessageError(
            f"{field.name!r} ({field.topic}) holds {values.tolist()}: numbers that are not finite are not used. "
            f"Look at `ros2 topic echo {field.topic}`."
        )
    return values


def write(message: Any, field: Field, values: Array) -> None:
    """Fill a message of the field's type from values of shape (field.width,); fields may share a JointState."""
    header = getattr(message, "header", None)
    if header is not None and field.frame is not None:
        header.frame_id = field.frame
    WRITERS[field.type](message, field, np.asarray(values, dtype=np.float64))


def header_stamp_s(message: Any) -> float | None:
    """Return the header's stamp [s], or None for a message without one or with an empty one."""
    header = getattr(message, "header", None)
    if header is None or (header.stamp.sec == 0 and header.stamp.nanosec == 0):
        return None
    return float(header.stamp.sec) + 1e-9 * float(header.stamp.nanosec)


def check_frame(message: Any, field: Field) -> None:
    header = getattr(message, "header", None)
    if header is None or field.frame is None or header.frame_id in ("", field.frame):
        return
    raise MessageError(
        f"{field.name!r} ({field.topic}) is in frame {header.frame_id!r}; the spec says {field.frame!r}. "
        f"Transform it before it is recorded, or set `frame: {header.frame_id}` in {field.file}; "
        f"`ros2 topic echo {field.topic} --field header.frame_id` shows what arrives."
    )


@reads("sensor_msgs/msg/JointState")
def read_joint_state(message: Any, field: Field) -> Array:
    """Return `field.quantity` in the order of `field.names`; drivers reorder joints freely."""
    numbers = getattr(message, field.quantity)
    if len(numbers) != len(message.name):
        raise MessageError(
            f"{field.name!r} ({field.topic}) names {len(message.name)} joints but has {len(numbers)} values of "
            f"{field.quantity}. Some drivers leave {field.quantity} empty: choose another quantity in {field.file}."
        )
    value_of = dict(zip(message.name, numbers))  # noqa: B905 the lengths were compared above
    missing = [name for name in field.names if name not in value_of]
    if missing:
        raise MessageError(
            f"{field.name!r} ({field.topic}) has no joint {', '.join(missing)}; it has {', '.join(message.name)}. "
            f"Mend `names` in {field.file}; `ros2 topic echo --once {field.topic}` shows the message."
        )
    return np.array([value_of[name] for name in field.names], dtype=np.float64)


@writes("sensor_msgs/msg/JointState")
def write_joint_state(message: Any, field: Field, values: Array) -> None:
    """Add the field's joints to a message that may hold others already; what nobody gave is NaN."""
    names = [*message.name, *(name for name in field.names if name not in message.name)]
    for quantity in ("position", "velocity", "effort"):
        numbers = list(getattr(message, quantity))
        if quantity != field.quantity and not numbers:
            continue  # an empty list says that a driver does not measure it
        value_of = {**dict.fromkeys(names, math.nan), **dict(zip(message.name, numbers))}  # noqa: B905 may be empty
        if quantity == field.quantity:
            value_of.update(zip(field.names, values.tolist(), strict=True))
        setattr(message, quantity, [value_of[name] for name in names])
    message.name = names


@reads("geometry_msgs/msg/Twist")
def read_twist(message: Any, field: Field) -> Array:
    parts = [name.split(".") for name in field.names]
    return np.array([getattr(getattr(message, part), axis) for part, axis in parts], dtype=np.float64)


@reads("geometry_msgs/msg/TwistStamped")
def read_twist_stamped(message: Any, field: Field) -> Array:
    return read_twist(message.twist, field)


@writes("geometry_msgs/msg/Twist")
def write_twist(message: Any, field: Field, values: Array) -> None:
    """Fill the axes that the field names; the others stay zero."""
    for name, value in zip(field.names, values.tolist(), strict=True):
        part, axis = name.split(".")
        setattr(getattr(message, part), axis, value)


@writes("geometry_msgs/msg/TwistStamped")
def write_twist_stamped(message: Any, field: Field, values: Array) -> None:
    write_twist(message.twist, field, values)


@reads("geometry_msgs/msg/Pose")
def read_pose(message: Any, field: Field) -> Array:
    """Return the position [m], then the rotation where the field asks for one."""
    position = [message.position.x, message.position.y, message.position.z]
    if field.rotation is None:
        return np.array(position, dtype=np.float64)
    q = message.orientation
    try:
        matrix = quaternion_to_matrix(np.array([q.x, q.y, q.z, q.w], dtype=np.float64))
    except ValueError as error:
        raise MessageError(f"{field.name!r} ({field.topic}): {error}.") from None
    return np.concatenate([position, ROTATIONS[field.rotation][0](matrix)])


@reads("geometry_msgs/msg/PoseStamped")
def read_pose_stamped(message: Any, field: Field) -> Array:
    return read_pose(message.pose, field)


@writes("geometry_msgs/msg/Pose")
def write_pose(message: Any, field: Field, values: Array) -> None:
    message.position.x, message.position.y, message.position.z = values[:3].tolist()
    q = message.orientation
    if field.rotation is None:
        q.x, q.y, q.z, q.w = 0.0, 0.0, 0.0, 1.0
        return
    try:
        matrix = ROTATIONS[field.rotation][1](values[3:])
    except ValueError as error:
        raise MessageError(f"{field.name!r} ({field.topic}): {error}.") from None
    q.x, q.y, q.z, q.w = matrix_to_quaternion(matrix).tolist()


@writes("geometry_msgs/msg/PoseStamped")
def write_pose_stamped(message: Any, field: Field, values: Array) -> None:
    write_pose(message.pose, field, values)


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
