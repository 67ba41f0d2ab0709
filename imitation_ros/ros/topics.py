"""Topics of a robot spec: subscriptions that find their publisher, and say what is wrong with it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.timer import Timer

from imitation_ros.errors import MessageError
from imitation_ros.recording.arrivals import joined
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import names_no_joint_of, read, stamp_s, write
from imitation_ros.ros.frames import FrameSubscription
from imitation_ros.ros.message_types import TRANSFORMS, message_class, new_message, tf_topic, to_stamp
from imitation_ros.ros.message_types import now_s as now_s
from imitation_ros.topic_facts import without_numbers

OnValue = Callable[[str, np.ndarray, float | None, float, float], None]
"""Called with the field's name, its values, the stamp (None without one), received and monotonic time [s]."""

OnLost = Callable[[list[str], int], None]
OnRaw = Callable[[str, bytes, int], None]

DEPTH = 200  # a burst of a second at 200 Hz is kept; stamps, not arrival, say when a value is from
LOOK_EVERY_S = 0.1  # for publishers
SILENT_AFTER_S = 1.0
SAID_EVERY_S = 5.0  # at most, where good and bad messages take turns
LAST_WORD_S = 0.5  # to arrive, before a topic is closed
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def steady_timer(node: Node, period_s: float, callback: Callable[[], None]) -> Timer:
    """Call back on the wall's clock: a /clock that stands still must not stop a watchdog."""
    return node.create_timer(period_s, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))


