"""A benchmark's rows, as a table on the screen and a CSV file in bench/."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from rich.table import Table

from imitation_ros.console import console


def write_table(name: str, rows: list[dict[str, Any]], note: str = "") -> None:
    """Show and write rows that share their columns; a note stands below the table."""
    path = Path("bench") / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    table = Table(*rows[0], title=f"{name} ({path})", caption=note or None)
    for row in rows:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    console.print(table)


def load() -> str:
    """Return how busy the machine is, in words: call it before a benchmark adds its own load."""
    return f"load before: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores"
