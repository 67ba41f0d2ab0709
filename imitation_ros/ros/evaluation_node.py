"""Examine a deployed policy: reset the simulator, activate the policy node, count what succeeds."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from std_msgs.msg import String

from imitation_ros.errors import DeploymentError
from imitation_ros.ros.node import Parameters, overrides, parameter, required, spin
from imitation_ros.ros.services import Services
from imitation_ros.ros.topics import LATCHED

PATIENCE_S = 30.0
RETRY_S = 0.05


class EvaluationNode(Node):
    """Runs episodes with the policy node and writes one JSON line each: start, success, ticks, latencies [s]."""

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("evaluation", parameter_overrides=overrides(parameters))
        self.episodes = parameter(self, "episodes", 50, "how many episodes to run")
        self.results = Path(required(self, "results", "the file for the results, one JSON line per episode"))
        self.policy = parameter(self, "policy", "policy", "the policy node")
        self.simulator = parameter(self, "simulator", "simulator", "the simulator node")
        self.calls = Services(self, PATIENCE_S)
        self.ended: dict[int, dict] = {}
        self.policy_says = "nothing yet"
        self.create_subscription(String, f"{self.simulator}/episode", self.receive, LATCHED)
        self.create_subscription(String, f"{self.policy}/state", self.listen, LATCHED)

    def receive(self, message: String) -> None:
        episode = json.loads(message.data)
        self.ended[episode["start"]] = episode

    def listen(self, message: String) -> None:
        self.policy_says = message.data

    def examine(self) -> None:
        """Run all episodes."""
        self.change(Transition.TRANSITION_CONFIGURE, "configure")
        with self.results.open("w") as file:
            for _ in range(self.episodes):
                start = json.loads(self.calls.call(self.simulator, "reset"))["start"]
                self.change(Transition.TRANSITION_ACTIVATE, "activate")
                file.write(json.dumps(self.wait_for(start)) + "\n")
                file.flush()
                self.change(Transition.TRANSITION_DEACTIVATE, "deactivate")

    def change(self, transition: int, word: str) -> None:
        """Ask the policy node for a transition until it agrees."""
        deadline_s = time.monotonic() + PATIENCE_S
        request = ChangeState.Request(transition=Transition(id=transition))
        while not self.calls.ask(ChangeState, f"{self.policy}/change_state", request).success:
            self.calls.spin(RETRY_S)
            if time.monotonic() > deadline_s:
                raise DeploymentError(f"the policy node does not {word}: {self.policy_says}")

    def wait_for(self, start: int) -> dict:
        """Return how an episode ended."""
        deadline_s = time.monotonic() + PATIENCE_S
        while start not in self.ended:
            self.calls.spin_once(0.5)
            if time.monotonic() > deadline_s:
                raise DeploymentError(f"episode {start} did not end within {PATIENCE_S:.0f} s; {self.policy_says}")
        return self.ended.pop(start)


def main() -> None:
    sys.exit(spin(EvaluationNode, work=EvaluationNode.examine))


if __name__ == "__main__":
    main()
