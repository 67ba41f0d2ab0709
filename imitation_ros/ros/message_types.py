"""What ROS calls a message type and a time, and what to install where it has none of that name."""

from __future__ import annotations

import importlib
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.node import Node

from imitation_ros.errors import SpecError

TRANSFORMS = "tf2_msgs/msg/TFMessage"


def message_class(message_type: str) -> Any:
    """Return the class of a type such as sensor_msgs/msg/JointState.

    Raises:
        SpecError: its package is not installed here.
    """
    package, _, name = message_type.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise SpecError(
            f"the message type {message_type} is not installed here ({error}). Install its package, "
            f"`sudo apt install ros-$ROS_DISTRO-{package.replace('_', '-')}`, and source ROS's setup.bash again."
        ) from None


def new_message(message_type: str) -> Any:
    """Return an empty message that `write` can fill: a trajectory comes with the one point of a command."""
    if message_type == "tf":
        return message_class("geometry_msgs/msg/TransformStamped")()
    message = message_class(message_type)()
    if message_type == "trajectory_msgs/msg/JointTrajectory":
        message.points = [message_class("trajectory_msgs/msg/JointTrajectoryPoint")()]
    return message


def tf_topic(topic: str) -> str:
    """Return where tf's messages are: /tf in every namespace, as tf2 has it, unless a spec names another topic."""
    return "/tf" if topic == "tf" else topic


def now_s(node: Node) -> float:
    """Return the time on the node's ROS clock [s]."""
    return node.get_clock().now().nanoseconds * 1e-9


def to_stamp(time_s: float) -> Time:
    nanoseconds = round(time_s * 1e9)
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
