"""The words of a drafted field: unit, age, stamp, scale, limits, from what was seen; TODO where a person decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from imitation_ros.drafting.fields import Draft, DraftField
from imitation_ros.robot.messages import COMPONENTS, QUANTITIES, STAMPED
from imitation_ros.robot.rotations import ROTATIONS
from imitation_ros.robot.sampler import FUTURE_S, PAST_S
from imitation_ros.topic_facts import TRAJECTORY

Array = NDArray[np.float64]

FRAMED = {  # types whose numbers mean nothing without their frame
    "geometry_msgs/msg/PoseStamped",
    "geometry_msgs/msg/TwistStamped",
    "geometry_msgs/msg/WrenchStamped",
    "nav_msgs/msg/Odometry",
    "sensor_msgs/msg/Imu",
    "sensor_msgs/msg/LaserScan",
}
UNITS = {
    "geometry_msgs/msg/Pose": "m",
    "geometry_msgs/msg/PoseStamped": "m",
    "geometry_msgs/msg/Twist": "m/s, rad/s",
    "geometry_msgs/msg/TwistStamped": "m/s, rad/s",
    "geometry_msgs/msg/WrenchStamped": "N, Nm",
    "sensor_msgs/msg/Imu": "rad/s, m/s^2",
    "nav_msgs/msg/Odometry": "m, m/s, rad/s",
    "sensor_msgs/msg/LaserScan": "m",
}
SLIDES = ("finger", "gripper", "slide", "prismatic")
JOINT_UNITS = {"position": "rad", "velocity": "rad/s", "effort": "Nm"}
STILL = {"m/s, rad/s": (0.1, 0.1, 0.1, 0.5, 0.5, 0.5)}  # how fast a twist may be that nobody gave yet
LEAST_AGE_S = 0.05  # a busy machine delays any message by as much
EVENT_HZ = 1.0  # what comes more seldom comes when something happens, not at a rate
ACCELERATE_S = 0.5  # to full speed, where nobody says
ORDER = ("topic", "executed_topic", "type", "quantity", "names", "beams", "shape", "rotation", "frame", "kind", "unit")


def complete(draft: Draft) -> None:
    """Fill in what follows from the messages, and mark what a person has to decide."""
    tie_executed(draft)
    for item in draft.fields:
        if item.words["type"] in FRAMED:
            add_frame(item)
        add_unit(item)
        if item.role in ("action", "candidate"):
            add_command(item)
        else:
            add_age(item)
        trouble = clock_trouble(item)
        if trouble:
            item.words["stamp"], item.comments["stamp"] = "received", trouble
        latency = item.timing.latency_s()
        if latency is not None and not trouble and abs(latency[1]) > 0.02:
            item.notes.append(f"# stamps are {latency[1]:.3f} s old on arrival")
        item.words = {word: item.words[word] for word in (*ORDER, *item.words) if word in item.words}


def tie_executed(draft: Draft) -> None:
    """Make a topic that says what was executed part of the action of its type, beside it or alone."""
    for told in [item for item in draft.fields if "executed" in item.words["topic"]]:
        actions = [item for item in draft.of("action") if item.words["type"] == told.words["type"]]
        folder = PurePosixPath(told.words["topic"]).parent
        near = [item for item in actions if PurePosixPath(item.words["topic"]).parent == folder]
        for action in (near or actions)[:1]:
            action.words.setdefault("executed_topic", told.words["topic"])
            action.comments.setdefault("executed_topic", "what the robot was told after noise or limits")
            draft.fields.remove(told)


def names_of(item: DraftField) -> Sequence[str]:
    if item.numbers is not None:
        return item.numbers.field.names
    return item.words.get("names") or COMPONENTS[item.words["type"]] or ()


def quantity_of(item: DraftField) -> str:
    return str(item.words.get("quantity", QUANTITIES.get(item.words["type"], "position")))


def add_frame(item: DraftField) -> None:
    if item.topic.frame:
        item.words["frame"] = item.topic.frame
    named = [frame for frame in item.topic.frames if frame]
    if len(named) > 1:
        found = ", ".join(repr(frame) for frame in named)
        item.comments["frame"] = f"TODO: its messages are in {found}; they must be in one"
    elif not named:
        item.notes.append("# TODO: frame: its messages name none; write the tf frame of its numbers")


def add_unit(item: DraftField) -> None:
    kind = item.words["type"]
    if COMPONENTS[kind] is None and kind.endswith(("JointState", "JointTrajectory", "JointJog")):
        item.words["unit"] = JOINT_UNITS[quantity_of(item)]
        if item.words["unit"] == "rad" and any(word in name for name in names_of(item) for word in SLIDES):
            item.comments["unit"] = "sliding joints, as of many grippers, are in m: make them a field of their own"
    elif kind in UNITS:
        item.words["unit"] = UNITS[kind]
    elif kind.startswith("std_msgs/msg/Float64"):
        item.notes.append("# TODO: unit: what is the number in? Add `unit: m`, or `unit: rad`; it is for people")


def add_age(item: DraftField) -> None:
    """Allow three periods, and the longest gap that is no pause."""
    rate_hz, gap_s = item.timing.rate_hz, item.timing.longest_gap_s
    if rate_hz is None or rate_hz < EVENT_HZ:
        item.words["max_age_s"] = 10.0
        item.comments["max_age_s"] = f"TODO: it came {item.timing.count} time(s) only; how old may it be?"
        return
    gap_s = gap_s if gap_s < 6.0 / rate_hz else 0.0
    age_s = rounded_up(max(3.0 / rate_hz, gap_s, LEAST_AGE_S))
    item.words["max_age_s"] = age_s
    item.comments["max_age_s"] = f"measured: {rate_hz:.3g} Hz, longest gap {item.timing.longest_gap_s:.3f} s"


def add_command(item: DraftField) -> None:
    """Draft what only actions have: scale, limits, and what holds when nobody commands."""
    rate_hz, moves = item.timing.rate_hz, quantity_of(item) == "velocity"
    if item.words["type"].startswith("geometry_msgs/msg/Twist"):
        leave_out_still(item)
    if not add_binary(item):
        add_scale(item)
    item.words["timeout_s"] = 0.5 if moves else 1.0
    if rate_hz is not None and rate_hz >= EVENT_HZ:
        item.words["timeout_s"] = rounded_up(max(3.0 / rate_hz, 0.1 if moves else 0.5))
        item.comments["timeout_s"] = f"measured: {rate_hz:.3g} Hz; how long a command stays in force"
    if item.words["type"] == TRAJECTORY:
        add_reach(item)
    item.words["when_silent"] = "zero" if moves else "hold"
    if moves:
        item.words["reduce"] = "mean"
        item.notes.append(
            "# TODO: downstream_timeout_s: after how long without commands does the robot stop by itself?"
        )
        item.notes.append("# downstream_timeout_s: 0.1   # no policy is activated before this is known")


def add_reach(item: DraftField) -> None:
    """Give a policy's trajectories as long as those that were seen: a shorter time is a faster motion."""
    heard = [] if item.numbers is None else [seconds for seconds in item.numbers.reach_s if seconds > 0.0]
    middle = float(np.median(heard)) if heard else 0.1
    item.words["time_from_start_s"] = middle
    if not heard:
        what = "its messages say 0, at once" if item.numbers is not None else "no command was seen"
        item.comments["time_from_start_s"] = f"TODO: how long a motion to each command takes; {what}"
    elif max(heard) > 1.1 * min(heard):
        seen = f"{min(heard):.3g}..{max(heard):.3g} s were seen"
        item.comments["time_from_start_s"] = f"TODO: how long a motion to each command takes; {seen}"
    else:
        item.comments["time_from_start_s"] = "as its messages say: how long a motion to each command takes"


