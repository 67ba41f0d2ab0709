"""Record a teleoperated robot: topics in, one HDF5 file per episode out."""

from __future__ import annotations

import sys
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from std_srvs.srv import Trigger

from imitation_ros.errors import ImitationRosError, RecordingError
from imitation_ros.recording import Recorder, executed_fields
from imitation_ros.robot.spec import load_spec
from imitation_ros.robot.wiring import with_prefix
from imitation_ros.ros.clock import ClockWatch
from imitation_ros.ros.node import Parameters, diagnostics, overrides, parameter, required, spin
from imitation_ros.ros.topics import FieldSubscriptions, now_s, steady_timer


class RecorderNode(Node):
    """Record a teleoperated robot: topics in, one HDF5 file per episode out."""

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("recorder", parameter_overrides=overrides(parameters))
        spec = load_spec(required(self, "setup", "a name in config/setups, or the path of a setup"))
        if prefix := parameter(self, "joint_prefix", "", "stands before joints and frames in messages"):
            spec = with_prefix(spec, prefix)
        episode_s = parameter(self, "episode_s", 0.0, "longest episode [s]; 0: no limit")
        self.recorder = Recorder(
            spec,
            Path(required(self, "output", "the folder for the episodes")),
            append=parameter(self, "append", False, "add to a folder that already holds episodes"),
            task=parameter(self, "task", "", "what is demonstrated; the setup's task if empty"),
            operator=parameter(self, "operator", "", "who demonstrates"),
            lockstep=parameter(self, "lockstep", False, "the simulator waits for each command"),
            episode_s=episode_s or None,
        )
        commands = [*spec.action, *executed_fields(spec)]
        self.fields = [*spec.observation, *commands]
        self.topics = FieldSubscriptions(self, spec.observation, self.receive, optional=commands)
        self.clock = ClockWatch(self)
        self.status = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        steady_timer(self, spec.period_s / 2, self.close_ticks)
        steady_timer(self, 1.0, self.report)
        self.create_service(Trigger, "~/start", lambda _, answer: self.answer(answer, self.start))
        self.create_service(Trigger, "~/stop", lambda _, answer: self.answer(answer, self.stop))
        self.create_service(Trigger, "~/discard", lambda _, answer: self.answer(answer, self.discard))
        self.create_service(Trigger, "~/mark_success", lambda _, answer: self.answer(answer, lambda: self.mark(True)))
        self.create_service(Trigger, "~/mark_failure", lambda _, answer: self.answer(answer, lambda: self.mark(False)))
        self.get_logger().info(f"ready: {spec.name} at {spec.rate_hz:g} Hz into {self.recorder.output}")

    def receive(self, name: str, data, stamp_s: float | None, received_s: float, heard_s: float) -> None:
        self.recorder.put(name, data, stamp_s, received_s)
        if self.recorder.lockstep:
            self.close_ticks()

    def close_ticks(self) -> None:
        self.recorder.close_ticks(now_s(self))
        for notice in self.recorder.take_notices():
            self.get_logger().warning(notice)

    def problems(self) -> list[str]:
        """Return what stands against recording: nothing else is worth saying while the time is wrong."""
        return self.clock.problems() or self.topics.problems_of(self.fields)

    def start(self) -> str:
        problems = self.problems()
        if problems and self.recorder.open is None:
            raise RecordingError(f"not started: {'; '.join(problems)}.")
        return self.recorder.start(now_s(self))

    def stop(self) -> str:
        episode = self.recorder.open
        path = self.recorder.stop(now_s(self))
        assert episode is not None  # or stop would have refused
        done = f"saved {path}: {episode.steps} ticks"
        self.get_logger().info(done)
        return done

    def discard(self) -> str:
        return self.recorder.discard(now_s(self))

    def mark(self, success: bool) -> str:
        return self.recorder.mark_success(success)

    def answer(self, answer: Trigger.Response, act) -> Trigger.Response:
        """Fill a service's answer with what happened, or with why it did not."""
        try:
            answer.success, answer.message = True, act()
        except ImitationRosError as error:
            answer.success, answer.message = False, str(error)
        return answer

    def report(self) -> None:
        problems = self.problems()
        level = DiagnosticStatus.WARN if problems else DiagnosticStatus.OK
        received = {f"received {topic}": count for topic, count in self.topics.received.items()}
        message = "; ".join(problems) or self.recorder.summary()["state"]
        self.status.publish(diagnostics(self, level, message, {**self.recorder.summary(), **received}))

    def close(self) -> None:
        path = self.recorder.shut_down(now_s(self))
        if path is not None:
            print(f"recorder: the open episode was kept as {path}", file=sys.stderr, flush=True)
        for notice in self.recorder.take_notices():
            print(f"recorder: {notice}", file=sys.stderr, flush=True)


def main() -> None:
    sys.exit(spin(RecorderNode))


if __name__ == "__main__":
    main()
