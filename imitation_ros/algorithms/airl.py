"""Adversarial inverse reinforcement learning (Fu et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from imitation_ros.algorithms import adversarial, ppo
from imitation_ros.algorithms.rewards import RewardConfig, RewardNet
from imitation_ros.algorithms.rollouts import Steps
from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.run import Run
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import TrainingError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

NETWORK = replace(ppo.NETWORK, log_std=(-3.0, -0.7, -0.7))


@dataclass(frozen=True)
class Config(adversarial.Config):
    """AIRL: learn a reward, apart from the dynamics, that a fresh policy can be trained on."""

    reward: RewardConfig = field(default_factory=lambda: RewardConfig(shaped=True))
    """the reward's network"""
    gradient_penalty: float = 0.02
    """as for GAIL, but f has to become as steep as log pi"""
    policy: NetworkConfig = NETWORK
    """the policy's network; -log pi pays for noise, so its log-std is held down"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_smoothing:
            raise TrainingError(
                f"label_smoothing is {self.label_smoothing:g}; AIRL allows 0 only: its logits are a reward."
            )


def train(demonstrations: Sequence[Episode], workers: Workers, config: Config, run: Run, device: str = "cpu") -> Result:
    """Train a policy and its reward; see adversarial.train."""
    return adversarial.train(demonstrations, workers, config, logits, run, device)


def logits(reward_net: RewardNet, policy: MLPPolicy, steps: Steps) -> Tensor:
    """Return log D - log(1 - D) = f(s, a, s') - log pi(a|s), (N,); after the end there is no action to judge."""
    with torch.no_grad():  # the discriminator judges the policy; it must not train it
        log_prob_N = policy.log_prob(steps.observations, steps.executed_targets)
    return reward_net.of(steps) - torch.where(steps.absorbing, torch.zeros_like(log_prob_N), log_prob_N)
