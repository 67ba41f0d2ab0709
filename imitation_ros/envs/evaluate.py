"""Success and return of a policy on fixed starts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.policies.driving import Driver, without_drawing


@dataclass(frozen=True)
class Evaluation:
    """How a policy did.

    Attributes:
        successes: per episode, whether the task's condition held for its dwell, ordered by start; None where
            the task does not say what success is.
        returns: per episode, the sum of rewards.
        steps: per episode, how many it took; with `terminate_on_success`, how long success took.
    """

    successes: tuple[bool, ...] | None
    returns: tuple[float, ...]
    steps: tuple[int, ...] = ()

    @property
    def episodes(self) -> int:
        return len(self.returns)

    @property
    def success_rate(self) -> float:
        """The share of successes; nan where the task does not say what success is."""
        return math.nan if self.successes is None else sum(self.successes) / self.episodes

    @property
    def mean_return(self) -> float:
        return sum(self.returns) / self.episodes

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the success rate."""
        return (math.nan, math.nan) if self.successes is None else wilson_interval(sum(self.successes), self.episodes)

    @property
    def return_interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean return, as far as a normal distribution describes it."""
        spread = statistics.stdev(self.returns) if self.episodes > 1 else math.inf
        half = 1.96 * spread / math.sqrt(self.episodes)
        return self.mean_return - half, self.mean_return + half

    def __str__(self) -> str:
        if self.successes is None:
            spread = statistics.pstdev(self.returns)
            return f"mean return {self.mean_return:.1f} (standard deviation {spread:.1f}) over {self.episodes} episodes"
        low, high = self.interval
        return f"{sum(self.successes)} of {self.episodes} succeeded ({100 * low:.0f} to {100 * high:.0f} %)"


def evaluate(
    setup: str | Path,
    policy: Driver,
    starts: int | range,
    seed: int = 0,
    purpose: str = "test",
    workers: int = 1,
    disturbance: bool = False,
    randomisation: bool = False,
    terminate_on_success: bool = False,
) -> Evaluation:
    """Return how a policy does on fixed starts; arguments as for collect."""
    count = min(workers, starts if isinstance(starts, int) else len(starts))
    with Workers(setup, count, disturbance, randomisation, terminate_on_success) as opened:
        return evaluate_with(opened, policy, starts, seed, purpose)


def evaluate_with(
    workers: Workers, policy: Driver, starts: int | range, seed: int = 0, purpose: str = "test"
) -> Evaluation:
    """Return how a policy does on fixed starts: by its `act`, its best guess, where it has one, also if it can draw."""
    return evaluation_of(workers.collect(without_drawing(policy), starts, seed, purpose))


def evaluation_of(episodes: Sequence[Episode]) -> Evaluation:
    """Return how whoever drove these episodes did."""
    judged = any(episode.success is not None for episode in episodes)
    return Evaluation(
        successes=tuple(bool(episode.success) for episode in episodes) if judged else None,
        returns=tuple(0.0 if episode.rewards is None else float(episode.rewards.sum()) for episode in episodes),
        steps=tuple(episode.steps for episode in episodes),
    )


def wilson_interval(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Return the interval of a rate (Wilson 1927), which unlike mean +- 2 sd is sound near 0 and 1.

    Raises:
        ValueError: there were no trials.
    """
    if trials < 1:
        raise ValueError("an interval needs at least one trial")
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    spread = z * math.sqrt(rate * (1.0 - rate) / trials + z * z / (4 * trials * trials))
    divisor = 1.0 + z * z / trials
    return max(0.0, (centre - spread) / divisor), min(1.0, (centre + spread) / divisor)
