"""What the verbs say: counts, plurals, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from imitation_ros.console import console
from imitation_ros.data.catalogue import Entry
from imitation_ros.data.quality import numbers_of_episodes
from imitation_ros.data.rewriting import Written
from imitation_ros.data.splits import Splits, in_order


def say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def count(number: int, what: str) -> str:
    """Return '1 episode' or '2 episodes'."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def numbers(entries: Iterable[Entry]) -> str:
    """Return episode numbers as a person writes them: 3, 5-8, 12."""
    return numbers_of_episodes(entry.number for entry in entries).replace(" ", ", ")


def size_of(written: Written) -> str:
    return f"{count(written.episodes, 'episode')}, {count(written.steps, 'tick')}"


def splits_in_words(splits: Splits) -> str:
    return ", ".join(f"{len(splits[part])} in {part}" for part in in_order(splits))


def say_foreign(written: Written, source: str) -> None:
    """Say what somebody else put into the files and is not in those that were written."""
    if written.foreign:
        names = sorted(written.foreign)
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        say(f"Left out, because it is not part of an episode's format: {', '.join(names[:5])}{more}. {source} has it.")


def say_next(data: Path) -> None:
    say(f"Next: `imitation-ros check {data}`, then `imitation-ros train bc --data {data} --output policy`.")
