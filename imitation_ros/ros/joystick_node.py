"""Teleoperate a robot with a joystick that ROS's joy_node, or another, publishes."""

from __future__ import annotations

import sys
import time

from rclpy.node import Node
from sensor_msgs.msg import Joy

from imitation_ros.robot.spec import load_spec
from imitation_ros.ros.node import Parameters, overrides, parameter, required, spin
from imitation_ros.ros.teleoperation import Teleoperation
from imitation_ros.ros.topics import steady_timer
from imitation_ros.teleoperation.commands import CHOSEN_JOINT
from imitation_ros.teleoperation.joystick import STALE_S, Joystick, load_layout

DISCOVERED_S = 1.0  # by then a node that runs already is found
START_SPEED = 1.0  # the layout's scale says how fast a full deflection is


class JoystickNode(Node):
    """Axes and buttons to commands at the setup's rate, and to the recorder's and the simulator's services."""

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("operator", parameter_overrides=overrides(parameters))
        spec = load_spec(required(self, "setup", "a name in config/setups, or the path of a setup"))
        layout = parameter(
            self, "layout", "joystick", "what axes and buttons do: a name in config/operators, or a path"
        )
        recorder = parameter(self, "recorder", "recorder", "the recorder node; empty: do not record")
        simulator = parameter(self, "simulator", "simulator", "the simulator node, which a button resets; empty: none")
        self.teleoperation = Teleoperation(self, spec, START_SPEED, recorder, simulator, self.say)
        commands = self.teleoperation.commands
        self.joystick = Joystick(load_layout(layout, commands.names))
        self.create_subscription(Joy, "joy", self.hear, 10)
        steady_timer(self, spec.period_s, self.tick)
        self.looking = steady_timer(self, DISCOVERED_S, self.look)
        still = [name for name in commands.names if name not in self.joystick.layout.axes]
        if CHOSEN_JOINT in self.joystick.layout.axes:
            still = [name for name in still if name not in commands.joints]
        unmoved = f"; no axis moves {', '.join(still)}" if still else ""
        self.get_logger().info(f"ready: {spec.name}, hold button {self.joystick.layout.dead_man} to move{unmoved}")

    def say(self, text: str) -> None:
        self.get_logger().info(text)

    def look(self) -> None:
        """Say once where nobody publishes a joystick."""
        self.looking.cancel()
        topic = self.resolve_topic_name("joy")
        if not self.count_publishers(topic):
            name = topic if self.get_namespace() != "/" else topic.removeprefix("/")
            self.get_logger().warning(f"{name} has no publisher yet: `ros2 run joy joy_node`")

    def hear(self, message: Joy) -> None:
        for event in self.joystick.hear(message.axes, message.buttons, time.monotonic()):
            self.teleoperation.handle(event)
            if event in ("gripper", "faster", "slower", "next_joint", "previous_joint"):
                self.say(self.teleoperation.status())

    def tick(self) -> None:
        now_s = time.monotonic()
        if self.joystick.enabled and self.joystick.stale(now_s):
            self.joystick.enabled = False
            self.get_logger().warning(
                f"{self.resolve_topic_name('joy')} was silent for {STALE_S:g} s while the dead-man button was held: "
                f"rest. Is the joystick connected, and joy_node's autorepeat_rate at least {2.0 / STALE_S:.0f}?"
            )
        self.teleoperation.tick(self.joystick.wish(now_s))

    def close(self) -> None:
        self.teleoperation.close()


def main() -> None:
    sys.exit(spin(JoystickNode))


if __name__ == "__main__":
    main()
