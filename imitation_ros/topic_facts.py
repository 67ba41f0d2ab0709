"""What was heard of topics: who publishes them, how often, how late, in which frames, which numbers. Needs no ROS.

A live graph and a bag come out as the same facts; drafting writes a robot file from them, and a checkup judges them.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import MessageError
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import header_stamp_s, names_no_joint_of, read
from imitation_ros.robot.transforms import TransformTree

Numbers = NDArray[np.float64]
FieldsOf = Callable[[Any], Iterable[Field]]
"""From a topic's message to the fields that it is read as."""

TF_MESSAGE = "tf2_msgs/msg/TFMessage"
PAUSE_PERIODS, PAUSE_S = 5.0, 0.5  # a longer gap says nothing of the rate
NUMBERS = re.compile(r"-?\d[\d.e+-]*|\bnan\b|\binf\b")
TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
DISTINCT = 3  # values that are told apart: a gripper that only opens and closes has two


@dataclass(frozen=True)
class Endpoint:
    """One publisher or subscriber of a topic, and the quality of service that it offers or asks for."""

    node: str
    type: str
    reliable: bool = True
    durable: bool = False  # transient local: keeps the last messages for who joins late

    def hears(self, publisher: Endpoint) -> bool:
        """Whether DDS connects the two: nobody may ask for more than is offered."""
        return publisher.reliable >= self.reliable and publisher.durable >= self.durable


class Timing:
    """When messages came, and when they say that they are from.

    Attributes:
        heard_s: when each arrived, on a clock that only goes forward [s].
        stamps_s: the stamps of those that have one [s].
        latencies_s: from stamp to arrival, on the ROS clock [s].
    """

    def __init__(self) -> None:
        self.heard_s = array("d")
        self.stamps_s = array("d")
        self.latencies_s = array("d")

    def add(self, stamp_s: float | None, received_s: float | None, heard_s: float) -> None:
        self.heard_s.append(heard_s)
        if stamp_s is None:
            return
        self.stamps_s.append(stamp_s)
        if received_s is not None:
            self.latencies_s.append(received_s - stamp_s)

    @property
    def count(self) -> int:
        return len(self.heard_s)

    @property
    def stamped(self) -> bool:
        """Whether every message had a stamp."""
        return self.count > 0 and len(self.stamps_s) == self.count

    def times_s(self) -> Numbers:
        """Return when the messages are from, in order, each time once: their stamps, or when they arrived."""
        stamps = np.unique(np.array(self.stamps_s)) if self.stamped else np.zeros(0)
        return stamps if len(stamps) > 1 else np.unique(np.array(self.heard_s))

    @property
    def rate_hz(self) -> float | None:
        """Messages per second while they come, pauses left out; None for fewer than three."""
        gaps = np.diff(self.times_s())
        if len(gaps) < 2:
            return None
        steady = gaps[gaps <= max(PAUSE_PERIODS * float(gaps.mean()), PAUSE_S)]
        return len(steady) / float(steady.sum())

    @property
    def longest_gap_s(self) -> float:
        """The longest time between two messages [s]; 0 for fewer than two."""
        return float(np.diff(self.times_s()).max(initial=0.0))

    def latency_s(self) -> tuple[float, float, float] | None:
        """Return the lowest, the median and the highest time from stamp to arrival [s]; None without stamps."""
        found = np.array(self.latencies_s)
        return (float(found.min()), float(np.median(found)), float(found.max())) if len(found) else None


class FieldFacts:
    """What the numbers of one field were, as its reader gives them.

    Attributes:
        timing: of the messages that are the field's: drivers of an arm and a gripper may share a topic.
        count: messages that could be read.
        refused: why others could not be, in words, and how often.
        low, high: per number, (width,); None before the first.
        distinct: the different values, at most DISTINCT of them.
        newest: the newest value.
        reach_s: of trajectories: how long after each the robot should be there [s].
    """

    def __init__(self, field: Field) -> None:
        self.field = field
        self.timing = Timing()
        self.count = 0
        self.refused: Counter[str] = Counter()
        self.words: dict[str, str] = {}  # each kind of refusal, as it was said first
        self.low: Numbers | None = None
        self.high: Numbers | None = None
        self.distinct: set[tuple[float, ...]] = set()
        self.newest: NDArray[Any] | None = None
        self.reach_s = array("d")

    def add(self, message: Any, received_s: float | None, heard_s: float) -> None:
        if names_no_joint_of(message, self.field):
            return
        self.timing.add(header_stamp_s(message), received_s, heard_s)
        try:
            values = read(message, self.field)
        except MessageError as error:
            text = str(error)
            self.refused[self.words.setdefault(without_numbers(text), text)] += 1
            return
        self.count += 1
        self.newest = values
        if self.field.type == TRAJECTORY:
            reach = message.points[-1].time_from_start
            self.reach_s.append(reach.sec + 1e-9 * reach.nanosec)
        if self.field.is_image:
            return
        self.low = values if self.low is None else np.minimum(self.low, values)
        self.high = values if self.high is None else np.maximum(self.high, values)
        if len(self.distinct) < DISTINCT:
            self.distinct.add(tuple(values.tolist()))


