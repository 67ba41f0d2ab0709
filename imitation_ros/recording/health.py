"""What arrives of a field, live: rate, age, jitter, drops, clock skew, duplicates, frozen values. Needs no ROS.

Each message is looked at once, as it comes, in constant time and memory; nothing here waits or has a clock of its own.
"""

from __future__ import annotations

import math
from statistics import median

WINDOW_S = 1.0  # over which a rate is counted
LEARNED_FROM = 16  # gaps between messages
REGULAR_SHARE, REGULAR_WITHIN = 0.75, 0.25  # so many of the gaps differ by no more from their median
SLOWLY = 1.0 / 64.0  # a driver's rate drifts; a late message does not change it
JUMP_S = 0.1  # stamps of one clock do not go back, nor ahead of the time on the way, by so much
LIVELY_OVER = 256.0  # messages
LIVELY_SHARE = 0.1  # of messages that repeat the value before, at most: joints at rest repeat more, a camera none


class Period:
    """The time between the messages of a publisher, learned from their stamps.

    Attributes:
        period_s: None before it is learned, and of a publisher that has none: a person's commands, events.
    """

    def __init__(self) -> None:
        self.period_s: float | None = None
        self.gaps_s: list[float] = []
        self.odd = 0  # gaps in a row that are of another period

    def hear(self, gap_s: float) -> int:
        """Take the time since the message before; return how many messages are missing between the two."""
        if self.period_s is None:
            self.gaps_s.append(gap_s)
            if len(self.gaps_s) == LEARNED_FROM:
                self.learn()
            return 0
        periods = gap_s / self.period_s
        if 0.5 < periods < 1.5:
            self.period_s += (gap_s - self.period_s) * SLOWLY
            self.odd = 0
            return 0
        self.odd += 1
        if self.odd == LEARNED_FROM:  # it sends at another rate now
            self.period_s, self.odd = None, 0
        return max(round(periods) - 1, 0)

    def learn(self) -> None:
        middle_s = median(self.gaps_s)
        near = sum(abs(gap_s - middle_s) <= REGULAR_WITHIN * middle_s for gap_s in self.gaps_s)
        if middle_s > 0.0 and near >= REGULAR_SHARE * LEARNED_FROM:
            self.period_s = middle_s
        self.gaps_s.clear()


class Window:
    """What came within about a second: how many messages, and how long they were on the way."""

    def __init__(self, start_s: float) -> None:
        self.start_s = self.last_s = start_s
        self.count = 0
        self.least_s, self.most_s = math.inf, -math.inf
        self.longest_gap_s = 0.0

    def hear(self, received_s: float, way_s: float | None) -> None:
        self.longest_gap_s = max(self.longest_gap_s, received_s - self.last_s)
        self.last_s = received_s
        self.count += 1
        if way_s is not None:
            self.least_s, self.most_s = min(self.least_s, way_s), max(self.most_s, way_s)

    @property
    def rate_hz(self) -> float:
        return self.count / (self.last_s - self.start_s)


