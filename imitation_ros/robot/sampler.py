"""Asynchronous stamped values to one sample per tick: the one rule of recorder, bag import and deployment.

Observations. Tick t closes at t + wait_s. Among the values received by then, a field takes the
newest stamped at or before t; older than max_age_s is stale.

Commands. Action k is what was in force over [t_k, t_k+1). A command is in force from its stamp until
the next one, or for timeout_s; after that `when_silent` applies and the tick is marked.

Lock-step. Where a simulator waits for each command, a tick closes when every field has a value
stamped at or after it, however long that takes; so nothing depends on the machine's load. A message
without a header then belongs to a tick by its count: the n-th since the start is the n-th tick's.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import MessageError
from imitation_ros.robot.field import Field

Array = NDArray[np.float64]

SAME_TIME_S = 1e-6  # a float64 holds today's time in seconds to 2.4e-7
FUTURE_S = 0.1  # clocks of machines in one lab differ by less when they are synchronised
CLOCK_S = 1e6  # days off: a stamp of a simulator's clock read against the wall's, or the other way round
PAST_S = 10.0  # no network delays a message for so long: an older stamp is of another clock
OTHER_CLOCK = "Is it of another clock? Set use_sim_time (--use-sim-time) as its publisher does"


@dataclass(frozen=True, order=True)
class Value:
    """What a field was at one moment; ordered by stamp, then by arrival."""

    stamp_s: float
    received_s: float
    data: Array = field(compare=False)


@dataclass(frozen=True)
class Sample:
    """Every observation field at one tick.

    Attributes:
        tick_s: the tick's time [s].
        values: field name to value, shape (width,); a field never received is not in it.
        stamps_s, received_s: field name to the times of that value [s].
        stale: the fields that were never received or are older than allowed.
    """

    tick_s: float
    values: Mapping[str, Array]
    stamps_s: Mapping[str, float]
    received_s: Mapping[str, float]
    stale: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """The action in force over one tick; `data` is None where nobody ever commanded and nothing can be held."""

    data: Array | None
    silent: bool


class Stream:
    """The values of one field, in the order of their stamps, as far back as they can still matter."""

    def __init__(self, source: Field) -> None:
        self.field = source
        self.values: list[Value] = []

    def put(self, value: Value) -> None:
        if not self.values or self.values[-1].stamp_s < value.stamp_s:  # as nearly always
            self.values.append(value)
        else:
            insort(self.values, value)

    @property
    def newest_s(self) -> float:
        return self.values[-1].stamp_s if self.values else -math.inf

    def at(self, time_s: float, received_by_s: float) -> Value | None:
        """Return the newest value stamped at or before a time, among those received by another."""
        index = self.index_at(time_s, received_by_s)
        return None if index is None else self.values[index]

    def index_at(self, time_s: float, received_by_s: float) -> int | None:
        end = bisect_right(self.values, time_s + SAME_TIME_S, key=lambda value: value.stamp_s)
        for index in range(end - 1, -1, -1):
            if self.values[index].received_s <= received_by_s + SAME_TIME_S:
                return index
        return None

    def forget_before(self, time_s: float, received_by_s: float) -> None:
        """Drop what lies before the value that `at` returns: newer ones may be too late for the next tick as well."""
        index = self.index_at(time_s, received_by_s)
        if index is not None:
            del self.values[:index]


class Sampler:
    """Collects values and hands out samples and commands by the rule above.

    Args:
        observation: the fields that are sampled.
        action: the fields whose commands are aligned; empty in deployment.
        period_s: time between ticks [s].
        wait_s: how long after a tick late values are waited for [s].
        lockstep: close ticks by completeness instead of by time.
    """

    def __init__(
        self,
        observation: Iterable[Field],
        action: Iterable[Field],
        period_s: float,
        wait_s: float,
        lockstep: bool = False,
    ) -> None:
        self.observation = {item.name: Stream(item) for item in observation}
        self.action = {item.name: Stream(item) for item in action}
        self.period_s = period_s
        self.wait_s = math.inf if lockstep else wait_s
        self.lockstep = lockstep
        self.start_s: float | None = None
        self.counted_from_s = 0.0  # tick of the first value without a header; stays when tick 0 moves on
        self.uncounted: list[tuple[str, float, Array]] = []  # without a header, before the first tick is known
        self.counts: dict[str, int] = {}

    def put(self, name: str, data: Array, stamp_s: float | None, received_s: float) -> None:
        """Take a value; `stamp_s` is None for a message without a header.

        Before the first /clock a node's time is 0: stamps are not judged, and the newest value is kept.

        Raises:
            MessageError: the stamp lies in the future or long ago, so two clocks disagree.
        """
        if stamp_s is None and self.lockstep:
            self.uncounted.append((name, received_s, data))
            self.count()
            return
        stamp_s = received_s if stamp_s is None else stamp_s
        stream = self.stream(name)
        if received_s == 0.0 and not self.lockstep:  # no /clock has come yet, so no stamp can be judged
            stream.values[:] = [Value(stamp_s, received_s, data)]
            return
        if stamp_s > received_s + FUTURE_S and not self.lockstep:
            far = stamp_s > received_s + CLOCK_S
            to_do = OTHER_CLOCK if far else "Synchronise the machines' clocks (chrony)"
            raise MessageError(
                f"{name!r} ({stream.field.topic}) is stamped {stamp_s - received_s:.3f} s in the future; at most "
                f"{FUTURE_S:.1f} s is allowed. {to_do}, or set `stamp: received` in {stream.field.file}."
            )
        past_s = max(PAST_S, stream.field.max_age_s, stream.field.timeout_s)  # what may be old may be stamped so
        if stamp_s < received_s - past_s and not self.lockstep:
            raise MessageError(
                f"{name!r} ({stream.field.topic}) is stamped {received_s - stamp_s:.3f} s in the past; at most "
                f"{past_s:.1f} s is allowed. {OTHER_CLOCK}, or `stamp: received` in {stream.field.file}."
            )
        stream.put(Value(stamp_s, received_s, data))

    def stream(self, name: str) -> Stream:
        return self.observation[name] if name in self.observation else self.action[name]

    def start(self, start_s: float) -> None:
        """Make a time tick 0."""
        if self.start_s is None:
            self.counted_from_s = start_s
        self.start_s = start_s
        self.count()

    def clear_commands(self) -> None:
        """Forget every command, so that an episode begins with one of its own."""
        self.start_s = None
        self.uncounted, self.counts = [], {}
        for stream in self.action.values():
            stream.values.clear()

    def count(self) -> None:
        """Stamp values without a header by their number, once tick 0 is known."""
        if self.start_s is None:
            return
        for name, received_s, data in self.uncounted:
            index = self.counts.get(name, 0)
            self.stream(name).put(Value(self.counted_from_s + index * self.period_s, received_s, data))
            self.counts[name] = index + 1
        self.uncounted = []

    def tick_s(self, index: int) -> float:
        if self.start_s is None:
            raise RuntimeError("the sampler has no tick 0 yet: call start()")
        return self.start_s + index * self.period_s

    def observation_due(self, tick_s: float, now_s: float) -> bool:
        """Whether the observation of a tick can be closed."""
        if not self.lockstep:
            return now_s + SAME_TIME_S >= tick_s + self.wait_s
        return all(stream.newest_s + SAME_TIME_S >= tick_s for stream in self.observation.values())

    def command_due(self, tick_s: float, now_s: float) -> bool:
        """Whether the command of a tick can be closed: in real time when the tick's interval is over."""
        if not self.lockstep:
            return now_s + SAME_TIME_S >= tick_s + self.period_s + self.wait_s
        return all(stream.newest_s + SAME_TIME_S >= tick_s for stream in self.action.values())

    def sample(self, tick_s: float) -> Sample:
        """Return every observation field at a tick."""
        found = {name: stream.at(tick_s, tick_s + self.wait_s) for name, stream in self.observation.items()}
        heard = {name: value for name, value in found.items() if value is not None}
        stale = tuple(
            name
            for name, stream in self.observation.items()
            if name not in heard or tick_s - heard[name].stamp_s > stream.field.max_age_s + SAME_TIME_S
        )
        for stream in self.observation.values():
            stream.forget_before(tick_s, tick_s + self.wait_s)
        return Sample(
            tick_s=tick_s,
            values={name: value.data for name, value in heard.items()},
            stamps_s={name: value.stamp_s for name, value in heard.items()},
            received_s={name: value.received_s for name, value in heard.items()},
            stale=stale,
        )

    def command(self, name: str, tick_s: float) -> Command:
        """Return what was in force over [tick_s, tick_s + period_s) for an action field."""
        stream = self.action[name]
        command = in_force(stream, tick_s, self.period_s, self.wait_s)
        stream.forget_before(tick_s, tick_s + self.period_s + self.wait_s)
        return command

    def forget_before(self, time_s: float) -> None:
        """Drop what can no longer matter when no tick before a time will be closed."""
        for stream in (*self.observation.values(), *self.action.values()):
            stream.forget_before(time_s, time_s)


