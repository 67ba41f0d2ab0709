"""Run the rows that are named, or all of them: python -m tests.benchmarks.learning [row ...] [--keep] [--again]."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from imitation_ros.console import console
from tests.benchmarks.learning.jobs import Job, minutes_of, run_jobs
from tests.benchmarks.learning.plots import draw, draw_overview
from tests.benchmarks.learning.rows import ROWS, Row
from tests.benchmarks.learning.table import show, write_tables


def main() -> None:
    names = ", ".join(row.name for row in ROWS)
    parser = argparse.ArgumentParser(prog="make bench-learning", description=f"Rows: {names}.")
    parser.add_argument("rows", nargs="*", help="all of them where none is named")
    parser.add_argument(
        "--method",
        action="append",
        metavar="NAME",
        help='only this method of the rows, such as "GAIL, SAC"; repeatable',
    )
    parser.add_argument("--keep", action="store_true", help="keep results of other code; else they are made anew")
    parser.add_argument("--again", action="store_true", help="make all anew, also what is done")
    parser.add_argument("--show", action="store_true", help="run nothing; table and figures of what there is")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the adversarial rows side by side, too")
    parser.add_argument("--at-once", type=int, default=2, help="processes, of one thread each (default: 2)")
    asked = parser.parse_args()
    if unknown := set(asked.rows) - {row.name for row in ROWS}:
        sys.exit(f"{sorted(unknown)[0]!r} is no row; there are {names}.")
    rows = [row for row in ROWS if not asked.rows or row.name in asked.rows]
    jobs = chosen(rows, asked.method or [])
    missing = [job for job in jobs if asked.again or not job.is_done(any_code=asked.keep)]
    if missing and not asked.show:
        try:
            run_jobs(missing, asked.at_once)
        except KeyboardInterrupt:
            console.print("Interrupted; the same command goes on with the jobs that are missing.")
    for row in ROWS:
        draw(row)
    if asked.picture:
        draw_overview(ROWS, asked.picture)
    show(rows)
    minutes = minutes_of(chosen(ROWS, []), asked.at_once)
    console.print(f"\nThe table of all rows is {write_tables(ROWS)}, figures and CSV are beside it.", highlight=False)
    console.print(f"All rows from nothing: about {minutes:.0f} minutes, {asked.at_once} at once.", highlight=False)


def chosen(rows: Sequence[Row], methods: Sequence[str]) -> list[Job]:
    """Return the jobs of rows, each once; those of some methods, where any are named as the table or a job calls them.

    Raises:
        SystemExit: the rows have no such method.
    """
    jobs = {job.path: job for row in rows for job in row.jobs if job.minutes}  # the others' results come with theirs
    names = {job.path: {job.method, job.called, job.alongside} - {""} for job in jobs.values()}
    known = sorted(set().union(*names.values()))
    if unknown := [name for name in methods if name not in known]:
        sys.exit(f"{unknown[0]!r} is no method of these rows; there are: {'; '.join(known)}.")
    return [job for path, job in jobs.items() if not methods or names[path] & set(methods)]


if __name__ == "__main__":
    main()
