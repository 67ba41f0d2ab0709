"""What stands against letting a policy drive a robot now, a line of words each. Needs no ROS and no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.robot.field import Field
from imitation_ros.robot.limits import measuring
from imitation_ros.robot.messages import STAMPED
from imitation_ros.robot.sampler import CLOCK_S, Sample
from imitation_ros.robot.spec import RobotSpec

START_MARGIN = 0.1  # of a number's demonstrated range, beyond which a start is unlike every demonstration
START_FLOOR = 0.02  # in the field's unit: a number that was constant in the data may still differ a little


def unstoppable_actions(spec: RobotSpec) -> list[str]:
    """A velocity that nobody stops when the policy node dies goes on for ever."""
    return [
        f"{field.name!r} is a velocity and has no downstream_timeout_s: nobody would stop the robot if this node "
        f"died. Find out after how long the robot stops by itself, and write it into {field.file}."
        for field in spec.action
        if field.quantity == "velocity" and field.downstream_timeout_s is None
    ]


def unheld_actions(spec: RobotSpec) -> list[str]:
    """Name the actions that could not be held or begun without a motion that nobody chose."""
    lines = []
    for field in spec.action:
        if field.relative or field.quantity == "effort":
            what = "relative" if field.relative else "an effort"
            lines.append(f"{field.name!r} is {what}, and repeating it would not hold the robot: it is not driven.")
        elif field.kind == "continuous" and field.quantity == "position" and field.limits.velocity is not None:
            says = measuring(spec.observation, field)
            if len({observation.topic for observation in says}) > 1:
                both = " and ".join(repr(observation.name) for observation in says)
                lines.append(
                    f"{field.name!r} is a position of joints that {both} name alike, and the first command could start "
                    f"at those of another arm: tell them apart by `part` or `joint_prefix` ({field.file})."
                )
            if not says:
                lines.append(
                    f"{field.name!r} is a position with a velocity limit, and no observation says where it is now: the "
                    f"first command could jump. Observe {', '.join(field.joint_names)} too ({field.file})."
                )
    return lines


def unramped_actions(spec: RobotSpec) -> list[str]:
    """Name the positions that no limit keeps from a jump; not refused, since some drivers limit by themselves."""
    return [
        f"{field.name!r} is a position without a velocity limit, so any command may be a jump: add limits: "
        f"{{velocity: ...}} in {field.file}, unless the driver limits it."
        for field in spec.action
        if field.kind == "continuous" and field.quantity == "position" and field.limits.velocity is None
    ]


def unslowed_actions(spec: RobotSpec) -> list[str]:
    """Name the actions that no speed_scale can slow down."""
    return [
        f"{field.name!r} has no velocity limit to take a share of: add limits: {{velocity: ...}} in {field.file}."
        for field in spec.action
        if field.kind == "continuous" and field.limits.velocity is None
    ]


def unstamped_fields(fields: Sequence[Field]) -> list[str]:
    """Name the observations that cannot say which tick they are from, as lock-step needs."""
    return [
        f"{field.name!r} ({field.type}) says not when it is from, so lock-step cannot tell its tick: take a type with "
        f"a header, or `stamp: header` ({field.file})."
        for field in fields
        if field.type not in STAMPED or field.stamp == "received"
    ]


def stale_fields(spec: RobotSpec, sample: Sample) -> list[str]:
    """Say how old the stale fields of a sample are."""
    lines = []
    for name in sample.stale:
        field = spec.field(name)
        age_s = sample.tick_s - sample.stamps_s.get(name, -math.inf)
        clock = " Its stamps are of another clock: set use_sim_time as its publisher does." if age_s > CLOCK_S else ""
        lines.append(f"{name!r} ({field.topic}) is {age_s:.2f} s old; the limit is {field.max_age_s:.2f} s.{clock}")
    return lines


def silent_fields(spec: RobotSpec, ages_s: Mapping[str, float], limits_s: Mapping[str, float]) -> list[str]:
    """Name the observation fields that were not heard for longer than allowed.

    Args:
        ages_s: field name to how long ago it arrived, on the monotonic clock [s]; inf: never.
        limits_s: field name to how long ago that may be [s].
    """
    lines = []
    for field in spec.observation:
        age_s = ages_s[field.name]
        if age_s > limits_s[field.name] or math.isinf(age_s):
            heard = "was never heard" if math.isinf(age_s) else f"was last heard {age_s:.2f} s ago"
            lines.append(f"{field.name!r} ({field.topic}) {heard}: `ros2 topic hz {field.topic}`.")
    return lines


def unlike_demonstrations(
    spec: RobotSpec, sample: Sample, ranges: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]
) -> list[str]:
    """Name the fields that lie outside what was demonstrated, by more than a margin.

    Args:
        ranges: field name to lowest and highest, (width,) each.
    """
    lines = []
    for name, (low, high) in ranges.items():
        if name not in sample.values or spec.field(name).is_image:
            continue
        margin = np.maximum(START_MARGIN * (high - low), START_FLOOR)
        outside = (sample.values[name] < low - margin) | (sample.values[name] > high + margin)
        for index in np.flatnonzero(outside)[:1]:
            lines.append(
                f"{name!r} starts at {sample.values[name][index]:.3f} ({spec.field(name).names[index]}); the "
                f"demonstrations lie within {low[index]:.3f} to {high[index]:.3f}. Move the robot there, or set "
                f"check_start to false."
            )
    return lines
