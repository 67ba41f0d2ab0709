"""Train a policy from recordings, with its progress on /diagnostics."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from std_srvs.srv import Trigger

from imitation_ros.algorithms.recipe import load_recipe
from imitation_ros.ros.node import Parameters, diagnostics, overrides, parameter, required, spin
from imitation_ros.training import run_bc


class TrainerNode(Node):
    """One training run: dataset in, bundle out. `~/cancel` ends it early and keeps the best so far."""

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("trainer", parameter_overrides=overrides(parameters))
        self.data = Path(required(self, "data", "a recording: one HDF5 file, or a folder of them"))
        self.output = Path(required(self, "output", "the folder for the policy bundle; must not exist"))
        recipe = parameter(self, "recipe", "bc", "a name in config/training, or the path of a recipe")
        seed = parameter(self, "seed", 0, "of weights, batches and the split into training and validation")
        self.device = parameter(self, "device", "auto", "auto, cpu or cuda")
        updates = parameter(self, "updates", 0, "of the weights; 0: as many as the recipe says")
        self.config = load_recipe(recipe, {"seed": seed, **({"updates": updates} if updates else {})})
        self.cancelled = False
        self.status = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(Trigger, "~/cancel", self.cancel)

    def train(self) -> None:
        """Train. Callbacks run at each report, about every second."""
        folder = run_bc(self.data, self.output, self.config, self.device, self.progress)
        self.get_logger().info(f"the policy is in {folder}")

    def progress(self, update: int, measured: Mapping[str, float]) -> bool:
        values = {"update": update, "updates": self.config.updates, **measured}
        self.status.publish(diagnostics(self, DiagnosticStatus.OK, f"training {self.output.name}", values))
        rclpy.spin_once(self, timeout_sec=0.0)
        return not self.cancelled

    def cancel(self, _: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        self.cancelled = True
        answer.success, answer.message = True, "training ends within about a second, and the best so far is kept"
        return answer


def main() -> None:
    sys.exit(spin(TrainerNode, work=TrainerNode.train))


if __name__ == "__main__":
    main()
