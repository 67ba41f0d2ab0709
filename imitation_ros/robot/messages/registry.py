"""What each message type is, and the two doors: read a message into an array, write an array into a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import MessageError

if TYPE_CHECKING:
    from imitation_ros.robot.field import Field

Array = NDArray[Any]
Reader = Callable[[Any, "Field"], Array]
Writer = Callable[[Any, "Field", Array], None]

READERS: dict[str, Reader] = {}
WRITERS: dict[str, Writer] = {}

POSITION = ("x", "y", "z")
TWIST = ("linear.x", "linear.y", "linear.z", "angular.x", "angular.y", "angular.z")
WRENCH = ("force.x", "force.y", "force.z", "torque.x", "torque.y", "torque.z")
IMU = tuple(f"{part}.{axis}" for part in ("angular_velocity", "linear_acceleration") for axis in "xyz")

COMPONENTS: dict[str, tuple[str, ...] | None] = {
    "sensor_msgs/msg/JointState": None,  # the spec names the joints
    "trajectory_msgs/msg/JointTrajectory": None,
    "control_msgs/msg/JointJog": None,
    "std_msgs/msg/Float64MultiArray": None,
    "sensor_msgs/msg/Joy": None,
    "sensor_msgs/msg/LaserScan": None,
    "geometry_msgs/msg/Pose": POSITION,
    "geometry_msgs/msg/PoseStamped": POSITION,
    "tf": POSITION,
    "geometry_msgs/msg/Twist": TWIST,
    "geometry_msgs/msg/TwistStamped": TWIST,
    "geometry_msgs/msg/WrenchStamped": WRENCH,
    "sensor_msgs/msg/Imu": IMU,
    "nav_msgs/msg/Odometry": (*POSITION, *TWIST),
    "std_msgs/msg/Float64": ("data",),
    "std_msgs/msg/Bool": ("data",),
    "sensor_msgs/msg/Image": (),
    "sensor_msgs/msg/CompressedImage": (),
}
"""Message type to the names of its numbers; None where only the spec can name them."""

STAMPED = {
    "sensor_msgs/msg/JointState",
    "trajectory_msgs/msg/JointTrajectory",
    "control_msgs/msg/JointJog",
    "sensor_msgs/msg/Joy",
    "sensor_msgs/msg/LaserScan",
    "geometry_msgs/msg/PoseStamped",
    "tf",
    "geometry_msgs/msg/TwistStamped",
    "geometry_msgs/msg/WrenchStamped",
    "sensor_msgs/msg/Imu",
    "nav_msgs/msg/Odometry",
    "sensor_msgs/msg/Image",
    "sensor_msgs/msg/CompressedImage",
}
"""The types whose header says when a value is from."""

IMAGES = {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"}
WHOLE = {"geometry_msgs/msg/Pose", "geometry_msgs/msg/PoseStamped", "tf"}
"""The types that are recorded whole: a position without its z means nothing."""
ORIENTED = {*WHOLE, "sensor_msgs/msg/Imu", "nav_msgs/msg/Odometry"}
"""The types that hold an orientation, which `rotation:` asks for."""
JOINTED = {
    "sensor_msgs/msg/JointState",
    "trajectory_msgs/msg/JointTrajectory",
    "control_msgs/msg/JointJog",
    "std_msgs/msg/Float64MultiArray",
}
"""The types whose numbers belong to joints, so that a prefix can stand before them; the last does not say which."""
QUANTITIES = {
    "geometry_msgs/msg/Twist": "velocity",
    "geometry_msgs/msg/TwistStamped": "velocity",
    "control_msgs/msg/JointJog": "velocity",
    "geometry_msgs/msg/WrenchStamped": "effort",
}
"""What a type's numbers are where the spec does not say; position otherwise."""
NAME_PATTERNS = {"sensor_msgs/msg/Joy": r"(axes|buttons)\.(0|[1-9][0-9]?)", "sensor_msgs/msg/LaserScan": r"beam[0-9]+"}


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
    """Return the field's value from a message of its type.

    Numbers are float64 of shape (field.width,). An image is uint8: pixels of shape field.shape, or the
    bytes of a JPEG, (n,), as they came; `images.decoded` gives the pixels of both.

    Raises:
        MessageError: another frame, joints that are not there, another size, a value that is not finite.
    """
    check_frame(message, field)
    values = READERS[field.type](message, field)
    if not field.is_image and not np.isfinite(values).all():
        raise MessageError(
            f"{field.name!r} ({field.topic}) holds {values.tolist()}: numbers that are not finite are not used. "
            f"Look at `ros2 topic echo {field.topic}`."
        )
    return values


def write(message: Any, field: Field, values: Array) -> None:
    """Fill a message of the field's type from a value as `read` returns it; fields may share a JointState."""
    header = getattr(message, "header", None)
    if header is not None and field.frame is not None:
        header.frame_id = field.frame_id
    WRITERS[field.type](message, field, values if field.is_image else np.asarray(values, dtype=np.float64))


def header_stamp_s(message: Any) -> float | None:
    """Return the header's stamp [s], or None for a message without one or with an empty one."""
    header = getattr(message, "header", None)
    if header is None or (header.stamp.sec == 0 and header.stamp.nanosec == 0):
        return None
    return float(header.stamp.sec) + 1e-9 * float(header.stamp.nanosec)


def stamp_s(message: Any, field: Field) -> float | None:
    """Return when a value is from [s], by the field's `stamp`; None stands for when it was received.

    Raises:
        MessageError: a stamp is required, and there is none.
    """
    found = None if field.stamp == "received" else header_stamp_s(message)
    if found is None and field.stamp == "required":
        raise MessageError(
            f"{field.name!r} ({field.topic}) came without a stamp, and `stamp: required` in {field.file} asks for one. "
            f"Let its publisher fill header.stamp, or set `stamp: received`."
        )
    return found


def check_frame(message: Any, field: Field) -> None:
    header = getattr(message, "header", None)
    if header is None or field.frame is None or header.frame_id.removeprefix("/") in ("", field.frame_id):
        return
    raise MessageError(
        f"{field.name!r} ({field.topic}) is in frame {header.frame_id!r}; the spec says {field.frame_id!r}. "
        f"Transform it before it is recorded, or mend `frame` (or `frame_prefix`) in {field.file}; "
        f"`ros2 topic echo {field.topic} --field header.frame_id` shows what arrives."
    )
