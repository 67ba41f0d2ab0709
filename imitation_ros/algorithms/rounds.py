"""One round of a run in an environment: rollouts of the policy as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imitation_ros.algorithms.state import TrainState
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.policies.actor import Actor
from imitation_ros.policies.driving import Driver
from imitation_ros.policies.policy import MLPPolicy

GROWTH = 4  # how much shorter than before a round's episodes are taken to be, at most


def collect_round(
    workers: Workers, policy: MLPPolicy | Driver, state: TrainState, steps: int, seed: int
) -> tuple[list[Episode], dict[str, float]]:
    """Return the episodes of a round, about so many steps in all, and what is worth knowing of them.

    How many episodes is known before they run, from the round before: so any number of workers does the same.
    """
    expected = state.notes.get("steps_per_episode", workers.time_limit)
    count = max(1, round(steps / expected))
    starts = range(state.episodes, state.episodes + count)
    driver = Actor(policy) if isinstance(policy, MLPPolicy) else policy
    episodes = workers.collect(driver, starts, seed, "rollout")
    done = sum(episode.steps for episode in episodes)
    state.notes["steps_per_episode"] = max(done / count, expected / GROWTH)
    state.episodes += count
    state.steps += done
    return episodes, measured_of(episodes)


def measured_of(episodes: Sequence[Episode]) -> dict[str, float]:
    returns = [float(np.sum(episode.rewards)) for episode in episodes if episode.rewards is not None]
    measured = {"rollouts/steps_per_episode": float(np.mean([episode.steps for episode in episodes]))}
    if returns:
        measured["rollouts/return"] = float(np.mean(returns))
    if any(episode.success is not None for episode in episodes):
        measured["rollouts/success"] = float(np.mean([bool(episode.success) for episode in episodes]))
    return measured


@dataclass(frozen=True)
class Result:
    """What a run made.

    Attributes:
        policy: the one that did best in the evaluations; last: as it was at the end.
        state: counters, curves and warnings of the run.
        reward_net: what was learned of the reward, if anything.
    """

    policy: MLPPolicy
    last: MLPPolicy
    state: TrainState
    reward_net: Any = None
