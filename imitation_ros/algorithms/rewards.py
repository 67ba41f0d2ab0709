"""Rewards: the task's own, learned ones, and what learners need to know of either.

Shapes: N steps, E encoded observation, U numbers of all executed actions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from imitation_ros.algorithms.rollouts import Steps
from imitation_ros.errors import TrainingError
from imitation_ros.policies.networks import ACTIVATIONS, scalar_network


class Reward(Protocol):
    """What a learner makes large."""

    def of(self, steps: Steps) -> Tensor:
        """Return the reward of each step, (N,)."""
        ...

    def after_end(self, discount: float) -> float:
        """Return what follows the task's end is worth at the step that ends it, discounted to that step."""
        ...


class TaskReward:
    """The environment's own reward; nothing follows an end."""

    def of(self, steps: Steps) -> Tensor:
        return steps.rewards

    def after_end(self, discount: float) -> float:
        return 0.0


@dataclass(frozen=True)
class ConstantReward:
    """The same at every step, and nothing after an end: what an adversarial learner has to beat.

    Where episodes end early, its sign alone can teach to stay, or to end.
    """

    value: float

    def of(self, steps: Steps) -> Tensor:
        return torch.full_like(steps.rewards, self.value)

    def after_end(self, discount: float) -> float:
        return 0.0


@dataclass
class Scale:
    """A moving standard deviation of rewards, by which learners see them divided; never shifted.

    A shift would change what ending an episode is worth. The floor keeps a reward that says nothing from being blown
    up to noise.

    Attributes:
        target: the standard deviation that learners see; None leaves rewards as they are.
        floor: the smallest one that is divided by.
        memory: how much of the average a round keeps.
        variance: the average; None before the first round.
    """

    target: float | None = 0.3
    floor: float = 0.1
    memory: float = 0.9
    variance: float | None = None

    def update(self, rewards_N: Tensor) -> None:
        latest = float(rewards_N.double().var(unbiased=False))
        self.variance = latest if self.variance is None else self.memory * self.variance + (1 - self.memory) * latest

    @property
    def factor(self) -> float:
        if self.variance is None or self.target is None:
            return 1.0
        return self.target / max(math.sqrt(self.variance), self.floor)


@dataclass(frozen=True)
class Scaled:
    """A reward as a learner sees it."""

    reward: Reward
    scale: Scale

    def of(self, steps: Steps) -> Tensor:
        return self.reward.of(steps) * self.scale.factor

    def after_end(self, discount: float) -> float:
        return self.reward.after_end(discount) * self.scale.factor


@dataclass(frozen=True)
class RewardConfig:
    """The network of a learned reward."""

    hidden: tuple[int, ...] = (64, 64)
    """sizes of the hidden layers"""
    activation: str = "tanh"
    """between layers: relu or tanh"""
    state_only: bool = False
    """judge the observation alone: such a reward is said to carry over to another robot"""
    shaped: bool = False
    """add gamma h(s') - h(s), which changes no optimal policy (Ng et al. 1999)"""
    spectral_norm: bool = False
    """keep every layer from growing differences (Miyato et al. 2018); set gradient_penalty to 0 with it"""

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise TrainingError(f"activation is {self.activation!r}; allowed: {', '.join(ACTIVATIONS)}.")
        if not all(type(size) is int and size >= 1 for size in self.hidden):
            raise TrainingError(f"hidden is {list(self.hidden)}; it should be sizes of layers, such as [64, 64].")


class RewardNet(nn.Module):
    """f(s, a, s') = g(s, a) + gamma h(s') - h(s) (Fu et al. 2018, equation 4); without shaping, g alone.

    The time after a task's end is a state of its own: g reads a 1 there and zeros otherwise, and h is zero.

    Args:
        observation_width, action_width: E and U.
        config: the network.
        discount: gamma of the shaping: the learner's, else shaping would change the optimal policy.
    """

    def __init__(self, observation_width: int, action_width: int, config: RewardConfig, discount: float) -> None:
        super().__init__()
        self.config, self.discount = config, discount
        self.width = observation_width + (0 if config.state_only else action_width) + 1
        self.g = scalar_network(self.width, config.hidden, config.activation)
        self.h = scalar_network(observation_width, config.hidden, config.activation) if config.shaped else None
        if config.spectral_norm:
            for module in list(self.modules()):
                if isinstance(module, nn.Linear):
                    nn.utils.parametrizations.spectral_norm(module)

    def forward(
        self, observations_NE: Tensor, executed_NU: Tensor, next_NE: Tensor, ended_N: Tensor, absorbing_N: Tensor
    ) -> Tensor:
        """Return f, (N,).

        Args:
            ended_N: whether the next state is the one after the end, 0 or 1; absorbing_N: whether this one is.
        """
        parts = [observations_NE, absorbing_N[:, None]]
        if not self.config.state_only:
            parts.insert(1, executed_NU)
        reward_N: Tensor = self.g(torch.cat(parts, dim=1))[:, 0]
        if self.h is None:
            return reward_N
        before_N, after_N = torch.split(self.h(torch.cat([observations_NE, next_NE]))[:, 0], len(reward_N))
        f_N: Tensor = reward_N + (self.discount * (1.0 - ended_N) * after_N - before_N) * (1.0 - absorbing_N)
        return f_N

    def of(self, steps: Steps) -> Tensor:
        """Return f of steps, (N,)."""
        f_N: Tensor = self(*reward_inputs(steps))
        return f_N

    @torch.no_grad()
    def of_absorbing(self) -> float:
        """Return f of one step after the end."""
        after_1W = torch.zeros(1, self.width, device=next(self.parameters()).device)
        after_1W[0, -1] = 1.0
        return float(self.g(after_1W))

    def after_end(self, discount: float) -> float:
        """Return the worth of staying after the end for ever: discount / (1 - discount) of one step."""
        return self.of_absorbing() * discount / (1.0 - discount)


def reward_inputs(steps: Steps) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return (
        steps.observations,
        steps.executed,
        steps.next_observations,
        steps.terminated.float(),
        steps.absorbing.float(),
    )
