"""Returns over environment steps, one figure for each row: the mean over seeds, and from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from tests.benchmarks.learning.jobs import FOLDER
from tests.benchmarks.learning.measure import Found
from tests.benchmarks.learning.rows import Row
from tests.benchmarks.learning.table import results_of
from tests.benchmarks.learning.verdicts import Seeds

COLOURS = {  # Okabe & Ito's, which everybody can tell apart
    "GAIL": "#0072B2",
    "AIRL": "#D55E00",
    "SQIL": "#009E73",
    "imitation GAIL": "#56B4E9",
    "imitation AIRL": "#E69F00",
    "BC": "#000000",
    "PPO": "#0072B2",
    "SAC": "#0072B2",
    "sb3 PPO": "#E69F00",
    "sb3 SAC": "#E69F00",
}
GREY = "#8A8A8A"
GAP = 0.045  # of the height, between two labels


def draw(row: Row) -> Path | None:
    """Draw a row's curves, if it has any."""
    found = {method: seeds for method, seeds in results_of(row).items() if seeds}
    curves = {method: seeds for method, seeds in found.items() if len(seeds[0].measured.curve) > 1}
    if not curves or not row.drawn:
        return None
    figure, axes = plt.subplots(figsize=(8.0, 4.2), dpi=150)
    labels = []
    for method, seeds in curves.items():
        labels.append((draw_curve(axes, row, method, seeds), method, colour_of(method)))
    for method, value in levels(row, found).items():
        axes.axhline(value, color="#000000", linewidth=1.2, linestyle=(0, (4, 3)) if method == "BC" else "-")
        labels.append((value, method, "#000000"))
    if row.target is not None:
        axes.axhline(row.target, color=GREY, linewidth=1.0, linestyle=":")
        labels.append(
            (
                row.target,
                f"asked for: {100 * row.target:.0f} %" if row.by_success else f"asked for: {row.target:g}",
                GREY,
            )
        )
    dress(axes, row)
    place_labels(axes, labels)
    path = FOLDER / f"{row.name}.png"
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
    return path


def draw_curve(axes: Axes, row: Row, method: str, seeds: Seeds) -> float:
    """Draw one method, and return where its curve ends."""
    steps, values = grid_of(row, seeds)
    beside = method not in row.judged
    colour = colour_of(method)
    dashed = "--" if method.startswith(("imitation", "sb3")) else ":" if method.endswith("-1") else "-"
    axes.fill_between(
        steps / 1000, values.min(0), values.max(0), color=colour, alpha=0.10 if beside else 0.22, linewidth=0
    )
    axes.plot(steps / 1000, values.mean(0), color=colour, linewidth=1.4 if beside else 2.2, linestyle=dashed)
    return float(values.mean(0)[-1])


def grid_of(row: Row, seeds: Seeds) -> tuple[np.ndarray, np.ndarray]:
    """Return steps that all seeds have reached, and each seed's values there: evaluations fall on episodes' ends."""
    curves = [values_of(row, each) for each in seeds]
    first, last = max(steps[0] for steps, _ in curves), min(steps[-1] for steps, _ in curves)
    steps = np.linspace(first, last, 60)
    return steps, np.stack([np.interp(steps, *curve) for curve in curves])


def values_of(row: Row, each: Found) -> tuple[list[float], list[float]]:
    points = [(steps, success if row.by_success else value) for steps, value, success in each.measured.curve]
    return [steps for steps, _ in points], [0.0 if value is None else value for _, value in points]


def levels(row: Row, found: dict[str, list[Found]]) -> dict[str, float]:
    """Return what has no curve: the expert, and BC on the same demonstrations; on the starts of the curves."""
    experts = [each.measured.expert_shown for seeds in found.values() for each in seeds]
    shown = [score.success if row.by_success else score.mean_return for score in experts if score is not None]
    cloned = [value for each in found.get("BC", []) for value in values_of(row, each)[1]]
    lines = {"expert": shown, "BC": cloned}
    return {name: float(np.mean(values)) for name, values in lines.items() if values}


def colour_of(method: str) -> str:
    return COLOURS.get(method.removesuffix(", SAC"), GREY)


def dress(axes: Axes, row: Row) -> None:
    axes.set_title(row.title, loc="left", fontsize=11, fontweight="bold", pad=20)
    seeds = max(job.seed for job in row.jobs) + 1
    what = f"{'success' if row.by_success else 'return'}, mean of {seeds} seeds; band: lowest to highest seed"
    axes.text(0.0, 1.03, what, transform=axes.transAxes, fontsize=9, color="#555555")
    axes.set_xlabel("environment steps, thousands")
    if row.by_success:
        axes.set_ylim(-0.03, 1.05)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.0)
    axes.set_xlim(0.0, max(job.steps for job in row.jobs if job.called in row.judged) / 1000)


def place_labels(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Write each line's name at its right end; names that would overlap are moved apart, half up and half down."""
    low, high = axes.get_ylim()
    ordered = sorted(labels)
    wanted = [(value - low) / (high - low) for value, _, _ in ordered]
    upwards, downwards = apart(wanted), [1.0 - at for at in apart([1.0 - at for at in reversed(wanted)])][::-1]
    middle = apart([(up + down) / 2 for up, down in zip(upwards, downwards, strict=True)])
    too_high = max(0.0, middle[-1] - 1.0)
    for at, (_, text, colour) in zip(middle, ordered, strict=True):
        shift = too_high if at > 0.5 else 0.0
        axes.annotate(text, (1.0, at - shift), xycoords="axes fraction", xytext=(6, 0), textcoords="offset points",
                      va="center", fontsize=9, color=colour, annotation_clip=False)  # fmt: skip


def apart(wanted: Sequence[float]) -> list[float]:
    """Return ascending places, each at least GAP above the one before."""
    placed: list[float] = []
    for at in wanted:
        placed.append(max(at, placed[-1] + GAP) if placed else at)
    return placed