class TopicFacts:
    """What was heard of one topic.

    Args:
        topic: its full name.
        type: of its messages.
        fields_of: what a message is read as; it may raise MessageError. Asked once for each set of joints.

    Attributes:
        unreadable: why its messages are not read, in words; empty where they are.
        frames: header.frame_id to how often.
        names: the sets of joints that messages named.
        until_s: when listening ended, on the clock of `timing.heard_s`.
    """

    def __init__(self, topic: str, type: str, fields_of: FieldsOf = lambda message: ()) -> None:
        self.topic, self.type, self.fields_of = topic, type, fields_of
        self.publishers: list[Endpoint] = []
        self.subscribers: list[Endpoint] = []
        self.unreadable = ""
        self.fields: list[FieldFacts] = []
        self.timing = Timing()
        self.frames: Counter[str] = Counter()
        self.names: dict[frozenset[str], tuple[str, ...]] = {}
        self.until_s: float | None = None

    def add(self, message: Any, received_s: float | None, heard_s: float) -> None:
        """Take a message.

        Args:
            received_s: when it arrived, on the ROS clock that stamps are of [s]; None while that is not known.
            heard_s: when it arrived, on a clock that only goes forward [s].
        """
        joints = getattr(message, "name", None) or getattr(message, "joint_names", None) or ()
        if frozenset(joints) not in self.names:
            self.names[frozenset(joints)] = tuple(joints)
            self.note_fields(message)
        self.timing.add(header_stamp_s(message), received_s, heard_s)
        header = getattr(message, "header", None)
        if header is not None:
            self.frames[header.frame_id] += 1
        for field in self.fields:
            field.add(message, received_s, heard_s)

    def note_fields(self, message: Any) -> None:
        try:
            known = [each.field for each in self.fields]
            self.fields += [FieldFacts(field) for field in self.fields_of(message) if field not in known]
        except MessageError as error:
            self.unreadable = str(error)

    @property
    def count(self) -> int:
        return self.timing.count

    @property
    def frame(self) -> str:
        """The frame that most messages name; '' where they name none."""
        return next((frame for frame, _ in self.frames.most_common() if frame), "")

    @property
    def silent_s(self) -> float:
        """For how long nothing had come when listening ended [s]."""
        heard = self.timing.heard_s
        return 0.0 if self.until_s is None or not heard else self.until_s - heard[-1]


@dataclass
class GraphFacts:
    """What was heard of a graph.

    Attributes:
        source: where, in words.
        topics: full name to facts.
        sim_time: whether /clock was published.
        clocks: the nodes that publish it, where several contend.
        others: the names of topics that nobody asked about.
        tree: what tf said.
    """

    source: str
    topics: dict[str, TopicFacts] = dataclass_field(default_factory=dict)
    sim_time: bool = False
    clocks: list[str] = dataclass_field(default_factory=list)
    others: list[str] = dataclass_field(default_factory=list)
    tree: TransformTree = dataclass_field(default_factory=TransformTree)

    def add(self, topic: str, message: Any, received_s: float | None, heard_s: float) -> None:
        """Take a message of a topic that is known; see TopicFacts.add."""
        facts = self.topics[topic]
        facts.add(message, received_s, heard_s)
        if facts.type == TF_MESSAGE:
            self.tree.put(message, static=topic.endswith("_static"))


def without_numbers(text: str) -> str:
    """Return the kind of problem that a text names: its numbers differ from message to message, and ages grow."""
    return NUMBERS.sub("", text)


def full_name(field: Field, namespace: str) -> str:
    """Return a field's topic in the graph; tf is one for all namespaces."""
    inner = namespace.strip("/")
    return f"/{inner}/{field.topic}" if inner and (field.type, field.topic) != ("tf", "tf") else f"/{field.topic}"


def message_type(field: Field) -> str:
    """Return the type of the messages that carry a field: tf is a word of ours."""
    return TF_MESSAGE if field.type == "tf" else field.type
