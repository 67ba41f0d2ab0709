"""What a person wishes, as axes from -1 to 1 and events, to commands of a setup: the same for every device.

A velocity (or a relative action) is the wish times the scale, zero where nobody wishes anything. An
absolute position goes on from where the robot is measured, no faster than its limit, so that it never
jumps, and waits for a robot that does not follow. A gripper is open or closed, and unknown until somebody says which.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.limits import NEAR_S, limited, measuring
from imitation_ros.robot.messages import COMPONENTS
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[np.float64]

CHOSEN_JOINT = "chosen_joint"
"""The axis that moves the chosen joint: a device has fewer axes than an arm has joints."""
TWIST = COMPONENTS["geometry_msgs/msg/Twist"] or ()
SPEEDS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)  # shares of the scale
EPISODE_EVENTS = ("start", "stop", "success", "failure", "discard", "reset")
HAND_EVENTS = ("gripper", "faster", "slower", "next_joint", "previous_joint")
EVENTS = (*EPISODE_EVENTS, *HAND_EVENTS)
"""What a key or a button can ask for beside motion."""


class Commands:
    """Turns wishes into commands of a setup's action fields.

    Args:
        spec: whose actions are commanded.
        speed: share of the scale to begin with, one of SPEEDS.

    Attributes:
        joints: the numbers that are no part of a twist, of which one at a time is chosen.
        gripper_open: None until somebody said so.

    Raises:
        SpecError: an action that a person cannot give by axes, such as an effort.
    """

    def __init__(self, spec: RobotSpec, speed: float) -> None:
        if refused := refusals(spec):
            raise SpecError(" ".join(refused))
        self.period_s, self.speed = spec.period_s, speed
        self.grippers = [field for field in spec.action if field.kind == "binary"]
        self.moved = [field for field in spec.action if field.kind != "binary"]
        self.integrated = {field.name: where(spec, field) for field in self.moved if is_integrated(field)}
        self.names = tuple(chain.from_iterable(field.names for field in self.moved))
        self.joints = tuple(name for name in self.names if name not in TWIST)
        self.joint = 0
        self.gripper_open: bool | None = None
        self.targets: dict[str, Array] = {}
        self.problem = ""

    def handle(self, event: str) -> None:
        """Do what one of HAND_EVENTS asks for, or `joint 3`: choose the third joint."""
        if event == "gripper":
            self.gripper_open = self.gripper_open is False  # who never said anything probably has it open
        elif event in ("faster", "slower"):
            index = SPEEDS.index(self.speed) + (1 if event == "faster" else -1)
            self.speed = SPEEDS[min(max(index, 0), len(SPEEDS) - 1)]
        elif self.joints and event in ("next_joint", "previous_joint"):
            self.joint = (self.joint + (1 if event == "next_joint" else -1)) % len(self.joints)
        elif event.startswith("joint "):
            self.joint = min(int(event.split()[1]), max(len(self.joints), 1)) - 1

    def command(self, axes: Mapping[str, float], measured: Mapping[str, Array]) -> dict[str, Array]:
        """Return field name to command, (width,), for one period.

        Args:
            axes: component (or CHOSEN_JOINT) to wish; NaN is none, beyond 1 is 1.
            measured: observation field to where the robot is; only those that are fresh.
        """
        self.problem = ""
        values = {field.name: self.gripper(field) for field in self.grippers if self.gripper_open is not None}
        for field in self.moved:
            wish = np.array([self.wish(name, axes) for name in field.names]) * self.speed
            if field.name not in self.integrated:
                values[field.name] = at_rate(field, wish, self.period_s)
            elif self.find_target(field, measured):
                position = measured.get(self.integrated[field.name])
                values[field.name] = self.targets[field.name] = self.moved_on(field, wish, position)
        return values

    def moved_on(self, field: Field, wish: Array, position: Array | None) -> Array:
        """Return the target of one period later; it stays where it is while the robot is silent, or far behind it."""
        start, speed = self.targets[field.name], np.array(field.limits.velocity)
        if position is None:
            self.problem = self.silent(field)
            return start
        moved = limited(field, start + wish * speed * self.period_s, start, self.period_s, 1.0)
        behind = np.abs(moved - position)
        lost = (behind > NEAR_S * speed) & (behind > np.abs(start - position))
        for index in np.flatnonzero(lost)[:1]:
            self.problem = (
                f"{field.name!r} waits: {field.names[index]} is at {position[index]:.3f} and does not follow to "
                f"{start[index]:.3f}; is the robot blocked or switched off?"
            )
        return np.where(lost, start, moved)

    def silent(self, field: Field) -> str:
        return f"{field.name!r} is not moved: {self.integrated[field.name]!r} is silent"

    def rest(self) -> dict[str, Array]:
        """Return what ends every motion; positions begin anew from where the robot is measured."""
        values = {field.name: np.zeros(field.width) for field in self.moved if field.name not in self.integrated}
        values.update(self.targets)
        self.targets = {}
        return values

    def wish(self, name: str, axes: Mapping[str, float]) -> float:
        value = axes.get(name, 0.0)
        if self.joints and name == self.joints[self.joint]:
            value = axes.get(CHOSEN_JOINT, 0.0) or value
        return 0.0 if math.isnan(value) else min(max(value, -1.0), 1.0)

    def gripper(self, field: Field) -> Array:
        low, high = field.scale
        return high if self.gripper_open else low

    def find_target(self, field: Field, measured: Mapping[str, Array]) -> bool:
        """Begin a position where the robot is; return whether that is possible."""
        if field.name in self.targets:
            return True
        position = measured.get(self.integrated[field.name])
        if position is None:
            self.problem = self.silent(field)
            return False
        low, high = field.scale
        inside = np.clip(position, low, high)
        far = np.abs(position - inside) > np.array(field.limits.velocity) * self.period_s
        for index in np.flatnonzero(far)[:1]:
            self.problem = (
                f"{field.name!r} is not moved: {field.names[index]} is at {position[index]:.3f}, outside the scale, "
                f"{low[index]:g} to {high[index]:g}; move it there by other means"
            )
            return False
        self.targets[field.name] = inside
        return True


def is_integrated(field: Field) -> bool:
    return field.quantity == "position" and not field.relative


def at_rate(field: Field, wish: Array, period_s: float) -> Array:
    """Return a wish, (width,) within -1 to 1, as a velocity or a difference within the scale."""
    low, high = field.scale
    value = np.where(wish > 0.0, wish * high, -wish * low)
    return value if field.quantity == "position" else limited(field, value, None, period_s, 1.0)


def where(spec: RobotSpec, action: Field) -> str:
    """Return the observation that says where a position is; empty where none does, or two arms' might."""
    says = measuring(spec.observation, action)
    return says[0].name if len({field.topic for field in says}) == 1 else ""


