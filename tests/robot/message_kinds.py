"""One field of every message type, and empty messages for it: of ROS, and some that are merely shaped like those."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from imitation_ros.robot.field import Field
from imitation_ros.robot.field_yaml import parse_field

HAS_ROS = importlib.util.find_spec("rclpy") is not None
MAKERS = ["plain", pytest.param("ros", marks=pytest.mark.skipif(not HAS_ROS, reason="needs ROS's message packages"))]
NOT_IN_WHEELS = {"control_msgs/msg/JointJog"}  # these message packages are on no package index

FIELDS: dict[str, dict[str, Any]] = {
    "sensor_msgs/msg/JointState": {"names": ["shoulder", "elbow"], "unit": "rad"},
    "trajectory_msgs/msg/JointTrajectory": {"names": ["shoulder", "elbow"], "unit": "rad"},
    "control_msgs/msg/JointJog": {"names": ["shoulder", "elbow"], "unit": "rad/s"},
    "std_msgs/msg/Float64MultiArray": {"names": ["shoulder", "elbow", "wrist"]},
    "sensor_msgs/msg/Joy": {"names": ["axes.3", "buttons.1", "axes.0"]},
    "sensor_msgs/msg/LaserScan": {"beams": 4, "frame": "base", "unit": "m"},
    "geometry_msgs/msg/Pose": {"rotation": "rotvec"},
    "geometry_msgs/msg/PoseStamped": {"frame": "base", "rotation": "rotation_6d"},
    "tf": {"parent": "base", "child": "tool", "rotation": "rotvec"},
    "geometry_msgs/msg/Twist": {"names": ["angular.z", "linear.x"]},
    "geometry_msgs/msg/TwistStamped": {"frame": "base"},
    "geometry_msgs/msg/WrenchStamped": {"frame": "base", "names": ["torque.z", "force.x"]},
    "sensor_msgs/msg/Imu": {"frame": "base", "rotation": "rotation_6d"},
    "nav_msgs/msg/Odometry": {"frame": "base", "names": ["linear.x", "y"], "rotation": "rotvec"},
    "std_msgs/msg/Float64": {},
    "std_msgs/msg/Bool": {},
    "sensor_msgs/msg/Image": {"shape": [3, 5, 3], "frame": "base"},
    "sensor_msgs/msg/CompressedImage": {"shape": [16, 24, 3], "frame": "base"},
}


def make_field(message_type: str, **changes: object) -> Field:
    """Return a field of the type; None takes a word away."""
    words = {"topic": "a/topic", "type": message_type, **FIELDS[message_type], **changes}
    return parse_field("thing", words, "cell.yaml")


class Shaped:
    """A message that has these attributes and takes no others, as those of ROS do."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.__dict__:
            raise AttributeError(f"the message has no {name}, only {', '.join(self.__dict__)}")
        self.__dict__[name] = value


def vector(names: str = "xyz") -> Shaped:
    return Shaped(**dict.fromkeys(names, 0.0))


def header() -> Shaped:
    return Shaped(stamp=Shaped(sec=0, nanosec=0), frame_id="")


def point() -> Shaped:
    lists = {name: [] for name in ("positions", "velocities", "accelerations", "effort")}
    return Shaped(**lists, time_from_start=Shaped(sec=0, nanosec=0))


def pose() -> Shaped:
    return Shaped(position=vector(), orientation=vector("xyzw"))


def twist() -> Shaped:
    return Shaped(linear=vector(), angular=vector())


def scan() -> Shaped:
    words = ("angle_min", "angle_max", "angle_increment", "time_increment", "scan_time", "range_min", "range_max")
    return Shaped(header=header(), **dict.fromkeys(words, 0.0), ranges=[], intensities=[])


def imu() -> Shaped:
    parts = {"orientation": vector("xyzw"), "angular_velocity": vector(), "linear_acceleration": vector()}
    return Shaped(header=header(), **parts, **{f"{part}_covariance": [0.0] * 9 for part in parts})


