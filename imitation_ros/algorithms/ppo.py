"""Proximal policy optimisation (Schulman et al. 2017) with generalised advantages (Schulman et al. 2016).

A learner of adversarial learning; and, by `train`, of the task's own reward or of a saved one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imitation_ros.algorithms.check import check_counts, check_range
from imitation_ros.algorithms.frozen_reward import FrozenReward
from imitation_ros.algorithms.reinforcement import Plan, check_steps, first_policy, learn, start_small
from imitation_ros.algorithms.rewards import Reward, Scale, TaskReward
from imitation_ros.algorithms.rollouts import Steps
from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.state import TrainState
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import TrainingError
from imitation_ros.policies.networks import scalar_network
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

NETWORK = NetworkConfig(hidden=(64, 64), head="gaussian", activation="tanh", log_std=(-2.0, 0.5, -0.3))
FIRST_LAYER = 0.01  # of the policy's last layer at first: all actions near the middle, wherever the robot is


@dataclass(frozen=True)
class Settings:
    """How a policy is improved by one round's rollouts."""

    epochs: int = 10
    """passes over the rollouts"""
    batch_size: int = 200
    """steps per update"""
    learning_rate: float = 1e-3
    """at the start; falls linearly to zero"""
    discount: float = 0.95
    """gamma, of a reward one step later"""
    trace: float = 0.95
    """lambda of the advantages: 0 trusts the value network, 1 the returns"""
    clip: float = 0.2
    """of the ratio between new and old probability"""
    entropy: float = 0.0
    """bonus for randomness; AIRL's reward holds one already"""
    gradient_clip: float = 0.5
    """largest norm of a gradient"""
    value_share: float = 0.0
    """of the training, at its start, in which only the value network learns: else it would spoil a good policy"""

    def __post_init__(self) -> None:
        check_counts(self, "epochs", "batch_size")
        check_range("learning_rate", self.learning_rate, self.learning_rate > 0, "above 0")
        check_range("discount", self.discount, 0.0 < self.discount < 1.0, "above 0 and below 1")
        check_range("trace", self.trace, 0.0 <= self.trace <= 1.0, "0 to 1")
        check_range("clip", self.clip, self.clip > 0, "above 0")
        check_range("entropy", self.entropy, self.entropy >= 0, "at least 0")
        check_range("value_share", self.value_share, 0.0 <= self.value_share < 1.0, "at least 0 and below 1")
        check_range("gradient_clip", self.gradient_clip, self.gradient_clip > 0, "above 0")


@dataclass(frozen=True)
class Config(Plan):
    """PPO on a reward that stands: the task's own, or a learned one."""

    start: str = ""
    """the bundle of a policy to go on from, such as one that bc made; empty: learn from nothing"""
    policy: NetworkConfig = NETWORK
    """the policy's network, where there is no start; the value network is like it"""
    ppo: Settings = field(default_factory=Settings)
    """how a round improves the policy"""


class PPO:
    """A policy, its value network, and how they learn from rollouts of the policy.

    Args:
        policy: with a density for every action field.
        settings: see there.
        generator: draws minibatches.
    """

    def __init__(self, policy: MLPPolicy, settings: Settings, generator: torch.Generator) -> None:
        if not policy.is_density:
            raise TrainingError(
                f"PPO needs a policy that knows its probabilities; head is {policy.config.head!r}, use gaussian: "
                f"`--set policy.head=gaussian`, or for a clone `imitation-ros train bc --set network.head=gaussian`."
            )
        self.policy, self.settings, self.generator = policy, settings, generator
        self.value = scalar_network(policy.encoder.width, policy.config.hidden, policy.config.activation).to(
            policy.device
        )
        self.learned = [SideBySide(policy), SideBySide(self.value)]
        vectors = [each.vector for each in self.learned]
        self.optimizer = torch.optim.Adam(vectors, settings.learning_rate, eps=1e-5, fused=True)
        self.modules: dict[str, nn.Module] = {"policy": policy, "value": self.value}
        self.optimizers: dict[str, torch.optim.Optimizer] = {"policy": self.optimizer}
        self.updates = 0

    @property
    def evaluated(self) -> MLPPolicy:
        """The policy that is judged and kept."""
        return self.policy

    @property
    def driver(self) -> MLPPolicy:
        """The policy that collects."""
        return self.policy

    def remember(self, rollouts: Steps) -> None:
        """Nothing: every round learns from its own rollouts."""

    def improve(self, rollouts: Steps, reward: Reward, left: float) -> dict[str, float]:
        """Improve the policy by its own rollouts.

        Args:
            rollouts: whole episodes of the policy as it is.
            reward: judges them, once.
            left: the share of the training that is still to come: 1 at the start.
        """
        settings, policy = self.settings, self.policy
        with torch.no_grad():
            rewards_N = reward.of(rollouts)
            advantages_N, returns_N = advantages(
                rollouts, rewards_N, self.values, reward.after_end(settings.discount), settings
            )
            old_N = policy.log_prob(rollouts.observations, rollouts.actions)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * left
        both_learn = left <= 1.0 - settings.value_share
        policy_loss = value_loss = torch.zeros(())
        for _ in range(settings.epochs):
            for seen, chosen, old_B, advantage_B, return_B in self.minibatches(
                rollouts, old_N, advantages_N, returns_N
            ):
                value_loss = F.mse_loss(self.values(seen), return_B)
                loss = 0.5 * value_loss
                if both_learn:  # gradients of zero would wear off Adam's bias correction, and the first others leap
                    policy_loss = clipped_loss(policy.log_prob(seen, chosen) - old_B, advantage_B, settings.clip)
                    loss = loss + policy_loss
                    if settings.entropy:
                        loss = loss - settings.entropy * policy.entropy(seen).mean()
                self.descend(loss, self.learned if both_learn else self.learned[1:])
        with torch.no_grad():
            entropy = policy.entropy(rollouts.observations).mean()
        return {
            "ppo/policy_loss": policy_loss.item(),
            "ppo/value_loss": value_loss.item(),
            "ppo/entropy": entropy.item(),
            "ppo/reward": rewards_N.mean().item(),
        }

    def minibatches(self, rollouts: Steps, *columns: Tensor) -> Iterator[tuple[Any, ...]]:
        """Yield observations, actions and columns of all steps in a new order, batch by batch."""
        order = torch.randperm(len(rollouts), generator=self.generator).to(rollouts.rewards.device)
        size = self.settings.batch_size
        seen, *others = (torch.split(column[order], size) for column in (rollouts.observations, *columns))
        actions = {name: torch.split(value[order], size) for name, value in rollouts.actions.items()}
        for index, rows in enumerate(seen):
            if len(rows) < 2:  # one advantage cannot be normalised
                continue
            chosen = {name: parts[index] for name, parts in actions.items()}
            yield rows, chosen, *(parts[index] for parts in others)

    def values(self, observations: Tensor) -> Tensor:
        values: Tensor = self.value(observations).squeeze(1)
        return values

    def descend(self, loss: Tensor, learned: Sequence[SideBySide]) -> None:
        """Follow the gradient with some of the networks."""
        gradients = iter(torch.autograd.grad(loss, [weight for each in learned for weight in each.weights]))
        for each in learned:
            each.vector.grad = torch.cat([next(gradients).flatten() for _ in each.weights])
        clip_gradient([each.vector for each in learned], self.settings.gradient_clip)
        self.optimizer.step()
        self.policy.keep_in_bounds()
        self.updates += 1


