"""Delete, keep, trim, take apart, rename and mark episodes; the original is kept."""

from __future__ import annotations

from pathlib import Path

from imitation_ros.console import console, print_table
from imitation_ros.data.catalogue import Catalogue, catalogue
from imitation_ros.data.folder import unfinished
from imitation_ros.data.idle import KEPT_S
from imitation_ros.data.rewriting import Written, copy_others, is_file_name, write_dataset
from imitation_ros.data.splits import read_splits
from imitation_ros.data.swapping import check_room, creating, replacing
from imitation_ros.editing.changes import Changes, Plan
from imitation_ros.editing.watching import watched
from imitation_ros.editing.words import count, numbers, say, say_foreign, say_next, size_of, splits_in_words
from imitation_ros.errors import DataError

MOST_ROWS = 40  # of trimmed episodes


def run_edit(data: Path, changes: Changes, output: Path | None = None, dry_run: bool = False) -> None:
    """Change a dataset, and print what was done.

    Args:
        output: where to write it; None: in the place of the original, which is kept as `*.previous`.
        dry_run: only print what would be done.

    Raises:
        DataError: what is asked for cannot be done; nothing was changed then.
    """
    changes.check_any(data)
    found = catalogue(data)
    if output is None:
        check_at_rest(data)
    splits, why_none = {}, ""
    try:
        splits = read_splits(found)
    except DataError as error:
        why_none = str(error)
    plan = Plan(found, changes, splits)
    title, total = "looking" if dry_run else "editing", len(plan.kept)
    if dry_run:
        written = Written()
        for piece in watched(title, total, plan.pieces()):
            written.count(piece, copied=not piece.changed)
        previous = None
    else:
        check_room(data, output or data)
        with replacing(data) if output is None else creating(output) as work:
            as_file = data.is_file() if output is None else is_file_name(output)
            written = write_dataset(work.path, watched(title, total, plan.pieces()), as_file)
            if data.is_dir() and not as_file:
                copy_others(data, found.entries, work.path)
            work.unchanged = output is None and not plan.changed
            previous = work.previous
    say_done(plan, dry_run)
    if why_none:
        say(f"The splits are dropped: {why_none}")
    if output is None and not plan.changed:
        say(f"There is nothing to change; {data} stays as it is.")
        return
    say_result(found, plan, written, output or data, dry_run)
    if not dry_run:
        if previous is not None:
            say(f"The original is kept as {previous}: delete it when you are content, or rename it to go back.")
        say_foreign(written, f"{data if output else previous}")
        say_next(output or data)


def check_at_rest(data: Path) -> None:
    """Refuse to exchange a folder in which something is, or was, being recorded.

    Raises:
        DataError: there is a `*.part`.
    """
    parts = unfinished(data) if data.is_dir() else []
    if parts:
        raise DataError(
            f"{data} holds an unfinished episode ({parts[0].name}): it is being recorded, or its recorder was ended. "
            f"Stop the recorder, or `imitation-ros recover {data}`; or give --output, which leaves {data} as it is."
        )


def say_done(plan: Plan, dry_run: bool) -> None:
    done, would = plan.done, "would be " if dry_run else ""
    if plan.deleted:
        say(f"{count(len(plan.deleted), 'episode')} {would}deleted: {numbers(plan.deleted)}.")
    if plan.lost:
        say(f"{count(len(plan.lost), 'file')} that cannot be read {would}deleted: {', '.join(plan.lost)}.")
    if plan.names:
        renamed = ", ".join(f"{old} {'would be' if dry_run else 'is now'} {new}" for old, new in plan.names.items())
        say(f"Fields renamed: {renamed}. Rename them in the setup too: policies and setups go by these names.")
    if plan.marks:
        same = sum(plan.marks[entry.number] is entry.success for entry in plan.kept if entry.number in plan.marks)
        say(f"{count(done.marked, 'episode')} {would}marked otherwise{f'; {same} had that mark' if same else ''}.")
    if done.taken_apart:
        apart = ", ".join(f"{name} into {parts}" for name, parts in done.taken_apart.items())
        lost = (
            f" The mark is that of the end: {count(done.unmarked, 'part')} before it not marked."
            if done.unmarked
            else ""
        )
        say(f"{count(len(done.taken_apart), 'episode')} {would}split: {apart}.{lost}")
    if done.trims:
        say_trims(plan, dry_run)
    elif plan.idle is not None:
        say("No episode begins or ends with standing still.")
    if done.whole_idle:
        say(
            f"Nothing moves in all of {', '.join(done.whole_idle[:10])}{' ...' if len(done.whole_idle) > 10 else ''}: "
            f"left whole. Look at it, and delete it if it shows nothing."
        )


def say_trims(plan: Plan, dry_run: bool) -> None:
    """Print how many ticks are left out of which episodes."""
    trims = plan.done.trims
    rows = [
        (trim.name, f"{trim.steps}", f"{trim.start}", f"{trim.end}", f"{trim.steps - trim.start - trim.end}")
        for trim in trims[:MOST_ROWS]
    ]
    print_table(("episode", "ticks", "idle at the start", "at the end", "left"), rows, drop=(), fold="episode")
    if len(trims) > MOST_ROWS:
        say(f" and {len(trims) - MOST_ROWS} more")
    ticks = sum(trim.start + trim.end for trim in trims)
    say(
        f"{count(ticks, 'idle tick')} of {count(len(trims), 'episode')} {'would be ' if dry_run else ''}left out: no "
        f"command changes there and nothing moves. {KEPT_S:g} s of it stays at either end, so that a policy learns to "
        f"start and to stop."
    )


def say_result(found: Catalogue, plan: Plan, written: Written, where: Path, dry_run: bool) -> None:
    holds = "would hold" if dry_run else "holds"
    before = f"{count(len(found.entries), 'episode')}, {count(found.steps, 'tick')}"
    anew = f", numbered anew from 0 to {written.episodes - 1}" if written.numbered_anew else ""
    console.print(
        f"[bold]{where}[/bold] {holds} {size_of(written)}{anew}; before: {before}.", highlight=False, soft_wrap=True
    )
    if plan.splits:
        say(f"Its splits: {splits_in_words(written.splits) or 'no episode of them is left'}.")
        gone = [part for part in plan.splits if plan.splits[part] and part not in written.splits]
        if gone and written.splits:
            say(f"No episode of {' and '.join(gone)} is left: `imitation-ros split {where}` draws anew.")
