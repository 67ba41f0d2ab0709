"""Learning from a reward that stands: the task's own, or a learned one that is frozen. PPO and SAC go through here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from imitation_ros.algorithms.check import check_counts, check_range
from imitation_ros.algorithms.frozen_reward import FrozenReward, Written
from imitation_ros.algorithms.rewards import Reward, Scale, Scaled
from imitation_ros.algorithms.rollouts import Steps, steps_of
from imitation_ros.algorithms.rounds import Result, collect_round
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.state import TrainState
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import TrainingError
from imitation_ros.policies.actor import Actor
from imitation_ros.policies.checkpoint import load_policy
from imitation_ros.policies.driving import Driver
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

FITTING_EPISODES = 4  # of random actions, to which the observations' normaliser is fitted


class Learner(Protocol):
    """What improves a policy by a reward: PPO, SAC."""

    policy: MLPPolicy
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    @property
    def evaluated(self) -> MLPPolicy: ...

    @property
    def driver(self) -> MLPPolicy | Driver: ...

    def improve(self, rollouts: Steps, reward: Reward, left: float) -> dict[str, float]: ...

    def remember(self, rollouts: Steps) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What every Config of a training in an environment begins with."""

    steps: int = 150_000
    """of the environment"""
    steps_per_round: int = 1600
    """of the environment, about: whole episodes are collected"""
    evaluate_every: int = 10_000
    """steps of the environment"""
    validation_starts: int = 20
    """episodes of an evaluation, which choose the policy that is kept"""
    seed: int = 0
    """of everything drawn"""
    threads: int = 1
    """of the processor"""

    def __post_init__(self) -> None:
        check_counts(self, "steps", "steps_per_round", "evaluate_every", "validation_starts", "threads")
        check_range("seed", self.seed, self.seed >= 0, "at least 0")


def learn(
    learner: Learner,
    workers: Workers,
    plan: Plan,
    reward: Reward | FrozenReward,
    scale: Scale | None,
    state: TrainState,
    run: Run,
) -> Result:
    """Collect, judge, improve, until the steps are used up.

    Args:
        reward: evaluations are by the task's own, whatever the policy learns from.
        scale: by which the learner sees the reward divided; None leaves it as it is.
        state: with everything that learns in it.
    """
    run.resume(state)
    for tensors in run.history.read(0, state.round - 1):
        learner.remember(Steps.from_tensors(tensors))
    if scale is not None:
        scale.variance = state.notes.get("reward_variance")
    told = as_told(reward, workers)
    seen = told if scale is None else Scaled(told, scale)
    going = True
    while going and state.steps < plan.steps:
        left = 1.0 - state.steps / plan.steps
        episodes, measured = collect_round(workers, learner.driver, state, plan.steps_per_round, plan.seed)
        rollouts = steps_of(judged(reward, episodes, measured), learner.policy)
        run.history.add(state.round, rollouts.to_tensors())
        rollouts = rollouts.to(learner.policy.device)
        if scale is not None:
            scale.update(told.of(rollouts))
            state.notes["reward_variance"] = scale.variance
        measured |= learner.improve(rollouts, seen, left)
        state.round += 1
        going = run.end_round(state, learner.evaluated, measured)
    return run.finish(state, learner.evaluated)


def as_told(reward: Reward | FrozenReward, workers: Workers) -> Reward:
    """Return a reward as a learner takes it, of the steps of episodes that went through `judged`.

    Raises:
        BundleError: it was learned in another environment.
    """
    if not isinstance(reward, FrozenReward):
        return reward
    reward.check_fits(workers.spec, f"the environment {workers.spec.name}")
    return Written(reward)


def judged(reward: Reward | FrozenReward, episodes: list[Episode], measured: dict[str, float]) -> list[Episode]:
    """Return episodes with what a frozen reward says in place of the task's, and note what they are worth then."""
    if not isinstance(reward, FrozenReward):
        return episodes
    rewards = reward.of_episodes(episodes)
    measured["rollouts/learned_return"] = float(np.mean([each.sum() for each in rewards]))
    return [replace(episode, rewards=each) for episode, each in zip(episodes, rewards, strict=True)]


def first_policy(
    start: str, network: NetworkConfig, demonstrations: Sequence[Episode], workers: Workers, seed: int
) -> tuple[MLPPolicy, int]:
    """Return the policy that learning starts from, and how many steps of the environment were taken for it.

    Args:
        start: a bundle's folder, whose policy is taken as it is; empty: an untrained one.
        demonstrations: to which its normaliser is fitted; without any, a few episodes of its own.

    Raises:
        TrainingError: the bundle means something else than the environment.
    """
    if start:
        policy = load_policy(Path(start)).train()
        differences = policy.spec.differences(workers.spec)
        if differences:
            raise TrainingError(f"{start} and the environment mean different things: {'; '.join(differences[:5])}.")
        return policy, 0
    policy = MLPPolicy(workers.spec, network)
    seen = demonstrations or workers.collect(Actor(policy), FITTING_EPISODES, seed, "train")
    policy.fit(observed(seen, policy))
    return policy, 0 if demonstrations else sum(episode.steps for episode in seen)


def check_steps(steps: int, taken: int, first_steps: int = 1) -> None:
    """Refuse a training that would end before its first update.

    Args:
        taken: before the first round, by `first_policy`; first_steps: of rounds, before the first update.

    Raises:
        TrainingError: says how many it should be.
    """
    if steps < taken + first_steps:
        fitted = f", and {taken} for the observations' normaliser, where there are no demonstrations" if taken else ""
        raise TrainingError(
            f"steps is {steps}; it should be at least {taken + first_steps}: the first update needs {first_steps}"
            f"{fitted}."
        )


def observed(episodes: Sequence[Episode], policy: MLPPolicy) -> dict[str, Tensor]:
    """Return all observations of episodes, field name to (N, width)."""
    fields = policy.spec.observation
    return {f.name: torch.cat([torch.from_numpy(e.observations[f.name]) for e in episodes]) for f in fields}


def start_small(policy: MLPPolicy, share: float) -> None:
    """Make the policy's last layers small: all actions near the middle at first, wherever the robot is."""
    for head in policy.heads.values():
        head.linear.weight.data.mul_(share)  # type: ignore[operator, union-attr]
        head.linear.bias.data.zero_()  # type: ignore[operator, union-attr]
