"""Teleoperate the simulated robot as a person would: look at topics, send commands, start and stop episodes."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from rclpy.node import Node

from imitation_ros.envs.tasks import Expert, find_task
from imitation_ros.errors import DeploymentError, RecordingError, SpecError
from imitation_ros.readiness import unstamped_fields
from imitation_ros.robot.sampler import Sample, Sampler
from imitation_ros.robot.spec import check_scene, load_spec
from imitation_ros.ros.node import Parameters, overrides, parameter, required, spin
from imitation_ros.ros.services import Services
from imitation_ros.ros.topics import FieldPublishers, FieldSubscriptions

PATIENCE_S = 30.0  # for a node that is still starting, or an observation


class OperatorNode(Node):
    """A task's scripted expert in front of the robot: clean commands, demonstrations recorded one by one.

    What succeeded is kept and marked a success, what failed is discarded, as a person would.
    """

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("operator", parameter_overrides=overrides(parameters))
        setup = required(self, "setup", "a name in config/setups, or the path of a setup")
        self.spec = load_spec(setup)
        check_scene(self.spec, setup)
        self.episodes = parameter(self, "episodes", 10, "how many demonstrations to give; failures are not counted")
        if self.episodes < 1:
            raise SpecError(f"episodes is {self.episodes}; it should be at least 1.")
        recorder = parameter(self, "recorder", "recorder", "the recorder node; empty: do not record")
        simulator = parameter(self, "simulator", "simulator", "the simulator node, which is reset before each episode")
        self.lockstep = parameter(self, "lockstep", True, "simulator and recorder work in lock-step: miss no tick")
        if unstamped := unstamped_fields(self.spec.observation):
            raise SpecError(" ".join(unstamped))
        self.task, self.expert = find_task(self.spec.task), Expert(self.spec.task)
        self.ticks = round(self.task.TIME_LIMIT_S * self.spec.rate_hz)
        self.sampler = Sampler(self.spec.observation, (), self.spec.period_s, 0.0, lockstep=True)
        self.seen_s = 0.0
        self.topics = FieldSubscriptions(self, self.spec.observation, self.receive)
        self.commands = FieldPublishers(self, self.spec.action)
        self.calls = Services(self, PATIENCE_S)
        self.recorder, self.simulator = recorder, simulator
        self.failures = 0

    def receive(self, name: str, data: np.ndarray, stamp_s: float | None, received_s: float, heard_s: float) -> None:
        self.sampler.put(name, data, stamp_s, received_s)

    def demonstrate(self) -> None:
        """Give all demonstrations."""
        kept = 0
        while kept < self.episodes:
            if self.demonstrate_once():
                kept += 1
                self.get_logger().info(f"demonstration {kept} of {self.episodes}")
                continue
            self.failures += 1
            self.get_logger().warning(f"an attempt failed and was discarded ({self.failures} so far)")
            if self.failures > 10 + self.episodes:
                raise RecordingError(f"{self.failures} attempts failed; is {self.spec.task!r} possible in this scene?")

    def demonstrate_once(self) -> bool:
        """Give one demonstration; return whether it succeeded and was kept."""
        reset = json.loads(self.calls.call(self.simulator, "reset"))
        self.seen_s = reset["stamp_s"] - 0.5 * self.spec.period_s  # nothing from before the reset
        observation = self.look()
        if self.recorder:
            self.calls.call(self.recorder, "start")
        self.wait_until_heard()
        dwell, success = 0, False
        for _ in range(self.ticks):
            # rounded as it is in files and in the environment: so all three see the same numbers
            seen = {name: data.astype(np.float32) for name, data in observation.values.items()}
            action = self.expert.act(seen)
            self.commands.publish(action, observation.tick_s)
            observation = self.look()
            dwell = dwell + 1 if self.task.is_success(observation.values) else 0
            success = success or dwell >= self.task.DWELL_TICKS
        if self.recorder and success:
            self.calls.call(self.recorder, "mark_success")
        if self.recorder:
            said = self.calls.call(self.recorder, "stop" if success else "discard")
            if success and self.lockstep and not said.endswith(f": {self.ticks} ticks"):
                raise RecordingError(
                    f"the demonstration has {self.ticks} ticks, and the recorder says {said!r}: set its episode_s to "
                    f"{self.task.TIME_LIMIT_S:g}, the task's time limit, or, if the simulator is not in lock-step, "
                    "operate with --no-lockstep."
                )
        return success

    def look(self) -> Sample:
        """Wait for a complete observation that is newer than the last one looked at."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            tick_s = min(stream.newest_s for stream in self.sampler.observation.values())
            if tick_s > self.seen_s:
                self.seen_s = tick_s
                sample = self.sampler.sample(tick_s)
                if len(sample.values) == len(self.spec.observation):  # else a field began after this tick: the next one
                    return sample
            self.calls.spin_once(0.5)
            if time.monotonic() > deadline_s:
                problems = "; ".join(self.topics.problems_of(self.spec.observation)) or "nothing is known against it"
                raise DeploymentError(f"no new observation came for {PATIENCE_S:.0f} s: {problems}.")

    def wait_until_heard(self) -> None:
        """Wait until everybody who listens to the commands is connected: in lock-step none may be missed."""
        deadline_s = time.monotonic() + PATIENCE_S
        nodes = [name.split("/")[-1] for name in (self.simulator, self.recorder) if name]
        while unheard := self.commands.unheard(by=nodes):
            self.calls.spin_once(0.05)
            if time.monotonic() > deadline_s:
                raise DeploymentError(
                    f"{' and '.join(nodes)} should listen to {', '.join(unheard)}: `ros2 topic info -v` shows who does."
                )


def main() -> None:
    sys.exit(spin(OperatorNode, work=OperatorNode.demonstrate))


if __name__ == "__main__":
    main()
