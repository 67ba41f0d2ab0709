"""Drive a robot with a policy bundle: a managed (lifecycle) node, which never activates itself."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_msgs.msg import String
from std_srvs.srv import Trigger

from imitation_ros.deployment import Command, PolicyRunner, State
from imitation_ros.errors import ImitationRosError
from imitation_ros.policies.bundle import read_info
from imitation_ros.policies.inference import InferenceProcess
from imitation_ros.readiness import unramped_actions
from imitation_ros.robot.spec import RobotSpec, load_spec
from imitation_ros.robot.wiring import rewired, wiring_differences, with_prefix
from imitation_ros.ros.clock import ClockWatch
from imitation_ros.ros.node import Parameters, diagnostics, overrides, parameter, required, spin
from imitation_ros.ros.topics import LATCHED, FieldPublishers, FieldSubscriptions, now_s, steady_timer
from imitation_ros.topic_facts import without_numbers

LOOP_S = 0.005  # of the command loop: late by at most this much
LEVELS = {State.FAULT: DiagnosticStatus.ERROR, State.HOLDING: DiagnosticStatus.WARN}


class PolicyNode(LifecycleNode):
    """configure loads and warms the policy; activate arms it; deactivate and every fault hold the robot."""

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("policy", parameter_overrides=overrides(parameters))
        self.bundle = required(self, "policy", "the policy bundle's folder")
        self.setup = parameter(
            self, "setup", "", "take topics and tighter limits from this setup; the policy's own if empty"
        )
        self.prefix = parameter(self, "joint_prefix", "", "stands before joints and frames in messages")
        self.lockstep = parameter(self, "lockstep", False, "answer every observation; the simulator waits")
        self.speed_scale = parameter(self, "speed_scale", 1.0, "share of the velocity limits that is used, above 0")
        self.check_start = parameter(self, "check_start", True, "refuse a start unlike every demonstration")
        spec = self.wired(read_info(Path(self.bundle)).spec)  # a wrong path is said now, not at configure
        self.runner: PolicyRunner | None = None
        self.inference: InferenceProcess | None = None
        self.topics: FieldSubscriptions | None = None
        self.commands: FieldPublishers | None = None
        self.said = ""
        self.clock = ClockWatch(self)
        self.status = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.state = self.create_publisher(String, "~/state", LATCHED)
        self.create_service(Trigger, "~/stop", self.stop)
        self.create_service(Trigger, "~/rearm", self.rearm)
        steady_timer(self, LOOP_S, self.step)
        steady_timer(self, 1.0, self.report)
        self.get_logger().info(f"ready: {spec.name} waits for `ros2 lifecycle set {self.get_name()} configure`")

    def on_configure(self, _: LifecycleState) -> TransitionCallbackReturn:
        try:
            self.inference = InferenceProcess(Path(self.bundle))
            spec = self.wired(self.inference.info.spec)
            self.runner = PolicyRunner(
                self.inference,
                spec,
                lockstep=self.lockstep,
                speed_scale=self.speed_scale,
                check_start=self.check_start,
            )
            self.commands = FieldPublishers(self, spec.action)
            self.topics = FieldSubscriptions(self, spec.observation, self.receive)
        except ImitationRosError as error:
            self.close()
            return self.refuse(error)
        for line in wiring_differences(self.inference.info.spec, spec):
            self.get_logger().info(f"wired otherwise than the policy's data, {line}")
        for line in unramped_actions(spec):
            self.get_logger().warning(line)
        self.get_logger().info(f"configured: {self.bundle} for {spec.name} at {spec.rate_hz:g} Hz")
        return TransitionCallbackReturn.SUCCESS

    def wired(self, spec: RobotSpec) -> RobotSpec:
        """Return the policy's spec on this robot's wires."""
        if self.setup:
            spec = rewired(spec, load_spec(self.setup))
        return with_prefix(spec, self.prefix) if self.prefix else spec

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        assert self.runner is not None
        try:
            self.check_topics()
            self.runner.activate(now_s(self), time.monotonic())
        except ImitationRosError as error:
            return self.refuse(error)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        assert self.runner is not None
        if not self.lockstep:  # a simulator that waits stands still by itself
            self.hold()
        self.runner.deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, _: LifecycleState) -> TransitionCallbackReturn:
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self.on_cleanup(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self.on_cleanup(state)

    def check_topics(self) -> None:
        """Refuse to activate against a second publisher, or topics that are not what the policy knows."""
        assert self.runner is not None and self.topics is not None and self.commands is not None
        if wrong := self.clock.problems():
            raise ImitationRosError(f"not activated: {wrong[0]}.")
        against = self.topics.problems_of(self.runner.spec.observation)
        if self.inference is not None and not self.inference.alive:
            against.append("inference of the policy has ended: clean up this node and configure it again.")
        for topic, publisher in self.commands.by_topic.items():
            others = self.count_publishers(publisher.topic_name) - 1
            if others > 0:
                against.append(
                    f"{others} other node(s) publish on {topic}, and two cannot drive one robot: "
                    f"`ros2 topic info -v {topic}` shows who."
                )
        waiting = self.topics.publishers() if self.lockstep else ()  # who shows observations waits for the answers
        against += [
            f"{topic} is not heard by {' and '.join(waiting) or 'anybody'} yet: `ros2 topic info -v {topic}` shows who "
            f"listens."
            for topic in self.commands.unheard(by=waiting)
        ]
        if against:
            raise ImitationRosError("not activated: " + " ".join(against))

    def receive(self, name: str, data: np.ndarray, stamp_s: float | None, received_s: float, heard_s: float) -> None:
        assert self.runner is not None
        self.runner.put(name, data, stamp_s, received_s, heard_s)
        if self.lockstep:
            self.step()

    def step(self) -> None:
        """Publish what is due: at every tick, and when a late answer has come."""
        if self.runner is None:
            return
        # an MLP answers in well under a millisecond, so it is worth waiting a little; the loop stays alive
        wait_s = 10.0 if self.lockstep else min(0.25 * self.runner.spec.period_s, 0.01)
        try:
            self.publish(self.runner.step(now_s(self), time.monotonic(), wait_s))
        except ImitationRosError as error:
            self.runner.enter(State.FAULT, str(error))
        self.announce()

    def publish(self, commands: list[Command]) -> None:
        assert self.runner is not None and self.commands is not None
        for command in commands:
            self.commands.publish(dict(command.values), command.tick_s)
            if command.heard_s is not None:
                self.runner.latencies_s.append(time.monotonic() - command.heard_s)

    def hold(self) -> None:
        """Tell the robot to stay where it is."""
        if self.runner is not None:
            self.publish([self.runner.hold(now_s(self))])

    def stop(self, _: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        """Hold until ~/rearm; works in every state."""
        self.hold()
        if self.runner is not None:
            self.runner.stop()
        self.announce()
        done = "stopped; call ~/rearm, then activate again"
        answer.success, answer.message = True, "not configured: nothing to stop" if self.runner is None else done
        return answer

    def rearm(self, _: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        if self.runner is not None:
            self.runner.rearm()
        answer.success, answer.message = True, "rearmed; deactivate and activate the node to go on"
        return answer

    def announce(self) -> None:
        """Say every change of state, with its reason."""
        if self.runner is not None:
            state = self.runner.state
            self.say(f"{state.value}: {self.runner.reason}", alarming=state in (State.HOLDING, State.FAULT))

    def say(self, words: str, alarming: bool) -> None:
        kind = without_numbers(words)
        if kind == self.said:
            return
        self.said = kind
        self.state.publish(String(data=words))
        if alarming:
            self.get_logger().warning(words)
        else:  # rclpy remembers the severity of a line of code, so each has its own
            self.get_logger().info(words)

    def report(self) -> None:
        if self.runner is None:
            self.status.publish(diagnostics(self, DiagnosticStatus.OK, "not configured", {}))
            return
        p50, p99 = np.percentile(self.runner.latencies_s, [50, 99]) if self.runner.latencies_s else (np.nan, np.nan)
        values = {**self.runner.counts, "latency_p50_s": f"{p50:.5f}", "latency_p99_s": f"{p99:.5f}"}
        level = LEVELS.get(self.runner.state, DiagnosticStatus.OK)
        self.status.publish(diagnostics(self, level, f"{self.runner.state.value}: {self.runner.reason}", values))

    def refuse(self, error: ImitationRosError) -> TransitionCallbackReturn:
        """Say once why not, and stay where the node was."""
        if self.runner is not None:
            self.runner.deactivate(str(error))
        self.say(f"refused: {error}" if self.runner is None else f"{self.runner.state.value}: {error}", alarming=True)
        return TransitionCallbackReturn.FAILURE

    def close(self) -> None:
        """Let go of the policy; while it drives, the robot is told to hold first."""
        if self.runner is not None and self.runner.driving and not self.lockstep:
            self.hold()
        for part in (self.topics, self.commands, self.inference):
            if part is not None:
                part.close()
        self.runner = self.inference = self.topics = self.commands = None


def main() -> None:
    sys.exit(spin(PolicyNode))


if __name__ == "__main__":
    main()
