"""A training as a picture: how well the policy did over the steps, and everything else that was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from imitation_ros.algorithms.state import TrainState
from imitation_ros.envs.evaluate import Evaluation
from imitation_ros.report import BLUE, GREY, ORANGE
from imitation_ros.training.curves import COUNTERS
from imitation_ros.training.job import Job

COLUMNS, SMALL = 4, 16  # small plots: side by side, and at most
NOISE = ", with its noise"  # of rollouts, which evaluations are without; DAgger's have the expert's help instead
Rows = Sequence[Mapping[str, float]]


def draw_training(path: Path, job: Job, state: TrainState, shown: Evaluation | None) -> None:
    """Draw a training's curve.

    Args:
        shown: how the demonstrations did.
    """
    rows: Rows = state.notes.get("curve", [])
    evaluated = any("evaluation/return" in row for row in rows)
    curves = small_curves(rows)
    lines = math.ceil(len(curves) / COLUMNS)
    big = 2 if evaluated else 0
    figure = plt.figure(figsize=(10, 1.8 * (lines + big) + 0.6), layout="constrained")
    grid = figure.add_gridspec(lines + big, COLUMNS) if lines + big else None
    figure.supxlabel("updates" if job.algorithm == "bc" else "steps of the environment", fontsize=8)
    figure.suptitle(f"{job.algorithm}: {job.output.name}", x=0.01, ha="left", fontsize=11)
    if grid is not None and evaluated:
        axes = figure.add_subplot(grid[:big, :])
        draw_score(axes, rows, state, shown, "while it practised" + ("" if job.algorithm == "dagger" else NOISE))
    for place, (name, points) in enumerate(curves.items() if grid is not None else ()):
        axes = figure.add_subplot(grid[big + place // COLUMNS, place % COLUMNS])  # type: ignore[index]
        axes.plot(*zip(*points, strict=True), color=GREY, linewidth=1)
        axes.set_title(name.replace("_", " "), fontsize=8)
        dress(axes)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def small_curves(rows: Rows) -> dict[str, list[tuple[float, float]]]:
    """Return name to (steps, value) of what has a plot of its own: not what is drawn large, and nothing twice."""
    large = f"rollouts/{scored_by(rows)}"
    found: dict[str, list[tuple[float, float]]] = {}
    evaluated = any("evaluation/return" in row for row in rows)
    for name in dict.fromkeys(name for row in rows for name in row):
        if name not in COUNTERS and not (evaluated and (name == large or name.startswith("evaluation/"))):
            found[name] = [(row["steps"], row[name]) for row in rows if name in row]
    of_fields = [name for name in found if name.startswith("error/")]
    if len(of_fields) == 1:  # then the validation error is that field's
        del found[of_fields[0]]
    return dict(list(found.items())[:SMALL])


def scored_by(rows: Rows) -> str:
    return "success" if any("evaluation/success" in row for row in rows) else "return"


def draw_score(axes: Any, rows: Rows, state: TrainState, shown: Evaluation | None, practised: str) -> None:
    """Draw success, or return where nobody says what success is: of evaluations, rollouts and demonstrations.

    Args:
        practised: what the rollouts are called.
    """
    name = scored_by(rows)
    rolled = [(row["steps"], row[f"rollouts/{name}"]) for row in rows if f"rollouts/{name}" in row]
    if rolled:
        axes.plot(*zip(*rolled, strict=True), color=GREY, linewidth=0.8, label=practised)
    found = [row for row in rows if f"evaluation/{name}" in row]
    steps = [row["steps"] for row in found]
    score = [row[f"evaluation/{name}"] for row in found]
    if all(f"evaluation/{name}_low" in row for row in found):
        low, high = ([row[f"evaluation/{name}_{end}"] for row in found] for end in ("low", "high"))
        axes.fill_between(steps, low, high, color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(steps, score, color=BLUE, marker=".", label="evaluated, with 95 % interval")
    if state.best_steps in steps:
        axes.plot(state.best_steps, score[steps.index(state.best_steps)], "o", color=ORANGE, label="selected")
    level = None if shown is None else (shown.mean_return if name == "return" else shown.success_rate)
    if level is not None and math.isfinite(level):
        axes.axhline(level, color=ORANGE, linestyle="--", linewidth=1, label="demonstrations")
    axes.set_ylabel(name, fontsize=8)
    if name == "success":
        axes.set_ylim(-0.03, 1.03)
    axes.legend(fontsize=8, frameon=False, loc="best")
    dress(axes)


def dress(axes: Any) -> None:
    axes.tick_params(labelsize=7)
    axes.ticklabel_format(axis="x", style="plain")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
