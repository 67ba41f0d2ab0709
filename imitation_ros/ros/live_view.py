"""What a person sees of the simulated robot: a window, and `~/view`, both drawn by a process of its own."""

from __future__ import annotations

import time

from rclpy.node import Node
from sensor_msgs.msg import Image

from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.envs.viewer import Viewer
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import write
from imitation_ros.ros.topics import steady_timer, to_stamp

WIDTH, HEIGHT = 640, 480
PERIOD_S = 0.1  # of pictures, at least
LOOK_EVERY_S = 0.025  # for one that is ready
FIELD = Field("view", "view", "sensor_msgs/msg/Image", (), frame="overview", shape=(HEIGHT, WIDTH, 3))


class LiveView:
    """Publishes pictures on `~/view` while somebody subscribes, and keeps a window up to date.

    Args:
        node: whose topic it is.
        env: what is seen.
        window: show it in a window too.
    """

    def __init__(self, node: Node, env: RobotEnv, window: bool) -> None:
        self.node, self.env = node, env
        self.window = self.viewer(window=True) if window else None
        self.painter: Viewer | None = None  # another process: pictures out of a window are slow
        self.asked_s = time.monotonic()
        self.publisher = node.create_publisher(Image, "~/view", 1)
        steady_timer(node, LOOK_EVERY_S, self.look)

    def viewer(self, window: bool) -> Viewer:
        return Viewer(self.env.world.scene, self.env.robot_spec.rate_hz, window)

    def look(self) -> None:
        """Publish the picture that is ready, ask for the next one, and move the window's robot."""
        watched = self.publisher.get_subscription_count() > 0
        if self.window is not None:
            self.show_window(self.window)
        if not watched:
            return
        if self.painter is None or self.painter.ended:
            self.painter = self.viewer(window=False)
        pixels = self.painter.picture()
        if pixels is not None:
            message = Image()
            message.header.stamp = to_stamp(self.node.time_s)
            write(message, FIELD, pixels)
            self.publisher.publish(message)
        if time.monotonic() - self.asked_s >= PERIOD_S:
            self.asked_s = time.monotonic()
            self.painter.show(self.env.world.scene, self.env.world.posture(), (WIDTH, HEIGHT))

    def show_window(self, window: Viewer) -> None:
        window.picture()
        if window.ended:
            self.node.get_logger().info("the window is closed; the simulation goes on")
            self.window = None
            return
        window.show(self.env.world.scene, self.env.world.posture())

    def close(self) -> None:
        for viewer in (self.window, self.painter):
            if viewer is not None:
                viewer.close()
