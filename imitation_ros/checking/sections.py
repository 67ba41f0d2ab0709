"""The report's plots: when values came, how motion follows commands, and the ends of every number."""

from __future__ import annotations

import html

import numpy as np

from imitation_ros.checking.plots import bands, histogram, lag_plot, offset_plot
from imitation_ros.data.quality import Survey
from imitation_ros.data.quality.dataset_findings import dataset_lag
from imitation_ros.data.quality.thresholds import LAG_CORRELATION
from imitation_ros.data.quality.timing import BINS_A_PERIOD

MOST_NUMBERS = 24  # of one field: a laser scan has hundreds


def timing_section(survey: Survey) -> str:
    """Return a histogram for each observation field of the time between its values."""
    period_ms = survey.layout.spec.period_s * 1e3
    figures = []
    for field in survey.layout.spec.observation:
        counts = survey.intervals[field.name]
        if counts.sum() == 0:
            continue
        timings = [each.timing.fields[field.name] for each in survey.measures if each.timing is not None]
        usual_s = [timing.interval_s for timing in timings if timing.interval_s is not None]
        longest_s = max(timing.longest_s for timing in timings)
        marks = [(period_ms, "tick")]
        if field.max_age_s * 1e3 < 4 * period_ms:
            marks.append((field.max_age_s * 1e3, "max_age_s"))
        words = f"usually {np.median(usual_s) * 1e3:.1f} ms, longest {longest_s * 1e3:.0f} ms"
        plot = histogram(counts, period_ms / BINS_A_PERIOD, "ms", f"intervals of {field.name}", marks)
        figures.append(f"<figure>{plot}<figcaption>{caption(field.name)} {words}</figcaption></figure>")
    if not figures:
        return ""
    return (
        "<section><h2>Time between values</h2><p class=note>Between the stamps of the values that ticks saw: a topic "
        "that is faster than the ticks is seen at their rate. The scale of counts is logarithmic; what is longer than "
        f'four ticks is in the last bar.</p><div class="grid wide">{"".join(figures)}</div></section>'
    )


def caption(name: str, rest: str = "") -> str:
    return f"<b>{html.escape(name)}</b>{html.escape(rest)}"


def following_section(survey: Survey) -> str:
    """Return how motion follows commands: by each lag, and with which offset."""
    curves = [each.following.curve for each in survey.measures if each.following.curve is not None]
    if not curves:
        return ""
    layout = survey.layout
    lag = dataset_lag(survey.measures)
    known = lag is not None and lag[1] >= LAG_CORRELATION
    names = [f"{layout.command_label(pair.action)[1]} → {layout.label(pair.observation)}" for pair in survey.pairs]
    how = "By name" if survey.named else "By how well they fit, for no names agree"
    words = f"{how}: {'; '.join(names[:6])}{' ...' if len(names) > 6 else ''}."
    sure = ""
    if lag is not None and known:
        milliseconds = lag[0] * layout.spec.period_s * 1e3
        sure = f"About {milliseconds:.0f} ms, to half a tick; correlation {lag[1]:.2f}; {lag[2]:.0%} of the episodes "
        sure += "agree to one tick. "
    plot = lag_plot(np.array(curves), layout.spec.period_s * 1e3, lag[:2] if lag is not None and known else None)
    return (
        f"<section><h2>How motion follows commands</h2><p class=note>{html.escape(sure)}The correlation of commands "
        f"with what moves so much later: the mean, and the middle half of the episodes. {html.escape(words)}</p>"
        f'<div class="lag">{plot}</div>{offsets(survey)}</section>'
    )


def offsets(survey: Survey) -> str:
    same = [pair for pair in survey.pairs if pair.same]
    if not same:
        return ""
    quartiles = np.array([each.following.offset for each in survey.measures])
    figures = []
    for place, pair in enumerate(same):
        field, name = survey.layout.command_label(pair.action)
        plot = offset_plot(quartiles[:, place], f"offset of {name}")
        middle = np.nanmedian(quartiles[:, place, 1]) if np.isfinite(quartiles[:, place, 1]).any() else np.nan
        words = f" {middle:+.3g} {field.unit}"
        figures.append(f"<figure>{plot}<figcaption>{caption(name, words)}</figcaption></figure>")
    return (
        "<h3>Commanded minus measured, over the episodes</h3><p class=note>The median and the middle half of the "
        f'ticks of each episode.</p><div class="grid small">{"".join(figures)}</div>'
    )


def range_section(survey: Survey) -> str:
    """Return the lowest and highest of every number, over the episodes."""
    parts = []
    for field in survey.layout.numbers:
        columns = survey.layout.observed[field.name]
        low = np.array([each.numbers.low[columns] for each in survey.measures])
        high = np.array([each.numbers.high[columns] for each in survey.measures])
        parts.append(field_bands(field.name, field.names, field.unit, low, high))
    for field in survey.layout.spec.action:
        columns = survey.layout.commanded[field.name]
        low = np.array([each.numbers.label_low[columns] for each in survey.measures])
        high = np.array([each.numbers.label_high[columns] for each in survey.measures])
        limits = list(zip(field.scale[0].tolist(), field.scale[1].tolist(), strict=True))
        parts.append(field_bands(f"{field.name} (action)", field.names, field.unit, low, high, limits))
    return (
        "<section><h2>Ranges</h2><p class=note>From the lowest to the highest of each number in an episode, over the "
        f"episodes; dashed: the ends of an action's scale.</p>{''.join(parts)}</section>"
    )


def field_bands(
    name: str,
    names: tuple[str, ...],
    unit: str,
    low: np.ndarray,
    high: np.ndarray,
    limits: list[tuple[float, float]] | None = None,
) -> str:
    figures = []
    for place, number in enumerate(names[:MOST_NUMBERS]):
        plot = bands(low[:, place], high[:, place], f"{name} {number}", None if limits is None else limits[place])
        words = (
            f" {np.nanmin(low[:, place]):.4g} to {np.nanmax(high[:, place]):.4g} {unit}" if known(low, place) else ""
        )
        figures.append(f"<figure>{plot}<figcaption>{caption(number, words)}</figcaption></figure>")
    more = f"<p class=note>and {len(names) - MOST_NUMBERS} more</p>" if len(names) > MOST_NUMBERS else ""
    return f'<h3>{html.escape(name)}</h3><div class="grid small">{"".join(figures)}</div>{more}'


def known(values: np.ndarray, place: int) -> bool:
    return bool(np.isfinite(values[:, place]).any())
