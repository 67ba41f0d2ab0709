"""What arrives at a recorder: which fields are silent, what has no stamp, and how much is kept between episodes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from imitation_ros.errors import MessageError
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import STAMPED
from imitation_ros.robot.sampler import CLOCK_S, Sampler
from imitation_ros.topic_facts import without_numbers

SUBJECT = re.compile(r"('[^']+' \((?P<topic>[^)]+)\)) (?P<found>.*)", re.DOTALL)  # of our words about a field
IDLE_KEEP_S = 10.0  # of what arrives between episodes; tick 0 may lie a little before `start`
IDLE_KEEP_IMAGES_S = 1.0  # ten seconds of two cameras would be a gigabyte


def silent_fields(sampler: Sampler, now_s: float) -> list[str]:
    """Return the observation fields that were not heard within their max_age_s, with how to look."""
    silent = []
    for name, stream in sampler.observation.items():
        age_s = now_s - stream.newest_s
        if stream.values and (sampler.lockstep or age_s <= max(stream.field.max_age_s, sampler.wait_s)):
            continue
        heard = f"was last heard {age_s:.2f} s ago" if stream.values else "was never heard"
        look = f"`ros2 topic hz {stream.field.topic}`"
        if stream.values and age_s > CLOCK_S:
            look = "its stamps are of another clock: set use_sim_time (--use-sim-time) as its publisher does"
        silent.append(f"{name!r} ({stream.field.topic}) {heard}: {look}")
    return silent


def joined(problems: Iterable[str]) -> list[str]:
    """Return problems with those of several fields that say the same, but for numbers, in one sentence."""
    alike: dict[str, list[tuple[str, str]]] = {}
    for problem in problems:
        match = SUBJECT.fullmatch(problem)
        if match is None:
            alike.setdefault(problem, []).append(("", problem))
            continue
        own = match["topic"] in match["found"]  # a command to look at this topic is not that of another
        kind = problem if own else without_numbers(match["found"])
        alike.setdefault(kind, []).append((match[1], match["found"]))
    return [
        f"{subjects}: each {found}" if len(same) > 1 and same[0][0] else f"{subjects} {found}".strip()
        for same in alike.values()
        for subjects, found in [(", ".join(subject for subject, _ in same), same[0][1])]
    ]


def check_stamped(field: Field) -> None:
    """Refuse an observation that does not say when it is from, though its type could: in lock-step a stamp is a tick.

    Raises:
        MessageError: it has no stamp.
    """
    if field.type in STAMPED and field.stamp != "received":
        raise MessageError(
            f"{field.name!r} ({field.topic}) came without a stamp; in lock-step its stamp says which tick it is of. "
            f"Let its publisher fill header.stamp; `ros2 topic echo {field.topic} --field header` shows it."
        )


def forget_idle(sampler: Sampler, now_s: float) -> None:
    """Drop what no episode that begins from now on can need."""
    sampler.forget_before(now_s - IDLE_KEEP_S)
    for stream in sampler.observation.values():
        if stream.field.is_image:
            stream.forget_before(now_s - IDLE_KEEP_IMAGES_S, now_s)


def forget_everything(sampler: Sampler) -> None:
    """Drop every value: a clock that went back begins another time."""
    for stream in (*sampler.observation.values(), *sampler.action.values()):
        stream.values.clear()
