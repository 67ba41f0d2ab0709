"""The table: one line for each method of a row, as CSV, as Markdown and on the screen."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.table import Table

from imitation_ros.console import console
from tests.benchmarks.learning.jobs import FOLDER
from tests.benchmarks.learning.measure import Found, Score
from tests.benchmarks.learning.rows import Row
from tests.benchmarks.learning.verdicts import Seeds

HEADS = ("row", "bar", "method", "verdict", "found", "at the end", "best", "steps", "updates", "network", "CPU min")
HEADS += ("code",)
SUMMARY = ("row", "bar", "method", "verdict", "updates", "network", "CPU min")
SECTION = ("method", "verdict", "at the end", "best", "steps", "updates", "network", "CPU min")
NOTES = (
    "At the end: the last policy; best: the one chosen on the validation starts while training. Both on other starts "
    "(100; HalfCheetah 20), by the most likely action, one figure for each seed.",
    "Steps: of the environment; for BC there are none, and its updates are counted. Updates, network: of one seed. "
    "CPU min: of one seed's training, on one thread, without evaluations.",
    "No policy starts from a clone. GAIL, AIRL and SQIL run by the shipped recipes, the same for every problem.",
)


def write_tables(rows: Sequence[Row]) -> Path:
    """Write what was found so far."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "learning.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, HEADS)
        writer.writeheader()
        writer.writerows(line for row in rows for line in lines_of(row))
    path = FOLDER / "learning.md"
    path.write_text("\n".join(markdown(rows)) + "\n")
    return path


def markdown(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table of what was asked for, and of one for each row with all that stands beside it."""
    asked = [line for row in rows for line in lines_of(row) if line["bar"]]
    yield from ("# What learning reaches", "", *markdown_table(SUMMARY, asked), "", *(f"* {note}" for note in NOTES))
    for row in rows:
        yield from ("", f"## {row.title}", "", f"Asked for: {row.bar}.")
        yield from ("", *markdown_table(SECTION, lines_of(row)), "", *(f"* {remark}" for remark in remarks(row)))


def markdown_table(heads: Sequence[str], lines: Sequence[Mapping[str, str]]) -> list[str]:
    cells = [heads, ["---"] * len(heads), *([line[head].replace("|", "/") for head in heads] for line in lines)]
    return [f"| {' | '.join(row)} |" for row in cells]


def show(rows: Sequence[Row]) -> None:
    """Print each row: what was asked for, what its methods reached, and the verdicts."""
    for row in rows:
        console.print(f"\n[bold]{row.name}[/bold]: {row.title}\nAsked for: {row.bar}.", highlight=False)
        table = Table(box=None, padding=(0, 1), pad_edge=False)
        shown = [head for head in SECTION if head not in ("best", "steps")]
        for head in shown:
            table.add_column(head, justify="right" if head == "CPU min" else "left", overflow="fold")
        for line in lines_of(row):
            style = {"passed": "green", "MISSED": "bold red"}.get(line["verdict"], "" if line["bar"] else "dim")
            table.add_row(*(line[head] for head in shown), style=style)
        console.print(table, highlight=False)
        for remark in remarks(row):
            console.print(f"  {remark}", highlight=False, markup=False, style="dim")


def results_of(row: Row) -> dict[str, list[Found]]:
    """Return a row's results so far, by method in the row's order."""
    found: dict[str, list[Found]] = {}
    for job in row.jobs:
        one = job.found()
        found.setdefault(job.called, []).extend([] if one is None else [one])
    return found


def lines_of(row: Row) -> list[dict[str, str]]:
    """Return a row's lines: those of the methods that it is asked of before all others."""
    found = results_of(row)
    wanted = {method: sum(job.called == method for job in row.jobs) for method in found}
    ordered = sorted(found, key=lambda method: method not in row.judged)
    return [line(row, method, found, wanted[method]) for method in ordered]


def line(row: Row, method: str, found: Mapping[str, Seeds], wanted: int) -> dict[str, str]:
    """Return the cells of one method, by HEADS."""
    seeds, asked = found[method], method in row.judged
    cells = dict.fromkeys(HEADS, "")
    cells |= {"row": row.title, "method": method, "bar": row.bar if asked else ""}
    cells["verdict"] = "beside" if len(seeds) == wanted else f"{len(seeds)} of {wanted} seeds"
    if not seeds:
        return cells
    first = seeds[0].measured
    cells |= {
        "at the end": ", ".join(words_of(each.measured.last) for each in seeds),
        "best": ", ".join(words_of(each.measured.best) for each in seeds),
        "steps": "" if method.startswith("BC") else f"{max(each.measured.steps for each in seeds):,}",
        "updates": ", ".join(f"{name} {count:,}" for name, count in first.updates.items()),
        "network": first.network,
        "CPU min": f"{sum(each.measured.cpu_minutes for each in seeds) / len(seeds):.2f}",
        "code": ", ".join(sorted({str(each.job["commit"]) for each in seeds})),
    }
    if asked and len(seeds) == wanted:
        verdict = row.judge(method, found)
        cells["found"] = verdict.words
        cells["verdict"] = {True: "passed", False: "MISSED", None: "open"}[verdict.passed]
    return cells


def words_of(score: Score | None) -> str:
    """Return a return, or a success rate where there is one."""
    if score is None:
        return ""
    return f"{score.mean_return:.4g}" if score.success is None else f"{100 * score.success:.0f} %"


def remarks(row: Row) -> list[str]:
    """Return what else there is to say of a row: what its methods found, what was shown to them, what was cut."""
    lines = [line for line in lines_of(row) if line["bar"]]
    words = [f"{line['method']}: {line['found']}." for line in lines if line["found"]]
    measured = [each.measured for method in row.judged for each in results_of(row).get(method, [])]
    without = all(job.alongside.startswith("sb3") for job in row.jobs if job.called in row.judged)
    shown = None if without else next((each.demonstrations for each in measured if each.demonstrations), None)
    expert = next((each.expert for each in measured if each.expert is not None), None)
    if shown is not None:
        words.append(f"Demonstrations: {shown.episodes} of {shown.steps:.3g} steps, return {shown.mean_return:.4g}.")
    if expert is not None:
        words.append(f"The expert, on the test starts: {words_of(expert)}.")
    code = sorted({part for line in lines_of(row) for part in line["code"].split(", ") if part})
    return [*words, *([row.note] if row.note else []), *([f"Code: {', '.join(code)}."] if code else [])]
