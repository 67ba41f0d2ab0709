"""When things happened in an episode, also in one that has no times of its own."""

from __future__ import annotations

import numpy as np

from imitation_ros.data.episode import Episode, Timing

START_S = 1.0  # of an episode without times: a stamp of 0 counts as none


def times_of(episode: Episode) -> Timing:
    """Return the times of an episode; where it has none, every value is from its tick."""
    if episode.timing is not None:
        return episode.timing
    ticks_s = START_S + np.arange(episode.steps + 1) * episode.spec.period_s
    same = {field.name: ticks_s for field in episode.spec.observation}
    heard = {field.name: np.zeros(episode.steps, np.bool_) for field in episode.spec.action}
    return Timing(ticks_s, same, same, heard)
