"""Train a policy, with its progress on /diagnostics."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from std_srvs.srv import Trigger

from imitation_ros.algorithms.recipe import changes_of, load_recipe
from imitation_ros.ros.node import Parameters, diagnostics, overrides, parameter, required, spin
from imitation_ros.training import Job, run_training


class TrainerNode(Node):
    """One training run, into a bundle. `~/cancel` ends it early; the same parameters go on from there."""

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("trainer", parameter_overrides=overrides(parameters))
        self.job = self.read_job()
        self.only_finish = parameter(self, "finish", False, "make a bundle of what a cancelled training has found")
        self.cancelled = False
        self.status = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(Trigger, "~/cancel", self.cancel)

    def read_job(self) -> Job:
        data = parameter(self, "data", "", "a recording: one HDF5 file, or a folder of them; ppo and sac need none")
        output = required(self, "output", "the folder for the policy bundle; must not exist")
        recipe = parameter(self, "recipe", "bc", "an algorithm, a name in config/training, or the path of a recipe")
        settings = parameter(self, "set", "", "values above the recipe's, such as 'ppo.clip=0.1 batch_size=64'")
        steps = parameter(self, "steps", 0, "of the environment; 0: as many as the recipe says")
        updates = parameter(self, "updates", 0, "of the weights; 0: as many as the recipe says")
        seed = parameter(self, "seed", -1, "of all that is drawn: weights, batches, rollouts; -1: the recipe's")
        start = parameter(self, "start", "", "a bundle whose policy to go on from")
        options = {
            "steps": steps or None,
            "updates": updates or None,
            "seed": None if seed == -1 else seed,
            "start": start or None,
        }
        changes = changes_of(settings.split(), options)
        return Job(
            load_recipe(recipe, changes),
            Path(output),
            Path(data) if data else None,
            env=parameter(self, "env", "", "where to practise: a setup, or an id of gymnasium's; empty: the data's"),
            expert=parameter(self, "expert", "", "whom dagger asks: 'expert' for the task's scripted one, or a bundle"),
            reward=parameter(self, "reward", "", "a learned reward for ppo and sac: a bundle of gail's or airl's"),
            device=parameter(self, "device", "auto", "auto, cpu or cuda"),
            workers=parameter(self, "workers", 1, "processes that run the environment"),
            disturbance=parameter(self, "disturbance", False, "add the scene's noise while it practises"),
            terminate_on_success=parameter(self, "terminate_on_success", False, "end episodes at success"),
        )

    def train(self) -> None:
        """Train. Callbacks run at each report: every round, or about every second."""
        folder = run_training(self.job, self.progress, self.only_finish)
        if folder is not None:
            self.get_logger().info(f"the policy is in {folder}")
        elif not self.cancelled:
            raise KeyboardInterrupt  # which stopped it

    def progress(self, done: int, measured: Mapping[str, float]) -> bool:
        values = {"algorithm": self.job.algorithm, "done": done, "of": self.job.total, **measured}
        self.status.publish(diagnostics(self, DiagnosticStatus.OK, f"training {self.job.output.name}", values))
        rclpy.spin_once(self, timeout_sec=0.0)
        return not self.cancelled

    def cancel(self, _: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        self.cancelled = True
        answer.success = True
        answer.message = (
            f"training ends with this round, and is saved in {self.job.folder}: the same parameters go on from there; "
            f"with finish:=true they make a bundle of the best so far"
        )
        return answer


def main() -> None:
    sys.exit(spin(TrainerNode, work=TrainerNode.train))


if __name__ == "__main__":
    main()
