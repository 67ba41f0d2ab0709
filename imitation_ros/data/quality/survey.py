"""The streaming pass over a dataset: episodes go in one at a time, findings come out."""

from __future__ import annotations

import numpy as np

from imitation_ros.data.episode import Episode
from imitation_ros.data.quality.dataset_findings import across_findings, not_possible
from imitation_ros.data.quality.episode_findings import episode_findings
from imitation_ros.data.quality.finding import Finding
from imitation_ros.data.quality.following import least_correlation, most_lag
from imitation_ros.data.quality.layout import Layout, Pair, layout_of, strongest_pairs
from imitation_ros.data.quality.measures import Measures, measure
from imitation_ros.data.quality.numbers import Rows, ends, rows_of
from imitation_ros.data.quality.signals import Array
from imitation_ros.data.quality.timing import BINS_A_PERIOD, PERIODS
from imitation_ros.robot.spec import RobotSpec

TRIES = 5  # episodes in which pairs are looked for where no names agree: it takes longer than all the rest


class Survey:
    """What is known of a dataset; keeps a few kilobytes of each episode.

    Attributes:
        layout: its numbers.
        measures: of each episode.
        pairs: the commands and observations that are compared; by name, else by how well they fit.
        named: whether their names say so.
        intervals: observation field to how many of its values came so long after another, see FieldTiming.
    """

    def __init__(self, spec: RobotSpec) -> None:
        self.layout: Layout = layout_of(spec)
        self.measures: list[Measures] = []
        self.pairs: tuple[Pair, ...] = self.layout.pairs
        self.named = bool(self.pairs)
        self.low = np.full(self.layout.width, np.inf)
        self.high = -self.low
        self.intervals = {f.name: np.zeros(BINS_A_PERIOD * PERIODS, np.int64) for f in spec.observation}

    def add(self, episode: Episode, index: int, name: str) -> Measures:
        """Measure an episode of the same meaning as those before it."""
        rows = rows_of(episode, self.layout)
        self.widen(rows)
        if not self.pairs and index < TRIES and episode.steps >= 3 * most_lag(self.layout.spec.rate_hz):
            most, least = most_lag(self.layout.spec.rate_hz), least_correlation(episode.steps)
            self.pairs = strongest_pairs(rows.labels, rows.seen, most, least)
        measures = measure(episode, index, name, rows, self.pairs, self.scale)
        if measures.timing is not None:
            for field, timing in measures.timing.fields.items():
                self.intervals[field] += timing.intervals
        self.measures.append(measures)
        return measures

    @property
    def scale(self) -> Array:
        """The range of each observed number over the episodes so far; 0 where there was none."""
        return np.maximum(np.where(np.isfinite(self.low), self.high - self.low, 0.0), 0.0)

    def widen(self, rows: Rows) -> None:
        low, high = ends(rows.seen, rows.wrong)
        self.low, self.high = np.fmin(self.low, low), np.fmax(self.high, high)

    def findings(self) -> list[Finding]:
        """Return what is wrong with each episode, and with all of them together."""
        scale, robot = self.scale, {field.name for field in self.layout.robot_fields(self.pairs)}
        found = [one for each in self.measures for one in episode_findings(each, self.layout, scale, robot)]
        return [*found, *across_findings(self.measures, self.layout, self.pairs, scale, self.named)]

    def not_possible(self) -> list[str]:
        """Return which checks could not be made, and why."""
        return not_possible(self.measures, self.layout, self.pairs, self.named)
