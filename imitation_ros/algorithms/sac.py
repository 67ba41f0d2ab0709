"""Soft actor-critic (Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications").

A learner of adversarial learning; and, by `train`, of the task's own reward or of a saved one.

Shapes: B rows of a batch, E encoded observation, U numbers of all actions, 2 for the twin critics.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from imitation_ros.algorithms.check import check_counts, check_range
from imitation_ros.algorithms.frozen_reward import FrozenReward
from imitation_ros.algorithms.reinforcement import Plan, check_steps, first_policy, learn
from imitation_ros.algorithms.replay import Replay
from imitation_ros.algorithms.rewards import Reward, TaskReward
from imitation_ros.algorithms.rollouts import Steps
from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.state import TrainState
from imitation_ros.algorithms.twin_critic import TwinCritic, values
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import TrainingError
from imitation_ros.policies.driving import AnyAction, Driver
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

NETWORK = NetworkConfig(hidden=(64, 64), head="tanh_gaussian", log_std=(-5.0, 1.0, -0.5))


@dataclass(frozen=True)
class Settings:
    """How a policy is improved by all rollouts so far."""

    updates_per_step: float = 1.0
    """of the environment"""
    batch_size: int = 256
    """steps per update"""
    learning_rate: float = 1e-3
    """of the policy, the critics and the temperature, at the start"""
    rate_left: float = 1.0
    """share of it at the end; it falls linearly"""
    discount: float = 0.95
    """gamma, of a reward one step later"""
    target_share: float = 0.005
    """how far the target critics follow the critics at each update"""
    temperature: float = 1.0
    """what a nat of entropy is worth in reward, at the start"""
    learn_temperature: bool = True
    """towards an entropy of -1 nat per action number; false where the temperature means something, as in AIRL"""
    average_decay: float = 0.0
    """of a moving average of the policy's weights, which is evaluated and kept in its place; 0: none"""
    first_steps: int = 1000
    """of the environment, before the first update"""
    replayed_steps: int = 1_000_000
    """the latest, from which batches are drawn"""
    value_share: float = 0.0
    """of the training, at its start, in which only the critics learn: else they would spoil a good policy"""

    def __post_init__(self) -> None:
        check_counts(self, "batch_size", "replayed_steps")
        check_range("updates_per_step", self.updates_per_step, self.updates_per_step > 0, "above 0")
        check_range("learning_rate", self.learning_rate, self.learning_rate > 0, "above 0")
        check_range("rate_left", self.rate_left, 0.0 < self.rate_left <= 1.0, "above 0 and at most 1")
        check_range("discount", self.discount, 0.0 < self.discount < 1.0, "above 0 and below 1")
        check_range("target_share", self.target_share, 0.0 < self.target_share <= 1.0, "above 0 and at most 1")
        check_range("temperature", self.temperature, self.temperature > 0, "above 0")
        check_range("average_decay", self.average_decay, 0.0 <= self.average_decay < 1.0, "at least 0 and below 1")
        fits = 0 <= self.first_steps <= self.replayed_steps  # else they never are there
        check_range("first_steps", self.first_steps, fits, "at least 0 and at most replayed_steps")
        check_range("value_share", self.value_share, 0.0 <= self.value_share < 1.0, "at least 0 and below 1")


@dataclass(frozen=True)
class Config(Plan):
    """SAC: a policy for the task's own reward, from every step there ever was."""

    steps: int = 20_000
    steps_per_round: int = 200
    evaluate_every: int = 5_000
    start: str = ""
    """the bundle of a policy to go on from, with a tanh_gaussian head; empty: learn from nothing"""
    policy: NetworkConfig = NETWORK
    """the policy's network, where there is no start; the critics have layers of the same sizes"""
    sac: Settings = field(default_factory=Settings)
    """how the policy is improved"""


