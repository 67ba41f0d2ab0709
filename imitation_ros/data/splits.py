"""Which episodes are to learn from, and which to judge by: `splits.json` in a folder, `mask/` in a file.

Both name the parts as robomimic does: train, valid, test.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from imitation_ros.data.catalogue import Catalogue, Entry
from imitation_ros.data.folder import sync
from imitation_ros.data.hdf5.listing import read_masks
from imitation_ros.errors import DataError

SPLITS_JSON = "splits.json"
TRAIN, VALID, TEST = "train", "valid", "test"
Splits = Mapping[str, Sequence[int]]
"""The name of a part to the numbers of its episodes."""


def in_order(parts: Iterable[str]) -> list[str]:
    """Return the names of parts: train, valid, test, then others."""
    usual = (TRAIN, VALID, TEST)
    return sorted(parts, key=lambda part: (usual.index(part) if part in usual else len(usual), part))


def read_splits(found: Catalogue) -> dict[str, list[int]]:
    """Return the splits of a dataset; nothing where there are none.

    Raises:
        DataError: they cannot be read, or name an episode that is not there.
    """
    source = found.data / SPLITS_JSON if found.data.is_dir() else found.data
    named = read_splits_json(source) if found.data.is_dir() else read_masks(source)
    numbers = {entry.name: entry.number for entry in found.entries}
    anew = f"`imitation-ros split {found.data}` makes them anew"
    for part, names in named.items():
        for name in names:
            if name not in numbers:
                raise DataError(f"{source} has {name!r} in its part {part!r}, which is no episode there. {anew}.")
    for one, other in ((TRAIN, VALID), (TRAIN, TEST), (VALID, TEST)):
        both = sorted({*named.get(one, ())} & {*named.get(other, ())})
        if both:
            raise DataError(f"{source} has {both[0]!r} both in {one} and in {other}. {anew}.")
    return {part: sorted(numbers[name] for name in names) for part, names in named.items()}


def read_splits_json(path: Path) -> dict[str, list[str]]:
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}. Mend it, or delete it.") from None
    sound = isinstance(splits, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in splits.values()
    )
    if not sound:
        raise DataError(
            f'{path} should hold the names of episodes for each part, such as {{"train": ["episode_000000"], "valid": '
            f'["episode_000001"]}}. Mend it, or delete it.'
        )
    return splits  # type: ignore[no-any-return]


def write_splits_json(folder: Path, names: Mapping[str, Sequence[str]]) -> Path:
    """Write `splits.json` as a whole, or not at all.

    Raises:
        DataError: the disk takes no more, or the folder is not writable.
    """
    path, part = folder / SPLITS_JSON, folder / f".{SPLITS_JSON}.part"
    text = json.dumps({part: [*episodes] for part, episodes in names.items()}, indent=1)
    try:
        part.write_text(text + "\n", encoding="utf-8")
        sync(part)
        os.replace(part, path)
        sync(folder)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}. Make room, or `chmod u+w {folder}`.") from None
    return path


def draw_splits(entries: Sequence[Entry], fractions: Mapping[str, float], seed: int) -> dict[str, list[int]]:
    """Draw which whole episodes are for what; of successes, failures and unmarked ones alike.

    Args:
        fractions: of each part but `train`, which gets the rest.

    Raises:
        DataError: nothing would be left to learn from.
    """
    counts = {part: max(1, round(fraction * len(entries))) for part, fraction in fractions.items() if fraction > 0}
    if sum(counts.values()) >= len(entries):
        wanted = " and ".join(f"{count} for {part}" for part, count in counts.items())
        raise DataError(
            f"{wanted} of {len(entries)} episode(s) leaves none to learn from. Record more, or ask for less."
        )
    rng = np.random.default_rng(np.random.SeedSequence([seed, len(entries)]))
    kinds = {mark: [e.number for e in entries if e.success is mark] for mark in (True, None, False)}
    left = {mark: rng.permutation(numbers).tolist() for mark, numbers in kinds.items() if numbers}
    splits = {}
    for part, count in counts.items():
        shares = apportioned(count, [len(kinds[mark]) for mark in left], [len(rest) for rest in left.values()])
        drawn = [left[mark].pop() for mark, share in zip(left, shares, strict=True) for _ in range(share)]
        splits[part] = sorted(drawn)
    return {TRAIN: sorted(number for rest in left.values() for number in rest), **splits}


def apportioned(count: int, sizes: Sequence[int], left: Sequence[int]) -> list[int]:
    """Return how many of each kind make a count, as near to their sizes' shares as whole numbers are."""
    exact = [count * size / sum(sizes) for size in sizes]
    shares = [min(int(share), rest) for share, rest in zip(exact, left, strict=True)]
    while sum(shares) < count:  # the largest remainders; of equal ones the first
        open_kinds = [kind for kind, rest in enumerate(left) if shares[kind] < rest]
        shares[max(open_kinds, key=lambda kind: (exact[kind] - shares[kind], -kind))] += 1
    return shares
