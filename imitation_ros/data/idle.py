"""Where an episode begins and ends to move; by the rule by which `check` says that nothing does."""

from __future__ import annotations

import numpy as np

from imitation_ros.data.episode import Episode
from imitation_ros.data.quality.layout import layout_of
from imitation_ros.data.quality.motion import calm_ticks
from imitation_ros.data.quality.numbers import ends, rows_of
from imitation_ros.robot.spec import RobotSpec

KEPT_S = 0.5  # of standing still, at either end: a policy has to learn to begin and to stop, too


class IdleEnds:
    """Finds idle ends: no observed number moves, and no command changes, by more than a small share of its range.

    The ranges are those of a whole dataset, so every episode of it is added first.
    """

    def __init__(self, spec: RobotSpec) -> None:
        self.layout = layout_of(spec)
        self.low = np.full(self.layout.width, np.inf)
        self.high = -self.low

    def add(self, episode: Episode) -> None:
        rows = rows_of(episode, self.layout)
        low, high = ends(rows.seen, rows.wrong)
        self.low, self.high = np.fmin(self.low, low), np.fmax(self.high, high)

    def moving(self, episode: Episode) -> tuple[int, int] | None:
        """Return from which tick to which one an episode is worth keeping; None where nothing moves in all of it."""
        known = np.isfinite(self.low) & np.isfinite(self.high)
        scale = np.where(known, self.high - self.low, 0.0)
        calm = calm_ticks(rows_of(episode, self.layout), scale)
        if calm.all():
            return None
        kept = round(KEPT_S * self.layout.spec.rate_hz)
        first, last = int(calm.argmin()), len(calm) - int(calm[::-1].argmin())
        return max(first - kept, 0), min(last + kept, episode.steps)
