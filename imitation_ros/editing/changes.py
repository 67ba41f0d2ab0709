"""What somebody wants changed in a dataset, made out before anything is read, and done episode by episode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from imitation_ros.data.catalogue import Catalogue, Entry, choose, read_entries
from imitation_ros.data.checks import check_same_meaning
from imitation_ros.data.editing import cut, relabelled, renamed, renamed_spec, split_at
from imitation_ros.data.episode import Episode
from imitation_ros.data.idle import IdleEnds
from imitation_ros.data.rewriting import Piece, parts_of
from imitation_ros.data.splits import Splits
from imitation_ros.errors import DataError
from imitation_ros.robot.spec import RobotSpec


@dataclass(frozen=True)
class Changes:
    """What the command line asks for; see the verb `edit`."""

    delete: Sequence[str] = ()
    keep: Sequence[str] = ()
    success: Sequence[str] = ()
    failure: Sequence[str] = ()
    unmark: Sequence[str] = ()
    split: Sequence[str] = ()
    rename: Sequence[str] = ()
    trim_idle: bool = False

    def check_any(self, data: object) -> None:
        """Refuse to change nothing.

        Raises:
            DataError: nothing was asked for.
        """
        if self == Changes():
            raise DataError(
                f"nothing was said to change in {data}. Give --delete, --keep, --trim-idle, --split, --rename, "
                f"--success, --failure or --unmark; --help says more."
            )


class Trim(NamedTuple):
    """Which ticks of an episode are left out."""

    name: str
    steps: int
    start: int
    end: int


@dataclass
class Done:
    """What was done, or would be.

    Attributes:
        trims: of which episodes idle ends were left out; whole_idle: in which nothing moves at all.
        taken_apart: name of an episode to how many parts; unmarked: how many of them lost their mark.
        marked: how many have another mark now.
    """

    trims: list[Trim] = field(default_factory=list)
    whole_idle: list[str] = field(default_factory=list)
    taken_apart: dict[str, int] = field(default_factory=dict)
    unmarked: int = 0
    marked: int = 0


class Plan:
    """Changes of a dataset, episode by episode.

    Args:
        splits: of the dataset; every part of an episode stays in those of its episode.

    Attributes:
        kept, deleted: which episodes; lost: files that cannot be read, and were said to be deleted.

    Raises:
        DataError: an episode is not there, or two wishes contradict each other.
    """

    def __init__(self, found: Catalogue, changes: Changes, splits: Splits) -> None:
        self.found, self.changes, self.splits = found, changes, splits
        self.done = Done()
        chosen = choose(found, changes.keep, "--keep") if changes.keep else list(found.entries)
        away = {entry.number for entry in choose(found, changes.delete, "--delete")}
        self.kept = [entry for entry in chosen if entry.number not in away]
        kept = {entry.number for entry in self.kept}
        self.deleted = [entry for entry in found.entries if entry.number not in kept]
        named = {word.strip().removesuffix(".hdf5") for text in changes.delete for word in text.split(",")}
        self.lost = [name for name in found.broken if name in named or changes.keep]
        replace(found, broken={n: e for n, e in found.broken.items() if n not in self.lost}).check_whole()
        if not self.kept:
            raise DataError(f"no episode of {found.data} would be left. Delete {found.data} itself, if that is meant.")
        self.marks = marks_of(found, changes)
        self.cuts = cuts_of(found, changes.split)
        self.names = names_of(changes.rename)
        self.specs: list[tuple[RobotSpec, RobotSpec]] = []  # of one text, and so of a thousand files, there is one
        self.idle = self.idle_ends() if changes.trim_idle else None

    @property
    def changed(self) -> bool:
        """Whether anything is another than before, as far as it was done."""
        done = self.done
        return bool(self.deleted or self.lost or self.names or done.trims or done.taken_apart or done.marked)

    def idle_ends(self) -> IdleEnds:
        idle: IdleEnds | None = None
        for entry, episode in read_entries(self.found.entries):
            idle = idle or IdleEnds(episode.spec)
            names = f"{self.found.entries[0].name} and {entry.name} in {self.found.data}"
            check_same_meaning(idle.layout.spec, episode.spec, names, "Put them into folders of their own.")
            idle.add(episode)
        assert idle is not None  # a plan without an episode was refused
        return idle

    def pieces(self) -> Iterator[Piece]:
        """Yield what becomes of each episode, in order.

        Raises:
            DataError: one is broken, or cannot be changed so.
        """
        for entry, episode in read_entries(self.kept):
            parts = parts_of(self.splits, entry.number)
            for place, after in enumerate(self.edited(entry, episode)):
                yield Piece(entry, after, parts, changed=after is not episode, first=place == 0)

    def edited(self, entry: Entry, episode: Episode) -> Iterator[Episode]:
        if entry.number in self.marks:
            before, episode = episode, relabelled(episode, self.marks[entry.number])
            self.done.marked += episode is not before
        parts = [episode]
        if ends := self.cuts.get(entry.number):
            parts = self.apart(entry, episode, ends)
        for part in parts:
            after = part if self.idle is None else self.trimmed(entry, part, len(parts))
            yield renamed(after, self.renamed_spec(after.spec), self.names) if self.names else after

    def apart(self, entry: Entry, episode: Episode, ends: Sequence[str]) -> list[Episode]:
        ticks = [tick_of(end, episode.spec.rate_hz) for end in ends]
        try:
            parts = list(split_at(episode, ticks))
        except DataError as error:
            raise DataError(f"--split: episode {entry.number} ({entry.name}) stays whole: {error}") from None
        self.done.taken_apart[entry.name] = len(parts)
        self.done.unmarked += sum(part.success is not episode.success for part in parts)
        return parts

    def trimmed(self, entry: Entry, episode: Episode, parts: int) -> Episode:
        assert self.idle is not None
        name = entry.name if parts == 1 else f"{entry.name}, a part of it"
        moving = self.idle.moving(episode)
        if moving is None:
            self.done.whole_idle.append(name)
            return episode
        start, stop = moving
        if (start, stop) == (0, episode.steps):
            return episode
        trim = Trim(name, episode.steps, start, episode.steps - stop)
        self.done.trims.append(trim)
        why = f"idle ends left out, {trim.start} ticks at the start and {trim.end} at the end of {trim.steps}"
        return cut(episode, start, stop, why)

    def renamed_spec(self, spec: RobotSpec) -> RobotSpec:
        for before, after in self.specs:
            if before is spec:
                return after
        self.specs.append((spec, renamed_spec(spec, self.names)))
        return self.specs[-1][1]


def marks_of(found: Catalogue, changes: Changes) -> dict[int, bool | None]:
    marks: dict[int, bool | None] = {}
    for option, mark in (("success", True), ("failure", False), ("unmark", None)):
        for entry in choose(found, getattr(changes, option), f"--{option}"):
            if marks.setdefault(entry.number, mark) is not mark:
                raise DataError(f"episode {entry.number} ({entry.name}) is to have two marks. Give it one.")
    return marks


def cuts_of(found: Catalogue, wishes: Sequence[str]) -> dict[int, list[str]]:
    """Return at which ticks or seconds episodes are to be split, from `3@120,240` or `3@6.5s`."""
    cuts: dict[int, list[str]] = {}
    for wish in wishes:
        which, at, ends = wish.partition("@")
        for end in ends.split(","):
            if not at or not is_end(end):
                raise DataError(
                    f"--split {wish}: give an episode and where its parts begin, in ticks (3@120 or 3@120,240) or in "
                    f"seconds (3@6.5s)."
                )
        for entry in choose(found, [which], "--split"):
            cuts.setdefault(entry.number, []).extend(ends.split(","))
    return cuts


def is_end(text: str) -> bool:
    if not text.endswith("s"):
        return text.isdecimal()
    whole, _, fraction = text.removesuffix("s").partition(".")
    return f"{whole}{fraction}".isdecimal()


def tick_of(end: str, rate_hz: float) -> int:
    return round(float(end.removesuffix("s")) * rate_hz) if end.endswith("s") else int(end)


def names_of(wishes: Sequence[str]) -> Mapping[str, str]:
    """Return old names to new ones, from `old=new`."""
    names: dict[str, str] = {}
    for wish in (part for text in wishes for part in text.split(",")):
        old, sign, new = wish.partition("=")
        if not (old and sign and new):
            raise DataError(f"--rename {wish}: give the old name and the new one, as in --rename wrist=hand.")
        if old in names:
            raise DataError(f"--rename {wish}: {old!r} is to be {names[old]!r} already.")
        names[old] = new
    return {old: new for old, new in names.items() if old != new}
