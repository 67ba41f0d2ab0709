"""What was made of bags, and what was left out, counted in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from imitation_ros.topic_facts import without_numbers


@dataclass(frozen=True)
class Imported:
    """One episode that was made."""

    path: Path
    steps: int
    success: bool | None
    stale_ticks: int


@dataclass
class Tally:
    """The episodes that were made, and why other things were left out: alike things are counted, the first is told.

    Attributes:
        messages: how many were taken from bags.
    """

    episodes: list[Imported] = field(default_factory=list)
    messages: int = 0
    told: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, text: str) -> None:
        kind = without_numbers(text)
        self.told.setdefault(kind, text.rstrip("."))
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def lines(self) -> list[str]:
        """Return a line for each kind of thing that was noted."""
        return [
            f"{text}." if self.counts[kind] == 1 else f"{self.counts[kind]} times, first: {text}."
            for kind, text in self.told.items()
        ]
