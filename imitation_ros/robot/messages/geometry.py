"""Messages of position, orientation, velocity and force: Pose, Twist, Wrench, Odometry, Imu, and tf's transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imitation_ros.errors import MessageError
from imitation_ros.robot.messages.registry import Array, reads, writes
from imitation_ros.robot.rotations import ROTATIONS, matrix_to_quaternion, quaternion_to_matrix

if TYPE_CHECKING:
    from imitation_ros.robot.field import Field


def get(message: Any, path: str) -> float:
    """Return the number at a path such as linear.x."""
    for part in path.split("."):
        message = getattr(message, part)
    return float(message)


def put(message: Any, path: str, value: float) -> None:
    *parts, last = path.split(".")
    for part in parts:
        message = getattr(message, part)
    setattr(message, last, value)


def rotation_names(field: Field) -> tuple[str, ...]:
    return () if field.rotation is None else ROTATIONS[field.rotation][2]


def plain_names(field: Field) -> tuple[str, ...]:
    """Return the names that are not a rotation's; those of a rotation come last."""
    return field.names[: len(field.names) - len(rotation_names(field))]


def read_rotation(quaternion: Any, field: Field) -> Array:
    """Return the rotation in the field's representation; empty where it asks for none."""
    if field.rotation is None:
        return np.zeros(0)
    numbers = np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w], dtype=np.float64)
    try:
        return ROTATIONS[field.rotation][0](quaternion_to_matrix(numbers))
    except ValueError as error:
        raise MessageError(f"{field.name!r} ({field.topic}): {error}.") from None


def rotation_matrix(field: Field, values: Array) -> Array:
    """Return the matrix, (3, 3), of the last numbers of a value; the field has a rotation.

    Raises:
        MessageError: they say no rotation.
    """
    try:
        return ROTATIONS[field.rotation or ""][1](values[-len(rotation_names(field)) :])
    except ValueError as error:
        raise MessageError(f"{field.name!r} ({field.topic}): {error}.") from None


def write_rotation(quaternion: Any, field: Field, values: Array) -> None:
    """Fill a quaternion from the last numbers of a value; the identity where the field has no rotation."""
    if field.rotation is None:
        quaternion.x, quaternion.y, quaternion.z, quaternion.w = 0.0, 0.0, 0.0, 1.0
        return
    matrix = rotation_matrix(field, values)
    quaternion.x, quaternion.y, quaternion.z, quaternion.w = matrix_to_quaternion(matrix).tolist()


@reads("geometry_msgs/msg/Twist")
def read_twist(message: Any, field: Field) -> Array:
    return np.array([get(message, name) for name in field.names])


@writes("geometry_msgs/msg/Twist")
def write_twist(message: Any, field: Field, values: Array) -> None:
    """Fill the axes that the field names; the others stay zero."""
    for name, value in zip(field.names, values.tolist(), strict=True):
        put(message, name, value)


@reads("geometry_msgs/msg/TwistStamped")
def read_twist_stamped(message: Any, field: Field) -> Array:
    return read_twist(message.twist, field)


@writes("geometry_msgs/msg/TwistStamped")
def write_twist_stamped(message: Any, field: Field, values: Array) -> None:
    write_twist(message.twist, field, values)


@reads("geometry_msgs/msg/WrenchStamped")
def read_wrench_stamped(message: Any, field: Field) -> Array:
    return read_twist(message.wrench, field)


@writes("geometry_msgs/msg/WrenchStamped")
def write_wrench_stamped(message: Any, field: Field, values: Array) -> None:
    write_twist(message.wrench, field, values)


@reads("geometry_msgs/msg/Pose")
def read_pose(message: Any, field: Field) -> Array:
    """Return the position [m], then the rotation where the field asks for one."""
    position = message.position
    return np.array([position.x, position.y, position.z, *read_rotation(message.orientation, field)], dtype=np.float64)


@writes("geometry_msgs/msg/Pose")
def write_pose(message: Any, field: Field, values: Array) -> None:
    message.position.x, message.position.y, message.position.z = values[:3].tolist()
    write_rotation(message.orientation, field, values)


@reads("geometry_msgs/msg/PoseStamped")
def read_pose_stamped(message: Any, field: Field) -> Array:
    return read_pose(message.pose, field)


@writes("geometry_msgs/msg/PoseStamped")
def write_pose_stamped(message: Any, field: Field, values: Array) -> None:
    write_pose(message.pose, field, values)


@reads("tf")
def read_transform(message: Any, field: Field) -> Array:
    """Return where `field.child` is in `field.frame`, from a TransformStamped between just these two."""
    place = message.transform.translation
    return np.array([place.x, place.y, place.z, *read_rotation(message.transform.rotation, field)], dtype=np.float64)


@writes("tf")
def write_transform(message: Any, field: Field, values: Array) -> None:
    place = message.transform.translation
    place.x, place.y, place.z = values[:3].tolist()
    write_rotation(message.transform.rotation, field, values)
    message.child_frame_id = field.child_frame_id


def pose_values(matrix: Array, field: Field) -> Array:
    """Return the position [m] of a transform, (4, 4), and its rotation where the field asks for one."""
    turned = np.zeros(0) if field.rotation is None else ROTATIONS[field.rotation][0](matrix[:3, :3])
    return np.concatenate([matrix[:3, 3], turned])


@reads("nav_msgs/msg/Odometry")
def read_odometry(message: Any, field: Field) -> Array:
    """Return position [m] and twist [m/s, rad/s] (in the child frame, REP-105) as named, then the rotation."""
    numbers = [get(message, odometry_path(name)) for name in plain_names(field)]
    return np.array([*numbers, *read_rotation(message.pose.pose.orientation, field)])


@writes("nav_msgs/msg/Odometry")
def write_odometry(message: Any, field: Field, values: Array) -> None:
    for name, value in zip(plain_names(field), values.tolist(), strict=False):  # a rotation's numbers follow
        put(message, odometry_path(name), value)
    write_rotation(message.pose.pose.orientation, field, values)


def odometry_path(name: str) -> str:
    return f"twist.twist.{name}" if "." in name else f"pose.pose.position.{name}"


@reads("sensor_msgs/msg/Imu")
def read_imu(message: Any, field: Field) -> Array:
    """Return angular velocity [rad/s] and linear acceleration [m/s^2] as named, then the rotation.

    What a device does not measure has -1 as the first number of its covariance (sensor_msgs/Imu).
    """
    parts = {name.split(".")[0] for name in plain_names(field)} | ({"orientation"} if field.rotation else set())
    for part in sorted(parts):
        covariance = getattr(message, f"{part}_covariance")
        if len(covariance) and covariance[0] == -1:
            raise MessageError(
                f"{field.name!r} ({field.topic}) says that it does not measure its {part} (covariance -1). Leave it "
                f"out of `names` or `rotation` in {field.file}."
            )
    numbers = [get(message, name) for name in plain_names(field)]
    return np.array([*numbers, *read_rotation(message.orientation, field)])


@writes("sensor_msgs/msg/Imu")
def write_imu(message: Any, field: Field, values: Array) -> None:
    for name, value in zip(plain_names(field), values.tolist(), strict=False):  # a rotation's numbers follow
        put(message, name, value)
    write_rotation(message.orientation, field, values)
