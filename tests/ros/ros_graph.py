"""What the tests put into the graph beside the nodes under test: a listener, and a robot without physics."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_srvs.srv import Trigger

from imitation_ros.robot.messages import write
from imitation_ros.ros.topics import message_class, new_message, to_stamp

PATIENCE_S = 30.0  # for a process to start on a busy machine


def wait_until(condition, seconds: float = PATIENCE_S, what: str = "it", why=lambda: "") -> Any:
    """Return what the condition returns as soon as that is true of it; `why` adds words if it never is."""
    deadline_s = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"{what} did not happen within {seconds:g} s {why()}")
        time.sleep(0.02)
    return found


class Graph:
    """A node of the test's own, spun by a thread."""

    def __enter__(self) -> Graph:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = Node("observer", context=self.context)
        self.clients: dict[str, Any] = {}
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.node.create_timer(0.05, lambda: None)  # so that subscriptions made while it spins are noticed
        self.thread = threading.Thread(target=self.spin)
        self.thread.start()
        return self

    def spin(self) -> None:
        try:
            self.executor.spin()
        except ExternalShutdownException:
            pass

    def __exit__(self, *_: object) -> None:
        self.executor.shutdown()
        self.thread.join()
        self.node.destroy_node()
        self.context.try_shutdown()

    def listen(self, topic: str, kind: Any, qos: QoSProfile | int = 1000) -> list[tuple[float, Any]]:
        """Return a list that fills with (monotonic time, message)."""
        heard: list[tuple[float, Any]] = []
        self.node.create_subscription(kind, topic, lambda message: heard.append((time.monotonic(), message)), qos)
        return heard

    def call(self, service: str, kind: Any = Trigger, request: Any = None, seconds: float = PATIENCE_S) -> Any:
        """Call a service once and return its answer."""
        client = self.clients.get(service) or self.clients.setdefault(service, self.node.create_client(kind, service))
        wait_until(client.service_is_ready, seconds, f"the service {service}")
        done = threading.Event()
        future = client.call_async(request or kind.Request())
        future.add_done_callback(lambda _: done.set())
        assert done.wait(seconds), f"{service} did not answer"
        return future.result()


class FakeRobot:
    """Publishes observations on the wall's clock, until it is told to be quiet, or to lie.

    Args:
        values: field name to what is published.
        qos: of all publishers.
    """

    def __init__(self, graph: Graph, spec: Any, values: dict[str, np.ndarray], qos: QoSProfile | int = 10) -> None:
        self.graph, self.values = graph, values
        self.fields = {field.name: field for field in spec.observation if field.name in values}
        self.publishers = {
            name: graph.node.create_publisher(message_class(field.type), field.topic, qos)
            for name, field in self.fields.items()
        }
        self.quiet: set[str] = set()
        self.timer = graph.node.create_timer(0.02, self.publish)

    def publish(self) -> None:
        for name, field in self.fields.items():
            if name in self.quiet:
                continue
            message = new_message(field.type)
            message.header.stamp = to_stamp(time.time())
            write(message, field, self.values[name])
            self.publishers[name].publish(message)

    def close(self) -> None:
        self.graph.node.destroy_timer(self.timer)
        for publisher in self.publishers.values():
            self.graph.node.destroy_publisher(publisher)
