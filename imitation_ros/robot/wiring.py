"""One meaning on other wires: a policy's spec with another cell's topics, prefixes and time-outs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Field, Limits, Numbers
from imitation_ros.robot.messages import JOINTED
from imitation_ros.robot.spec import RobotSpec

WIRES = ("topic", "type", "executed_topic", "part", "joint_prefix", "frame_prefix", "stamp")
TIMES = ("max_age_s", "timeout_s", "downstream_timeout_s", "time_from_start_s")
WIRING = (*WIRES, *TIMES)
"""The words of a field that may differ between data, policy and robot; the rest is meaning, limits or storage."""


def with_prefix(spec: RobotSpec, prefix: str) -> RobotSpec:
    """Return a spec whose joints and frames stand behind a prefix in messages, as a xacro's `prefix` names them.

    A prefix that a field has already stays behind it. Where only one of the two is prefixed, say so in a setup file.
    """

    def prefixed(field: Field) -> Field:
        joints = prefix + field.joint_prefix if field.type in JOINTED else field.joint_prefix
        frames = field.frame_prefix if field.frame is None else prefix + field.frame_prefix
        return replace(field, joint_prefix=joints, frame_prefix=frames)

    return with_fields(spec, prefixed)


def rewired(spec: RobotSpec, setup: RobotSpec) -> RobotSpec:
    """Return a policy's spec with a setup's wiring, and the tighter limits of both.

    Raises:
        SpecError: the two do not mean the same, or no command is within the limits of both.
    """
    differences = spec.differences(setup)
    if differences:
        raise SpecError(
            f"{setup.name} means something else than the policy of {spec.name}, policy != setup: "
            f"{'; '.join(differences)}. Mend the setup, or record and train anew with it; `imitation-ros info` shows "
            f"either."
        )

    def rewire(field: Field) -> Field:
        other = setup.field(field.name)
        wiring = {word: getattr(other, word) for word in WIRING}
        return replace(field, **wiring, limits=tighter(field, other), file=other.file)

    return replace(with_fields(spec, rewire), robot=setup.robot, wait_s=setup.wait_s)


def wiring_differences(mine: RobotSpec, theirs: RobotSpec) -> list[str]:
    """Return a line per difference in wiring of the fields that both have, 'what: mine != theirs'."""
    lines = [] if mine.wait_s == theirs.wait_s else [f"wait_s: {mine.wait_s} != {theirs.wait_s}"]
    others = {field.name: field for field in theirs.fields}
    for field in mine.fields:
        for word in WIRING if field.name in others else ():
            here, there = getattr(field, word), getattr(others[field.name], word)
            if here != there:
                lines.append(f"{field.name}.{word}: {here or 'none'} != {there or 'none'}")
    return lines


def tighter(one: Field, other: Field) -> Limits:
    """Return the limits that obey both."""
    limits = Limits(
        position_low=nearest(max, one.limits.position_low, other.limits.position_low),
        position_high=nearest(min, one.limits.position_high, other.limits.position_high),
        velocity=nearest(min, one.limits.velocity, other.limits.velocity),
        acceleration=nearest(min, one.limits.acceleration, other.limits.acceleration),
    )
    for name, low, high in zip(one.names, limits.position_low or (), limits.position_high or (), strict=False):
        if low >= high:
            raise SpecError(
                f"{one.name!r}: the policy's limits and those of {other.file} leave no position for {name}: "
                f"{low:g} to {high:g}. Mend `limits` in {other.file}."
            )
    return limits


def nearest(choose: Callable[[float, float], float], one: Numbers | None, other: Numbers | None) -> Numbers | None:
    if one is None or other is None:
        return one or other
    return tuple(choose(a, b) for a, b in zip(one, other, strict=True))


def with_fields(spec: RobotSpec, change: Callable[[Field], Field]) -> RobotSpec:
    return replace(
        spec,
        observation=tuple(change(field) for field in spec.observation),
        action=tuple(change(field) for field in spec.action),
    )
