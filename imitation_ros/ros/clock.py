"""A simulator's time: whether /clock has come, and whether more than one node publishes it."""

from __future__ import annotations

import time
from collections import deque

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from imitation_ros.ros.message_types import now_s

CLOCK_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)  # what every simulator offers
TURNS, TURNS_WITHIN_S = 2, 3.0  # a simulator that starts again sets /clock back once, two of them all the time
NO_CLOCK = (
    "use_sim_time is set, and no /clock has come: start the simulator, or leave use_sim_time (--use-sim-time) off; "
    "`ros2 topic hz /clock`"
)


class ClockWatch:
    """Says what stands against a node's clock.

    Who publishes is not enough to know: a node that was killed stays in the graph for seconds. So two publishers
    count only while /clock is heard to go back again and again.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.newest: tuple[int, int] = (0, 0)
        self.back_s: deque[float] = deque(maxlen=TURNS)  # monotonic: when it went back lately
        if node.get_parameter("use_sim_time").value:
            node.create_subscription(Clock, "/clock", self.hear, CLOCK_QOS)

    def hear(self, message: Clock) -> None:
        stamp = (message.clock.sec, message.clock.nanosec)
        if stamp < self.newest:
            self.back_s.append(time.monotonic())
        self.newest = stamp

    def contenders(self) -> list[str]:
        """Return who publishes /clock where several do, and are heard to."""
        names = [info.node_name for info in self.node.get_publishers_info_by_topic("/clock")]
        lately = len(self.back_s) == TURNS and time.monotonic() - self.back_s[0] < TURNS_WITHIN_S
        return sorted(names) if lately and len(names) > 1 else []

    def problems(self) -> list[str]:
        """Return what stands against the node's time, in words; nothing where it takes the wall's."""
        if not self.node.get_parameter("use_sim_time").value:
            return []
        if now_s(self.node) == 0.0:
            return [NO_CLOCK]
        names = self.contenders()
        return [] if not names else [several_clocks(names)]


def several_clocks(names: list[str]) -> str:
    return (
        f"{len(names)} nodes publish /clock: {', '.join(names)}. End all but one simulator, or give each a "
        f"ROS_DOMAIN_ID of its own; `ros2 topic info -v /clock`"
    )
