"""What every person's operator does in the graph: send commands, call the recorder and the simulator."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from std_srvs.srv import Trigger

from imitation_ros.robot.spec import RobotSpec
from imitation_ros.ros.topics import FieldPublishers, FieldSubscriptions, now_s
from imitation_ros.teleoperation.commands import Commands

ANSWER_S = 5.0  # for a service
CALLS = {
    "start": ("start",),
    "stop": ("stop",),
    "success": ("mark_success", "stop"),
    "failure": ("mark_failure", "stop"),
    "discard": ("discard",),
}
"""Event to the recorder's services, one after another as long as they succeed."""
STATES = {"start": "armed", "stop": "idle", "discard": "idle"}


class Teleoperation:
    """A person's commands and episodes, whatever the device.

    Args:
        node: whose topics and services they are.
        spec: the setup.
        speed: share of the scale to begin with.
        recorder, simulator: the nodes whose services are called; empty: there is none.
        say: tells the person something, a line.

    Raises:
        SpecError: the setup has an action that a person cannot give.
    """

    def __init__(
        self, node: Node, spec: RobotSpec, speed: float, recorder: str, simulator: str, say: Callable[[str], None]
    ) -> None:
        self.node, self.spec, self.say = node, spec, say
        self.recorder, self.simulator = recorder, simulator
        self.commands = Commands(spec, speed)
        self.publishers = FieldPublishers(node, spec.action)
        self.measured: dict[str, tuple[np.ndarray, float]] = {}
        wanted = set(self.commands.integrated.values())
        self.topics = FieldSubscriptions(node, [f for f in spec.observation if f.name in wanted], self.measure)
        self.engaged = False
        self.state, self.ticks = "not heard", "0"
        # made now: one that is made when it is called has not found its service yet
        services = [f"{recorder}/{name}" for name in {name for names in CALLS.values() for name in names} if recorder]
        services += [f"{simulator}/reset"] if simulator else []
        self.clients = {service: node.create_client(Trigger, service) for service in services}
        self.calls: list[str] = []  # services that are still to be called, or to answer
        self.asked: Any = None  # the answer that is waited for
        self.since_s = 0.0
        self.said = ""
        if recorder:
            self.path = node.resolve_service_name(f"{recorder}/start").rsplit("/", 1)[0]
            node.create_subscription(DiagnosticArray, "/diagnostics", self.hear_recorder, 10)

    def measure(self, name: str, data: np.ndarray, stamp_s: float | None, received_s: float, heard_s: float) -> None:
        self.measured[name] = data, heard_s

    def hear_recorder(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self.path:
                values = {value.key: value.value for value in status.values}
                self.state, self.ticks = values.get("state", self.state), values.get("ticks", self.ticks)

    def tick(self, wish: dict[str, float] | None) -> None:
        """Send the commands of one period; None: nobody wishes anything, so rest is said once, then nothing."""
        self.advance()
        if wish is None:
            self.rest()
            return
        stamp_s = now_s(self.node)
        if stamp_s == 0.0:
            self.say_once("nothing is sent yet: no /clock has come (use_sim_time). Does the simulator run?")
            return
        fields = {field.name: field for field in self.spec.observation}
        now = time.monotonic()
        fresh = {name: data for name, (data, at_s) in self.measured.items() if now - at_s <= fields[name].max_age_s}
        if not self.engaged:
            self.look_for_others()
        self.publishers.publish(self.commands.command(wish, fresh), stamp_s)
        self.engaged = True
        self.say_once(self.commands.problem)
        if self.state == "armed":
            self.state = "recording"

    def look_for_others(self) -> None:
        """Say where somebody else commands too: two hands on one robot make neither's motion."""
        topics = {self.node.resolve_topic_name(field.topic) for field in self.spec.action}
        for topic in sorted(topics):
            if (others := self.node.count_publishers(topic) - 1) > 0:
                self.say(f"{others} other publisher(s) on {topic}: `ros2 topic info -v {topic}` shows who")

    def rest(self) -> None:
        """Say once that every motion ends."""
        if self.engaged:
            self.publishers.publish(self.commands.rest(), now_s(self.node))
        self.engaged = False

    def say_once(self, problem: str) -> None:
        if problem and problem != self.said:
            self.say(problem)
        self.said = problem

    def handle(self, event: str) -> None:
        """Do what a key or a button asks for; an episode begins and ends at rest."""
        if event not in (*CALLS, "reset"):
            self.commands.handle(event)
            return
        self.rest()
        if self.calls:
            self.say(f"still waiting for {self.calls[0]}: {event} is not done")
        elif event == "reset":
            self.reset()
        elif not self.recorder:
            self.say("there is no recorder: the parameter `recorder` is empty.")
        elif event == "start" and self.commands.grippers and self.commands.gripper_open is None:
            self.say("not started: nobody has said whether the gripper is open or closed. Command it once, then start.")
        else:
            self.call(self.recorder, CALLS[event])

    def reset(self) -> None:
        if not self.simulator:
            self.say("there is no simulator to reset: the parameter `simulator` is empty.")
        elif self.state == "recording":
            self.say("not reset: an episode is being recorded. End or discard it first.")
        else:
            self.call(self.simulator, ("reset",))

    def call(self, target: str, names: Iterable[str]) -> None:
        """Call services one after another as long as they succeed, without waiting here; say what they answer."""
        self.calls, self.since_s = [f"{target}/{name}" for name in names], time.monotonic()
        self.advance()

    def advance(self) -> None:
        """Call what is next, as soon as somebody offers it; give up after a while."""
        if not self.calls:
            return
        service = self.calls[0]
        client = self.clients[service]
        if self.asked is None and client.service_is_ready():
            self.asked = client.call_async(Trigger.Request())
            self.asked.add_done_callback(self.answered)
        elif time.monotonic() - self.since_s > ANSWER_S:
            why = f"nobody offers {service}" if self.asked is None else f"{service} does not answer"
            if self.asked is not None:
                client.remove_pending_request(self.asked)
            self.calls, self.asked = [], None
            self.say(f"{why}: does that node run? `ros2 node list`")

    def answered(self, future: Any) -> None:
        if future is not self.asked:
            return  # it was given up
        answer, name = future.result(), self.calls[0].rsplit("/", 1)[1]
        self.calls, self.asked, self.since_s = self.calls[1:], None, time.monotonic()
        if not answer.success:
            self.calls = []
            self.say(answer.message)
        elif name == "reset":
            self.commands.gripper_open = True  # as a reset leaves it
            self.say(reset_words(answer.message))
        else:
            self.state, self.ticks = STATES.get(name, self.state), "0"
            self.say(answer.message)
        self.advance()

    def status(self) -> str:
        """Return what holds now, in a line."""
        commands = self.commands
        gripper = {None: "not commanded", True: "open", False: "closed"}[commands.gripper_open]
        parts = [f"speed {commands.speed:.0%}"]
        parts += [f"joint {commands.joint + 1} {commands.joints[commands.joint]}"] if commands.joints else []
        parts += [f"gripper {gripper}"] if commands.grippers else []
        if self.recorder:
            parts.append(f"recording, {self.ticks} ticks" if self.state == "recording" else f"recorder {self.state}")
        return " | ".join(parts)

    def close(self) -> None:
        self.rest()
        self.publishers.close()


def reset_words(answer: str) -> str:
    """Return what a reset answered: our simulator tells its start as JSON, another may answer anything."""
    try:
        return f"the simulator is reset to start {json.loads(answer)['start']}"
    except (ValueError, KeyError, TypeError):
        return f"reset: {answer}"
