"""What is worth knowing of demonstrations, gathered as they pass by one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.data.dataset import fresh_steps
from imitation_ros.data.episode import Episode
from imitation_ros.envs.evaluate import Evaluation

Array = NDArray[Any]
SAMPLES, SAMPLES_EACH = 64, 4  # observations on which ONNX is compared with torch


class Tally:
    """Counts, ranges and returns of demonstrations; of a policy's episodes where there are none.

    Attributes:
        ranges: observation field name to lowest and highest, (width,) each, of fresh ticks; not of images.
        samples: observation field name to a few rows.
        training: what else a bundle says of the training.
    """

    def __init__(self) -> None:
        self.counts = {"episodes": 0, "transitions": 0, "failures_left_out": 0, "stale_ticks": 0}
        self.ranges: dict[str, tuple[Array, Array]] = {}
        self.kept: dict[str, list[Array]] = {}
        self.returns: list[float] = []
        self.successes: list[bool] = []
        self.steps: list[int] = []
        self.training: dict[str, Any] = {}

    def passing(self, episodes: Iterable[Episode]) -> Iterator[Episode]:
        """Yield those that were not marked as failures, each counted in."""
        for episode in episodes:
            if episode.success is False:
                self.counts["failures_left_out"] += 1
                continue
            self.add(episode)
            yield episode

    def add(self, episode: Episode) -> None:
        fresh = fresh_steps(episode)
        self.counts["episodes"] += 1
        self.counts["transitions"] += episode.steps
        self.counts["stale_ticks"] += int((~fresh).sum())
        self.steps.append(episode.steps)
        if episode.rewards is not None:
            self.returns.append(float(episode.rewards.sum()))
        if episode.success is not None:
            self.successes.append(episode.success)
        rows = np.flatnonzero(fresh)
        for field in episode.spec.observation if len(rows) else ():
            values = episode.observations[field.name]
            if not field.is_image:
                self.widen(field.name, np.asarray(values)[rows])
            kept = self.kept.setdefault(field.name, [])
            kept += [values[row] for row in rows[:: max(1, len(rows) // SAMPLES_EACH)]][: SAMPLES - len(kept)]

    def widen(self, name: str, rows: Array) -> None:
        low, high = self.ranges.get(name, (rows[0], rows[0]))
        self.ranges[name] = np.minimum(low, rows.min(0)), np.maximum(high, rows.max(0))

    @property
    def samples(self) -> Mapping[str, Array]:
        return {name: np.stack(rows) for name, rows in self.kept.items()}

    @property
    def evaluation(self) -> Evaluation | None:
        """How the demonstrations did; None where nobody says."""
        if not self.steps or len(self.returns) < len(self.steps):
            return None
        judged = len(self.successes) == len(self.steps)
        return Evaluation(tuple(self.successes) if judged else None, tuple(self.returns), tuple(self.steps))