def clip_gradient(vectors: Sequence[nn.Parameter], largest: float) -> None:
    """Shorten a gradient that is longer, as nn.utils.clip_grad_norm_ does in twice the time."""
    gradients = [vector.grad for vector in vectors if vector.grad is not None]
    length = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]))
    torch._foreach_mul_(gradients, (largest / (length + 1e-6)).clamp(max=1.0))


class SideBySide:
    """The weights of a network, moved into one vector, of which they are views from now on.

    So an optimiser has one tensor to go through: for a dozen small ones, its overhead is most of its time.
    """

    def __init__(self, network: nn.Module) -> None:
        self.weights = list(network.parameters())
        self.vector = nn.Parameter(nn.utils.parameters_to_vector(self.weights).detach())
        nn.utils.vector_to_parameters(self.vector.data, self.weights)


def train(
    demonstrations: Sequence[Episode],
    workers: Workers,
    config: Config,
    run: Run,
    device: str = "cpu",
    reward: Reward | FrozenReward | None = None,
) -> Result:
    """Train a policy on a reward.

    Args:
        demonstrations: only the observations' normaliser is fitted to them; may be empty.
        reward: the task's own where there is none.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        policy, taken = first_policy(config.start, config.policy, demonstrations, workers, config.seed)
        check_steps(config.steps, taken)
        if not config.start:
            start_small(policy, FIRST_LAYER)
        generator = torch.Generator().manual_seed(config.seed)
        learner = PPO(policy.to(device), config.ppo, generator)
    state = TrainState(learner.modules, learner.optimizers, {"draws": generator}, steps=taken)
    return learn(learner, workers, config, reward or TaskReward(), Scale(), state, run)


def advantages(
    rollouts: Steps, rewards_N: Tensor, values: Callable[[Tensor], Tensor], after_end: float, settings: Settings
) -> tuple[Tensor, Tensor]:
    """Return how much better each step was than expected, and the returns that the value network learns, (N,) each.

    Where time ran out, the value of the next observation stands for what would have followed (Pardo et al. 2018);
    where the task ended, `after_end` does.
    """
    now_N = values(rollouts.observations)
    next_N = torch.where(
        rollouts.terminated, torch.full_like(now_N, after_end / settings.discount), values(rollouts.next_observations)
    )
    errors = (rewards_N + settings.discount * next_N - now_N).tolist()
    memory = settings.discount * settings.trace
    sums, following = [], 0.0
    for error, last in zip(reversed(errors), reversed(rollouts.last.tolist()), strict=True):
        following = error if last else error + memory * following
        sums.append(following)
    advantages_N = torch.tensor(sums[::-1], dtype=now_N.dtype, device=now_N.device)
    return advantages_N, advantages_N + now_N


def clipped_loss(log_ratio_B: Tensor, advantage_B: Tensor, clip: float) -> Tensor:
    """Return the clipped surrogate, equation 7 of Schulman et al. 2017, to be made small."""
    normal_B = (advantage_B - advantage_B.mean()) / (advantage_B.std() + 1e-8)
    bound_B = torch.where(normal_B > 0, 1 + clip, 1 - clip)  # beyond it the ratio would go where it is clipped
    return -torch.minimum(log_ratio_B.exp() * normal_B, bound_B * normal_B).mean()
