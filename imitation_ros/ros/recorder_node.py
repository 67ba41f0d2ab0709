"""Record a teleoperated robot: topics in, one HDF5 file per episode out."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from sensor_msgs.msg import Joy
from std_srvs.srv import Trigger

from imitation_ros.errors import ImitationRosError, MessageError
from imitation_ros.recording import Recorder, executed_fields
from imitation_ros.recording.controls import Presses, load_buttons
from imitation_ros.recording.screen import ring_terminal
from imitation_ros.recording.session import TROUBLE, Session
from imitation_ros.recording.watching import Watch
from imitation_ros.robot.spec import RobotSpec, load_spec
from imitation_ros.robot.wiring import with_prefix
from imitation_ros.ros.clock import ClockWatch
from imitation_ros.ros.episode_bags import EpisodeBags
from imitation_ros.ros.frames import DYNAMIC, STATIC
from imitation_ros.ros.message_types import TRANSFORMS, message_class, tf_topic
from imitation_ros.ros.node import Parameters, diagnostics, overrides, parameter, required, spin
from imitation_ros.ros.topics import FieldSubscriptions, now_s, steady_timer

RING_EVERY_S = 3.0  # at most, where trouble comes and goes
SERVICES = ("start", "stop", "discard", "undo", "mark_success", "mark_failure")


class RecorderNode(Node):
    """Record a teleoperated robot: topics in, one HDF5 file per episode out."""

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("recorder", parameter_overrides=overrides(parameters))
        spec = load_spec(required(self, "setup", "a name in config/setups, or the path of a setup"))
        if prefix := parameter(self, "joint_prefix", "", "stands before joints and frames in messages"):
            spec = with_prefix(spec, prefix)
        self.screen: Any = None  # at a terminal: see recorder_screen.py
        self.rang_s = -RING_EVERY_S  # monotonic
        commands = [*spec.action, *executed_fields(spec)]
        self.recorder = self.make_recorder(spec, commands)
        self.watch = self.recorder.watch
        reset_s = parameter(
            self, "reset_s", 0.0, "after an episode, the next starts by itself so much later [s]; 0: no"
        )
        self.session = Session(self.recorder, self.problems, reset_s, self.ring)
        self.fields = [*spec.observation, *commands]
        bagged = parameter(self, "record_bag", False, "write each episode's raw messages as an mcap beside it")
        self.bags = self.make_bags() if bagged else None
        on_raw = None if self.bags is None else self.bags.put
        self.topics = FieldSubscriptions(self, spec.observation, self.receive, commands, self.hear_lost, on_raw)
        self.clock = ClockWatch(self)
        self.listen_to_buttons(parameter(self, "buttons", "", "foot pedals: a name in config/operators, or a path"))
        self.status = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        steady_timer(self, spec.period_s / 2, self.close_ticks)
        steady_timer(self, 1.0, self.report)
        for name in SERVICES:
            self.create_service(Trigger, f"~/{name}", lambda _, answer, name=name: self.answer(answer, name))
        self.get_logger().info(f"ready: {spec.name} at {spec.rate_hz:g} Hz into {self.recorder.output}")

    def make_recorder(self, spec: RobotSpec, commands: list) -> Recorder:
        episode_s = parameter(self, "episode_s", 0.0, "longest episode [s]; 0: no limit")
        lockstep = parameter(self, "lockstep", False, "the simulator waits for each command")
        return Recorder(
            spec,
            Path(required(self, "output", "the folder for the episodes")),
            append=parameter(self, "append", False, "add to a folder that already holds episodes"),
            task=parameter(self, "task", "", "what is demonstrated; the setup's task if empty"),
            operator=parameter(self, "operator", "", "who demonstrates"),
            lockstep=lockstep,
            episode_s=episode_s or None,
            watch=Watch(spec.observation, commands, judging=not lockstep),
            on_gap=parameter(self, "on_gap", "warn", "when a field falls silent in an episode: warn, discard or stop"),
        )

    def make_bags(self) -> EpisodeBags:
        trees = {tf_topic(field.topic) for field in self.fields if field.type == "tf"}
        frames = [
            (tree + ending, qos) for tree in sorted(trees) for ending, qos in (("", DYNAMIC), ("_static", STATIC))
        ]
        types = {self.resolve_topic_name(field.topic): field.type for field in self.fields if field.type != "tf"}
        types.update({self.resolve_topic_name(topic): TRANSFORMS for topic, _ in frames})
        bags = EpisodeBags(self.recorder, types)
        for topic, qos in frames:
            name = self.resolve_topic_name(topic)
            self.create_subscription(
                message_class(TRANSFORMS),
                topic,
                lambda data, name=name: bags.put(name, data, self.get_clock().now().nanoseconds),
                qos,
                raw=True,
            )
        return bags

    # what comes

    def receive(self, name: str, data, stamp_s: float | None, received_s: float, heard_s: float) -> None:
        self.recorder.put(name, data, stamp_s, received_s)
        if self.recorder.lockstep:
            self.close_ticks()

    def hear_lost(self, names: list[str], total: int) -> None:
        self.recorder.say_trouble(self.watch.hear_lost(names, total), now_s(self))

    def listen_to_buttons(self, name: str) -> None:
        if name:
            presses = Presses(load_buttons(name))
            self.create_subscription(Joy, presses.buttons.topic, lambda joy: self.press(presses, joy.buttons), 10)

    def press(self, presses: Presses, states: Any) -> None:
        try:
            events = presses.hear(states)
        except MessageError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return
        for event in events:
            self.ask(event)

    # what is asked for, and what is due

    def close_ticks(self) -> None:
        self.recorder.close_ticks(now_s(self))
        for words in self.session.tick(now_s(self), time.monotonic()):
            self.get_logger().info(words)
        notices = self.recorder.take_notices()
        if self.bags is not None:
            self.bags.look()
            notices += self.bags.take_said()
        for notice in notices:
            self.get_logger().warning(notice)
        if notices and time.monotonic() - self.rang_s > RING_EVERY_S:
            self.rang_s = time.monotonic()
            self.ring(TROUBLE)

    def do(self, event: str) -> str:
        done = self.session.do(event, now_s(self), time.monotonic())
        if event in ("stop", "undo"):
            self.get_logger().info(done)
        return done

    def ask(self, event: str) -> None:
        """Do what a pedal or a key asks for, and say what happened."""
        try:
            self.get_logger().info(self.session.do(event, now_s(self), time.monotonic()))
        except ImitationRosError as error:
            self.get_logger().warning(str(error))
            self.ring(TROUBLE)  # a pedal has no other way to say so

    def answer(self, answer: Trigger.Response, event: str) -> Trigger.Response:
        """Fill a service's answer with what happened, or with why it did not."""
        try:
            answer.success, answer.message = True, self.do(event)
        except ImitationRosError as error:
            answer.success, answer.message = False, str(error)
        return answer

    # what is said

    def problems(self) -> list[str]:
        """Return what stands against recording: nothing else is worth saying while the time is wrong."""
        return self.clock.problems() or self.topics.problems_of(self.fields)

    def ring(self, times: int) -> None:
        (ring_terminal if self.screen is None else self.screen.ring)(times)

    def report(self) -> None:
        problems = self.problems()
        level = DiagnosticStatus.WARN if problems else DiagnosticStatus.OK
        received = {f"received {topic}": count for topic, count in self.topics.received.items()}
        message = "; ".join(problems) or self.recorder.state
        found = diagnostics(self, level, message, {**self.recorder.summary(), **received})
        now = now_s(self)
        for name in self.watch.fields:
            state = self.watch.state(name, now)
            level = DiagnosticStatus.WARN if state else DiagnosticStatus.OK
            each = diagnostics(self, level, state or "ok", self.watch.values(name, now)).status[0]
            each.name += f": {name}"
            found.status = [*found.status, each]
        self.status.publish(found)

    def close(self) -> None:
        if self.screen is not None:
            self.screen.close()
        path = self.recorder.shut_down(now_s(self))
        kept = [] if path is None else [f"the open episode was kept as {path}"]
        kept += self.recorder.take_notices()
        if self.bags is not None:
            self.bags.close()
            kept += self.bags.take_said()
        with contextlib.suppress(OSError):  # a terminal that is gone hears nothing
            for words in kept:
                print(f"recorder: {words}", file=sys.stderr, flush=True)


def main() -> None:
    sys.exit(spin(RecorderNode))


if __name__ == "__main__":
    main()