class FieldSubscriptions:
    """Subscribes to the topics of fields: what is expected as soon as it has a publisher, the optional at once.

    Reliable where every publisher offers it, best effort otherwise. What stands against a topic (no
    publisher, another type, other joint names, another frame, silence) is in `problems`, in words.

    Args:
        node: whose topics they are.
        expected: what should be heard all the time; several may share a topic.
        on_value: called for each value of each field.
        optional: what may be silent, such as commands.
        on_lost: called with the names of fields and how many messages of their topic the middleware lost by now.
        on_raw: called with each message's full topic, as it came: serialized, and when it was received [ns].

    Raises:
        SpecError: a message package is not installed.
    """

    def __init__(
        self,
        node: Node,
        expected: Iterable[Field],
        on_value: OnValue,
        optional: Iterable[Field] = (),
        on_lost: OnLost | None = None,
        on_raw: OnRaw | None = None,
    ) -> None:
        self.node, self.on_value, self.on_lost, self.on_raw = node, on_value, on_lost, on_raw
        self.lost: Counter[str] = Counter()  # by topic
        self.fields_of: dict[str, list[Field]] = {}
        transforms = [field for field in expected if field.type == "tf"]
        expected = [field for field in expected if field.type != "tf"]
        for field in (*expected, *optional):
            message_class(field.type)  # a package that is missing is said now
            self.fields_of.setdefault(field.topic, []).append(field)
        self.expected = {field.topic for field in expected}
        self.subscriptions: dict[str, Any] = {}
        self.reliable: dict[str, bool] = {}
        self.problems: dict[tuple[str, str], str] = {}  # by topic and field; no field where it is the whole topic's
        self.noted_s: dict[tuple[str, str], float] = {}  # when each was found last
        self.received: dict[str, int] = dict.fromkeys(self.fields_of, 0)
        self.last_s: dict[str, float] = dict.fromkeys(self.fields_of, time.monotonic())
        self.read_s: dict[str, float] = {}  # field to when a value of it came
        self.announced: dict[tuple[str, str], str] = {}  # the problem that was said last, without its numbers
        self.said_s: dict[tuple[str, str, str], float] = {}  # by topic, field and kind: when it was said
        self.frames = [
            FrameSubscription(node, topic, [field for field in transforms if field.topic == topic], on_value)
            for topic in dict.fromkeys(field.topic for field in transforms)
        ]
        self.timer = steady_timer(node, LOOK_EVERY_S, self.look)

    def look(self) -> None:
        """Subscribe to what has appeared, and say once what is wrong."""
        for topic, fields in self.fields_of.items():
            if topic not in self.subscriptions:
                self.subscribe(topic, fields)
            silent_s = time.monotonic() - self.last_s[topic]
            if silent_s > SILENT_AFTER_S and topic in self.subscriptions:
                self.look_again(topic, silent_s)
        for frames in self.frames:
            self.received[frames.topic] = frames.received
            for name, problem in frames.look().items():
                if problem is None:
                    self.forget(frames.topic, name)
                else:
                    self.note(frames.topic, name, problem)
        self.forget_the_past()
        self.announce()

    def announce(self) -> None:
        """Say each problem once while it stands, and not too often where it comes and goes."""
        now = time.monotonic()
        self.said_s = {key: said_s for key, said_s in self.said_s.items() if now - said_s < SAID_EVERY_S}
        for where, problem in self.problems.items():
            kind = without_numbers(problem)
            if self.announced.get(where) != kind and (*where, kind) not in self.said_s:
                self.node.get_logger().warning(problem)
                self.announced[where] = kind
                self.said_s[(*where, kind)] = now

    def look_again(self, topic: str, silent_s: float) -> None:
        """Say that a topic is silent, or subscribe anew: best effort is never heard by who asks for reliable."""
        publishers = self.node.get_publishers_info_by_topic(self.node.resolve_topic_name(topic))
        declared = self.fields_of[topic][0].type
        unlike = any(info.topic_type != declared for info in publishers)
        if unlike or (self.reliable[topic] and not all(map(is_reliable, publishers))):
            self.node.destroy_subscription(self.subscriptions.pop(topic))
            self.subscribe(topic, self.fields_of[topic])
        elif topic in self.expected:
            look = f"`ros2 topic hz {self.full(topic)}`"
            self.note(topic, "", f"{self.named(topic)} has been silent for {silent_s:.0f} s: {look}")

    def forget_the_past(self) -> None:
        """A problem of what may be silent is forgotten after a while: a command that would be well may never come."""
        before_s = time.monotonic() - SILENT_AFTER_S
        watched = self.expected | {frames.topic for frames in self.frames}
        for topic, name in [where for where, noted_s in self.noted_s.items() if noted_s < before_s]:
            if topic not in watched:
                self.forget(topic, name)

    def subscribe(self, topic: str, fields: list[Field]) -> None:
        publishers = self.node.get_publishers_info_by_topic(self.node.resolve_topic_name(topic))
        if not publishers and topic in self.expected:
            if time.monotonic() - self.last_s[topic] > 0.5 * SILENT_AFTER_S:
                self.note(topic, "", f"{self.named(topic)} has no publisher yet: see `ros2 topic list`")
            return
        types = sorted({info.topic_type for info in publishers})
        if publishers and types != [fields[0].type]:
            self.note(
                topic,
                "",
                f"{self.named(topic)} is published as {' and '.join(types)}; the spec says {fields[0].type} "
                f"({fields[0].file}). `ros2 topic info -v {self.full(topic)}` shows who publishes it",
            )
            return
        self.reliable[topic] = all(map(is_reliable, publishers))
        policy = ReliabilityPolicy.RELIABLE if self.reliable[topic] else ReliabilityPolicy.BEST_EFFORT
        self.forget(topic, "")
        self.last_s[topic] = time.monotonic()
        events = SubscriptionEventCallbacks(use_default_callbacks=False)  # we have words of our own
        if self.on_lost is not None:
            events.message_lost = lambda info, topic=topic: self.hear_lost(topic, info.total_count_change)
        self.subscriptions[topic] = self.node.create_subscription(
            message_class(fields[0].type),
            topic,
            lambda message, topic=topic: self.receive(topic, message),
            QoSProfile(depth=DEPTH, reliability=policy),
            event_callbacks=events,
            raw=self.on_raw is not None,
        )

    def hear_lost(self, topic: str, more: int) -> None:
        self.lost[topic] += more
        if self.on_lost is not None:
            self.on_lost([field.name for field in self.fields_of[topic]], self.lost[topic])

    def receive(self, topic: str, message: Any) -> None:
        heard_s, received_ns = time.monotonic(), self.node.get_clock().now().nanoseconds
        received_s = received_ns * 1e-9
        if self.on_raw is not None:
            self.on_raw(self.node.resolve_topic_name(topic), message, received_ns)
            message = deserialize_message(message, message_class(self.fields_of[topic][0].type))
        self.received[topic] += 1
        self.last_s[topic] = heard_s
        self.forget(topic, "")
        for field in self.fields_of[topic]:
            try:
                self.on_value(field.name, read(message, field), stamp_s(message, field), received_s, heard_s)
            except MessageError as error:
                lately = heard_s - self.read_s.get(field.name, -SILENT_AFTER_S) < SILENT_AFTER_S
                if not (lately and names_no_joint_of(message, field)):  # an arm's and a gripper's driver may share it
                    self.note(topic, field.name, str(error))
            else:
                self.read_s[field.name] = heard_s
                self.forget(topic, field.name)

    def note(self, topic: str, name: str, problem: str) -> None:
        self.problems[topic, name] = problem
        self.noted_s[topic, name] = time.monotonic()

    def forget(self, topic: str, name: str) -> None:
        """A problem has gone; if it comes back, it is said again."""
        self.noted_s.pop((topic, name), None)
        if self.problems.pop((topic, name), None) is not None:
            self.announced.pop((topic, name), None)

    def named(self, topic: str) -> str:
        return f"{', '.join(repr(field.name) for field in self.fields_of[topic])} ({self.full(topic)})"

    def full(self, topic: str) -> str:
        """Return a topic as `ros2 topic` finds it, which knows nothing of this node's namespace."""
        return topic if self.node.get_namespace() == "/" else self.node.resolve_topic_name(topic)

    def publishers(self) -> set[str]:
        """Return the names of the nodes that publish what should be heard all the time."""
        infos = [self.node.get_publishers_info_by_topic(self.node.resolve_topic_name(name)) for name in self.expected]
        return {info.node_name for each in infos for info in each}

    def close(self) -> None:
        self.node.destroy_timer(self.timer)
        for subscription in (*self.subscriptions.values(), *(each for f in self.frames for each in f.subscriptions)):
            self.node.destroy_subscription(subscription)

    def problems_of(self, fields: Iterable[Field]) -> list[str]:
        """Return what stands against some of the fields, in words."""
        fields = tuple(fields)
        wheres = [*((field.topic, "") for field in fields), *((field.topic, field.name) for field in fields)]
        return joined(self.problems[where] for where in dict.fromkeys(wheres) if where in self.problems)


