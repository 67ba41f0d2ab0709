"""Returns over environment steps, one figure for each row: the mean over seeds, and from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
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
OVERVIEW = ("pendulum", "pendulum-sac", "pendulum-windows", "cartpole", "reach", "sqil")


def draw(row: Row) -> Path | None:
    """Draw a row's curves, if it has any."""
    if not is_drawn(row):
        return None
    figure, axes = plt.subplots(figsize=(8.0, 4.2), dpi=150)
    lines = draw_lines(axes, row)
    dress(axes, row)
    place_labels(axes, [(line.end, line.name, line.colour) for line in lines])
    path = FOLDER / f"{row.name}.png"
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
    return path


def draw_overview(rows: Sequence[Row], path: Path) -> None:
    """Draw the rows of an adversarial learner side by side, with one legend: the README's figure."""
    shown = [row for row in rows if row.name in OVERVIEW and is_drawn(row)]
    if not shown:
        return
    down = -(-len(shown) // 3)
    figure, grid = plt.subplots(down, 3, figsize=(12.0, 3.3 * down + 0.8), dpi=130, squeeze=False)
    handles: dict[str, Artist] = {}
    for axes, row in zip(grid.flat, shown, strict=False):
        for line in draw_lines(axes, row):
            name = line.name.replace(", SAC", "").split(":")[0]
            handles.setdefault(name, line.artist)
        dress(axes, row)
        title, _, rest = row.title.removesuffix(" learns").partition(", ")
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", pad=20)
        axes.texts[0].set_text(rest)
    for axes in list(grid.flat)[len(shown) :]:
        axes.axis("off")
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=5, frameon=False, fontsize=9)
    seeds = max(job.seed for job in shown[0].jobs) + 1
    what = f"Return, or success rate, over environment steps: mean over seeds ({seeds} of ours); band: all seeds"
    figure.suptitle(what, x=0.01, ha="left", fontsize=10, color="#555555")
    figure.tight_layout(rect=(0.0, 0.75 / figure.get_figheight(), 1.0, 1.0))
    figure.savefig(path)
    plt.close(figure)


@dataclass(frozen=True)
class Line:
    """What was drawn, and where it ends."""

    name: str
    end: float
    colour: str
    artist: Artist


def curves_of(row: Row) -> dict[str, list[Found]]:
    """Return the methods that have a curve."""
    return {method: seeds for method, seeds in results_of(row).items() if seeds and len(seeds[0].measured.curve) > 1}


def is_drawn(row: Row) -> bool:
    return row.drawn and bool(curves_of(row))


def draw_lines(axes: Axes, row: Row) -> list[Line]:
    """Draw curves and levels, those that are judged on top."""
    curves = curves_of(row)
    ordered = sorted(curves, key=lambda method: method in row.judged)
    lines = {method: draw_curve(axes, row, method, curves[method]) for method in ordered}
    drawn = [lines[method] for method in curves]
    for name, value in levels(row, results_of(row)).items():
        style = (0, (4, 3)) if name == "BC" else "-"
        artist = axes.axhline(value, color="#000000", linewidth=1.2, linestyle=style)
        drawn.append(Line(name, value, "#000000", artist))
    if row.target is not None:
        asked = f"asked for: {100 * row.target:.0f} %" if row.by_success else f"asked for: {row.target:g}"
        artist = axes.axhline(row.target, color=GREY, linewidth=1.0, linestyle=":")
        drawn.append(Line(asked, row.target, GREY, artist))
    return drawn


def draw_curve(axes: Axes, row: Row, method: str, seeds: Seeds) -> Line:
    """Draw one method."""
    steps, values = grid_of(row, seeds)
    beside = method not in row.judged
    colour = colour_of(method)
    dashed = "--" if method.startswith(("imitation", "sb3")) else ":" if method.endswith("-1") else "-"
    axes.fill_between(
        steps / 1000, values.min(0), values.max(0), color=colour, alpha=0.10 if beside else 0.22, linewidth=0
    )
    width = 1.4 if beside else 2.2
    (artist,) = axes.plot(steps / 1000, values.mean(0), color=colour, linewidth=width, linestyle=dashed)
    return Line(method, float(values.mean(0)[-1]), colour, artist)


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
    what = f"{'success' if row.by_success else 'return'}, mean over seeds ({seeds} of ours); band: lowest to highest"
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