def refusals(spec: RobotSpec) -> list[str]:
    """Name the actions that a person cannot give by keys or sticks, and what to do about each."""
    lines = []
    moved = [field for field in spec.action if field.kind == "continuous"]
    for field in spec.action:
        if field.kind in ("category", "image") or field.quantity == "effort":
            what = "an effort" if field.quantity == "effort" else f"of kind {field.kind}"
            lines.append(f"{field.name!r} is {what}, which neither keys nor sticks give: leave it out ({field.file}).")
        elif field.type == "sensor_msgs/msg/Joy":
            lines.append(f"{field.name!r} is what a joystick says itself: record its topic as it is ({field.file}).")
        elif field.kind == "continuous" and is_integrated(field):
            if not where(spec, field) or field.limits.velocity is None:
                lines.append(
                    f"{field.name!r} is an absolute position. To move it from where the robot is, an observation has "
                    f"to say where that is ({', '.join(field.names)} with quantity: position), and limits: {{velocity: "
                    f"...}} how fast it may go ({field.file})."
                )
        elif field.kind == "continuous" and ((field.scale[0] > 0.0) | (field.scale[1] < 0.0)).any():
            lines.append(f"{field.name!r} has a scale without 0, so it cannot rest: mend it in {field.file}.")
    names = [name for field in moved for name in field.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or sum(field.kind == "binary" for field in spec.action) > 1:
        lines.append(
            f"{spec.name} has {', '.join(twice) or 'a gripper'} more than once, and one person's one device moves one "
            f"robot: choose a setup with one arm's actions."
        )
    return lines
