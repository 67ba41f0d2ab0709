"""The findings of a check in the terminal: a line of sums, and a row for each kind."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from imitation_ros.console import console, print_table
from imitation_ros.data.quality import Group, grouped, numbers_of_episodes

if TYPE_CHECKING:
    from imitation_ros.checking.run import Checked

STYLES = {"error": "red", "warning": "yellow", "note": ""}
SHOWN = 14  # characters of episode numbers
WIDTH = 26  # of what was found, so that a narrow terminal has room for the rest


def print_checked(checked: Checked) -> None:
    """Print what was found, what to do about it, and what could not be checked."""
    survey = checked.survey
    measures = survey.measures if survey is not None else []
    counts = ", ".join(counted(checked, severity) for severity in STYLES)
    sums = ""
    if survey is not None:
        ticks, seconds = sum(each.steps for each in measures), sum(each.seconds for each in measures)
        sums = f" of {survey.layout.spec.name}, {ticks} ticks ({seconds:.0f} s in all)"
    one = "" if len(measures) == 1 else "s"
    console.print(f"[bold]{checked.data}[/bold]: {len(measures)} episode{one}{sums}: {counts}", highlight=False)
    groups = grouped(checked.findings)
    if groups:
        rows = [row(group, len(measures)) for group in groups]
        print_table(("", "what", "found", "usual", "episodes"), rows, ("usual",), "what")
    for group in groups:
        if group.worst.severity != "note":
            console.print(
                f"- {group.worst.what}: {instruction(group, str(checked.data))}", highlight=False, markup=False
            )
    if survey is not None and measures:
        for sentence in survey.not_possible():
            console.print(f"Not checked. {sentence}", highlight=False, soft_wrap=True)


def counted(checked: Checked, severity: str) -> str:
    count = checked.count(severity)
    return f"{count} {severity}{'' if count == 1 else 's'}"


def row(group: Group, count: int) -> tuple[str, ...]:
    worst = group.worst
    lines = [line for part in worst.found.split("; ") for line in textwrap.wrap(part, WIDTH)]
    found = "\n".join([*lines, *(["(the worst)"] if len(group.findings) > 1 else [])])
    return worst.severity, worst.what, found, worst.usual, episodes_of(group, count), STYLES[worst.severity]


def episodes_of(group: Group, count: int) -> str:
    """Return in which episodes a kind was found, as far as they fit: all, or their numbers."""
    episodes = group.episodes
    if not episodes:
        return ""
    if len(episodes) == count:
        return "all" if count > 1 else f"{episodes[0]}"
    numbers = numbers_of_episodes(episodes)
    if len(numbers) > SHOWN:
        numbers = numbers[:SHOWN].rsplit(" ", 1)[0] + " ..."
    return numbers if len(episodes) == 1 else f"{len(episodes)} of {count}: {numbers}"


def instruction(group: Group, data: str) -> str:
    """Return what to do about a kind, with the dataset's path and the episodes' numbers in its commands."""
    numbers = numbers_of_episodes(group.episodes)
    parts = group.worst.do.split("`")
    for place in range(1, len(parts), 2):  # only what stands between backticks is a command
        words = [data if word == "DATA" else numbers if word == "N" else word for word in parts[place].split(" ")]
        parts[place] = " ".join(words)
    return "`".join(parts)