class StreamHealth:
    """One field's messages, judged as they come.

    Args:
        longest_gap_s: a longer one is silence, not lost messages: the operator rests. None where nobody may rest.

    Attributes:
        messages: how many came.
        drops: how many are missing, by gaps in their stamps.
        lost: how many the middleware says it lost on this field's topic.
        duplicates: how many had the stamp of one before.
        late: how many had an older stamp than one before.
        jitter_s: how far the times between arrivals are from the period, on average; None without a period.
        jumped_s: how far the stamps jumped with the newest message; 0 where they did not.
        seen: the last whole window; None before there is one.
    """

    def __init__(self, longest_gap_s: float | None = None) -> None:
        self.longest_gap_s = longest_gap_s
        self.messages = self.drops = self.lost = self.duplicates = self.late = 0
        self.newest_s = self.received_s = -math.inf
        self.period = Period()
        self.jitter_s: float | None = None
        self.jumped_s = 0.0
        self.behind = 0  # messages in a row with a stamp that lies far before the newest
        self.window: Window | None = None
        self.seen: Window | None = None
        self.value = b""
        self.changed_s = -math.inf
        self.repeats = 1.0  # share of messages that repeat the value before; when it last changed, and now
        self.repeats_now = 1.0

    def hear(self, value: bytes, stamp_s: float | None, received_s: float) -> bool:
        """Take a message; return whether a window of about a second is complete with it."""
        self.messages += 1
        self.jumped_s = 0.0
        self.compare(value, received_s)
        first = self.window is None
        if not first:
            self.note_jitter(received_s)
        if stamp_s is not None:
            self.note_stamp(stamp_s, received_s)
        elif received_s > self.newest_s:
            self.newest_s = received_s
        self.received_s = received_s
        return self.count(received_s, None if stamp_s is None else received_s - stamp_s)

    def compare(self, value: bytes, received_s: float) -> None:
        same = value == self.value
        self.repeats_now += (same - self.repeats_now) / LIVELY_OVER
        if not same:
            self.value, self.changed_s, self.repeats = value, received_s, self.repeats_now

    def note_jitter(self, received_s: float) -> None:
        gap_s, period_s = received_s - self.received_s, self.period.period_s
        if period_s is None:
            self.jitter_s = None
        elif self.longest_gap_s is None or gap_s <= self.longest_gap_s:
            before_s = self.jitter_s or 0.0
            self.jitter_s = before_s + (abs(gap_s - period_s) - before_s) / 16.0  # as RTP does (RFC 3550, 6.4.1)

    def note_stamp(self, stamp_s: float, received_s: float) -> None:
        gap_s = stamp_s - self.newest_s
        if gap_s == 0.0:
            self.duplicates += 1
        elif gap_s < 0.0:
            self.note_older(stamp_s, gap_s)
        else:
            self.behind = 0
            least_s = min((window.least_s for window in (self.window, self.seen) if window), default=math.inf)
            ahead_s = least_s - (received_s - stamp_s)
            if JUMP_S < ahead_s < math.inf:
                self.jumped_s = ahead_s
                self.window = self.seen = None  # the way takes as long as before, on another clock
            elif math.isfinite(gap_s) and (self.longest_gap_s is None or gap_s <= self.longest_gap_s):
                self.drops += self.period.hear(gap_s)
            self.newest_s = stamp_s

    def note_older(self, stamp_s: float, gap_s: float) -> None:
        """One old message may have been overtaken on its way; a second one is of a clock that was set back."""
        self.late += 1
        self.drops -= self.drops > 0  # it was taken for lost
        self.behind += gap_s < -JUMP_S
        if self.behind > 1:
            self.jumped_s, self.behind = gap_s, 0
            self.newest_s = stamp_s
            self.window = self.seen = None

    def count(self, received_s: float, way_s: float | None) -> bool:
        if self.window is None or received_s < self.window.start_s:
            self.window = Window(received_s)
            return False
        self.window.hear(received_s, way_s)
        if received_s - self.window.start_s < WINDOW_S:
            return False
        self.seen, self.window = self.window, Window(received_s)
        return True

    def rate_hz(self, now_s: float) -> float:
        """Return the rate of the last second or so; 0 where nothing came since."""
        if self.seen is None or now_s - self.received_s > max(2.0 * WINDOW_S, 3.0 / self.seen.rate_hz):
            return 0.0
        return self.seen.rate_hz

    def age_s(self, now_s: float) -> float:
        """Return how long ago the newest stamp was; infinite where nothing came."""
        return now_s - self.newest_s

    @property
    def way_s(self) -> float | None:
        """The least time from a stamp to its arrival; below 0 the sender's clock is ahead by that at least."""
        windows = [window for window in (self.seen, self.window) if window and window.least_s < math.inf]
        return windows[0].least_s if windows else None

    @property
    def same_s(self) -> float:
        """For how long messages have repeated one value [s]."""
        return self.received_s - self.changed_s if self.messages else 0.0

    @property
    def lively(self) -> bool:
        """Whether nearly every message had another value, until it last changed."""
        return self.repeats <= LIVELY_SHARE
