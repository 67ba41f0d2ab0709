"""A finding: what is wrong with a recording, how much, what is usual, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SEVERITIES = ("error", "warning", "note")
"""Training would refuse it, or learn what nobody showed; it probably hurts; worth knowing."""
DATASET = -1
"""The index of no episode: what is said of all of them together."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with an episode, or with a dataset.

    Attributes:
        severity: error, warning or note.
        kind: one word, the same for findings of one kind.
        episode: its index, or DATASET.
        field: which field it is about; empty for all.
        what: what is wrong, as a clause that holds for every episode with it.
        found: the value found, with its unit; usual: what is usual or allowed.
        do: what to do about it; DATA stands for the dataset's path, N for the episodes' numbers.
        weight: how bad it is among its kind.
    """

    severity: str
    kind: str
    episode: int
    field: str
    what: str
    found: str
    usual: str
    do: str
    weight: float = 0.0


@dataclass(frozen=True)
class Group:
    """The findings of one kind, severity and field, the worst first."""

    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Finding:
        return self.findings[0]

    @property
    def episodes(self) -> tuple[int, ...]:
        """The episodes it was found in, in order; none where it is about all together."""
        return tuple(sorted({each.episode for each in self.findings if each.episode != DATASET}))


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """Return findings by kind, the severest and most frequent first."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.severity, each.kind, each.field), []).append(each)
    ordered = [Group(tuple(sorted(group, key=lambda each: -each.weight))) for group in groups.values()]
    return sorted(ordered, key=lambda group: (SEVERITIES.index(group.worst.severity), -len(group.episodes)))


def numbers_of_episodes(episodes: Iterable[int]) -> str:
    """Return episode numbers as a person writes them: 3 5-8 12."""
    parts: list[list[int]] = []
    for number in sorted(episodes):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return " ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in parts)
