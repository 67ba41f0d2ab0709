"""Small plots as SVG text, coloured by the page's style sheet, so that they follow its light or dark theme."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LEFT, RIGHT, TOP, BOTTOM = 46, 16, 16, 26  # margins of a plot's area [px]
MOST_COLUMNS = 160  # of a band: more cannot be told apart


@dataclass(frozen=True)
class Plot:
    """An area in which x and y have ends of their own.

    Attributes:
        x, y: the ends of the axes; width, height: of the whole picture [px].
        title: what a screen reader says of it.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    width: int
    height: int
    title: str

    def across(self, values: Array | float) -> Any:
        low, high = self.x
        return LEFT + (np.asarray(values) - low) / max(high - low, 1e-12) * (self.width - LEFT - RIGHT)

    def up(self, values: Array | float) -> Any:
        low, high = self.y
        return self.height - BOTTOM - (np.asarray(values) - low) / max(high - low, 1e-12) * (self.height - TOP - BOTTOM)

    def line(self, x: Array, y: Array, kind: str) -> str:
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(self.across(x), self.up(y), strict=True))
        return f'<polyline class="{kind}" points="{points}"/>'

    def band(self, x: Array, low: Array, high: Array, kind: str) -> str:
        there, back = zip(self.across(x), self.up(high)), zip(self.across(x[::-1]), self.up(low[::-1]))  # noqa: B905
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in (*there, *back))
        return f'<polygon class="{kind}" points="{points}"/>'

    def upright(self, x: float, label: str, kind: str) -> str:
        """Return a vertical line with words at its top."""
        place = float(self.across(x))
        anchor = "end" if place > 0.6 * self.width else "start"
        words = f'<text class="mark" x="{place + (-4 if anchor == "end" else 4):.1f}" y="{TOP - 5}" '
        words += f'text-anchor="{anchor}">{html.escape(label)}</text>'
        line = f'<line class="{kind}" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{self.height - BOTTOM}"/>'
        return line + (words if label else "")

    def framed(self, parts: Sequence[str], x_label: str, y_ticks: bool = True) -> str:
        """Return the whole picture, with axes."""
        base = self.height - BOTTOM
        drawn = [f'<line class="axis" x1="{LEFT}" x2="{self.width - RIGHT}" y1="{base}" y2="{base}"/>']
        for tick in ticks(*self.x, most=5):
            x = float(self.across(tick))
            drawn.append(f'<text class="tick" x="{x:.1f}" y="{base + 12}" text-anchor="middle">{tick:g}</text>')
        for tick in ticks(*self.y, most=3) if y_ticks else []:
            y = float(self.up(tick))
            drawn.append(f'<line class="grid" x1="{LEFT}" x2="{self.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            drawn.append(f'<text class="tick" x="{LEFT - 5}" y="{y + 3:.1f}" text-anchor="end">{tick:g}</text>')
        label = f'<text class="tick" x="{self.width - RIGHT}" y="{self.height - 2}" text-anchor="end">'
        drawn.append(f"{label}{html.escape(x_label)}</text>")
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{html.escape(self.title)}">'
            f"<title>{html.escape(self.title)}</title>{''.join([*drawn, *parts])}</svg>"
        )


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers between two ends, at most so many."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def histogram(counts: Array, bin_width: float, x_label: str, title: str, marks: Sequence[tuple[float, str]]) -> str:
    """Return bars on a logarithmic scale, so that one gap among a thousand intervals is seen."""
    last = max(int(np.flatnonzero(counts)[-1]) + 2 if counts.any() else 1, 2)
    end = max(last * bin_width, 1.15 * max((x for x, _ in marks), default=0.0))
    area = Plot((0.0, end), (0.0, float(np.log10(1.0 + counts.max(initial=1)))), 360, 150, title)
    parts = []
    for place in np.flatnonzero(counts).tolist():
        x, right = float(area.across(place * bin_width)), float(area.across((place + 1) * bin_width))
        y = float(area.up(math.log10(1.0 + counts[place])))
        words = f"{counts[place]} of {place * bin_width:.3g} to {(place + 1) * bin_width:.3g}"
        shape = (
            f'x="{x:.1f}" y="{y:.1f}" width="{max(right - x - 0.5, 1.0):.1f}" height="{area.height - BOTTOM - y:.1f}"'
        )
        parts.append(f'<rect class="bar" {shape}><title>{words}</title></rect>')
    parts += [area.upright(x, label, "mark-line") for x, label in marks]
    return area.framed(parts, x_label, y_ticks=False)


def bands(low: Array, high: Array, title: str, limits: tuple[float, float] | None = None) -> str:
    """Return the ends of a number over the episodes, as a band; episodes are merged where there are many."""
    count = len(low)
    if count > MOST_COLUMNS:
        parts = np.array_split(np.arange(count), MOST_COLUMNS)
        x = np.array([float(part.mean()) for part in parts])
        low = np.array([np.nanmin(low[part]) for part in parts])
        high = np.array([np.nanmax(high[part]) for part in parts])
    else:
        x = np.arange(count, dtype=np.float64)
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return f"<p class=note>{html.escape(title)}: no numbers</p>"
    x, low, high = x[known], low[known], high[known]
    if len(x) == 1:  # a band of one episode would have no width
        x, low, high = np.array([x[0] - 0.5, x[0] + 0.5]), np.repeat(low, 2), np.repeat(high, 2)
    ends = [float(low.min()), float(high.max()), *(limits or ())]
    room = 0.06 * max(max(ends) - min(ends), 1e-6)
    area = Plot((float(x[0]), float(x[-1])), (min(ends) - room, max(ends) + room), 232, 104, title)
    drawn = [area.band(x, low, high, "band"), area.line(x, low, "edge"), area.line(x, high, "edge")]
    for limit in limits or ():
        drawn.append(area.line(np.array([x[0], x[-1]]), np.array([limit, limit]), "limit"))
    return area.framed(drawn, "")


def lag_plot(curves: Array, period_ms: float, found: tuple[int, float] | None) -> str:
    """Return how well motion follows the commands by each lag: the mean, and the middle half of the episodes."""
    most = curves.shape[1] // 2
    x = np.arange(-most, most + 1) * period_ms
    low, mean, high = np.percentile(curves, 25, axis=0), curves.mean(axis=0), np.percentile(curves, 75, axis=0)
    area = Plot(
        (float(x[0]), float(x[-1])), (min(-0.2, float(low.min())), max(1.0, float(high.max()))), 560, 220, "lag"
    )
    parts = [area.band(x, low, high, "band"), area.upright(0.0, "", "axis"), area.line(x, mean, "curve")]
    if found is not None:
        parts.append(area.upright(found[0] * period_ms, f"{found[0] * period_ms:.0f} ms", "mark-line"))
    return area.framed(parts, "motion after command, ms")


def offset_plot(quartiles: Array, title: str) -> str:
    """Return commanded minus measured position over the episodes: the median, and the middle half of the ticks."""
    known = np.isfinite(quartiles).all(axis=1)
    x, quartiles = np.flatnonzero(known).astype(np.float64), quartiles[known]
    if len(x) < 2:
        return ""
    low, high = min(0.0, float(quartiles.min())), max(0.0, float(quartiles.max()))
    area = Plot((float(x[0]), float(x[-1])), (low, high + 1e-6), 232, 104, title)
    zero = area.line(np.array([x[0], x[-1]]), np.zeros(2), "limit")
    parts = [area.band(x, quartiles[:, 0], quartiles[:, 2], "band"), zero, area.line(x, quartiles[:, 1], "curve")]
    return area.framed(parts, "")
