"""How the robot follows its commands: how late, and with which offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imitation_ros.data.quality import thresholds as usual
from imitation_ros.data.quality.layout import Pair, drive
from imitation_ros.data.quality.numbers import Rows
from imitation_ros.data.quality.signals import Array, correlations, peak

LEAST_MOTION = 0.01  # of a number's range: less has no lag


@dataclass(frozen=True)
class Following:
    """How an episode's motion follows its commands.

    Attributes:
        curve: how well, by each lag from -most to most ticks, (2 * most + 1,); None where nothing can be said.
        offset: quartiles of command minus measured position, one row for each pair of the same quantity.
    """

    curve: Array | None
    offset: Array

    @property
    def lag(self) -> tuple[int, float] | None:
        """The lag in ticks, and its correlation; None where nothing can be said."""
        return None if self.curve is None else peak(self.curve)


def following_of(rows: Rows, pairs: tuple[Pair, ...], scale: Array) -> Following:
    return Following(lag_curve(rows, pairs, scale), offsets(rows, pairs))


def most_lag(rate_hz: float) -> int:
    """Return the longest lag that is looked at, in ticks."""
    return max(2, round(usual.LAG_WINDOW_S * rate_hz))


def least_correlation(steps: int) -> float:
    """Return below which correlation a lag in an episode is chance."""
    return max(usual.LAG_CORRELATION, usual.LAG_CERTAIN / float(np.sqrt(max(steps, 1))))


def lag_curve(rows: Rows, pairs: tuple[Pair, ...], scale: Array) -> Array | None:
    """Return the mean over the pairs that move of how well the motion follows its command."""
    most = most_lag(rows.layout.spec.rate_hz)
    if not pairs or len(rows.labels) < 3 * most:
        return None
    effect = np.stack([pair.sign * np.diff(rows.seen[:, pair.observation]) for pair in pairs], axis=1)
    cause = np.stack([drive(rows.labels[:, pair.action], pair.same) for pair in pairs], axis=1)
    seen = [pair.observation for pair in pairs]
    moves = (np.ptp(rows.seen[:, seen], axis=0) > LEAST_MOTION * scale[seen]) & (np.ptp(cause, axis=0) > 0.0)
    if not moves.any():
        return None
    curves = correlations(cause[:, moves], effect[:, moves], most)
    return np.asarray(curves.mean(axis=1), np.float32)


def offsets(rows: Rows, pairs: tuple[Pair, ...]) -> Array:
    """Return the quartiles of what was commanded minus what was measured one tick later, (pairs, 3)."""
    same = [pair for pair in pairs if pair.same]
    if not same or not len(rows.labels):
        return np.full((len(same), 3), np.nan, np.float32)
    commanded = rows.labels[:, [pair.action for pair in same]]
    measured = rows.seen[1:, [pair.observation for pair in same]]
    bad = rows.wrong_labels[[p.action for p in same]] | rows.wrong[[p.observation for p in same]]
    quartiles = np.percentile(commanded - measured, (25, 50, 75), axis=0).T
    return np.where(bad[:, None], np.nan, quartiles).astype(np.float32)
