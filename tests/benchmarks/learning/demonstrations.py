"""The problems, their experts and their demonstrations: made here, so that nothing depends on others' files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Acts, Workers
from imitation_ros.envs.tasks import Expert
from tests.benchmarks.learning.experts import CartPoleExpert, PendulumExpert
from tests.benchmarks.learning.measure import Score

WINDOWS, WINDOW_STEPS = 20, 10


@dataclass(frozen=True)
class Problem:
    """An environment, and what its expert shows of it.

    Attributes:
        windows: cut the demonstration to random windows: a demonstration (and its windows) for each seed.
        gamma: the discount that PPO, and every peer, gets.
        validation_starts: of each evaluation while training; the best policy is chosen on them.
        test_starts: of the last and of the best policy.
    """

    setup: str
    expert: Acts | None = None
    episodes: int = 0
    terminate_on_success: bool = False
    disturbance: bool = False
    windows: bool = False
    gamma: float = 0.95
    validation_starts: int = 20
    test_starts: int = 100


PROBLEMS: Mapping[str, Problem] = {
    "pendulum": Problem("Pendulum-v1", PendulumExpert(), 10),
    "pendulum-windows": Problem("Pendulum-v1", PendulumExpert(), 1, windows=True),
    "cartpole": Problem("CartPole-v1", CartPoleExpert(), 5, gamma=0.98),  # episodes of 500 steps: it has to look far
    "reach": Problem("panda_reach", Expert("reach"), 20, terminate_on_success=True),
    "reach-100": Problem("panda_reach", Expert("reach"), 100, disturbance=True),
    "push-100": Problem("panda_push", Expert("push"), 100, disturbance=True),
    "pick_place-100": Problem("panda_pick_place", Expert("pick_place"), 100, disturbance=True),
    **{
        f"pick_place-undisturbed-{n}": Problem("panda_pick_place", Expert("pick_place"), n, terminate_on_success=True)
        for n in (10, 30, 60, 90, 120)
    },
    "halfcheetah": Problem("HalfCheetah-v5", gamma=0.99, validation_starts=10, test_starts=20),
}


def workers_of(problem: Problem, disturbance: bool = False) -> Workers:
    return Workers(problem.setup, disturbance=disturbance, terminate_on_success=problem.terminate_on_success)


def demonstrations_of(problem: Problem, seed: int) -> list[Episode]:
    """Return what the expert shows: the same whatever the seed, but for windows."""
    if problem.expert is None:
        return []
    with workers_of(problem, problem.disturbance) as workers:
        if not problem.windows:
            return workers.collect(problem.expert, problem.episodes)
        return windows(workers.collect(problem.expert, range(seed, seed + 1))[0], seed)


def windows(episode: Episode, seed: int) -> list[Episode]:
    """Return random windows of an episode, which may overlap; each is an episode that was cut, not one that ended."""
    generator = np.random.default_rng(np.random.SeedSequence([seed, WINDOWS, WINDOW_STEPS]))
    firsts = generator.integers(0, episode.steps - WINDOW_STEPS + 1, WINDOWS).tolist()
    return [cut(episode, first, first + WINDOW_STEPS) for first in firsts]


def cut(episode: Episode, first: int, end: int) -> Episode:
    assert episode.rewards is not None
    return replace(
        episode,
        observations={name: values[first : end + 1] for name, values in episode.observations.items()},
        actions={name: values[first:end] for name, values in episode.actions.items()},
        executed={name: values[first:end] for name, values in episode.executed.items()},
        rewards=episode.rewards[first:end],
        terminated=False,
    )


def score_of(episodes: list[Episode]) -> Score:
    """Return how some episodes went."""
    succeeded = [episode.steps for episode in episodes if episode.success]
    judged = any(episode.success is not None for episode in episodes)
    return Score(
        mean_return=float(np.mean([0.0 if e.rewards is None else e.rewards.sum() for e in episodes])),
        success=len(succeeded) / len(episodes) if judged else None,
        steps=float(np.mean([episode.steps for episode in episodes])),
        steps_to_success=float(np.mean(succeeded)) if succeeded else None,
        episodes=len(episodes),
    )


def save_for_peers(path: Path, episodes: list[Episode]) -> None:
    """Write episodes as flat arrays: gymnasium's own observations and actions."""
    spec = episodes[0].spec
    names = sorted(field.name for field in spec.observation)  # as gymnasium flattens a Dict
    of_gymnasium = len(names) == 1 and names[0] == "observation"
    arrays: dict[str, Any] = {
        "observations": np.concatenate([np.concatenate([e.observations[n] for n in names], axis=1) for e in episodes]),
        "actions": np.concatenate(
            [e.executed["action"] if of_gymnasium else e.unit_actions("executed") for e in episodes]
        ),
        "steps": np.array([episode.steps for episode in episodes]),
        "terminated": np.array([episode.terminated for episode in episodes]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