class SAC:
    """A policy, its critics and its temperature, and how they learn from all steps so far.

    Args:
        policy: of continuous actions, with tanh_gaussian heads.
        settings: see there.
        generator: draws minibatches and actions.

    Attributes:
        policy: what acts, and draws its actions.
        evaluated: what is evaluated and kept: the moving average where there is one, else the policy.
        first_driver: what collects the first steps.
        log_temperature: may be written to, where it is not learned.
    """

    def __init__(self, policy: MLPPolicy, settings: Settings, generator: torch.Generator) -> None:
        if policy.config.head != "tanh_gaussian":
            raise TrainingError(
                f"SAC needs actions within bounds; head is {policy.config.head!r}, use tanh_gaussian: "
                f"`--set policy.head=tanh_gaussian`, or for a clone `imitation-ros train bc --set "
                f"network.head=tanh_gaussian`."
            )
        self.policy, self.settings, self.generator = policy, settings, generator
        self.replay = Replay(policy.spec, policy.encoder.width, settings.replayed_steps, policy.device)
        self.width = sum(self.replay.widths)
        critic = TwinCritic(policy.encoder.width + self.width, policy.config.hidden).to(policy.device)
        target = copy.deepcopy(critic).requires_grad_(False)
        self.critics, self.fixed, self.targets = critic.layers(), critic.fixed_layers(), target.layers()
        self.log_temperature = nn.Parameter(torch.tensor(math.log(settings.temperature), device=policy.device))
        learned = [*policy.parameters(), *critic.parameters()]
        learned += [self.log_temperature] if settings.learn_temperature else []
        self.optimizer = torch.optim.Adam(learned, settings.learning_rate, fused=True)
        self.evaluated = averaged_copy(policy) if settings.average_decay else policy
        self.modules: dict[str, nn.Module] = {
            "policy": policy,
            "critic": critic,
            "target": target,
            "temperature": nn.ParameterDict({"log": self.log_temperature}),
        }
        if settings.average_decay:
            self.modules["average"] = self.evaluated
        self.optimizers: dict[str, torch.optim.Optimizer] = {"sac": self.optimizer}
        self.followed = weights_of(target), weights_of(critic)
        self.averaged = weights_of(self.evaluated), weights_of(policy)
        self.first_driver: MLPPolicy | Driver = policy
        self.updates = 0

    @property
    def driver(self) -> MLPPolicy | Driver:
        """What collects next: before the first update, `first_driver`; then the policy."""
        return self.first_driver if len(self.replay) < self.settings.first_steps else self.policy

    def remember(self, rollouts: Steps) -> None:
        """Put rollouts into the replay, as `improve` does."""
        self.replay.add(rollouts)

    def improve(self, rollouts: Steps, reward: Reward, left: float) -> dict[str, float]:
        """Improve the policy by what was seen so far and these rollouts.

        Args:
            rollouts: whole episodes, of whatever policy.
            reward: judges every batch anew, as it is then.
            left: the share of the training that is still to come: 1 at the start.
        """
        self.remember(rollouts)
        if len(self.replay) < self.settings.first_steps:
            return {}
        measured: dict[str, Tensor] = {}
        after_end = reward.after_end(self.settings.discount)
        new_steps = int((~rollouts.absorbing).sum())
        all_learn = self.all_learn(left)
        self.slow_down(left)
        for _ in range(round(self.settings.updates_per_step * new_steps)):
            steps = self.replay.draw(self.settings.batch_size, self.generator)
            with torch.no_grad():
                rewards_B = reward.of(steps)
            measured = self.update(steps, rewards_B, after_end, all_learn)
        return {f"sac/{name}": value.item() for name, value in measured.items()}

    def all_learn(self, left: float) -> bool:
        """Return whether the policy learns already, not the critics alone."""
        return left <= 1.0 - self.settings.value_share

    def slow_down(self, left: float) -> None:
        """Set the learning rate for a share of the training that is still to come."""
        falls = 1.0 - self.settings.rate_left
        self.optimizer.param_groups[0]["lr"] = self.settings.learning_rate * (1.0 - falls * (1.0 - left))

    def update(self, steps: Steps, rewards_B: Tensor, after_end: float, all_learn: bool = True) -> dict[str, Tensor]:
        """Make one step of everything that is learned, or of the critics alone, by one batch."""
        temperature = self.log_temperature.detach().exp()
        targets_B = self.targets_of(steps, rewards_B, after_end, temperature)
        errors_2B = values(self.critics, steps.observations, steps.executed) - targets_B
        critic_loss = 0.5 * errors_2B.square().mean(1).sum()
        actions_BU, log_prob_B = self.draw(steps.observations)
        value_B = torch.minimum(*values(self.fixed, steps.observations, actions_BU))
        policy_loss = (temperature * log_prob_B - value_B).mean()
        loss = critic_loss + policy_loss if all_learn else critic_loss  # gradients of zero are not none: see PPO
        entropy = -log_prob_B.detach().mean()
        if all_learn and self.settings.learn_temperature:
            loss = loss + self.log_temperature * (entropy + self.width)  # it falls while entropy is above -U
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        torch._foreach_lerp_(*self.followed, self.settings.target_share)
        if self.settings.average_decay:
            torch._foreach_lerp_(*self.averaged, 1.0 - self.settings.average_decay)
        self.updates += 1
        return {
            "critic_loss": critic_loss,
            "value": value_B.mean(),
            "entropy": entropy,
            "temperature": temperature,
            "reward": rewards_B.mean(),
        }

    @torch.no_grad()
    def targets_of(self, steps: Steps, rewards_B: Tensor, after_end: float, temperature: Tensor) -> Tensor:
        """Return what the critics learn, (B,): r + gamma (min Q(s', a') - temperature log pi(a'|s')).

        Where time ran out, s' goes on like any other state; where the task ended, `after_end` is what follows.
        """
        actions_BU, log_prob_B = self.draw(steps.next_observations)
        next_B = torch.minimum(*values(self.targets, steps.next_observations, actions_BU))
        next_B = self.settings.discount * (next_B - temperature * log_prob_B)
        return rewards_B + next_B.masked_fill(steps.terminated, after_end)

    def draw(self, observations_BE: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions of the policy as it is, (B, U), through which gradients flow, and their log p, (B,)."""
        actions, log_prob_B = self.policy.sample(observations_BE, self.generator)
        return torch.cat(list(actions.values()), dim=1), log_prob_B


def weights_of(module: nn.Module) -> list[Tensor]:
    """Return the very weights, without their gradients."""
    return [weight.detach() for weight in module.parameters()]


def averaged_copy(policy: MLPPolicy) -> MLPPolicy:
    """Return a policy with weights of its own, and the same normalisers."""
    average = copy.deepcopy(policy)
    average.encoder, average.normalizers = policy.encoder, policy.normalizers
    return average


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
        check_steps(config.steps, taken, max(1, config.sac.first_steps))
        learner = SAC(policy.to(device), config.sac, torch.Generator().manual_seed(config.seed))
    if not config.start:
        learner.first_driver = AnyAction(workers.spec)
    state = TrainState(learner.modules, learner.optimizers, {"draws": learner.generator}, steps=taken)
    return learn(learner, workers, config, reward or TaskReward(), None, state, run)
