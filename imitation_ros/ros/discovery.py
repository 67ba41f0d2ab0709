"""Listen to a live graph for a few seconds: topics and messages in, facts out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from imitation_ros.drafting.probe import PLUMBING, is_known, probe, relative
from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec
from imitation_ros.ros.clock import ClockWatch
from imitation_ros.ros.message_types import message_class, now_s
from imitation_ros.ros.topics import DEPTH, LOOK_EVERY_S
from imitation_ros.topic_facts import (
    TF_MESSAGE,
    Endpoint,
    FieldsOf,
    GraphFacts,
    TopicFacts,
    full_name,
    message_type,
)

FIRST_WORD_S = 4.0  # Fast DDS announces itself every 3 s, if a busy machine lost its first words
NAME = "imitation_ros_listener"


class Listener(Node):
    """Subscribes to each wanted topic as soon as it has a publisher, and keeps what is heard.

    Args:
        fields_of: from a topic's full name and its type to what reads it; None for a topic that is not wanted.
        always: full names of topics to report on even if nobody knows them, and their types.
        namespace: of the node.
    """

    def __init__(
        self,
        context: rclpy.Context,
        fields_of: Callable[[str, str], FieldsOf | None],
        always: dict[str, str],
        namespace: str = "",
    ) -> None:
        super().__init__(
            NAME, namespace=namespace, context=context, enable_rosout=False, start_parameter_services=False
        )
        self.fields_of = fields_of
        self.graph = GraphFacts("the live graph")
        self.clock: ClockWatch | None = None
        self.heard: dict[str, Any] = {}  # topic to its subscription
        for topic, kind in always.items():
            self.graph.topics[topic] = TopicFacts(topic, kind, fields_of(topic, kind) or (lambda message: ()))

    def look(self) -> None:
        """Note who publishes and who listens, and subscribe to what has appeared."""
        if self.clock is not None:
            self.graph.clocks = self.clock.contenders() or self.graph.clocks
        for topic, kinds in self.get_topic_names_and_types():
            if topic == "/clock" and self.count_publishers(topic) and not self.graph.sim_time:
                self.take_simulators_time()
            if topic not in self.graph.topics:
                fields_of = self.fields_of(topic, kinds[0])
                if fields_of is None:
                    if topic not in (*PLUMBING, *self.graph.others):
                        self.graph.others.append(topic)
                    continue
                self.graph.topics[topic] = TopicFacts(topic, kinds[0], fields_of)
            facts = self.graph.topics[topic]
            facts.publishers = self.endpoints(self.get_publishers_info_by_topic(topic)) or facts.publishers
            facts.subscribers = self.endpoints(self.get_subscriptions_info_by_topic(topic)) or facts.subscribers
            if topic not in self.heard and facts.publishers:
                self.hear(facts)

    def take_simulators_time(self) -> None:
        """Hold stamps against /clock from now on; what came before it was discovered was held against the wall's."""
        self.graph.sim_time = True
        self.set_parameters([Parameter("use_sim_time", value=True)])
        self.clock = ClockWatch(self)
        for facts in self.graph.topics.values():
            for timing in (facts.timing, *(field.timing for field in facts.fields)):
                del timing.latencies_s[:]

    def endpoints(self, infos: list[Any]) -> list[Endpoint]:
        return [
            Endpoint(
                info.node_name,
                info.topic_type,
                info.qos_profile.reliability == ReliabilityPolicy.RELIABLE,
                info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
            )
            for info in infos
            if info.node_name != NAME
        ]

    def hear(self, facts: TopicFacts) -> None:
        """Subscribe to a topic of a known type, asking for no more than every publisher offers."""
        kinds = {each.type for each in facts.publishers}
        if not is_known(facts.type) or kinds != {facts.type}:
            return
        try:
            kind = message_class(facts.type)
        except SpecError as error:
            facts.unreadable = str(error)
            return
        reliable = all(each.reliable for each in facts.publishers)
        durable = all(each.durable for each in facts.publishers)
        qos = QoSProfile(
            depth=DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if durable else DurabilityPolicy.VOLATILE,
        )
        self.heard[facts.topic] = self.create_subscription(
            kind, facts.topic, lambda message: self.receive(facts, message), qos
        )

    def receive(self, facts: TopicFacts, message: Any) -> None:
        heard_s, received_s = time.monotonic(), now_s(self)
        self.graph.add(facts.topic, message, received_s or None, heard_s)  # a simulator's clock is 0 until it is heard

    def listen(self, seconds: float) -> GraphFacts:
        """Listen for so long after somebody was found; longer while a topic that has a publisher is silent."""
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(self)
        began_s = time.monotonic()
        found_s: float | None = None
        look_s = 0.0
        while True:
            now = time.monotonic()
            if now > look_s:
                self.look()
                look_s = time.monotonic() + LOOK_EVERY_S
            if found_s is None and any(facts.publishers for facts in self.graph.topics.values()):
                found_s = now
            silent = any(self.graph.topics[topic].count == 0 for topic in self.heard)
            if found_s is None:
                if now > began_s + FIRST_WORD_S:
                    break
            elif now > found_s + seconds + (FIRST_WORD_S if silent else 0.0):
                break
            executor.spin_once(timeout_sec=LOOK_EVERY_S)
        for facts in self.graph.topics.values():
            facts.until_s = time.monotonic()
        executor.shutdown()
        return self.graph


def listen_to_everything(seconds: float, namespace: str = "") -> GraphFacts:
    """Return what a draft is made of: every topic, with the messages of the types that we know."""

    def fields_of(topic: str, kind: str) -> FieldsOf | None:
        return None if topic in PLUMBING or "/_" in topic else probe(relative(topic, namespace), kind)

    return listen(seconds, fields_of, {}, namespace)


def listen_to_spec(spec: RobotSpec, seconds: float, namespace: str = "") -> GraphFacts:
    """Return what a checkup judges: the topics of a setup, read as its fields."""
    fields: dict[str, list[Field]] = {}
    for field in spec.fields:
        fields.setdefault(full_name(field, namespace), []).append(field)
    always = {topic: message_type(found[0]) for topic, found in fields.items()}
    always |= {f"{topic}_static": TF_MESSAGE for topic, kind in always.items() if kind == TF_MESSAGE}

    def fields_of(topic: str, kind: str) -> FieldsOf | None:
        if topic not in always:
            return None
        return lambda message: [field for field in fields.get(topic, ()) if field.type != "tf"]

    return listen(seconds, fields_of, always, namespace)


def listen(
    seconds: float, fields_of: Callable[[str, str], FieldsOf | None], always: dict[str, str], namespace: str
) -> GraphFacts:
    if not 0.0 < seconds < 3600.0:
        raise SpecError(f"--seconds is {seconds:g}; it should be a time above 0 s, such as 5.")
    context = rclpy.Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C ends the verb, as it should
    try:
        listener = Listener(context, fields_of, always, namespace)
        try:
            return listener.listen(seconds)
        finally:
            listener.destroy_node()
    finally:
        context.try_shutdown()
