"""tf as fields: /tf and /tf_static in, where one frame is in another out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from imitation_ros.errors import MessageError
from imitation_ros.robot.field import Field
from imitation_ros.robot.transforms import FieldTransforms
from imitation_ros.ros.message_types import TRANSFORMS, message_class, now_s, tf_topic

DYNAMIC = QoSProfile(depth=200)  # reliable, as every broadcaster of tf2 is
STATIC = QoSProfile(depth=200, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SILENT_AFTER_S = 1.0


class FrameSubscription:
    """Subscribes to one tree of tf, and hands on the values of the fields that are looked up in it.

    Args:
        node: whose subscriptions they are.
        topic: of the fields: tf stands for /tf and /tf_static.
        fields: all of this topic.
        on_value: called for each value of each field, as FieldSubscriptions does.

    Raises:
        SpecError: tf2_msgs is not installed.
    """

    def __init__(self, node: Node, topic: str, fields: Iterable[Field], on_value: Callable[..., None]) -> None:
        self.node, self.topic, self.on_value = node, topic, on_value
        self.transforms = FieldTransforms(fields)
        self.received = 0
        self.last_s = dict.fromkeys((field.name for field in self.transforms.fields), time.monotonic())
        self.refused: dict[str, str] = {}
        kind, name = message_class(TRANSFORMS), tf_topic(topic)
        self.subscriptions = [
            node.create_subscription(kind, name, self.receive, DYNAMIC),
            node.create_subscription(kind, f"{name}_static", self.receive_static, STATIC),
        ]

    def receive(self, message: Any, static: bool = False) -> None:
        heard_s, received_s = time.monotonic(), now_s(self.node)
        self.received += 1
        for field, data, stamp_s in self.transforms.put(message, static):
            self.hand_on(field, data, stamp_s, received_s, heard_s)

    def receive_static(self, message: Any) -> None:
        self.receive(message, static=True)

    def look(self) -> dict[str, str | None]:
        """Return what stands against each field, if anything; hand on what only static transforms connect."""
        heard_s, received_s = time.monotonic(), now_s(self.node)
        for field, data in self.transforms.standing():
            self.hand_on(field, data, received_s, received_s, heard_s)
        return {field.name: self.problem_of(field, heard_s) for field in self.transforms.fields}

    def problem_of(self, field: Field, now_s: float) -> str | None:
        silent_s = now_s - self.last_s[field.name]
        if field.name in self.refused:
            return self.refused[field.name]
        if silent_s <= SILENT_AFTER_S:
            return None
        return self.transforms.missing(field) or (
            f"{field.name!r} ({tf_topic(field.topic)}) has been silent for {silent_s:.0f} s: "
            f"`ros2 run tf2_ros tf2_echo {field.frame_id} {field.child_frame_id}`"
        )

    def hand_on(self, field: Field, data: np.ndarray, stamp_s: float | None, received_s: float, heard_s: float) -> None:
        self.last_s[field.name] = heard_s
        try:
            self.on_value(field.name, data, stamp_s, received_s, heard_s)
        except MessageError as error:
            self.refused[field.name] = str(error)
        else:
            self.refused.pop(field.name, None)
