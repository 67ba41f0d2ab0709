"""Calls to other nodes' services, by a node that works in a loop of its own."""

from __future__ import annotations

import time
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from imitation_ros.errors import DeploymentError

RETRY_S = 0.02
HINT_S = 1.0  # discovery takes some of it: what does not work by then is said


class Services:
    """Calls services and waits for their answers, with one deadline for everything that may go wrong.

    Args:
        node: who calls; it is spun while it waits.
        patience_s: how long a service may be missing, silent or unwilling [s].
    """

    def __init__(self, node: Node, patience_s: float) -> None:
        self.node, self.patience_s = node, patience_s
        self.clients: dict[str, Any] = {}
        self.said = False  # why the call that is waited for has not succeeded
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(node)

    def call(self, target: str, name: str) -> str:
        """Call `target/name` (a Trigger) until it succeeds; return what it says.

        Raises:
            DeploymentError: it did not succeed in time; its own words are in the message.
        """
        deadline_s = time.monotonic() + self.patience_s
        self.said = False
        while True:
            answer = self.ask(Trigger, f"{target}/{name}", Trigger.Request(), deadline_s)
            if answer.success:
                return str(answer.message)
            if time.monotonic() > deadline_s:
                raise DeploymentError(f"{target}/{name} says: {answer.message}")
            self.hint(deadline_s, f"{target}/{name} says: {answer.message}")
            self.spin(RETRY_S)

    def hint(self, deadline_s: float, words: str) -> None:
        """Say once why a call has to wait, if it does."""
        left_s = deadline_s - time.monotonic()
        if not self.said and left_s < self.patience_s - HINT_S:
            self.said = True
            self.node.get_logger().warning(f"{words.rstrip('.')}; asked again for up to {left_s:.0f} s")

    def ask(self, service_type: Any, service: str, request: Any, deadline_s: float | None = None) -> Any:
        """Call a service once and return its answer."""
        deadline_s = time.monotonic() + self.patience_s if deadline_s is None else deadline_s
        if service not in self.clients:
            self.clients[service] = self.node.create_client(service_type, service)
        client = self.clients[service]
        while not client.service_is_ready():
            self.hint(deadline_s, f"nobody offers the service {service} yet: is that node running? `ros2 node list`")
            self.spin(RETRY_S)
            if time.monotonic() > deadline_s:
                raise DeploymentError(f"nobody offers the service {service}: is that node running? `ros2 node list`")
        future = client.call_async(request)
        self.executor.spin_until_future_complete(future, max(deadline_s - time.monotonic(), RETRY_S))
        if not future.done():
            client.remove_pending_request(future)
            raise DeploymentError(f"{service} did not answer: has that node died or does it hang?")
        return future.result()

    def spin_once(self, timeout_s: float) -> None:
        """Run one of the node's callbacks, if there is one within the time."""
        self.executor.spin_once(timeout_sec=timeout_s)

    def spin(self, duration_s: float) -> None:
        """Let the node's callbacks run for a while."""
        until_s = time.monotonic() + duration_s
        while (left_s := until_s - time.monotonic()) > 0:
            self.spin_once(left_s)
