"""What the numbers of an episode are: their ends, what is no number, what cannot be, what is cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imitation_ros.data.episode import Episode
from imitation_ros.data.quality import thresholds as usual
from imitation_ros.data.quality.layout import Layout
from imitation_ros.data.quality.signals import Array, skewness_of_6d, spikes, turns
from imitation_ros.robot.field import Field


@dataclass(frozen=True)
class Rows:
    """The numbers of an episode side by side, as the layout says, float64; columns with NaN hold zeros.

    Attributes:
        seen: (T + 1, observed numbers); labels: (T, commanded numbers).
        wrong, wrong_labels: which columns hold NaN or infinity at some tick.
    """

    layout: Layout
    seen: Array
    labels: Array
    wrong: Array
    wrong_labels: Array


@dataclass(frozen=True)
class Numbers:
    """What the numbers of an episode are; arrays are of columns of the layout.

    Attributes:
        low, high, mean: of each observed number; NaN where it is none at some tick.
        label_low, label_high: of each commanded number, likewise.
        bad: field to how many of its numbers are NaN, infinite, or no category of it.
        saturated, clipped: of each commanded number the share of ticks at an end of its scale, and beyond it.
        spikes: observed column to the tick of the first spike there, how many there are, and the highest.
        skewed: field to how far its rotations are from being some.
        wraps: field to how often its angles leap by a turn.
    """

    low: Array
    high: Array
    mean: Array
    label_low: Array
    label_high: Array
    bad: Mapping[str, int]
    saturated: Array
    clipped: Array
    spikes: Mapping[int, tuple[int, int, float]]
    skewed: Mapping[str, float]
    wraps: Mapping[str, int]


def rows_of(episode: Episode, layout: Layout) -> Rows:
    seen, wrong = side_by_side([episode.observations[f.name] for f in layout.numbers], episode.steps + 1)
    labels, wrong_labels = side_by_side([episode.actions[f.name] for f in layout.spec.action], episode.steps)
    return Rows(layout, seen, labels, wrong, wrong_labels)


def side_by_side(arrays: Sequence[Array], length: int) -> tuple[Array, Array]:
    """Return arrays as columns of one, and which of them are not finite everywhere; those are filled with zeros."""
    values = np.concatenate(arrays, axis=1).astype(np.float64) if arrays else np.zeros((length, 0))
    wrong = np.asarray(~np.isfinite(values).all(axis=0))
    values[:, wrong] = 0.0
    return values, wrong


def numbers_of(rows: Rows, episode: Episode, scale: Array) -> Numbers:
    """Return what the numbers of an episode are.

    Args:
        scale: the range of each observed number over the dataset, (observed numbers,).
    """
    layout = rows.layout
    low, high = ends(rows.seen, rows.wrong)
    label_low, label_high = ends(rows.labels, rows.wrong_labels)
    unit = np.abs(unit_labels(rows))
    far = np.ptp(rows.seen, axis=0) >= usual.TURN_JUMP_RAD
    parts = {field.name: rows.seen[:, layout.observed[field.name]] for field in layout.numbers}
    turned = [f for f in layout.numbers if far[layout.observed[f.name]].any() and may_wrap(f)]
    return Numbers(
        low=low,
        high=high,
        mean=np.where(rows.wrong, np.nan, rows.seen.mean(axis=0)).astype(np.float32),
        label_low=label_low,
        label_high=label_high,
        bad=bad_numbers(rows, episode),
        saturated=share(unit >= 1.0 - usual.AT_END),
        clipped=share(unit > 1.0 + usual.BEYOND_END),
        spikes=first_spikes(rows, usual.SPIKE_RANGE * layout.leap_ranges(scale)),
        skewed={
            field.name: skewness_of_6d(parts[field.name][:, -6:])
            for field in layout.numbers
            if field.rotation == "rotation_6d" and not rows.wrong[layout.observed[field.name]].any()
        },
        wraps={field.name: turns(parts[field.name], usual.TURN_JUMP_RAD) for field in turned},
    )


def ends(values: Array, wrong: Array) -> tuple[Array, Array]:
    """Return the lowest and highest of each column, NaN for those that hold no numbers."""
    if not len(values):
        nothing = np.full(values.shape[1], np.nan, np.float32)
        return nothing, nothing
    low, high = (np.where(wrong, np.nan, end).astype(np.float32) for end in (values.min(0), values.max(0)))
    return low, high


def share(mask: Array) -> Array:
    """Return the share of True in each column; 0 without rows."""
    return np.asarray(mask.mean(axis=0) if len(mask) else np.zeros(mask.shape[1]), np.float32)


def unit_labels(rows: Rows) -> Array:
    """Return the labels in [-1, 1], 0 for fields that are always at an end: grippers and categories."""
    unit = np.zeros(rows.labels.shape)
    for field in rows.layout.spec.action:
        if field.kind == "continuous":
            part = rows.layout.commanded[field.name]
            unit[:, part] = field.to_unit(rows.labels[:, part])
    return unit


def first_spikes(rows: Rows, height: Array) -> dict[int, tuple[int, int, float]]:
    leaps = spikes(rows.seen, usual.SPIKE_STEPS, height)
    found = {}
    for column in np.flatnonzero(leaps.any(axis=0)).tolist():
        ticks = np.flatnonzero(leaps[:, column])
        found[column] = int(ticks[0]), len(ticks), float(leaps[:, column].max())
    return found


def bad_numbers(rows: Rows, episode: Episode) -> dict[str, int]:
    """Return the fields that hold what is no number, or no category of theirs, and how many such there are."""
    found = {}
    layout = rows.layout
    for fields, arrays, columns, wrong in (
        (layout.numbers, episode.observations, layout.observed, rows.wrong),
        (layout.spec.action, episode.actions, layout.commanded, rows.wrong_labels),
    ):
        for field in fields:
            values = arrays[field.name]
            count = int((~np.isfinite(values)).sum()) if wrong[columns[field.name]].any() else 0
            if field.kind == "category" and count == 0:
                low, high = field.scale
                count = int(((values < low) | (values > high) | (values != np.rint(values))).sum())
            if count:
                found[field.name] = count
    for field in layout.spec.action:  # what was executed is read by learners of their own
        executed = episode.executed[field.name]
        if executed is not episode.actions[field.name] and not np.isfinite(executed).all():
            found.setdefault(field.name, int((~np.isfinite(executed)).sum()))
    return found


def may_wrap(field: Field) -> bool:
    """Whether a field holds angles that come back after a turn; joints' own may be counted on."""
    return field.rotation == "rotvec" or field.unit == "rad"