def taken(stream: Stream, tick_s: float, period_s: float, wait_s: float) -> list[Value]:
    """Return the values that the command of one tick follows from, in order."""
    end_s = tick_s + period_s
    before = stream.at(tick_s, end_s + wait_s)
    inside = [
        value
        for value in stream.values
        if tick_s + SAME_TIME_S < value.stamp_s < end_s - SAME_TIME_S
        and value.received_s <= end_s + wait_s + SAME_TIME_S
    ]
    if stream.field.reduce == "last":
        del inside[:-1]  # the last one is in force for the rest of the tick, whatever came before it
    return inside if before is None else [before, *inside]


def in_force(stream: Stream, tick_s: float, period_s: float, wait_s: float) -> Command:
    """Return the command of one tick, by the field's `reduce`, `timeout_s` and `when_silent`."""
    field = stream.field
    end_s = tick_s + period_s
    values = taken(stream, tick_s, period_s, wait_s)
    if not values:
        return Command(np.zeros(field.width) if field.when_silent == "zero" else None, silent=True)
    spans: list[tuple[Array, float]] = []  # what held, and for which share of the tick
    covered_s = 0.0
    for value, following in zip(values, [*values[1:], None], strict=True):
        until_s = end_s if following is None else following.stamp_s
        held_s = max(min(until_s, value.stamp_s + field.timeout_s) - max(value.stamp_s, tick_s), 0.0)
        covered_s += held_s
        silent_s = max(until_s - max(value.stamp_s + field.timeout_s, tick_s), 0.0)
        spans.append((value.data, held_s))
        if silent_s > SAME_TIME_S:
            spans.append((np.zeros(field.width) if field.when_silent == "zero" else value.data, silent_s))
    silent = covered_s <= SAME_TIME_S
    spans = [span for span in spans if span[1] > SAME_TIME_S]
    if field.reduce == "last" and not silent:
        return Command(values[-1].data, silent=False)
    if field.reduce == "last" or len(spans) == 1:
        return Command(spans[-1][0], silent)
    total_s = sum(span_s for _, span_s in spans)
    return Command(np.sum([data * (span_s / total_s) for data, span_s in spans], axis=0), silent)
