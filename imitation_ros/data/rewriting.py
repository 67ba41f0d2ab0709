"""Write a dataset anew from the episodes of others: a folder of files, or one file; with what belongs to them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imitation_ros.data.catalogue import Entry
from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import episode_path
from imitation_ros.data.hdf5 import write_episode, write_episodes
from imitation_ros.data.hdf5.listing import write_masks
from imitation_ros.data.splits import SPLITS_JSON, Splits, in_order, write_splits_json
from imitation_ros.errors import DataError
from imitation_ros.robot.spec import RobotSpec

FILES = (".hdf5", ".h5")


@dataclass(frozen=True)
class Piece:
    """An episode to be written.

    Attributes:
        entry: what it was made of.
        parts: of which splits it is.
        changed: whether it is another episode than that of its entry.
        first: whether it is the first of those that its entry was taken apart into.
    """

    entry: Entry
    episode: Episode
    parts: tuple[str, ...] = ()
    changed: bool = False
    first: bool = True


@dataclass
class Written:
    """What was written.

    Attributes:
        episodes, steps: how many.
        splits: the numbers of the episodes of each part.
        foreign: what was beside the data of episodes that were written anew, and is in them no more.
        numbered_anew: whether an episode has another number than before.
    """

    episodes: int = 0
    steps: int = 0
    splits: dict[str, list[int]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    numbered_anew: bool = False

    def count(self, piece: Piece, copied: bool) -> int:
        """Count a piece in, and return its number."""
        number = self.episodes
        self.episodes, self.steps = number + 1, self.steps + piece.episode.steps
        for part in piece.parts:
            self.splits.setdefault(part, []).append(number)
        self.foreign |= set() if copied else {*piece.entry.foreign}
        self.numbered_anew |= piece.entry.number != number
        return number


def is_file_name(path: Path) -> bool:
    """Whether an output of that name is one file; else it is a folder."""
    return path.suffix in FILES


def parts_of(splits: Splits, number: int) -> tuple[str, ...]:
    return tuple(part for part, numbers in splits.items() if number in numbers)


def write_dataset(path: Path, pieces: Iterable[Piece], as_file: bool) -> Written:
    """Write a dataset to a path that does not exist.

    What lies beside an episode and begins with its name, such as a bag of it, goes with it into a folder.

    Raises:
        DataError: there is no piece, or two do not fit into one file.
    """
    written = Written()
    if as_file:
        write_episodes(path, one_storage(counted(pieces, written)))
        if written.splits:
            write_masks(path, named(written.splits, "demo_{}"))
        return written
    path.mkdir()
    for piece in pieces:
        copied = piece.entry.alone and not piece.changed
        number = written.count(piece, copied)
        target = episode_path(path, number)
        if copied:
            shutil.copyfile(piece.entry.path, target)
        else:
            write_episode(target, piece.episode)
        if piece.first:
            copy_beside(piece.entry, target)
    if not written.episodes:
        raise DataError("no episode is left.")
    if written.splits:
        write_splits_json(path, named(written.splits, "episode_{:06d}"))
    return written


def counted(pieces: Iterable[Piece], written: Written) -> Iterator[Episode]:
    for piece in pieces:
        written.count(piece, copied=False)
        yield piece.episode


def named(splits: Mapping[str, Iterable[int]], name: str) -> dict[str, list[str]]:
    return {part: [name.format(number) for number in splits[part]] for part in in_order(splits)}


def one_storage(episodes: Iterable[Episode]) -> Iterator[Episode]:
    """Yield episodes that can share one file; what is stored in two ways cannot, and JPEGs are never made of pixels."""
    first: RobotSpec | None = None
    for episode in episodes:
        first = first or episode.spec
        for item in first.observation if episode.spec is not first else ():
            other = next((f for f in episode.spec.observation if f.name == item.name), item)
            if item.is_image and item.storage != other.storage:
                raise DataError(
                    f"{item.name!r} is stored as {item.storage} in one episode and as {other.storage} in another, and "
                    f"one file holds one of them. Write a folder instead, or pack with --decode-images."
                )
        yield episode


def companions(entry: Entry) -> list[Path]:
    """Return what lies beside an episode's file and begins with its name."""
    if not entry.alone:
        return []
    folder, begins = entry.path.parent, (f"{entry.path.stem}.", f"{entry.path.stem}_")
    names = [name for name in os.listdir(folder) if name.startswith(begins) and ".hdf5" not in name]
    return [folder / name for name in sorted(names)]


def copy_beside(entry: Entry, target: Path) -> None:
    for path in companions(entry):
        copy(path, target.with_name(target.stem + path.name.removeprefix(entry.path.stem)))


def copy_others(data: Path, entries: Iterable[Entry], target: Path) -> None:
    """Copy what is in a dataset's folder and is no episode of it: notes, reports."""
    taken = {path for entry in entries for path in (entry.path, *companions(entry))}
    for path in data.iterdir():
        recorded = path.name == SPLITS_JSON or path.suffix == ".hdf5" or ".hdf5.part" in path.name
        if path not in taken and not recorded and not (target / path.name).exists():
            copy(path, target / path.name)


def copy(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, target, symlinks=True)
    else:
        shutil.copy2(path, target, follow_symlinks=False)