def leave_out_still(item: DraftField) -> None:
    """Keep the axes that moved, where some did."""
    ranges = ranges_of(item)
    moved = [name for name, (low, high) in ranges.items() if low != 0.0 or high != 0.0]
    still = [name for name in ranges if name not in moved]
    if moved and still:
        item.words["names"] = moved
        units = {"linear": "m/s", "angular": "rad/s"}
        item.words["unit"] = ", ".join(unit for part, unit in units.items() if any(part in name for name in moved))
        item.notes.append(f"# never moved, so left out of names: {', '.join(still)}")


def add_binary(item: DraftField) -> bool:
    """Take a command of one number with two values, or a gripper's, as open or closed."""
    kind, numbers = item.words["type"], item.numbers
    if kind not in ("std_msgs/msg/Bool", "std_msgs/msg/Float64"):
        return False
    values = sorted(value[0] for value in numbers.distinct) if numbers is not None else []
    if len(values) > 2 or (kind.endswith("Float64") and len(values) < 2 and "gripper" not in item.words["topic"]):
        return False
    low, high = (values[0], values[1]) if len(values) == 2 else (0.0, 1.0)
    item.words |= {"kind": "binary", "scale_low": low, "scale_high": high}
    heard = "seen: " + ", ".join(f"{value:.3g}" for value in values) if values else "no command was seen"
    if kind.endswith("Float64"):
        item.comments["kind"] = "two values; continuous for anything between"
        item.comments["scale_low"] = f"TODO: which values close and open it? {heard}"
    return True


