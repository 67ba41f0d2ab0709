"""The checkup: facts of a graph and of this machine in, a table and an exit code out."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from imitation_ros.checkup.machine import judge_machine, look_at_machine
from imitation_ros.checkup.row import OK, WARNING, WRONG, Row
from imitation_ros.checkup.topics import judge_topics
from imitation_ros.console import console
from imitation_ros.robot.spec import RobotSpec
from imitation_ros.topic_facts import GraphFacts

COLOURS = {OK: "green", WARNING: "yellow", WRONG: "bold red"}


def examine(spec: RobotSpec, graph: GraphFacts, output: Path, namespace: str = "") -> int:
    """Print what stands against recording and deploying a setup now; return 0 where nothing is wrong, else 1.

    Args:
        graph: what was heard of the setup's topics.
        output: where recordings would go.
        namespace: of the robot's topics.
    """
    topics = judge_topics(spec, graph, namespace)
    rows = [*topics, *judge_machine(spec, graph, look_at_machine(output))]
    show(spec, topics, rows[len(topics) :])
    return 1 if any(row.state == WRONG for row in rows) else 0


def show(spec: RobotSpec, topics: list[Row], machine: list[Row]) -> None:
    table = Table("", "", "found", "to do", box=None, padding=(0, 1), header_style="bold")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    last = ""
    for row in (*topics, *machine):
        colour, what = COLOURS[row.state], "" if row.what == last else row.what
        table.add_row(f"[{colour}]{row.state}[/]", escape(what), escape(row.found), escape(row.to_do))
        last = row.what
    console.print(f"[bold]{escape(spec.name)}[/bold] at {spec.rate_hz:g} Hz", highlight=False)
    console.print(table, highlight=False)
    counts = {state: sum(row.state == state for row in (*topics, *machine)) for state in (WRONG, WARNING)}
    if not any(counts.values()):
        console.print("[green]Everything is well.[/]", highlight=False)
        return
    warnings = f"{counts[WARNING]} warning{'' if counts[WARNING] == 1 else 's'}"
    found = (
        f"[bold red]{counts[WRONG]} wrong[/], {warnings}" if counts[WRONG] else f"[yellow]{warnings}[/], nothing wrong"
    )
    console.print(f"{found}.", highlight=False)
