"""Where episodes begin and end in a bag: by a topic, at given times, or where commands pause."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imitation_ros.errors import DataError, SpecError, did_you_mean

START, STOP, DISCARD, SUCCESS, FAILURE, TOGGLE = "start", "stop", "discard", "success", "failure", "toggle"
WORDS = (START, STOP, DISCARD, SUCCESS, FAILURE)
BOOL, STRING, JOY = "std_msgs/msg/Bool", "std_msgs/msg/String", "sensor_msgs/msg/Joy"
MARKS = {"": None, SUCCESS: True, FAILURE: False}
CLOCK_S = 1e8  # a later time is one of day, not one since the bag began: no bag is three years long


@dataclass(frozen=True)
class Span:
    """One episode at given times: since the bag began, or of day [s since 1970]."""

    start_s: float
    end_s: float
    success: bool | None


@dataclass(frozen=True)
class Cuts:
    """How a person wants episodes to be cut; at most one of the three ways.

    Attributes:
        topic: where somebody says start and stop; empty without.
        button: of a Joy on that topic; None for another type.
        gap_s: episodes end where no command came for so long [s]; inf: one episode from the first to the last command.
        spans: given times.
    """

    topic: str = ""
    button: int | None = None
    gap_s: float = math.inf
    spans: tuple[Span, ...] = ()

    @property
    def by_commands(self) -> bool:
        return not self.topic and not self.spans


def parse_cuts(topic: str = "", button: int = -1, gap_s: float = 0.0, times: Sequence[str] = ()) -> Cuts:
    """Return what the options ask for.

    Raises:
        SpecError: they contradict each other, or times are none.
    """
    given = [name for name, value in (("--episodes-topic", topic), ("--gap-s", gap_s), ("--times", times)) if value]
    if len(given) > 1:
        raise SpecError(f"{' and '.join(given)} are given; episodes are cut in one way. Leave all but one out.")
    if button < -1 or (button >= 0 and not topic):
        raise SpecError(f"--episodes-button is {button}; it should be 0 or more, with --episodes-topic naming a Joy.")
    if not 0.0 <= gap_s < math.inf:
        raise SpecError(f"--gap-s is {gap_s:g}; it should be a time above 0 s, or left out: one episode per bag.")
    return Cuts(topic, None if button < 0 else button, gap_s or math.inf, parse_times(times))


def parse_times(times: Sequence[str]) -> tuple[Span, ...]:
    """Return the episodes of `start:end` or `start:end:success` items, or of files with such lines."""
    spans: list[Span] = []
    for item in times:
        path = Path(item)
        if path.is_file():
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise SpecError(f"--times: {path} cannot be read: {error}.") from None
            for number, line in enumerate(lines, 1):
                if words := line.split("#")[0].replace(",", " ").replace(":", " ").split():
                    spans.append(parse_span(words, f"{path}, line {number}"))
        else:
            spans.append(parse_span(item.split(":"), f"--times {item}"))
    spans.sort(key=lambda span: span.start_s)
    for one, other in itertools.pairwise(spans):
        if other.start_s < one.end_s:
            raise SpecError(
                f"--times: the episode from {other.start_s:g} s begins before the one from {one.start_s:g} s ends "
                f"({one.end_s:g} s). Episodes follow one another."
            )
    return tuple(spans)


def parse_span(words: Sequence[str], where: str) -> Span:
    try:
        start_s, end_s = float(words[0]), float(words[1])
        success = MARKS[words[2].lower() if len(words) > 2 else ""]
        if len(words) <= 3 and 0.0 <= start_s < end_s < math.inf:
            return Span(start_s, end_s, success)
    except (ValueError, IndexError, KeyError):
        pass
    raise SpecError(
        f"{where}: {' '.join(words)!r} is no episode. Write START:END, or START:END:success (or failure), in seconds "
        f"since the bag began or since 1970; or name a file that exists, with such a line for each."
    )


@dataclass
class TopicCut:
    """Reads what somebody says on a topic.

    Attributes:
        unknown: texts that are no word of ours, and how often.
    """

    button: int | None
    pressed: bool = False
    unknown: dict[str, int] = field(default_factory=dict)

    def events(self, message: Any) -> list[str]:
        """Return what a Bool, String or Joy asks for."""
        if hasattr(message, "buttons"):
            before, number = self.pressed, self.button or 0
            self.pressed = len(message.buttons) > number and bool(message.buttons[number])
            return [TOGGLE] if self.pressed and not before else []
        if isinstance(message.data, str):
            word = message.data.strip().lower()
            if word not in WORDS:
                self.unknown[word] = self.unknown.get(word, 0) + 1
                return []
            return [word]
        return [START if message.data else STOP]

    def complaints(self, topic: str) -> list[str]:
        """Return a line for each text that was not understood."""
        allowed = ", ".join(WORDS)
        return [
            f"{topic} said {word!r} {count} times; known: {allowed}.{did_you_mean(word, WORDS)}"
            for word, count in self.unknown.items()
        ]


@dataclass(frozen=True)
class Event:
    """That an episode begins or ends at a given time [s], and whether it was a success."""

    time_s: float
    word: str
    success: bool | None = None


class TimesCut:
    """Says what given times ask for; `began_s` is when the bag began."""

    def __init__(self, spans: Sequence[Span], began_s: float) -> None:
        since_s = [began_s if span.start_s < CLOCK_S else 0.0 for span in spans]
        moved = [Span(t + span.start_s, t + span.end_s, span.success) for t, span in zip(since_s, spans, strict=True)]
        self.spans = sorted(moved, key=lambda span: span.start_s)

    def next_s(self, wanted: bool) -> float:
        """Return when there is something to say next [s]; `wanted`: an episode is open or asked for."""
        if not self.spans:
            return math.inf
        return self.spans[0].end_s if wanted else self.spans[0].start_s

    def take(self, now_s: float, wanted: bool) -> Event | None:
        """Return what is to be done first by now, if anything."""
        if now_s < self.next_s(wanted):
            return None
        if not wanted:
            return Event(self.spans[0].start_s, START)
        span = self.spans.pop(0)
        return Event(span.end_s, STOP, span.success)

    def left(self, end_s: float) -> int:
        """Return how many begin after a time [s]."""
        return sum(span.start_s > end_s for span in self.spans)


def check_cut_topic(cuts: Cuts, topic: str, kind: str | None, where: str, there: Sequence[str]) -> None:
    """Refuse a topic that cannot say where episodes begin.

    Raises:
        DataError: it is not in the bag, has another type, or a Joy's button is not named.
    """
    if kind is None:
        raise DataError(f"{where} has no {topic} (--episodes-topic).{did_you_mean(topic, there)} See `ros2 bag info`.")
    if kind not in (BOOL, STRING, JOY):
        raise DataError(
            f"{where}: {topic} (--episodes-topic) is a {kind}; it should be a {BOOL} (true begins, false ends), a "
            f"{STRING} ({', '.join(WORDS)}), or a {JOY} with --episodes-button."
        )
    if (kind == JOY) != (cuts.button is not None):
        need = "needs --episodes-button, such as 7" if kind == JOY else "has no buttons: leave --episodes-button out"
        raise DataError(f"{where}: {topic} (--episodes-topic) is a {kind}, which {need}.")
