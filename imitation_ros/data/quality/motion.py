"""How an episode moves: where nothing does, how jerky it is, and which sensors repeat themselves meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from imitation_ros.data.episode import Episode
from imitation_ros.data.images import EncodedImages
from imitation_ros.data.quality import thresholds as usual
from imitation_ros.data.quality.numbers import Rows
from imitation_ros.data.quality.signals import Array, longest_run, roughness, still, typical_jerk
from imitation_ros.robot.field import Field
from imitation_ros.robot.sampler import SAME_TIME_S

FEW = 3  # numbers: a finger that stops at once is usual, three joints that do are not


@dataclass(frozen=True)
class Motion:
    """How an episode moves.

    Attributes:
        still: share of the ticks at which nothing moves and no command changes.
        still_start_s, still_end_s: how long that lasts from the start, and until the end [s].
        moved: the sum of the steps of each observed number, (observed numbers,); NaN where it is none.
        rough: observation field to its roughness, see signals; jerk: to its usual jerk [unit/s^3].
        disturbed: what was executed is not what the labels say.
        frozen: observation field to how long it repeated itself while it should not have [s], and from which tick.
    """

    still: float
    still_start_s: float
    still_end_s: float
    moved: Array
    rough: Mapping[str, float]
    jerk: Mapping[str, float]
    disturbed: bool
    frozen: Mapping[str, tuple[float, int]]


def motion_of(rows: Rows, episode: Episode, scale: Array) -> Motion:
    """Return how an episode moves.

    Args:
        scale: the range of each observed number over the dataset, (observed numbers,).
    """
    layout, period_s = rows.layout, rows.layout.spec.period_s
    calm = calm_ticks(rows, scale)
    first, last = (len(mask) if mask.all() else int(mask.argmin()) for mask in (calm, calm[::-1]))
    steps = np.diff(rows.seen, axis=0)
    parts = {field.name: rows.seen[:, layout.observed[field.name]] for field in layout.numbers}
    return Motion(
        still=float(calm.mean()) if len(calm) else 0.0,
        still_start_s=first * period_s,
        still_end_s=last * period_s,
        moved=np.where(rows.wrong, np.nan, np.abs(steps).sum(axis=0)),
        rough={name: roughness(part) for name, part in parts.items()},
        jerk={name: typical_jerk(part) / period_s**3 for name, part in parts.items()},
        disturbed=any(differs(episode.executed[f.name], episode.actions[f.name]) for f in layout.spec.action),
        frozen={**frozen_numbers(rows, episode, steps, calm), **frozen_images(rows, episode, calm)},
    )


def differs(executed: Array, labels: Array) -> bool:
    return executed is not labels and not np.array_equal(executed, labels)


def calm_ticks(rows: Rows, scale: Array) -> Array:
    """Return at which ticks nothing moves, (T,)."""
    layout, ticks = rows.layout, len(rows.labels)
    window = max(1, round(usual.IDLE_WINDOW_S * layout.spec.rate_hz))
    places = layout.places
    calm = still(rows.seen[:, places], scale[places], window, usual.IDLE_RANGE)[:ticks]
    spans = np.concatenate([2.0 * field.half_span for field in layout.spec.action])
    return calm & still(rows.labels, spans, window, usual.IDLE_RANGE) if ticks > 1 else calm


def frozen_numbers(rows: Rows, episode: Episode, steps: Array, calm: Array) -> dict[str, tuple[float, int]]:
    """Return the fields that repeat themselves to the last bit, and then leap, or stop from full speed."""
    found = {}
    for field in rows.layout.numbers:
        moved = np.abs(steps[:, rows.layout.observed[field.name]])
        same = np.asarray(~moved.any(axis=1))
        least = usual.FROZEN_S * rows.layout.spec.rate_hz
        if same.all() or np.count_nonzero(same) < least:
            continue
        begin, length = longest_run(same & new_values(episode, field))
        if length < least:
            continue
        end = begin + length
        if end < len(moved):
            others = np.delete(moved[~same], int(np.count_nonzero(~same[:end])), axis=0)
            most = np.percentile(others, 95, axis=0) if len(others) else np.inf
            frozen = bool((moved[end] > usual.THAW_STEPS * most).any()) and len(others) >= FEW
        else:
            moving = not calm[begin:].all() and begin > 0
            frozen = moving and int((moved[begin - 1] > np.median(moved[~same], axis=0)).sum()) >= FEW
        if frozen:
            found[field.name] = length * rows.layout.spec.period_s, begin
    return found


def frozen_images(rows: Rows, episode: Episode, calm: Array) -> dict[str, tuple[float, int]]:
    """Return the cameras that show the same picture, to the last bit, while something moves."""
    found = {}
    for field in rows.layout.cameras:
        same = same_as_before(episode.observations[field.name]) & new_values(episode, field)
        begin, length = longest_run(same & ~calm)
        if length >= usual.FROZEN_S * rows.layout.spec.rate_hz:
            found[field.name] = length * rows.layout.spec.period_s, begin
    return found


def same_as_before(images: Any) -> Array:
    """Return which images are the same bytes as those of the tick before, (T,); none is decoded."""
    rows = images.jpegs if isinstance(images, EncodedImages) else images
    return np.array([np.array_equal(rows[n], rows[n + 1]) for n in range(len(rows) - 1)], np.bool_)


def new_values(episode: Episode, field: Field) -> Array:
    """Return which ticks see another value than the tick before; without stamps all of them, (T,)."""
    if episode.timing is None:
        return np.ones(episode.steps, np.bool_)
    return np.asarray(np.diff(episode.timing.stamps_s[field.name]) > SAME_TIME_S)
