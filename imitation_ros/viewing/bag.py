"""An episode as the messages that its robot spec says it came from, in an mcap.

Every value is stamped and logged as it was, so that the same sampler takes the same values again. A command is
there once for each tick, also where none was in force: as what the file says the robot was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.data.bag.writing import Messages, write_mcap
from imitation_ros.data.episode import Episode
from imitation_ros.data.images import EncodedImages
from imitation_ros.data.open_episode import EXECUTED, executed_fields
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import write
from imitation_ros.topic_facts import full_name, message_type
from imitation_ros.viewing.episode_times import times_of

MARKS = "/episode"
"""A String that says start, success or failure, and stop, as import-bag's --episodes-topic understands it."""
STRING = "std_msgs/msg/String"
PER_S = 1e9
SEEN, BEGINS, TOLD, ENDS = range(4)  # which of the messages of one instant comes first


@dataclass(order=True)
class Planned:
    """A message that is still to be made.

    Attributes:
        stamp_ns: for its header, where its type has one.
        rows: what is in it: field, where its values are, and which of them; or a word.
    """

    log_ns: int
    place: int
    topic: str
    kind: str = field(compare=False)
    stamp_ns: int = field(compare=False)
    rows: list[tuple[Field, Any, int]] = field(compare=False, default_factory=list)
    word: str = field(compare=False, default="")


def save_mcap(path: Path, episode: Episode) -> list[str]:
    """Write an episode as an mcap, and return the fields that no message could be made of, with their types.

    Raises:
        DataError: rosbags is not installed, or the file cannot be written.
        MessageError: values that no message can hold, such as a rotation that is none.
    """
    messages = Messages()
    left_out = [item for item in episode.spec.fields if not messages.known(message_type(item))]
    planned = sorted(plan(episode, {item.name for item in left_out}))
    write_mcap(path, messages, (made(messages, each) for each in planned))
    return [f"{item.name!r} ({item.type})" for item in left_out]


def plan(episode: Episode, left_out: set[str]) -> Iterator[Planned]:
    """Yield the messages of an episode, in any order."""
    spec, times = episode.spec, times_of(episode)
    ticks_ns = nanoseconds(times.ticks_s)
    seen: dict[tuple[str, int, int], Planned] = {}
    for item in (item for item in spec.observation if item.name not in left_out):
        stamps_ns, logs_ns = nanoseconds(times.stamps_s[item.name]), nanoseconds(times.received_s[item.name])
        logs_ns[0] = min(logs_ns[0], ticks_ns[0])  # the importer begins an episode when everything was seen
        values = episode.observations[item.name]
        for tick, (stamp_ns, log_ns) in enumerate(zip(stamps_ns.tolist(), logs_ns.tolist(), strict=True)):
            if tick and (stamp_ns, log_ns) == (stamps_ns[tick - 1], logs_ns[tick - 1]):
                continue  # the value of the tick before still holds
            key = full_name(item, ""), stamp_ns, log_ns
            if key not in seen:
                seen[key] = Planned(log_ns, SEEN, key[0], message_type(item), stamp_ns)
            seen[key].rows.append((item, values, tick))
    yield from seen.values()
    yield from said_again(seen.values(), int(ticks_ns[-1]) + closing_ns(episode))
    told: list[tuple[Field, Any]] = [(item, episode.actions[item.name]) for item in spec.action]
    told += [(item, episode.executed[item.name.removesuffix(EXECUTED)]) for item in executed_fields(spec)]
    for item, values in told:
        for tick, tick_ns in enumerate(ticks_ns[:-1].tolist() if item.name not in left_out else ()):
            kind, rows = message_type(item), [(item, values, tick)]
            yield Planned(tick_ns, TOLD, full_name(item, ""), kind, tick_ns, rows)
    yield from marks(episode, int(ticks_ns[0]), int(ticks_ns[-1]))


def said_again(seen: Iterable[Planned], at_ns: int) -> Iterator[Planned]:
    """Yield the last observation once more, too late to be taken: it shows a reader that the last tick is over."""
    if last := max(seen, key=lambda each: each.log_ns, default=None):
        yield replace(last, log_ns=max(at_ns, last.log_ns))


def closing_ns(episode: Episode) -> int:
    """Return how long after the last tick its observation can be closed."""
    return round(episode.spec.wait_s * PER_S) + 1_000_000


def marks(episode: Episode, start_ns: int, end_ns: int) -> Iterator[Planned]:
    end_ns += closing_ns(episode)
    words = [(start_ns, BEGINS, "start"), (end_ns, ENDS + 1, "stop")]
    if episode.success is not None:
        words.append((end_ns, ENDS, "success" if episode.success else "failure"))
    for log_ns, place, word in words:
        yield Planned(log_ns, place, MARKS, STRING, log_ns, word=word)


def nanoseconds(times_s: NDArray[Any]) -> NDArray[np.int64]:
    return np.rint(times_s * PER_S).astype(np.int64)


def made(messages: Messages, planned: Planned) -> tuple[str, str, Any, int]:
    """Return topic, type, message and log time [ns]."""
    message = messages.empty(planned.kind)
    if planned.word:
        message.data = planned.word
    for item, values, row in planned.rows:
        value = values.jpegs[row] if isinstance(values, EncodedImages) else values[row]
        inner = messages.empty("geometry_msgs/msg/TransformStamped") if item.type == "tf" else message
        if hasattr(inner, "header"):
            inner.header.stamp.sec, inner.header.stamp.nanosec = divmod(planned.stamp_ns, 10**9)
        write(inner, item, value)
        if item.type == "tf":
            message.transforms = [*message.transforms, inner]
    return planned.topic, planned.kind, message, planned.log_ns
