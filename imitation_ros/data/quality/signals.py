"""Measures of signals, as pure functions of arrays: (T,) one number over time, (T, n) several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SIGMA_OF_MAD = 1.4826  # of a normal distribution


def longest_run(mask: Array) -> tuple[int, int]:
    """Return where the longest run of True begins and how long it is; (0, 0) where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return int(edges[2 * longest]), int(lengths[longest])


def still(values: Array, scale: Array, window: int, share: float) -> Array:
    """Return at which rows of (T, n) nothing moves, (T,).

    A row is still when it lies in a window at whose ends every number is the same, to a share of its scale.
    """
    rows = len(values)
    window = min(max(window, 1), rows - 1)
    moves = scale > 0
    if window < 1 or not moves.any():
        return np.ones(rows, np.bool_)
    far = np.abs(values[window:, moves] - values[:-window, moves]) > share * scale[moves]
    calm = ~far.any(axis=1)
    edges = np.zeros(rows + 1, np.int32)
    edges[: rows - window] += calm
    edges[window + 1 :] -= calm
    return np.asarray(np.cumsum(edges[:-1]) > 0)


def roughness(values: Array) -> float:
    """Return how jerky (T, n) is: rms of the third difference over that of the first.

    It has no unit and no scale: 0 for a straight line, sqrt(10) for white noise. 0 where nothing moves.
    """
    if len(values) < 4:
        return 0.0
    steps = np.diff(values, axis=0)
    jerks = steps[2:] - 2.0 * steps[1:-1] + steps[:-2]
    moved = float(np.mean(np.square(steps)))
    return float(np.sqrt(np.mean(np.square(jerks)) / moved)) if moved > 0.0 else 0.0


def typical_jerk(values: Array) -> float:
    """Return the upper quartile of the length of the third difference of (T, n): one glitch does not change it."""
    if len(values) < 4:
        return 0.0
    jerks = np.linalg.norm(np.diff(values, n=3, axis=0), axis=1)
    return float(np.partition(jerks, (3 * len(jerks)) // 4)[(3 * len(jerks)) // 4])


def spikes(values: Array, steps_of_usual: float, height: Array) -> Array:
    """Return how high each of (T, n) leaps away and back within two rows, (T, n); 0 where it does not.

    Args:
        steps_of_usual: how high at least, in 95th percentiles of a number's steps; height: and in its own unit, (n,).
    """
    found = np.zeros(values.shape)
    if len(values) < 4:
        return found
    steps = np.diff(values, axis=0)
    out, back = steps[:-1], steps[1:]
    least = np.where(out * back < 0, np.minimum(np.abs(out), np.abs(back)), 0.0)
    for column in np.flatnonzero(least.max(axis=0) > height):  # mostly none
        usual = np.percentile(np.abs(steps[:, column]), 95)
        leaps = least[:, column] > max(steps_of_usual * usual, height[column])
        found[1:-1, column] = np.where(leaps, least[:, column], 0.0)
    return found


def correlations(cause: Array, effect: Array, most: int) -> Array:
    """Return how well each column of `effect` follows that of `cause` by each lag, (2 * most + 1, n), -1 to 1.

    Row most + l is for a lag of l rows: effect[k + l] against cause[k]. Columns that do not vary give 0.
    """
    rows, width = cause.shape
    cause = cause - cause.mean(axis=0)
    effect = effect - effect.mean(axis=0)
    energy = np.sqrt(np.square(cause).sum(axis=0) * np.square(effect).sum(axis=0))
    size = 1 << int(rows + most).bit_length()
    spectrum = np.conj(np.fft.rfft(cause, size, axis=0)) * np.fft.rfft(effect, size, axis=0)
    circular = np.fft.irfft(spectrum, size, axis=0)
    products = np.concatenate([circular[size - most :], circular[: most + 1]]) if most else circular[:1]
    return np.asarray(np.divide(products, energy, out=np.zeros((2 * most + 1, width)), where=energy > 0.0))


def peak(curve: Array) -> tuple[int, float]:
    """Return the lag at which a curve of `correlations`, (2 * most + 1,), is highest, and how high."""
    highest = int(np.argmax(curve))
    return highest - len(curve) // 2, float(curve[highest])


def robust_deviations(values: Array, floor: Array | float = 0.0) -> Array:
    """Return how far each row lies from the median, in robust standard deviations; NaN stays NaN.

    Args:
        values: (N,) or (N, n).
        floor: the least that counts as a standard deviation.
    """
    off = values - np.nanmedian(values, axis=0)
    spread = np.maximum(SIGMA_OF_MAD * np.nanmedian(np.abs(off), axis=0), floor)
    return np.asarray(np.divide(off, spread, out=np.zeros_like(off), where=spread > 0.0) + 0.0 * off)


def turns(values: Array, jump: float) -> int:
    """Return at how many rows of (T, n) some number leaps by at least `jump`."""
    if len(values) < 2:
        return 0
    return int((np.abs(np.diff(values, axis=0)) >= jump).any(axis=1).sum())


def skewness_of_6d(values: Array) -> float:
    """Return how far rows of rotation_6d, (T, 6), are at most from two perpendicular columns of length 1."""
    first, second = values[:, :3], values[:, 3:]
    lengths = np.abs(np.linalg.norm(values.reshape(-1, 2, 3), axis=2) - 1.0)
    return float(max(lengths.max(initial=0.0), np.abs((first * second).sum(axis=1)).max(initial=0.0)))