PLAIN: dict[str, Callable[[], Shaped]] = {
    "JointState": lambda: Shaped(header=header(), name=[], position=[], velocity=[], effort=[]),
    "JointTrajectory": lambda: Shaped(header=header(), joint_names=[], points=[point()]),
    "JointJog": lambda: Shaped(header=header(), joint_names=[], displacements=[], velocities=[], duration=0.0),
    "Float64MultiArray": lambda: Shaped(layout=None, data=[]),
    "Joy": lambda: Shaped(header=header(), axes=[], buttons=[]),
    "LaserScan": scan,
    "Pose": pose,
    "PoseStamped": lambda: Shaped(header=header(), pose=pose()),
    "TransformStamped": lambda: Shaped(
        header=header(), child_frame_id="", transform=Shaped(translation=vector(), rotation=vector("xyzw"))
    ),
    "Twist": twist,
    "TwistStamped": lambda: Shaped(header=header(), twist=twist()),
    "WrenchStamped": lambda: Shaped(header=header(), wrench=Shaped(force=vector(), torque=vector())),
    "Imu": imu,
    "Odometry": lambda: Shaped(
        header=header(), child_frame_id="", pose=Shaped(pose=pose()), twist=Shaped(twist=twist())
    ),
    "Float64": lambda: Shaped(data=0.0),
    "Bool": lambda: Shaped(data=False),
    "Image": lambda: Shaped(header=header(), height=0, width=0, encoding="", is_bigendian=0, step=0, data=b""),
    "CompressedImage": lambda: Shaped(header=header(), format="", data=b""),
}


def empty(message_type: str, maker: str = "plain") -> Any:
    """Return an empty message of ROS, or one that is merely shaped like it."""
    if message_type == "tf":
        message_type = "geometry_msgs/msg/TransformStamped"
    if maker == "ros" and message_type in NOT_IN_WHEELS and importlib.util.find_spec("control_msgs") is None:
        pytest.skip(f"{message_type} is in no wheel")
    if maker == "ros":
        from imitation_ros.ros.message_types import new_message

        return new_message(message_type)
    return PLAIN[message_type.split("/")[-1]]()


def as_from_a_bag(message: Any) -> Any:
    """Return a message as readers of bags give it: numbers in numpy arrays."""
    for name in vars(message) if isinstance(message, Shaped) else ():
        value = getattr(message, name)
        if isinstance(value, bytes):
            setattr(message, name, np.frombuffer(value, dtype=np.uint8))
        elif isinstance(value, list) and value and all(isinstance(item, int | float) for item in value):
            setattr(message, name, np.array(value))
        elif isinstance(value, Shaped):
            as_from_a_bag(value)
    return message


NUMBERS = st.floats(-1e3, 1e3)
SHORT = st.floats(-1, 1, width=32)  # what float32 holds exactly
ANY_TURN = st.tuples(*[st.floats(-1.7, 1.7)] * 3).map(np.array)


def values_of(field: Field, data: st.DataObject) -> np.ndarray:
    """Return any value of a field that its message can hold exactly."""
    if field.is_image:
        numbers = data.draw(st.binary(min_size=field.width, max_size=field.width))
        return np.frombuffer(numbers, dtype=np.uint8).reshape(field.row_shape)
    if field.type == "std_msgs/msg/Bool":
        return np.array([float(data.draw(st.booleans()))])
    if field.type == "sensor_msgs/msg/Joy":
        return np.array(
            [data.draw(SHORT) if name.startswith("axes") else data.draw(st.integers(0, 1)) for name in field.names]
        )
    if field.type == "sensor_msgs/msg/LaserScan":
        return np.array([data.draw(st.floats(0, 100, width=32)) for _ in field.names])
    values = np.array(data.draw(st.lists(NUMBERS, min_size=field.width, max_size=field.width)))
    if field.rotation is not None:
        turn = data.draw(ANY_TURN)
        rotation = turn if field.rotation == "rotvec" else np.concatenate(columns_of(turn))
        values[-len(rotation) :] = rotation
    return values


def columns_of(turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first two columns of the matrix with these Euler angles."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(turn), np.cos(turn)
    return np.array([cy * cz, cy * sz, -sy]), np.array([sx * sy * cz - cx * sz, sx * sy * sz + cx * cz, sx * cy])
