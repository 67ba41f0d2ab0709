"""Simulate a robot: commands in, observations and /clock out; waits for each command, or keeps real time."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
from PIL import Image
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String
from std_srvs.srv import Trigger

from imitation_ros.envs.environment import PURPOSES
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.errors import DeploymentError, SpecError, did_you_mean
from imitation_ros.recording import EXECUTED, executed_fields
from imitation_ros.robot.sampler import SAME_TIME_S, Sampler
from imitation_ros.ros.clock import CLOCK_QOS
from imitation_ros.ros.live_view import LiveView
from imitation_ros.ros.node import Parameters, overrides, parameter, required, spin
from imitation_ros.ros.topics import LATCHED, FieldPublishers, FieldSubscriptions, steady_timer, to_stamp

REPEAT_S = 0.5  # the observation is published again while nobody answers, for who joins late
LEAP_S = 1.0  # that /clock advances at a reset, so that nothing of the last episode looks fresh
FILM_EVERY = 2  # ticks
ALONE_AFTER_S = 5.0  # of start: who hears another simulator's /clock by then is the newcomer, and ends


class SimulatorNode(Node):
    """A setup's robot, scene and task behind the topics of its spec.

    `~/reset` starts the next episode; `~/episode` (latched, JSON) says how the last one ended; `~/view` shows the
    robot to who subscribes.
    """

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("simulator", parameter_overrides=overrides(parameters))
        setup = required(self, "setup", "a name in config/setups, or the path of a setup")
        disturbance = parameter(self, "disturbance", False, "add the scene's noise to what is executed")
        randomisation = parameter(self, "randomisation", False, "vary every episode as the scene says")
        window = parameter(self, "gui", False, "show a window; needs a display")
        self.lockstep = parameter(self, "lockstep", False, "step only after a command for the current tick")
        factor = parameter(self, "real_time_factor", 1.0, "simulated seconds per second, without lockstep")
        self.seed = parameter(self, "seed", 0, "of the starts")
        self.purpose = parameter(self, "purpose", "train", "of the starts: train, validation, test or rollout")
        self.next_start = parameter(self, "first_start", 0, "number of the first start")
        self.stall_s = parameter(self, "stall_s", 30.0, "give up when no command comes for so long (lockstep) [s]")
        self.film = parameter(self, "film", "", "write an animated GIF of each of the first episodes into this folder")
        self.films = parameter(self, "films", 3, "how many episodes are filmed")
        self.check_parameters(factor)
        self.env = RobotEnv(setup, disturbance=disturbance, randomisation=randomisation)
        self.spec = self.env.robot_spec
        self.tick = round(LEAP_S * self.spec.rate_hz)  # time 0 would be an empty stamp
        self.running = False
        self.queues = {field.name: deque() for field in self.spec.action}
        self.commands = Sampler((), self.spec.action, self.spec.period_s, wait_s=0.0)
        self.frames: list[Image.Image] = []
        self.latencies_s: list[float] = []
        self.published_s = time.monotonic()
        self.observations = FieldPublishers(self, self.spec.observation)
        self.executed = FieldPublishers(self, executed_fields(self.spec))
        self.view = LiveView(self, self.env, window)
        self.clock = self.create_publisher(Clock, "/clock", 10)
        self.episode = self.create_publisher(String, "~/episode", LATCHED)
        self.told_s: deque[float] = deque(maxlen=200)  # on /clock, lately
        self.others = self.create_subscription(Clock, "/clock", self.hear_clock, CLOCK_QOS)
        self.topics = FieldSubscriptions(self, (), self.receive, optional=self.spec.action)
        self.create_service(Trigger, "~/reset", self.reset)
        self.repeated_s = time.monotonic()
        self.commanders: dict[str, int] = {}
        steady_timer(self, 0.1, self.watch)
        if not self.lockstep:
            steady_timer(self, self.spec.period_s / factor, self.advance)
            self.running = True
        self.ready_s = time.monotonic()
        self.publish()
        waits = "lock-step: ~/reset begins an episode"
        self.get_logger().info(f"ready: {self.spec.name}, {waits if self.lockstep else f'{factor:g} x real time'}")

    def check_parameters(self, factor: float) -> None:
        if not 0.001 <= factor <= 1000.0:
            raise SpecError(f"real_time_factor is {factor:g}; it should be from 0.001 to 1000.")
        for word, number in (("seed", self.seed), ("first_start", self.next_start)):
            if number < 0:
                raise SpecError(f"{word} is {number}; it should be at least 0.")
        if self.purpose not in PURPOSES:
            hint = did_you_mean(self.purpose, PURPOSES)
            raise SpecError(f"purpose is {self.purpose!r}; allowed: {', '.join(PURPOSES)}.{hint}")

    @property
    def time_s(self) -> float:
        return self.tick * self.spec.period_s

    def reset(self, _: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        start, self.next_start = self.next_start, self.next_start + 1
        self.env.reset(seed=self.seed, options={"start": start, "purpose": self.purpose})
        self.tick += round(LEAP_S * self.spec.rate_hz)
        self.commands.clear_commands()
        self.running = True
        self.frames, self.latencies_s = [], []
        self.publish()
        answer.success, answer.message = True, json.dumps({"start": start, "stamp_s": self.time_s})
        return answer

    def receive(self, name: str, data: np.ndarray, stamp_s: float | None, received_s: float, heard_s: float) -> None:
        if not self.lockstep:
            self.commands.put(name, data, None, self.time_s)
            return
        # one command per tick on every topic: the n-th of each belong together, and the header says which tick
        self.queues[name].append((data, stamp_s, heard_s))
        while all(self.queues.values()):
            row = {field: queue.popleft() for field, queue in self.queues.items()}
            stamps = {stamp_s for _, stamp_s, _ in row.values() if stamp_s is not None}
            if self.running and all(abs(stamp_s - self.time_s) < SAME_TIME_S for stamp_s in stamps):
                if self.env.ticks > 0:  # the first answer also waits for somebody to begin
                    self.latencies_s.append(max(heard_s for _, _, heard_s in row.values()) - self.published_s)
                self.step({field: data for field, (data, _, _) in row.items()})

    def advance(self) -> None:
        """Step with the commands in force now; in real time nobody is waited for."""
        commands = {field.name: self.commands.command(field.name, self.time_s) for field in self.spec.action}
        resting = self.env.motors.resting()  # until somebody commands something
        self.step({name: resting[name] if c.data is None else c.data for name, c in commands.items()})

    def step(self, action: dict[str, np.ndarray]) -> None:
        executed = self.env.apply(action)
        told = {name + EXECUTED: values for name, values in executed.items()}
        self.executed.publish({name: told[name] for name in self.executed.fields}, self.time_s)
        self.tick += 1
        self.photograph()
        self.publish()
        if self.lockstep and self.env.time_is_up:
            self.finish()

    def finish(self) -> None:
        """Say how the episode ended, and stand still until the next reset."""
        self.running = False
        start = self.next_start - 1
        ended = {"start": start, "success": self.env.success, "ticks": self.env.ticks, "latencies_s": self.latencies_s}
        self.episode.publish(String(data=json.dumps(ended)))
        how = "success" if self.env.success else "no success"
        self.get_logger().info(f"start {start}: {how} after {self.env.ticks} ticks; ~/reset begins the next")
        if self.frames:
            path = Path(self.film) / f"{self.purpose}_{start:06d}.gif"
            path.parent.mkdir(parents=True, exist_ok=True)
            period_ms = round(1000 * FILM_EVERY * self.spec.period_s)
            self.frames[0].save(path, save_all=True, append_images=self.frames[1:], duration=period_ms, loop=0)
            self.films -= 1

    def photograph(self) -> None:
        if self.film and self.films > 0 and self.env.ticks % FILM_EVERY == 1:
            self.frames.append(Image.fromarray(self.env.picture(320, 240)))

    def publish(self) -> None:
        self.published_s = time.monotonic()
        self.show()

    def show(self) -> None:
        """Publish the time and what is observed."""
        self.repeated_s = time.monotonic()
        self.told_s.append(self.time_s)
        self.clock.publish(Clock(clock=to_stamp(self.time_s)))
        self.observations.publish(self.env.observe(), self.time_s)

    def hear_clock(self, message: Clock) -> None:
        """Refuse to be the second simulator; one that was killed may still be in the graph, but says nothing."""
        heard_s = message.clock.sec + 1e-9 * message.clock.nanosec
        if all(abs(heard_s - told_s) > SAME_TIME_S for told_s in self.told_s):
            domain = os.environ.get("ROS_DOMAIN_ID", "0")
            raise DeploymentError(
                f"another simulator runs in this ROS_DOMAIN_ID ({domain}): /clock says {heard_s:.2f} s, and the time "
                f"here is {self.time_s:.2f} s. End it, or give this one a ROS_DOMAIN_ID of its own; "
                f"`ros2 topic info -v /clock`."
            )

    def watch(self) -> None:
        """In lock-step: repeat time and observation for who joins late, and give up when nobody answers."""
        waited_s = time.monotonic() - self.published_s
        if self.others is not None and time.monotonic() - self.ready_s > ALONE_AFTER_S:
            self.destroy_subscription(self.others)
            self.others = None
        if not self.lockstep:
            return
        self.forget_the_dead()
        if time.monotonic() - self.repeated_s > REPEAT_S:
            self.show()
        if self.running and waited_s > self.stall_s:
            got = ", ".join(name for name, queue in self.queues.items() if queue) or "none"
            raise DeploymentError(
                f"no complete command for time {self.time_s:.2f} s came within {self.stall_s:.0f} s (arrived: {got}). "
                f"In lock-step every action topic needs one message per tick, stamped like the observation. "
                f"{' '.join(self.topics.problems_of(self.spec.action))}"
            )

    def forget_the_dead(self) -> None:
        """Drop half a command whose other half will never come, when who sent it has gone."""
        commanders = {topic: self.count_publishers(topic) for topic in self.topics.fields_of}
        if any(count < self.commanders.get(topic, 0) for topic, count in commanders.items()):
            for queue in self.queues.values():
                queue.clear()
        self.commanders = commanders

    def close(self) -> None:
        self.view.close()
        self.env.close()


def main() -> None:
    sys.exit(spin(SimulatorNode))


if __name__ == "__main__":
    main()
