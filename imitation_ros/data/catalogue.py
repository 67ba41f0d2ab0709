"""The episodes of a dataset by number and name, without reading them; and which of them somebody means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.hdf5 import read_episodes
from imitation_ros.data.hdf5.listing import list_demos
from imitation_ros.errors import DataError, SpecError, did_you_mean

MARKED = {"success": True, "failure": False, "unmarked": None}
ALL = "all"
RANGE = re.compile(r"(\d+)-(\d+)")
FILE_NUMBER = re.compile(r"episode_(\d+)")


@dataclass(frozen=True)
class Entry:
    """An episode of a dataset.

    Attributes:
        number: its place in the dataset, from 0, as `info` and `check` count.
        name: of its file, without .hdf5; in a file of many, that of its demo.
        path: its file; place: in that file.
        alone: whether it is the only one in its file.
        steps, success, foreign: see DemoFacts.
    """

    number: int
    name: str
    path: Path
    place: int
    alone: bool
    steps: int
    success: bool | None
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """The episodes of a dataset.

    Attributes:
        entries: in the order in which they are read.
        broken: name of a file that cannot be read, to why; its episodes have no number.
    """

    data: Path
    entries: tuple[Entry, ...]
    broken: dict[str, str]

    @property
    def steps(self) -> int:
        return sum(entry.steps for entry in self.entries)

    def check_whole(self) -> None:
        """Check that every file can be read.

        Raises:
            DataError: one cannot.
        """
        for name, error in self.broken.items():
            raise DataError(f"{error} `imitation-ros edit {self.data} --delete {name}` leaves it out.")


def catalogue(data: Path) -> Catalogue:
    """Return the episodes of a dataset: one HDF5 file, or a folder of them.

    Raises:
        DataError: there is none.
    """
    entries: list[Entry] = []
    broken: dict[str, str] = {}
    for path in dataset_files(data):
        try:
            demos = list_demos(path)
        except (DataError, SpecError) as error:
            broken[path.stem] = str(error)
            continue
        for place, demo in enumerate(demos):
            name = demo.name
            if data.is_dir():
                name = path.stem if place == 0 else f"{path.stem}:{place}"
            alone, facts = len(demos) == 1, (demo.steps, demo.success, demo.foreign)
            entries.append(Entry(len(entries), name, path, place, alone, *facts))
    return Catalogue(data, tuple(entries), broken)


def read_entries(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Episode]]:
    """Yield some episodes, one at a time.

    Raises:
        DataError: one is broken.
    """
    for path, group in groupby(entries, key=lambda entry: entry.path):
        wanted = {entry.place: entry for entry in group}
        for place, episode in enumerate(read_episodes(path)):
            if place in wanted:
                yield wanted[place], episode


def choose(found: Catalogue, words: Sequence[str], option: str) -> list[Entry]:
    """Return the episodes that somebody means, in their order.

    Args:
        words: numbers, ranges such as 7-9, names, success, failure, unmarked or all; also several with commas.
        option: where they were given, for messages.

    Raises:
        DataError: there is no such episode.
    """
    numbers: set[int] = set()
    for word in (part.strip() for text in words for part in text.split(",")):
        if word:
            numbers |= set(meant(found, word, option))
    return [found.entries[number] for number in sorted(numbers)]


def meant(found: Catalogue, word: str, option: str) -> Iterable[int]:
    """Return the numbers of the episodes that one word means."""
    if word == ALL:
        return range(len(found.entries))
    if word in MARKED:
        return [entry.number for entry in found.entries if entry.success is MARKED[word]]
    named = {entry.name: entry.number for entry in found.entries}
    name = word.removesuffix(".hdf5")
    if name in named:
        return [named[name]]
    if name in found.broken:
        return []  # it has no number, and is left out in any case
    between = RANGE.fullmatch(word)
    if not between and not word.isdecimal():
        words = [*named, *found.broken, *MARKED, ALL]
        raise DataError(
            f"{option} {word}: {found.data} has no such episode.{did_you_mean(name, words)} {there_are(found)} Numbers "
            f"(3), ranges (7-9), names, and the words success, failure, unmarked and all are understood."
        )
    first, last = (int(end) for end in (between.groups() if between else (word, word)))
    if first > last:
        raise DataError(f"{option} {word}: a range goes up. Did you mean {last}-{first}?")
    if last >= len(found.entries):
        raise DataError(f"{option} {word}: {found.data} has no episode {last}. {there_are(found)}")
    for number in range(first, last + 1):
        check_clear(found, number, option)
    return range(first, last + 1)


def there_are(found: Catalogue) -> str:
    last = len(found.entries) - 1
    numbers = f"There are 0 to {last}" if last > 0 else "There is only 0" if last == 0 else "None can be read"
    return f"{numbers}, as `imitation-ros info {found.data}` counts them."


def check_clear(found: Catalogue, number: int, option: str) -> None:
    """Refuse a number that is one episode's place, and another one's file name."""
    entry = found.entries[number]
    of_file = FILE_NUMBER.fullmatch(entry.path.stem)
    if not found.data.is_dir() or of_file is None or int(of_file[1]) == number:
        return
    others = [other for other in found.entries if FILE_NUMBER.fullmatch(other.path.stem)]
    same = [other.name for other in others if int(other.path.stem.removeprefix("episode_")) == number]
    if same:
        raise DataError(
            f"{option} {number} can mean two episodes: counted from 0 it is {entry.name}, because files are missing "
            f"in {found.data}; and there is {same[0]}. Give the name of the one you mean."
        )
