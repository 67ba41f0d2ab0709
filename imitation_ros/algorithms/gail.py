"""Generative adversarial imitation learning (Ho & Ermon 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from imitation_ros.algorithms import adversarial
from imitation_ros.algorithms.rewards import RewardNet
from imitation_ros.algorithms.rollouts import Steps
from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.run import Run
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.policies.policy import MLPPolicy


@dataclass(frozen=True)
class Config(adversarial.Config):
    """GAIL: the policy is rewarded for what a discriminator takes for the expert's."""


def train(demonstrations: Sequence[Episode], workers: Workers, config: Config, run: Run, device: str = "cpu") -> Result:
    """Train a policy and its discriminator; see adversarial.train."""
    return adversarial.train(demonstrations, workers, config, logits, run, device)


def logits(reward_net: RewardNet, policy: MLPPolicy, steps: Steps) -> Tensor:
    """Return log D - log(1 - D) = f(s, a), (N,): the density ratio of expert and policy, once D is at its best."""
    return reward_net.of(steps)
