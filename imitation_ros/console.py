"""What a person sees while something takes time: a bar with an estimate, or lines where there is no terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

LINE_EVERY_S = 10.0  # in a log file

console = Console()


def print_table(heads: Sequence[str], rows: Sequence[tuple[str, ...]], drop: Sequence[str], fold: str) -> None:
    """Print a table whose names stay whole on a narrow terminal.

    Args:
        rows: of texts, which may have several lines; one text more than there are heads is the row's style.
        drop: the columns that can be missed, the least important first; they go only where the lines would not fit.
        fold: the column that is broken where that is not enough.
    """
    wide = [max(len(line) for row in (heads, *rows) for line in row[place].split("\n")) for place in range(len(heads))]
    kept = list(range(len(heads)))
    for head in drop:
        if sum(wide[place] + 2 for place in kept) > console.width:  # a space on either side
            kept.remove(heads.index(head))
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for place in kept:
        table.add_column(heads[place], no_wrap=heads[place] != fold, overflow="fold")
    for row in rows:
        style = row[len(heads)] if len(row) > len(heads) else ""
        table.add_row(*(escape(row[place]) for place in kept), style=style)
    console.print(table, highlight=False)


class Bar:
    """Progress of one thing, on a terminal or in a log."""

    def __init__(self, title: str, total: int, progress: Progress | None) -> None:
        self.title, self.total, self.progress = title, total, progress
        self.task: TaskID | None = None  # there is nothing to see before somebody knows how far it is
        self.started_s = self.printed_s = time.monotonic()
        self.ended = False
        self.begun = 0

    def begin(self, completed: int) -> None:
        """Say that so much was done before: what is left takes as long as what is done from now on."""
        self.begun, self.started_s = completed, time.monotonic()
        if self.progress is not None:
            self.progress.reset(self.drawn(self.progress, completed), completed=completed)

    def drawn(self, progress: Progress, completed: int) -> TaskID:
        """Return the bar of a terminal, which is drawn from now on."""
        if self.task is None:
            self.task = progress.add_task(self.title, total=self.total, completed=completed, text="")
            progress.start()
        return self.task

    def show(self, completed: int, text: str = "") -> None:
        """Say how far it is, and one thing worth knowing."""
        if self.progress is not None:
            self.progress.update(self.drawn(self.progress, completed), completed=completed, text=text)
            return
        now_s = time.monotonic()
        ended = completed >= self.total
        if self.ended or (now_s - self.printed_s < LINE_EVERY_S and not ended):
            return
        self.printed_s, self.ended = now_s, ended
        left_s = (now_s - self.started_s) * (self.total - completed) / max(completed - self.begun, 1)
        remaining = f", about {left_s:.0f} s left" if self.begun < completed < self.total else ""
        console.print(f"{self.title}: {completed}/{self.total}{remaining}  {text}", highlight=False)


@contextmanager
def bar(title: str, total: int) -> Iterator[Bar]:
    """Show progress towards `total` while the block runs."""
    if not console.is_terminal:
        yield Bar(title, total, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("<"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    progress = Progress(*columns, console=console)
    try:
        yield Bar(title, total, progress)
    finally:
        progress.stop()


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what a C library prints to standard error, behind Python's back."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
