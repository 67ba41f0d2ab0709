"""Drive a robot with a policy: stamped observations in, limited commands out. Needs no ROS and no torch.

This is no certified safety function: a hardware stop belongs in the circuit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import DeploymentError, MessageError
from imitation_ros.policies.bundle import BundleInfo
from imitation_ros.readiness import (
    silent_fields,
    stale_fields,
    unheld_actions,
    unlike_demonstrations,
    unslowed_actions,
    unstamped_fields,
    unstoppable_actions,
)
from imitation_ros.robot.field import Field
from imitation_ros.robot.limits import CommandLimiter, measuring
from imitation_ros.robot.sampler import SAME_TIME_S, Sample, Sampler
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[np.float64]

GRACE_S = 1.0  # a stale observation for longer than this is a fault, which somebody has to look at
IDLE_KEEP_S = 10.0  # how far back observations are kept while nothing is driven
BAD_ACTIONS = 5  # in a row; one may be a glitch, more are a broken network


class Inference(Protocol):
    """What computes actions; see policies.inference.InferenceProcess."""

    info: BundleInfo

    def request(self, tag: int, observation: Mapping[str, Array]) -> None: ...
    def result(self, timeout_s: float = 0.0) -> tuple[int, dict[str, Array]] | None: ...


class State(Enum):
    INACTIVE = "inactive"
    RUNNING = "running"
    HOLDING = "holding"
    FAULT = "fault"


@dataclass(frozen=True)
class Command:
    """What is to be published for one tick.

    Attributes:
        tick_s: the observation's time, which the command is stamped with [s].
        values: action field name to (width,), physical, within the limits.
        heard_s: monotonic time at which the last observation it rests on arrived [s]; None for a hold.
    """

    tick_s: float
    values: Mapping[str, Array]
    heard_s: float | None = None


class PolicyRunner:
    """Asks the policy at every tick and lets out only what the limits allow; holds when it cannot.

    Args:
        inference: the policy; its spec says what goes in and out.
        spec: the same meaning on this robot's wires (see robot/wiring.py); the policy's own if None.
        lockstep: answer every complete observation, however long it takes (see Sampler).
        speed_scale: share of the velocity limits that is used, in (0, 1].
        check_start: refuse to activate where no demonstration ever was.
    """

    def __init__(
        self,
        inference: Inference,
        spec: RobotSpec | None = None,
        *,
        lockstep: bool = False,
        speed_scale: float = 1.0,
        check_start: bool = True,
    ) -> None:
        if not 0.0 < speed_scale <= 1.0:
            raise DeploymentError(f"speed_scale is {speed_scale:g}; allowed: above 0, at most 1.")
        self.inference, self.spec = inference, spec or inference.info.spec
        if speed_scale < 1.0 and (unslowed := unslowed_actions(self.spec)):
            raise DeploymentError(f"speed_scale is {speed_scale:g}, but " + " ".join(unslowed))
        if lockstep and (unstamped := unstamped_fields(self.spec.observation)):
            raise DeploymentError(" ".join(unstamped))
        self.lockstep, self.check_start = lockstep, check_start
        self.limiter = CommandLimiter(self.spec.action, self.spec.period_s, speed_scale, self.measured)
        self.sampler = Sampler(self.spec.observation, (), self.spec.period_s, self.spec.wait_s, lockstep)
        self.state, self.reason = State.INACTIVE, "not activated yet"
        self.driving = False  # between activate and deactivate; a fault does not end it, and holds
        self.heard_s: dict[str, float] = {}  # monotonic: a frozen /clock must not hide a silent sensor
        self.monotonic_s = -math.inf  # the newest time that is known
        self.last_tick_s = -math.inf
        self.asked: dict[int, tuple[float, float]] = {}  # tag -> tick, heard
        self.tag = 0
        self.ticked_s = -math.inf  # monotonic, when the last tick was closed
        self.told_s = -math.inf  # the tick of the last command that was let out
        self.stale_since_s: float | None = None
        self.unanswered_since_s: float | None = None
        self.bad_actions = 0
        self.counts = {"commands": 0, "limited": 0, "refused": 0, "late": 0, "holds": 0}
        self.latencies_s: deque[float] = deque(maxlen=20_000)

    def put(self, name: str, data: Array, stamp_s: float | None, received_s: float, heard_s: float) -> None:
        """Take an observation; `received_s` is on the ROS clock, `heard_s` on the monotonic one."""
        self.sampler.put(name, data, stamp_s, received_s)
        self.heard_s[name] = self.monotonic_s = heard_s

    def activate(self, now_s: float, monotonic_s: float) -> None:
        """Start driving.

        Raises:
            DeploymentError: says everything that stands against it.
        """
        if self.state is State.FAULT:
            raise DeploymentError(f"there is a fault: {self.reason} Mend it, then call ~/rearm.")
        against = [*unstoppable_actions(self.spec), *unheld_actions(self.spec), *self.silent(monotonic_s)]
        if not against:
            sample = self.sampler.sample(self.complete_tick_s() if self.lockstep else now_s - self.spec.wait_s)
            against = [] if self.lockstep else stale_fields(self.spec, sample)
            if self.check_start:
                against += unlike_demonstrations(self.spec, sample, self.inference.info.ranges)
        if against:
            raise DeploymentError("not activated: " + " ".join(against))
        self.monotonic_s = monotonic_s
        self.stale_since_s, self.unanswered_since_s, self.bad_actions = None, None, 0
        self.limiter.restart()
        if self.lockstep:
            self.last_tick_s = self.complete_tick_s() - self.spec.period_s / 2
        else:
            self.last_tick_s = now_s - self.spec.wait_s
        self.told_s, self.ticked_s = self.last_tick_s, monotonic_s
        self.asked.clear()
        self.driving = True
        self.enter(State.RUNNING, "activated")

    def deactivate(self, reason: str = "deactivated") -> None:
        """Say no more, so that somebody else can drive; a fault stays one."""
        self.driving = False
        self.limiter.restart()  # who drives next leaves the robot elsewhere: the last command must not come back
        if self.state is not State.FAULT:
            self.enter(State.INACTIVE, reason)

    def stop(self) -> None:
        """Hold until `rearm`: works in every state."""
        self.enter(State.FAULT, "stopped by ~/stop.")

    def rearm(self) -> None:
        """Clear a fault; activation is a separate act."""
        if self.state is State.FAULT:
            self.limiter.restart()
            self.enter(State.INACTIVE, "rearmed")

    def enter(self, state: State, reason: str) -> None:
        self.counts["holds"] += state is State.HOLDING and self.state is not State.HOLDING
        self.state, self.reason = state, reason

    def silent(self, monotonic_s: float) -> list[str]:
        ages_s = {field.name: monotonic_s - self.heard_s.get(field.name, -math.inf) for field in self.spec.observation}
        return silent_fields(
            self.spec, ages_s, {field.name: self.heard_limit_s(field) for field in self.spec.observation}
        )

    def heard_limit_s(self, field: Field) -> float:
        """In lock-step the simulator waits for us, so only a field never heard is silent."""
        return math.inf if self.lockstep and field.name in self.heard_s else field.max_age_s + self.spec.period_s

    def complete_tick_s(self) -> float:
        """Return the newest time at which every field has a value."""
        return min(stream.newest_s for stream in self.sampler.observation.values())

    def due_tick_s(self, now_s: float) -> float | None:
        """Return the newest tick that can be closed, if there is one; older ones that were missed are counted."""
        if self.lockstep:
            tick_s = self.complete_tick_s()
            return tick_s if tick_s > self.last_tick_s + SAME_TIME_S else None
        closing_s = now_s - self.spec.wait_s
        if math.isinf(self.last_tick_s):  # stopped before it was ever activated
            self.last_tick_s = closing_s - self.spec.period_s
        if closing_s < self.last_tick_s - self.spec.period_s:  # the clock was set back
            self.last_tick_s = self.told_s = closing_s
            self.limiter.restart()
        due = math.floor((closing_s - self.last_tick_s + SAME_TIME_S) * self.spec.rate_hz)
        if due < 1:
            return None
        self.counts["late"] += due - 1
        return self.last_tick_s + due * self.spec.period_s

    def step(self, now_s: float, monotonic_s: float, wait_s: float = 0.0) -> list[Command]:
        """Close the tick that is due, ask the policy, and return what is to be published now.

        Args:
            now_s: on the ROS clock [s]; monotonic_s: on the monotonic clock [s].
            wait_s: how long the answer may be waited for here [s].
        """
        self.monotonic_s = monotonic_s
        if not self.driving or self.state is State.INACTIVE:
            self.sampler.forget_before(now_s - IDLE_KEEP_S)
            return []
        try:
            commands = self.advance(now_s, monotonic_s, wait_s)
        except DeploymentError as error:  # inference has ended, or takes no more questions
            self.enter(State.FAULT, str(error))
            commands = [self.hold(self.last_tick_s)]
        self.told_s = max([self.told_s, *(command.tick_s for command in commands)])
        return commands

    def advance(self, now_s: float, monotonic_s: float, wait_s: float) -> list[Command]:
        tick_s = self.due_tick_s(now_s)
        if tick_s is None:
            return self.between_ticks(now_s, monotonic_s)
        if tick_s - self.last_tick_s > max(GRACE_S, 1.5 * self.spec.period_s):
            self.limiter.restart()  # time went on without us, and who knows what was done meanwhile
        elif tick_s - self.last_tick_s > 1.5 * self.spec.period_s:
            self.limiter.ramp_in()
        self.last_tick_s, self.ticked_s = tick_s, monotonic_s
        sample = self.sampler.sample(tick_s)
        if not self.may_run(sample, monotonic_s):
            return [self.hold(tick_s)]
        try:
            self.ask(sample)
        except MessageError as error:  # an image that cannot be decoded: what is seen is not known
            self.doubt(str(error), monotonic_s)
            return [self.hold(tick_s)]
        commands = self.answers(wait_s, monotonic_s)
        return commands or self.unanswered(tick_s, monotonic_s)

    def between_ticks(self, now_s: float, monotonic_s: float) -> list[Command]:
        """Return late answers; hold at once when a sensor falls silent, also while the ROS clock stands still."""
        if self.state is State.FAULT:
            return []
        words = " ".join(self.silent(monotonic_s))
        if not words and not self.lockstep and monotonic_s - self.ticked_s > GRACE_S:
            words = f"the ROS clock has not gone on for {monotonic_s - self.ticked_s:.1f} s: `ros2 topic hz /clock`."
        if not words:
            return self.answers(0.0, monotonic_s)
        ran = self.state is State.RUNNING
        self.doubt(words, monotonic_s)
        return [self.hold(max(now_s, self.last_tick_s))] if ran else []

    def unanswered(self, tick_s: float, monotonic_s: float) -> list[Command]:
        """Hold when the policy let more than a tick go by without an answer; a fault if it goes on like that."""
        if self.lockstep or self.state is not State.RUNNING or tick_s - self.told_s < 1.5 * self.spec.period_s:
            return []
        since_s = self.unanswered_since_s = monotonic_s if self.unanswered_since_s is None else self.unanswered_since_s
        if monotonic_s - since_s > GRACE_S:
            self.enter(State.FAULT, f"the policy gave no answer in time for more than {GRACE_S:.1f} s.")
        return [self.hold(tick_s)]

    def may_run(self, sample: Sample, monotonic_s: float) -> bool:
        """Whether the sample is fit to act on; changes to holding, running or fault accordingly."""
        if self.state is State.FAULT:
            return False
        silent = self.silent(monotonic_s)
        if not silent and not sample.stale:
            if self.state is State.HOLDING:
                self.enter(State.RUNNING, "every observation is fresh again")
            self.stale_since_s = None
            return True
        self.doubt(" ".join(silent or stale_fields(self.spec, sample)), monotonic_s)
        return False

    def doubt(self, words: str, monotonic_s: float) -> None:
        """Hold from now on, because of `words`; a fault if that was so for longer than the grace time."""
        self.stale_since_s = monotonic_s if self.stale_since_s is None else self.stale_since_s
        if monotonic_s - self.stale_since_s > GRACE_S:
            self.enter(State.FAULT, f"held for more than {GRACE_S:.1f} s: {words}")
        else:
            self.enter(State.HOLDING, words)

    def ask(self, sample: Sample) -> None:
        self.tag += 1
        self.asked[self.tag] = (sample.tick_s, max(self.heard_s.values()))
        self.inference.request(self.tag, sample.values)

    def answers(self, wait_s: float, monotonic_s: float) -> list[Command]:
        """Return commands for the answers that are there; one too late is dropped and counted."""
        commands = []
        while self.asked:
            answer = self.inference.result(wait_s)
            if answer is None:
                break
            tag, action = answer
            if tag not in self.asked:
                continue  # asked for before an activation
            tick_s, heard_s = self.asked.pop(tag)
            if self.state is not State.RUNNING:
                continue
            if tick_s < self.last_tick_s - SAME_TIME_S:
                self.counts["late"] += 1
                continue
            commands.append(self.checked(tick_s, action, heard_s))
        return commands

    def checked(self, tick_s: float, action: Mapping[str, Array], heard_s: float) -> Command:
        """Return the policy's action within the limits, or a hold if it is not finite, or no rotation."""
        try:
            if not all(np.isfinite(values).all() for values in action.values()):
                raise MessageError("they are not finite.")
            values = self.limiter.limit(action)
        except MessageError as error:
            self.counts["refused"] += 1
            self.bad_actions += 1
            if self.bad_actions >= BAD_ACTIONS:
                self.enter(State.FAULT, f"the policy gave {self.bad_actions} bad actions in a row: {error}")
            return self.hold(tick_s)
        self.bad_actions, self.unanswered_since_s = 0, None
        continuous = [field.name for field in self.spec.action if field.kind == "continuous"]
        self.counts["limited"] += any(np.abs(values[name] - action[name]).max() > 1e-6 for name in continuous)
        self.counts["commands"] += 1
        return Command(tick_s, values, heard_s)

    def measured(self, field: Field) -> Array | None:
        """Return where the very joints are that a position action commands, if somebody said so lately."""
        for observation in measuring(self.spec.observation, field):
            values = self.sampler.observation[observation.name].values
            age_s = self.monotonic_s - self.heard_s.get(observation.name, -math.inf)
            if values and age_s <= self.heard_limit_s(observation):
                return values[-1].data
        return None

    def hold(self, tick_s: float) -> Command:
        """Return what keeps the robot where it is."""
        return Command(tick_s, self.limiter.hold())
