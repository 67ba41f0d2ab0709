"""What messages are before anybody has described them: the fields that a topic's first message can be read as."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from imitation_ros.data.bag import bag_messages, bag_topics
from imitation_ros.errors import DataError, MessageError, SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.field_yaml import parse_field
from imitation_ros.robot.messages import COMPONENTS, IMAGES, WHOLE
from imitation_ros.robot.messages.images import ENCODINGS, opened
from imitation_ros.topic_facts import TF_MESSAGE, GraphFacts, TopicFacts

Words = dict[str, Any]

PLUMBING = {"/rosout", "/parameter_events", "/clock", "/diagnostics"}
PICTURE_FOR_PEOPLE = "/simulator/view"  # of our simulator, in any namespace
JOINT_QUANTITIES = ("position", "velocity", "effort")
BEAMS = 36  # one for each 10 degrees of a turn


def facts_of_bag(path: Path, namespace: str = "") -> GraphFacts:
    """Return what a bag holds of the types we know, as if one had listened.

    Raises:
        DataError: the bag is missing, broken or empty.
    """
    types = bag_topics(path)
    graph = GraphFacts(f"the bag {path}", sim_time="/clock" in types)
    for topic, kind in types.items():
        graph.topics[topic] = TopicFacts(topic, kind, probe(relative(topic, namespace), kind))
    wanted = {topic for topic, kind in types.items() if is_known(kind) or topic == "/clock"} - (PLUMBING - {"/clock"})
    clock_s: float | None = None
    for item in bag_messages(path, wanted):
        if item.topic == "/clock":
            clock_s = item.message.clock.sec + 1e-9 * item.message.clock.nanosec
        else:
            received_s = clock_s if graph.sim_time else item.received_s
            graph.add(item.topic, item.message, received_s, heard_s=item.received_s)
    if not any(facts.count for facts in graph.topics.values()):
        raise DataError(
            f"{path} holds no message of a type that we know: {', '.join(types.values()) or 'it is empty'}."
        )
    return graph


def is_known(message_type: str) -> bool:
    return message_type in COMPONENTS or message_type == TF_MESSAGE


def relative(topic: str, namespace: str) -> str:
    """Return a topic as the spec names it; '' for one outside of the namespace."""
    start = f"/{namespace.strip('/')}/" if namespace.strip("/") else "/"
    return topic[len(start) :] if topic.startswith(start) else ""


def probe(topic: str, message_type: str) -> Callable[[Any], list[Field]]:
    """Return what turns a topic's first message into the fields that it is read as."""

    def fields_of(message: Any) -> list[Field]:
        if message_type not in COMPONENTS or not topic:
            return []
        try:
            return [
                parse_field("field", {"topic": topic, "type": message_type, **words}, "the draft")
                for words in first_words(message_type, message)
            ]
        except SpecError as error:
            raise MessageError(str(error)) from None

    return fields_of


def first_words(kind: str, message: Any) -> list[Words]:
    """Return what the first message says of its fields: joints, quantities, shapes."""
    if kind == "sensor_msgs/msg/JointState":
        measured = [word for word in JOINT_QUANTITIES if len(getattr(message, word)) == len(message.name)]
        return [{"quantity": word, "names": list(message.name)} for word in measured]
    if kind == "trajectory_msgs/msg/JointTrajectory":
        positions = not message.points or len(message.points[-1].positions)
        return [{"quantity": "position" if positions else "velocity", "names": list(message.joint_names)}]
    if kind == "control_msgs/msg/JointJog":
        quantity = "velocity" if len(message.velocities) else "position"
        return [{"quantity": quantity, "names": list(message.joint_names)}]
    if kind == "std_msgs/msg/Float64MultiArray":
        return [{"names": [f"value{index}" for index in range(len(message.data))]}]
    if kind == "sensor_msgs/msg/Joy":
        parts = [("axes", message.axes), ("buttons", message.buttons)]
        return [{"names": [f"{part}.{index}" for part, values in parts for index in range(len(values))]}]
    if kind == "sensor_msgs/msg/LaserScan":
        return [{"beams": max(1, min(BEAMS, len(message.ranges)))}]
    if kind == "sensor_msgs/msg/Imu":
        names = COMPONENTS[kind] or ()
        silent = [part for part in ("angular_velocity", "linear_acceleration") if unmeasured(message, part)]
        return [{"names": [name for name in names if name.split(".")[0] not in silent]}]
    if kind in WHOLE:
        orientation = (message.pose if hasattr(message, "pose") else message).orientation
        length = math.hypot(orientation.x, orientation.y, orientation.z, orientation.w)
        return [{"rotation": "rotation_6d"} if abs(length - 1.0) < 0.01 else {}]
    return [{"shape": image_shape(kind, message)} if kind in IMAGES else {}]


def unmeasured(message: Any, part: str) -> bool:
    return bool(getattr(message, f"{part}_covariance")[0] == -1)  # as sensor_msgs/Imu has it


def image_shape(kind: str, message: Any) -> list[int]:
    if kind == "sensor_msgs/msg/CompressedImage":
        stand_in = Field(name="image", topic="", type=kind, names=())
        with opened(np.frombuffer(message.data, dtype=np.uint8), stand_in) as image:
            return [image.height, image.width, 1 if image.mode == "L" else 3]
    if message.encoding not in ENCODINGS:
        raise MessageError(f"its encoding, {message.encoding!r}, is none of {', '.join(ENCODINGS)}.")
    return [message.height, message.width, ENCODINGS[message.encoding][1]]
