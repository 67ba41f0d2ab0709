"""The table: one line for each method of a row, as CSV and as Markdown."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.learning.jobs import FOLDER
from tests.benchmarks.learning.measure import Found, Score
from tests.benchmarks.learning.rows import Row
from tests.benchmarks.learning.verdicts import Seeds

HEADS = ("row", "method", "bar", "at the end", "best", "found", "verdict", "steps", "updates", "network", "CPU min")
HEADS += ("commit",)


def write_tables(rows: Sequence[Row]) -> Path:
    """Write what was found so far."""
    lines = [line for row in rows for line in lines_of(row)]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "learning.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, HEADS)
        writer.writeheader()
        writer.writerows(lines)
    path = FOLDER / "learning.md"
    cells = [[line[head].replace("|", "/") for head in HEADS] for line in lines]
    table = [f"| {' | '.join(row)} |" for row in (list(HEADS), ["---"] * len(HEADS), *cells)]
    path.write_text("\n".join([*table, "", *notes(rows)]) + "\n")
    return path


def results_of(row: Row) -> dict[str, list[Found]]:
    """Return a row's results so far, by method in the row's order."""
    found: dict[str, list[Found]] = {}
    for job in row.jobs:
        one = job.found()
        found.setdefault(job.called, []).extend([] if one is None else [one])
    return found


def lines_of(row: Row) -> list[dict[str, str]]:
    found = results_of(row)
    wanted = {method: sum(job.called == method for job in row.jobs) for method in found}
    return [line(row, method, found, wanted[method]) for method in found]


def line(row: Row, method: str, found: Mapping[str, Seeds], wanted: int) -> dict[str, str]:
    seeds = found[method]
    cells = dict.fromkeys(HEADS, "")
    cells |= {"row": row.title, "method": method, "bar": row.bar if method in row.judged else ""}
    if len(seeds) < wanted:
        cells["verdict"] = f"{len(seeds)} of {wanted} seeds are there"
    if not seeds:
        return cells
    first = seeds[0].measured
    cells |= {
        "at the end": "; ".join(words_of(each.measured.last) for each in seeds),
        "best": "; ".join(words_of(each.measured.best) for each in seeds),
        "steps": f"{max(each.measured.steps for each in seeds):,}",
        "updates": ", ".join(f"{count:,} of the {name}" for name, count in first.updates.items()),
        "network": first.network,
        "CPU min": f"{sum(each.measured.cpu_minutes for each in seeds) / len(seeds):.2f}",
        "commit": "; ".join(sorted({str(each.job["commit"]) for each in seeds})),
    }
    complete = len(seeds) == wanted
    if method in row.judged and complete:
        verdict = row.judge(method, found)
        cells["found"] = verdict.words
        cells["verdict"] = {True: "passed", False: "MISSED", None: "reported"}[verdict.passed]
    elif complete:
        cells["verdict"] = "beside"
    return cells


def words_of(score: Score | None) -> str:
    """Return a return, or a success rate where there is one."""
    if score is None:
        return ""
    return f"{score.mean_return:.4g}" if score.success is None else f"{100 * score.success:.0f} %"


def notes(rows: Sequence[Row]) -> list[str]:
    shown = {}
    for row in rows:
        for seeds in results_of(row).values():
            for each in seeds:
                if each.measured.demonstrations is not None:
                    shown[row.title] = each.measured.demonstrations
    text = [
        "At the end: the last policy; best: the one chosen on 20 validation starts while training. Both on 100 other "
        "starts, deterministic, one figure for each seed. CPU min: of one seed's training, without evaluations.",
        "",
    ]
    return text + [
        f"* {title}: {score.episodes} demonstrations of {score.steps:.4g} steps, return {score.mean_return:.4g}."
        for title, score in shown.items()
    ]
