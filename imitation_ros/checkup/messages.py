"""The messages of a field, judged: joints, frames, stamps, rates, values. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import numpy as np

from imitation_ros.checkup.row import Row, warning, wrong
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import STAMPED
from imitation_ros.robot.sampler import CLOCK_S, FUTURE_S, PAST_S
from imitation_ros.robot.spec import RobotSpec
from imitation_ros.topic_facts import FieldFacts, TopicFacts

SLOWER = 0.95  # of rate_hz: below that, ticks repeat a value
CLOCKS = "synchronise clocks (chrony), or `stamp: received`"
OTHER_CLOCK = "another clock? Set use_sim_time (--use-sim-time) as its publisher does"


def numbers_of(field: Field, facts: TopicFacts) -> FieldFacts:
    return next((each for each in facts.fields if each.field == field), FieldFacts(field))


def split(text: str, at: str = ". ") -> tuple[str, str]:
    """Return what is wrong and what to do: our errors say the one, then the other."""
    found, _, to_do = text.partition(at)
    return found.rstrip("."), (to_do[:1].lower() + to_do[1:]).rstrip(".")


def refused(field: Field, facts: TopicFacts, numbers: FieldFacts) -> Iterator[Row]:
    """Say which messages could not be read; renamed joints with the name that is probably meant."""
    named = sorted(set().union(*facts.names))
    absent = [name for name in field.joint_names if name not in named] if named else []
    if absent:
        near = {name: difflib.get_close_matches(name, named, n=1, cutoff=0.5) for name in absent}
        guesses = ", ".join(f"{found[0]} for {name}" for name, found in near.items() if found)
        others = "" if all(near.values()) else f"; there is {', '.join(named)}"
        to_do = f"mend `names` or `joint_prefix`{f': {guesses}?' if guesses else ''}"
        yield wrong(field.name, f"no joint {', '.join(absent)}{others}", to_do)
        return
    for text, count in numbers.refused.most_common(2):
        found, to_do = split(text.removeprefix(f"{field.name!r} ({field.topic}) "))
        share = "every message" if count == numbers.timing.count else f"{count} of {numbers.timing.count} messages"
        yield wrong(field.name, f"{found} ({share})", to_do)


def stamps(field: Field, numbers: FieldFacts, sim_time: bool) -> Iterator[Row]:
    """Judge stamps against this machine's clock, or the simulator's, which leaps at each reset."""
    timing, latency = numbers.timing, numbers.timing.latency_s()
    if field.type not in STAMPED or field.stamp == "received" or not timing.count:
        return
    empty = timing.count - len(timing.stamps_s)
    if empty:
        judge = wrong if field.stamp == "required" or empty < timing.count else warning
        share = "stamps are empty" if empty == timing.count else f"{empty} of {timing.count} stamps are empty"
        yield judge(field.name, f"{share}: when it arrives counts", "fill header.stamp, or `stamp: received`")
    elif latency is None:
        return
    elif latency[0] < -FUTURE_S:
        found = f"stamps up to {-latency[0]:.2f} s in the future; {FUTURE_S:g} s is allowed"
        yield wrong(field.name, found, OTHER_CLOCK if latency[0] < -CLOCK_S else CLOCKS)
    elif latency[1] > PAST_S:
        yield wrong(
            field.name,
            f"stamps {latency[1]:.3g} s old: of another clock",
            OTHER_CLOCK if latency[1] > CLOCK_S else CLOCKS,
        )
    elif latency[1] > field.max_age_s:
        found = f"{latency[1]:.2f} s old on arrival; max_age_s is {field.max_age_s:g}"
        yield wrong(field.name, found, "find the delay, or mend its clock; or raise max_age_s")
    elif latency[2] > field.max_age_s and not sim_time:
        found = f"up to {latency[2]:.2f} s old on arrival; max_age_s is {field.max_age_s:g}"
        yield warning(field.name, found, "ticks get stale: is network or machine busy?")


def rates(field: Field, spec: RobotSpec, numbers: FieldFacts, sim_time: bool) -> Iterator[Row]:
    """Judge how often an observation comes, against its max_age_s and the setup's rate."""
    timing, look = numbers.timing, f"`ros2 topic hz {field.topic}`"
    rate_hz, gap_s = timing.rate_hz, timing.longest_gap_s
    if timing.count == 0:
        return
    if rate_hz is None:
        yield warning(field.name, f"only {timing.count} message(s) came", f"too seldom? {look}")
    elif 1.0 / rate_hz > field.max_age_s:
        found = f"{rate_hz:.3g} Hz: stale between messages; max_age_s is {field.max_age_s:g}"
        yield wrong(field.name, found, f"raise its rate, or max_age_s to {3.0 / rate_hz:.2g}")
    elif gap_s > field.max_age_s and not sim_time:
        found = f"{rate_hz:.3g} Hz, but a gap of {gap_s:.2f} s; max_age_s is {field.max_age_s:g}"
        yield warning(field.name, found, "ticks get stale: is network or machine busy?")
    elif rate_hz < SLOWER * spec.rate_hz:
        found = f"{rate_hz:.3g} Hz, slower than {spec.rate_hz:g} Hz: ticks repeat values"
        yield warning(field.name, found, "fine for a slow sensor; else lower rate_hz")


