"""Every field's health while a recorder runs, and in words what got worse during an episode. Needs no ROS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from imitation_ros.recording.health import StreamHealth
from imitation_ros.robot.field import Field
from imitation_ros.robot.sampler import SAME_TIME_S

Array = NDArray[Any]

SLOW, FAST_AGAIN = 0.7, 0.85  # of the rate at which the episode began
FROZEN_S, FROZEN_PERIODS = 1.0, 10.0
MOVED_WITHIN_S = 0.5
AHEAD_S = 0.02  # synchronised machines differ by less


@dataclass(frozen=True)
class Trouble:
    """Something that got worse, or good again.

    Attributes:
        found: what and of which field; `to_do`: how to look. Without it, it is good again.
    """

    found: str
    to_do: str = ""

    def __str__(self) -> str:
        return f"{self.found}. {self.to_do}".rstrip()


class Watch:
    """The health of every field of a recorder.

    Args:
        observation: what should be heard all the time.
        action: what is heard when somebody commands.
        judging: whether to say what gets worse: not in lock-step, where a simulator waits for the slowest.
    """

    def __init__(self, observation: Iterable[Field], action: Iterable[Field], judging: bool = True) -> None:
        self.judging = judging
        self.observation = {field.name: field for field in observation}
        self.fields = {**self.observation, **{field.name: field for field in action}}
        self.health = {
            name: StreamHealth(None if name in self.observation else field.timeout_s)
            for name, field in self.fields.items()
        }
        self.recording = False
        self.slow: set[str] = set()
        self.frozen: set[str] = set()
        self.said_lost: set[str] = set()
        self.rates_hz: dict[str, float] = {}  # when the episode began
        self.drops: dict[str, int] = {}  # until the episode began

    def begin(self) -> None:
        """From now on an episode is recorded: what gets worse from here is said, and drops are counted."""
        self.recording = True
        self.slow, self.frozen, self.said_lost = set(), set(), set()
        self.drops = {name: missing(health) for name, health in self.health.items()}
        self.rates_hz = {
            name: health.seen.rate_hz
            for name, health in self.health.items()
            if name in self.observation and health.seen is not None and health.period.period_s is not None
        }

    def end(self) -> None:
        self.recording = False

    def forget(self) -> None:
        """Begin anew: time went back."""
        for name, field in self.fields.items():
            self.health[name] = StreamHealth(None if name in self.observation else field.timeout_s)

    def hear(self, name: str, data: Array, stamp_s: float | None, received_s: float) -> list[Trouble]:
        """Take a message; return what it shows to have got worse, or good again, in the open episode."""
        health = self.health.get(name)
        if health is None:
            return []
        whole = health.hear(data.tobytes(), stamp_s, received_s)
        if not (self.judging and self.recording):
            return []
        found = [self.jumped(name)] if health.jumped_s else []
        if whole and name in self.rates_hz:
            found += self.judge_rate(name)
        if name in self.observation:
            found += self.judge_frozen(name)
        return found

    def hear_lost(self, names: Iterable[str], total: int) -> list[Trouble]:
        """Take how many messages the middleware lost so far on the topic of some fields."""
        found = []
        for name in names:
            new = total - self.health[name].lost
            self.health[name].lost = total
            if self.judging and self.recording and new > 0 and name not in self.said_lost:
                self.said_lost.add(name)
                found.append(
                    Trouble(
                        f"{self.named(name)} lost {new} message(s) in the queue, {total} since the start",
                        "This machine is too busy, or the network: see `top`, and record fewer or smaller topics.",
                    )
                )
        return found

    def jumped(self, name: str) -> Trouble:
        jumped_s = self.health[name].jumped_s
        way = "ahead" if jumped_s > 0.0 else "back"
        return Trouble(
            f"the stamps of {self.named(name)} jumped {way} by {abs(jumped_s):.2f} s",
            "Does its machine's clock get set? `chronyc tracking` there, or set `stamp: received`.",
        )

    def judge_rate(self, name: str) -> list[Trouble]:
        seen = self.health[name].seen
        longest_s = self.fields[name].max_age_s + SAME_TIME_S  # a longer gap is what the ticks say, as stale
        if seen is None or seen.longest_gap_s > longest_s:
            return []
        share = seen.rate_hz / self.rates_hz[name]
        if share < SLOW and name not in self.slow:
            self.slow.add(name)
            was = f"it was {self.rates_hz[name]:.1f} Hz when the episode began"
            return [Trouble(f"{self.named(name)} comes at {seen.rate_hz:.1f} Hz; {was}", self.look(name))]
        if share > FAST_AGAIN and name in self.slow:
            self.slow.remove(name)
            return [Trouble(f"{name!r} comes at {seen.rate_hz:.1f} Hz again")]
        return []

    def judge_frozen(self, name: str) -> list[Trouble]:
        """A field is frozen where it says the same again and again, which it never did, while others change."""
        health = self.health[name]
        if health.same_s == 0.0:
            if name in self.frozen:
                self.frozen.remove(name)
                return [Trouble(f"{name!r} changes again")]
            return []
        least_s = max(FROZEN_S, FROZEN_PERIODS * (health.period.period_s or 0.0))
        if name in self.frozen or health.same_s < least_s or not health.lively or not self.others_move(name):
            return []
        self.frozen.add(name)
        found = f"{self.named(name)} has not changed for {health.same_s:.1f} s while others do"
        return [Trouble(found, self.look(name))]

    def others_move(self, name: str) -> bool:
        """Whether what a field should follow changed lately: commands; of a camera, anything."""
        field, now_s = self.fields[name], self.health[name].received_s
        for other, health in self.health.items():
            follows = field.is_image or other not in self.observation
            if other != name and follows and now_s - health.changed_s < MOVED_WITHIN_S and health.messages > 1:
                return True
        return False

    def named(self, name: str) -> str:
        return f"{name!r} ({self.fields[name].topic})"

    def look(self, name: str) -> str:
        return f"Check `ros2 topic hz {self.fields[name].topic}`."

    def marks(self) -> dict[str, str]:
        """Return what belongs into the file of the open episode: how many messages of which field are missing."""
        if not (self.judging and self.recording):
            return {}
        counts = {name: missing(health) - self.drops.get(name, 0) for name, health in self.health.items()}
        words = [f"{name} {count}" for name, count in counts.items() if count > 0]
        return {"missing_messages": ", ".join(words)} if words else {}

    def values(self, name: str, now_s: float) -> Mapping[str, str]:
        """Return a field's health in words, for /diagnostics."""
        health = self.health[name]
        found: dict[str, float | None] = {
            "rate_hz": health.rate_hz(now_s),
            "age_s": health.age_s(now_s) if health.messages else None,
            "jitter_s": health.jitter_s,
            "stamp_to_arrival_s": health.way_s,
            "unchanged_s": health.same_s if health.messages > 1 else None,
        }
        counts = {word: getattr(health, word) for word in ("messages", "drops", "lost", "duplicates", "late")}
        said = {word: f"{value:.4g}" for word, value in found.items() if value is not None}
        return {**said, **{word: str(count) for word, count in counts.items()}}

    def state(self, name: str, now_s: float) -> str:
        """Return what stands against a field in a word; empty where it is well."""
        health = self.health[name]
        if not health.messages:
            return "never heard" if name in self.observation else ""
        if name in self.observation and self.judging and health.age_s(now_s) > self.fields[name].max_age_s:
            return "stale"
        if self.judging and health.way_s is not None and health.way_s < -AHEAD_S:
            return "its clock is ahead"
        return "frozen" if name in self.frozen else "slow" if name in self.slow else ""


def missing(health: StreamHealth) -> int:
    """Return how many messages are missing: gaps in stamps tell of those that the middleware lost, too."""
    return max(health.drops, health.lost)