def is_reliable(publisher: Any) -> bool:
    return bool(publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE)


class FieldPublishers:
    """Publishes fields on their topics, reliably."""

    def __init__(self, node: Node, fields: Iterable[Field]) -> None:
        self.node = node
        self.fields = {field.name: field for field in fields}
        self.by_topic: dict[str, Publisher] = {}
        for field in self.fields.values():
            if field.topic not in self.by_topic:
                kind, topic = (TRANSFORMS, tf_topic(field.topic)) if field.type == "tf" else (field.type, field.topic)
                self.by_topic[field.topic] = node.create_publisher(message_class(kind), topic, DEPTH)

    def publish(self, values: dict[str, np.ndarray], stamp_s: float) -> None:
        """Publish field name to values, (width,), physical; stamped where the type has a header."""
        messages: dict[str, Any] = {}
        for name, data in values.items():
            field = self.fields[name]
            if field.type == "tf" or field.topic not in messages:
                message = new_message(field.type)
            else:
                message = messages[field.topic]
            if hasattr(message, "header"):
                message.header.stamp = to_stamp(stamp_s)
            write(message, field, data)
            if field.type == "tf":  # which travel together
                transforms = messages.setdefault(field.topic, message_class(TRANSFORMS)())
                transforms.transforms = [*transforms.transforms, message]
            else:
                messages[field.topic] = message
        for topic, message in messages.items():
            self.by_topic[topic].publish(message)

    def unheard(self, by: Iterable[str] = ()) -> list[str]:
        """Return the topics that a subscriber in the graph is not connected to yet, or that one is missing from.

        Args:
            by: names of the nodes that must listen; a message that one of them misses would stop a lock-step.
        """
        topics = []
        for topic, publisher in self.by_topic.items():
            listeners = [info.node_name for info in self.node.get_subscriptions_info_by_topic(publisher.topic_name)]
            connected = publisher.get_subscription_count() >= max(1, len(listeners))
            if not connected or not set(by) <= set(listeners):
                topics.append(topic)
        return topics

    def close(self) -> None:
        """End the topics, after everybody who listens has the last message: it may say stop."""
        for publisher in self.by_topic.values():
            publisher.wait_for_all_acked(Duration(seconds=LAST_WORD_S))
            self.node.destroy_publisher(publisher)