def in_force(field: Field, numbers: FieldFacts) -> Iterator[Row]:
    """Judge how often commands come, against how long one stays in force."""
    rate_hz = numbers.timing.rate_hz
    if rate_hz is not None and 1.0 / rate_hz > field.timeout_s:
        found = f"commands at {rate_hz:.3g} Hz; each is in force for timeout_s, {field.timeout_s:g} s"
        yield warning(field.name, found, "raise timeout_s: ticks between are marked silent")


def beyond(field: Field, numbers: FieldFacts) -> Iterator[Row]:
    """Name a command beyond the scale, which files clip, or beyond the limits, which deployment cuts."""
    if numbers.low is None or numbers.high is None or field.kind in ("binary", "category"):
        return
    limits, endless = field.limits, (-np.inf,) * field.width
    low, high = field.scale
    bounds = [("scale", low, high, "files would clip it: widen the scale first")]
    if field.quantity == "velocity" and limits.velocity is not None:
        bounds.append(("limits", -np.array(limits.velocity), np.array(limits.velocity), "check `limits`"))
    elif field.quantity == "position":
        low, high = np.array(limits.position_low or endless), np.array(limits.position_high or np.negative(endless))
        bounds.append(("limits", low, high, "check `limits`"))
    for what, low, high, to_do in bounds:
        for index in np.flatnonzero((numbers.low < low - 1e-9) | (numbers.high > high + 1e-9))[:1]:
            seen = f"{field.names[index]} went {numbers.low[index]:.3g} to {numbers.high[index]:.3g}"
            yield warning(field.name, f"{seen}; its {what}: {low[index]:g} to {high[index]:g}", to_do)
            return


def healthy(field: Field, numbers: FieldFacts, facts: TopicFacts) -> str:
    """Say what is there, in a line."""
    rate_hz, latency = numbers.timing.rate_hz, numbers.timing.latency_s()
    words = [] if rate_hz is None else [f"{rate_hz:.3g} Hz"]
    words += [] if latency is None or latency[1] < 1e-4 else [f"{1e3 * latency[1]:.1f} ms old"]
    if field.shape is not None:
        words.append("x".join(str(size) for size in field.shape))
    else:
        what = "joint" if field.type.endswith(("JointState", "JointTrajectory", "JointJog")) else "number"
        words.append(f"{field.width} {what}{'' if field.width == 1 else 's'}")
    words += [f"in {field.frame}"] if field.frame else []
    words += ["best effort"] if any(not each.reliable for each in facts.publishers) else []
    return ", ".join(words)
