"""Which recorded episodes a training does not learn from, because a split says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from imitation_ros.console import console
from imitation_ros.data.catalogue import catalogue
from imitation_ros.data.episode import Episode
from imitation_ros.data.load import iterate_episodes
from imitation_ros.data.splits import SPLITS_JSON, TEST, VALID, read_splits


def without_tests(data: Path) -> Iterator[Episode]:
    """Return the episodes of a dataset but those of its part `test`, one at a time."""
    test = {*read_splits(catalogue(data)).get(TEST, ())}
    return (episode for number, episode in enumerate(iterate_episodes(data)) if number not in test)


def held_out_by_splits(recorded: Sequence[Episode], data: Path) -> tuple[list[Episode], set[int] | None]:
    """Return the episodes of a dataset but those of its part `test`; and of their demonstrations which to validate by.

    The latter are numbers among the episodes that were not marked as failures; None where no splits say so.
    """
    splits = read_splits(catalogue(data))
    if VALID not in splits and TEST not in splits:
        return list(recorded), None
    test, valid = {*splits.get(TEST, ())}, {*splits.get(VALID, ())}
    seen = [number for number in range(len(recorded)) if number not in test]
    shown = [number for number in seen if recorded[number].success is not False]
    held_out = {place for place, number in enumerate(shown) if number in valid}
    where = data / SPLITS_JSON if data.is_dir() else f"mask/ in {data}"
    console.print(
        f"{where}: {len(held_out)} demonstration(s) are held out to validate by, {len(test)} are for tests and not "
        f"looked at.",
        highlight=False,
        soft_wrap=True,
    )
    return [recorded[number] for number in seen], held_out if VALID in splits else None
