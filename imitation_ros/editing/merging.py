"""One dataset of several that mean the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imitation_ros.console import console
from imitation_ros.data.catalogue import Catalogue, catalogue, read_entries
from imitation_ros.data.episode import Episode
from imitation_ros.data.rewriting import Piece, is_file_name, parts_of, write_dataset
from imitation_ros.data.splits import Splits, read_splits
from imitation_ros.data.swapping import check_room, creating
from imitation_ros.editing.watching import watched
from imitation_ros.editing.words import count, say, say_foreign, say_next, size_of, splits_in_words
from imitation_ros.errors import DataError
from imitation_ros.robot.spec import RobotSpec
from imitation_ros.robot.wiring import wiring_differences

MOST_LINES = 12  # of differences in wiring


@dataclass(frozen=True)
class Source:
    """A dataset that is merged."""

    found: Catalogue
    splits: Splits
    spec: RobotSpec


def run_merge(datasets: Sequence[Path], output: Path) -> None:
    """Write the episodes of several datasets into one, in their order.

    Raises:
        DataError: they mean different things, or the output exists.
    """
    if len(datasets) < 2:
        raise DataError("merge takes at least two datasets. Give their folders or files, then --output.")
    sources = [source_of(data) for data in datasets]
    check_meanings(sources)
    splits, why_none = merged_splits(sources)
    total = sum(len(source.found.entries) for source in sources)
    for source in sources:
        check_room(source.found.data, output.absolute())
    seen: dict[bytes, str] = {}
    twice: list[str] = []
    as_file = is_file_name(output)
    with creating(output) as work:
        pieces = watched("merging", total, merged(sources, splits, seen, twice))
        written = write_dataset(work.path, pieces, as_file)
    parts = " + ".join(f"{len(source.found.entries)} of {source.found.data}" for source in sources)
    console.print(
        f"[bold]{output}[/bold] holds {size_of(written)}: {parts}, in this order.", highlight=False, soft_wrap=True
    )
    say_wiring(sources, as_file)
    if why_none:
        say(f"{why_none} `imitation-ros split {output}` makes some.")
    elif splits:
        say(f"Its splits: {splits_in_words(written.splits)}.")
    if twice:
        shown = "; ".join(twice[:5]) + (f"; and {len(twice) - 5} more" if len(twice) > 5 else "")
        say(f"The same to the last bit: {shown}. Delete one of each: what is held out must not be learned from.")
    say_foreign(written, " or ".join(f"{source.found.data}" for source in sources))
    say_next(output)


def source_of(data: Path) -> Source:
    found = catalogue(data)
    found.check_whole()
    for _, episode in read_entries(found.entries[:1]):
        return Source(found, read_splits(found), episode.spec)
    raise DataError(f"{data} holds no episode.")


def check_meanings(sources: Sequence[Source]) -> None:
    """Refuse datasets of different meanings.

    Raises:
        DataError: two differ; with a line for each difference.
    """
    first = sources[0]
    for other in sources[1:]:
        if lines := first.spec.differences(other.spec):
            raise different(f"{first.found.data}", f"{other.found.data}", lines)


def different(first: str, other: str, lines: Sequence[str]) -> DataError:
    return DataError(
        f"{first} and {other} mean different things, and are not merged ({first} != {other}):\n  "
        + "\n  ".join(lines)
        + "\nWhere only a name differs, `imitation-ros edit DATA --rename OLD=NEW` changes it; the rest has to be "
        "recorded alike."
    )


def merged_splits(sources: Sequence[Source]) -> tuple[list[Splits], str]:
    """Return the splits of each source, and why they are dropped where they are."""
    without = [f"{source.found.data}" for source in sources if not source.splits]
    if not without:
        return [source.splits for source in sources], ""
    if len(without) == len(sources):
        return [], ""
    return [], f"The splits are dropped: {' and '.join(without)} has none, and what is in no part would be unknown."


def merged(
    sources: Sequence[Source], splits: Sequence[Splits], seen: dict[bytes, str], twice: list[str]
) -> Iterator[Piece]:
    """Yield all episodes; notes in `twice` which are the same to the last bit."""
    number = 0
    first = sources[0]
    for place, source in enumerate(sources):
        for entry, episode in read_entries(source.found.entries):
            name = f"{source.found.data}: {entry.name}"
            if lines := first.spec.differences(episode.spec):
                raise different(f"{first.found.data}", name, lines)
            digest = digest_of(episode)
            if digest in seen:
                twice.append(f"{seen[digest]} and {number} ({name})")
            seen.setdefault(digest, f"{number}")
            number += 1
            parts = parts_of(splits[place], entry.number) if splits else ()
            yield Piece(entry, episode, parts)


def digest_of(episode: Episode) -> bytes:
    """Return what two episodes share that are one recording: labels and numbers."""
    digest = hashlib.sha256()
    for values in episode.actions.values():
        digest.update(values.tobytes())
    for field in episode.spec.observation:
        if not field.is_image:
            digest.update(episode.observations[field.name].tobytes())
    return digest.digest()


def say_wiring(sources: Sequence[Source], as_file: bool) -> None:
    """Show how the wiring differs, which is no reason not to merge."""
    first = sources[0]
    for other in sources[1:]:
        lines = wiring_differences(first.spec, other.spec)
        if lines:
            kept = f"the file has that of {first.found.data}" if as_file else "each file keeps its own"
            say(f"{other.found.data} was recorded with {count(len(lines), 'difference')} in wiring; {kept}:")
            for line in lines[:MOST_LINES]:
                say(f"  {line}")
            if len(lines) > MOST_LINES:
                say(f"  and {len(lines) - MOST_LINES} more")
