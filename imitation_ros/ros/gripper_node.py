"""Drive a gripper that takes action goals from a topic of numbers, which can be recorded and learned."""

from __future__ import annotations

import sys

from rclpy.action import ActionClient
from rclpy.node import Node
from std_msgs.msg import Float64

from imitation_ros.errors import MessageError, SpecError, did_you_mean
from imitation_ros.robot.gripper import GripperRelay, fill_goal
from imitation_ros.ros.node import Parameters, overrides, parameter, spin
from imitation_ros.ros.topics import steady_timer

TYPES = ("GripperCommand", "ParallelGripperCommand")
RETRY_S = 0.5  # for a server that starts late


class GripperNode(Node):
    """A Float64 in, goals of control_msgs/action/GripperCommand out; a goal only where the command moved."""

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("gripper", parameter_overrides=overrides(parameters))
        topic = parameter(self, "topic", "gripper/command", "the commands, std_msgs/msg/Float64")
        action = parameter(self, "action", "gripper_controller/gripper_cmd", "the gripper's action")
        kind = parameter(self, "action_type", TYPES[0], f"{TYPES[0]} or {TYPES[1]}")
        joint = parameter(self, "joint", "", f"the gripper's joint, for {TYPES[1]}")
        max_effort = parameter(self, "max_effort", 10.0, "of each goal [N or N m]")
        tolerance = parameter(self, "tolerance", 0.001, "a smaller change of the command is no new goal")
        scale = parameter(self, "scale", 1.0, "goal per command: 0.5 where commands are the distance of two fingers")
        if kind == TYPES[1] and not joint:
            raise SpecError(
                f"the parameter 'joint' of {self.get_name()} is not set; a {kind} names the joint it moves."
            )
        goal_type = action_class(kind)
        client = ActionClient(self, goal_type, action)
        self.relay = GripperRelay(
            client, lambda position: fill_goal(goal_type.Goal(), position, max_effort, joint), tolerance, scale
        )
        self.was_ready: bool | None = None
        self.action = action
        self.create_subscription(Float64, topic, self.receive, 10)
        steady_timer(self, RETRY_S, self.look)
        self.get_logger().info(f"ready: {topic} to goals of {action}")

    def receive(self, message: Float64) -> None:
        try:
            self.relay.command(message.data)
        except MessageError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=1.0)

    def look(self) -> None:
        """Send what waits for the server, and say when there is one and when there is none."""
        self.relay.send()
        ready = self.relay.client.server_is_ready()
        if ready is not self.was_ready:
            self.was_ready = ready
            words = "is there" if ready else "is not there: `ros2 action list` shows which actions are"
            self.get_logger().info(f"the action {self.action} {words}")
        if self.relay.refused:
            self.get_logger().warning(f"{self.action} refused {self.relay.refused} goal(s): see its node's log")
            self.relay.refused = 0


def action_class(kind: str) -> type:
    """Return the action's class.

    Raises:
        SpecError: the kind is unknown, or control_msgs is not installed.
    """
    if kind not in TYPES:
        raise SpecError(f"action_type is {kind!r}; allowed: {', '.join(TYPES)}.{did_you_mean(kind, TYPES)}")
    try:
        from control_msgs import action
    except ImportError as error:
        raise SpecError(
            f"grippers with actions need the package control_msgs, which is not installed here ({error}). "
            f"`sudo apt install ros-$ROS_DISTRO-control-msgs`, and source ROS's setup.bash again."
        ) from None
    if not hasattr(action, kind):
        raise SpecError(f"this control_msgs has no {kind}; take action_type:={TYPES[0]}.")
    return getattr(action, kind)


def main() -> None:
    sys.exit(spin(GripperNode))


if __name__ == "__main__":
    main()
