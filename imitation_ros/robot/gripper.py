"""A stream of gripper commands to the few goals that a gripper's action server should see. Needs no ROS."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from imitation_ros.errors import MessageError, SpecError


class GripperRelay:
    """Sends a goal only where the command moved, and always for the newest one.

    While a goal is on its way to the server, newer commands wait for its answer, and only the last of them is sent.

    Args:
        client: an rclpy ActionClient, or anything shaped like it.
        make_goal: gives the goal for a position.
        tolerance: a command that differs from the last goal's by no more is no new one, in the command's unit.
        scale: goal per command; 0.5 where the command is the distance between two fingers and a goal is of one.
    """

    def __init__(self, client: Any, make_goal: Callable[[float], Any], tolerance: float, scale: float = 1.0) -> None:
        if not (math.isfinite(tolerance) and tolerance >= 0.0):
            raise SpecError(f"tolerance is {tolerance:g}; it should be a number of at least 0, in the command's unit.")
        if not math.isfinite(scale) or scale == 0.0:
            raise SpecError(f"scale is {scale:g}; it should be a number other than 0: goal per command.")
        self.client, self.make_goal, self.tolerance, self.scale = client, make_goal, tolerance, scale
        self.wanted: float | None = None  # the newest command
        self.told: float | None = None  # the command of the last goal that was sent
        self.waiting: Any = None  # for the answer to this goal
        self.goals = self.refused = 0

    def command(self, value: float) -> None:
        """Take a command.

        Raises:
            MessageError: it is not finite; the gripper stays as it is.
        """
        if not math.isfinite(value):
            raise MessageError(f"the gripper's command is {value}, which is no position: it is left out.")
        self.wanted = value
        self.send()

    def send(self) -> None:
        """Send the goal that is due, if any; called again from time to time, for a server that starts late."""
        if not self.client.server_is_ready():
            self.told = self.waiting = None  # who comes back knows nothing of what was sent
            return
        if self.waiting is not None or self.wanted is None:
            return
        if self.told is not None and abs(self.wanted - self.told) <= self.tolerance:
            return
        self.told = self.wanted
        self.goals += 1
        self.waiting = future = self.client.send_goal_async(self.make_goal(self.wanted * self.scale))
        future.add_done_callback(self.answered)

    def answered(self, future: Any) -> None:
        """Take the server's answer; what it refuses is sent again only when the command moves."""
        if future is not self.waiting and self.waiting is not None:
            return  # of a server that went away
        self.waiting = None
        answer = future.result()
        self.refused += answer is None or not answer.accepted
        self.send()


def fill_goal(goal: Any, position: float, max_effort: float, joint: str) -> Any:
    """Fill the goal of a GripperCommand, or of a ParallelGripperCommand, which names its joint."""
    if hasattr(goal.command, "name"):
        goal.command.name, goal.command.position, goal.command.effort = [joint], [position], [max_effort]
    else:
        goal.command.position, goal.command.max_effort = position, max_effort
    return goal
