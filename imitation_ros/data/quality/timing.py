"""What the stamps of an episode say: gaps, stale ticks, delays, and the grid itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imitation_ros.data.episode import Episode
from imitation_ros.data.episode import Timing as Stamps
from imitation_ros.data.quality.signals import Array
from imitation_ros.data.quality.thresholds import GAP_PERIODS
from imitation_ros.robot.field import Field
from imitation_ros.robot.sampler import SAME_TIME_S
from imitation_ros.robot.spec import RobotSpec

BINS_A_PERIOD, PERIODS = 20, 4
"""Of the histogram of intervals; what is longer is in its last bin."""


@dataclass(frozen=True)
class FieldTiming:
    """The stamps of one observation field over an episode.

    Attributes:
        stale: share of the ticks at which it was older than max_age_s.
        interval_s: the usual time between two of its values; None where there is one value only.
        longest_s: the longest, and at which tick it ends.
        gaps: how many intervals are far longer than usual.
        delay_s: the usual time from stamp to arrival; None in lock-step, where arrivals are of no clock.
        repeated: share of the ticks that see the value of the tick before.
        backwards: how often a value is older than the one before.
        intervals: how many there are of each length, (BINS_A_PERIOD * PERIODS,).
    """

    stale: float
    interval_s: float | None
    longest_s: float
    longest_at: int
    gaps: int
    delay_s: float | None
    repeated: float
    backwards: int
    intervals: Array


@dataclass(frozen=True)
class Timing:
    """When the values of an episode were stamped.

    Attributes:
        fields: observation field to its stamps.
        silent: action field to the share of ticks without a command in force.
        stale: share of the ticks with some stale observation, which training leaves out.
        tick_s: the usual time between ticks [s].
        irregular: how far the longest or shortest lies from it, as a share of it.
    """

    fields: Mapping[str, FieldTiming]
    silent: Mapping[str, float]
    stale: float
    tick_s: float
    irregular: float


def timing_of(episode: Episode) -> Timing | None:
    """Return when the values of an episode were stamped; None where nobody stamped them."""
    stamps, spec = episode.timing, episode.spec
    if stamps is None or episode.steps == 0:
        return None
    stale = np.zeros(episode.steps, np.bool_)
    fields = {}
    for field in spec.observation:
        late = stamps.age_s(field.name)[:-1] > field.max_age_s + SAME_TIME_S
        stale |= late
        fields[field.name] = field_timing(stamps, field, float(late.mean()), spec)
    ticks = np.diff(stamps.ticks_s)
    tick_s = float(np.median(ticks))
    return Timing(
        fields=fields,
        silent={field.name: float(stamps.silent[field.name].mean()) for field in spec.action},
        stale=float(stale.mean()),
        tick_s=tick_s,
        irregular=float(np.abs(ticks / tick_s - 1.0).max()) if tick_s > 0.0 else np.inf,
    )


def field_timing(stamps: Stamps, field: Field, stale: float, spec: RobotSpec) -> FieldTiming:
    times, received, period_s = stamps.stamps_s[field.name], stamps.received_s[field.name], spec.period_s
    # in real time nothing is taken that came after its tick was closed
    lockstep = bool((received > stamps.ticks_s + spec.wait_s + SAME_TIME_S).any())
    steps = np.diff(times)
    new = np.flatnonzero(steps > SAME_TIME_S)
    intervals = steps[new]
    interval_s = float(np.median(intervals)) if len(intervals) else None
    place = int(intervals.argmax()) if len(intervals) else 0
    places = np.minimum(intervals * (BINS_A_PERIOD / period_s), BINS_A_PERIOD * PERIODS - 1).astype(np.intp)
    return FieldTiming(
        stale=stale,
        interval_s=interval_s,
        longest_s=float(intervals[place]) if len(intervals) else 0.0,
        longest_at=int(new[place]) + 1 if len(intervals) else 0,
        gaps=int((intervals > GAP_PERIODS * max(interval_s or 0.0, period_s)).sum()),
        delay_s=None if lockstep else float(np.median(received - times)),
        repeated=1.0 - len(intervals) / len(steps),
        backwards=int((steps < -SAME_TIME_S).sum()),
        intervals=np.bincount(places, minlength=BINS_A_PERIOD * PERIODS).astype(np.int32),
    )
