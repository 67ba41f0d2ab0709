"""Run the rows that are named, or all of them: python -m tests.benchmarks.learning [row ...] [--keep] [--again]."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from imitation_ros.console import console
from tests.benchmarks.learning.jobs import run_jobs
from tests.benchmarks.learning.plots import draw, draw_overview
from tests.benchmarks.learning.rows import ROWS
from tests.benchmarks.learning.table import write_tables


def main() -> None:
    names = ", ".join(row.name for row in ROWS)
    parser = argparse.ArgumentParser(prog="make bench-learning", description=f"Rows: {names}.")
    parser.add_argument("rows", nargs="*", help="all of them where none is named")
    parser.add_argument("--methods", help="only these methods of the rows, separated by commas")
    parser.add_argument("--keep", action="store_true", help="keep results of other code; else they are made anew")
    parser.add_argument("--again", action="store_true", help="make all anew, also what is done")
    parser.add_argument("--show", action="store_true", help="run nothing; write table and figures of what there is")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the adversarial rows side by side, too")
    parser.add_argument("--at-once", type=int, default=2, help="processes, of one thread each (default: 2)")
    asked = parser.parse_args()
    if unknown := set(asked.rows) - {row.name for row in ROWS}:
        sys.exit(f"{sorted(unknown)[0]!r} is no row; there are {names}.")
    rows = [row for row in ROWS if not asked.rows or row.name in asked.rows]
    methods = asked.methods.split(",") if asked.methods else None
    jobs = {job.path: job for row in rows for job in row.jobs if methods is None or job.method in methods}
    jobs = {path: job for path, job in jobs.items() if job.minutes}  # the others' results come with theirs
    missing = [job for job in jobs.values() if asked.again or job.found(any_code=asked.keep) is None]
    if missing and not asked.show:
        try:
            run_jobs(missing, asked.at_once)
        except KeyboardInterrupt:
            console.print("Interrupted; the same command goes on with the jobs that are missing.")
    for row in ROWS:
        draw(row)
    if asked.picture:
        draw_overview(ROWS, asked.picture)
    console.print(f"The table is {write_tables(ROWS)}, the figures are beside it.")


if __name__ == "__main__":
    main()
