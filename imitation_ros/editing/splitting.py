"""Say which episodes are to learn from, and which to judge by."""

from __future__ import annotations

import shutil
from pathlib import Path

from imitation_ros.data.catalogue import Catalogue, catalogue
from imitation_ros.data.hdf5.listing import write_masks
from imitation_ros.data.splits import TEST, VALID, draw_splits, read_splits, write_splits_json
from imitation_ros.data.swapping import check_room, replacing
from imitation_ros.editing.words import count, say
from imitation_ros.errors import DataError

MARKS = {True: ("success", "successes"), False: ("failure", "failures"), None: ("not marked", "not marked")}


def run_split(data: Path, validation: float, test: float, seed: int) -> None:
    """Draw which whole episodes are held out, write it down, and print it.

    Args:
        validation, test: shares of the episodes.

    Raises:
        DataError: a share is none, or nothing is left to learn from.
    """
    for option, share in (("--validation", validation), ("--test", test)):
        if not 0.0 <= share < 1.0:
            raise DataError(f"{option} is {share:g}; it should be a share of the episodes: at least 0 and below 1.")
    if validation == test == 0.0:
        raise DataError("--validation and --test are both 0, which splits nothing. Give one of them, such as 0.1.")
    if seed < 0:
        raise DataError(f"--seed is {seed}; it should be at least 0.")
    found = catalogue(data)
    found.check_whole()
    before = has_splits(found)
    splits = draw_splits(found.entries, {VALID: validation, TEST: test}, seed)
    named = {part: [found.entries[number].name for number in numbers] for part, numbers in splits.items()}
    if data.is_dir():
        where = f"{write_splits_json(data, named)}"
    else:
        check_room(data, data)
        with replacing(data, backup=False) as work:
            shutil.copy2(data, work.path)
            write_masks(work.path, named)
        where = f"mask/ in {data}"
    say(f"{where}{' (in the place of earlier splits)' if before else ''}, drawn with seed {seed}:")
    for part, numbers in splits.items():
        say(f"  {part}: {count(len(numbers), 'episode')}{in_kinds(found, numbers)}")
    say(
        "Training by bc judges by valid, instead of by a share that it draws itself; no training sees test. Episodes "
        "that are added later are learned from."
    )
    say(f"Next: `imitation-ros train bc --data {data} --output policy`.")


def has_splits(found: Catalogue) -> bool:
    try:
        return bool(read_splits(found))
    except DataError:  # they are made anew
        return True


def in_kinds(found: Catalogue, numbers: list[int]) -> str:
    """Return how many of some episodes are successes, failures and not marked; nothing where nobody marked any."""
    marks = [found.entries[number].success for number in numbers]
    if all(entry.success is None for entry in found.entries):
        return ""
    kinds = [f"{marks.count(mark)} {words[marks.count(mark) > 1]}" for mark, words in MARKS.items() if mark in marks]
    return f" ({', '.join(kinds)})"