def add_scale(item: DraftField) -> None:
    """Draft scale and limits a little beyond what was seen."""
    ranges = ranges_of(item)
    names = item.words.get("names") or names_of(item)
    moves = quantity_of(item) != "position"
    turned = ROTATIONS[item.words["rotation"]][2] if "rotation" in item.words else ()
    usual = dict(zip(COMPONENTS[item.words["type"]] or (), STILL.get(item.words.get("unit", ""), ()), strict=False))
    low, high = [], []
    for name in names:
        bottom, top = ranges.get(name, (0.0, 0.0))
        if name in turned:
            ends = (-1.0, 1.0)
        elif moves:
            bound = rounded_up(1.1 * max(abs(bottom), abs(top))) or usual.get(name, 0.5)
            ends = (-bound, bound)
        else:
            room = max(0.05 * (top - bottom), 0.05 if name in ranges else 1.0)
            ends = (math.floor(100 * (bottom - room)) / 100, math.ceil(100 * (top + room)) / 100)
        low.append(ends[0])
        high.append(ends[1])
    item.words |= {"scale_low": low, "scale_high": high}
    source = "a little beyond what was seen" if ranges else "a guess, no command was seen"
    item.comments["scale_low"] = f"TODO: the most that is ever commanded, -1 and 1 in files; this is {source}"
    speed = [0.5] * len(names) if not moves else high
    limits: dict[str, object] = {"velocity": speed, "acceleration": [rounded_up(v / ACCELERATE_S) for v in speed]}
    if not moves:
        limits = {"position_low": low, "position_high": high, "velocity": speed}
    item.words["limits"] = limits
    item.comments["limits"] = "TODO: what the robot may never exceed; this is a guess"


def ranges_of(item: DraftField) -> dict[str, tuple[float, float]]:
    """Return name to the lowest and highest number that was seen; a scan's beams as one."""
    numbers = item.numbers
    if numbers is None or numbers.low is None or numbers.high is None:
        return {}
    if "beams" in item.words:
        return {"beams": (float(numbers.low.min()), float(numbers.high.max()))}
    names = item.words.get("names", ())
    names = names if len(names) == numbers.field.width else numbers.field.names  # axes that never moved are left out
    return dict(zip(names, zip(numbers.low.tolist(), numbers.high.tolist(), strict=True), strict=True))


def clock_trouble(item: DraftField) -> str:
    """Say why stamps cannot be used; '' where they can, or where the type has none."""
    facts = item.timing
    if item.words["type"] not in STAMPED or not facts.count:
        return ""
    if not facts.stamped:
        return "its stamps are empty: when a message arrives counts"
    latency = facts.latency_s()
    if latency is not None and latency[1] < -FUTURE_S:
        return f"TODO: its clock is {-latency[1]:.2f} s ahead; synchronise it (chrony), then take this line out"
    if latency is not None and latency[1] > PAST_S:
        return f"TODO: its stamps are {latency[1]:.3g} s old, of another clock; synchronise it, then take this line out"
    return ""


def rounded_up(value: float, digits: int = 2) -> float:
    """Return a value a little further from zero, with few digits; a thousandth over is noise, and not rounded up."""
    if value == 0.0:
        return 0.0
    step: float = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
    return float(f"{math.copysign(math.ceil(abs(value) / step - 1e-3) * step, value):.10g}")
