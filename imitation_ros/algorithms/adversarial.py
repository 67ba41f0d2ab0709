"""Adversarial imitation: a reward that tells the expert from the policy, and a policy that makes it large.

GAIL (Ho & Ermon 2016) and AIRL (Fu et al. 2018) are this one loop, and two logits. With SAC as the
learner it is DAC (Kostrikov et al. 2019). Positive logits mean expert-like.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imitation_ros.algorithms import ppo, sac
from imitation_ros.algorithms.check import check_counts, check_range
from imitation_ros.algorithms.reinforcement import Learner, first_policy, start_small
from imitation_ros.algorithms.rewards import RewardConfig, RewardNet, Scale, Scaled, reward_inputs
from imitation_ros.algorithms.rollouts import Steps, steps_of, with_absorbing
from imitation_ros.algorithms.rounds import Result, collect_round
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.state import TrainState
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import TrainingError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig


@dataclass(frozen=True)
class Config:
    """What GAIL and AIRL have in common."""

    steps: int = 150_000
    """of the environment"""
    steps_per_round: int = 1600
    """of the environment, about: whole episodes are collected"""
    reward_updates: int = 30
    """per round"""
    batch_size: int = 256
    """steps of the expert, and as many of the policy, per update of the reward"""
    reward_learning_rate: float = 1e-3
    """of the reward, at the start"""
    reward_rate_left: float = 1.0
    """share of it at the end; it falls linearly"""
    gradient_penalty: float = 0.2
    """on the squared gradient of the logits between expert and policy; 0: none"""
    label_smoothing: float = 0.0
    """expert steps count as 1 minus this, the policy's as this (GAIL only: AIRL's logits mean something)"""
    replayed_rounds: int = 10
    """the reward learns from the rollouts of so many rounds"""
    last_updates: int = 500
    """of the reward on all rollouts there ever were, at the end: the reward that is saved"""
    start: str = ""
    """the bundle of a policy to go on from, such as one that bc made of the same data; empty: learn from nothing"""
    reward: RewardConfig = field(default_factory=RewardConfig)
    """the reward's network"""
    learner: str = "ppo"
    """what improves the policy: ppo; or sac, which needs fewer steps, and a policy with the tanh_gaussian head"""
    policy: NetworkConfig = ppo.NETWORK
    """the policy's network"""
    ppo: ppo.Settings = field(default_factory=ppo.Settings)
    """how PPO improves the policy"""
    sac: sac.Settings = field(default_factory=sac.Settings)
    """how SAC does"""
    evaluate_every: int = 10_000
    """steps of the environment"""
    validation_starts: int = 20
    """episodes of an evaluation, which choose the policy that is kept"""
    seed: int = 0
    """of everything drawn"""
    threads: int = 1
    """of the processor"""

    def __post_init__(self) -> None:
        check_counts(self, "steps", "steps_per_round", "reward_updates", "batch_size", "replayed_rounds")
        check_counts(self, "evaluate_every", "validation_starts", "threads")
        check_range("reward_learning_rate", self.reward_learning_rate, self.reward_learning_rate > 0, "above 0")
        check_range("reward_rate_left", self.reward_rate_left, 0 < self.reward_rate_left <= 1, "above 0 and at most 1")
        check_range("gradient_penalty", self.gradient_penalty, self.gradient_penalty >= 0, "at least 0")
        check_range(
            "label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 0.5, "at least 0 and below 0.5"
        )
        check_range("last_updates", self.last_updates, self.last_updates >= 0, "at least 0")
        check_range("seed", self.seed, self.seed >= 0, "at least 0")
        if self.learner not in ("ppo", "sac"):
            raise TrainingError(f"learner is {self.learner!r}; allowed: ppo, sac.")

    @property
    def discount(self) -> float:
        return self.ppo.discount if self.learner == "ppo" else self.sac.discount


class Logits(Protocol):
    """How expert-like steps are: log D - log(1 - D), (N,)."""

    def __call__(self, reward_net: RewardNet, policy: MLPPolicy, steps: Steps) -> Tensor: ...


@dataclass(frozen=True)
class Judged:
    """The logits as a reward: GAIL's log D - log(1 - D), AIRL's f - log pi."""

    logits: Logits
    reward_net: RewardNet
    policy: MLPPolicy

    @torch.no_grad()
    def of(self, steps: Steps) -> Tensor:
        return self.logits(self.reward_net, self.policy, steps)

    def after_end(self, discount: float) -> float:
        return self.reward_net.after_end(discount)


def train(
    demonstrations: Sequence[Episode], workers: Workers, config: Config, logits: Logits, run: Run, device: str
) -> Result:
    """Learn a reward that explains the expert, and a policy for it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        policy = first_policy(config.start, config.policy, demonstrations, workers, config.seed).to(device)
        generator = torch.Generator().manual_seed(config.seed)
        learner = learner_of(policy, config, generator)
        expert = steps_of(demonstrations, policy)
        widths = expert.observations.shape[1], expert.executed.shape[1]
        reward_net = RewardNet(*widths, config.reward, config.discount).to(device)
    fit = RewardFit(reward_net, logits, policy, config, generator, workers.time_limit)
    expert = fit.complete(expert).to(device)
    reward, scale = reward_of(logits, reward_net, policy, config)
    state = TrainState(
        modules={**learner.modules, "reward": reward_net},
        optimizers={**learner.optimizers, "reward": fit.optimizer},
        generators={"draws": generator},
    )
    run.resume(state)
    scale.variance = state.notes.get("reward_variance")
    recent: deque[Steps] = deque(maxlen=config.replayed_rounds)
    for past in past_rounds(run, state.round):
        learner.remember(past)
        recent.append(past)
    going = True
    while going and state.steps < config.steps:
        left = 1.0 - state.steps / config.steps
        episodes, measured = collect_round(workers, policy, state, config.steps_per_round, config.seed)
        rollouts = steps_of(episodes, policy)
        run.history.add(state.round, rollouts.to_tensors())
        recent.append(rollouts)
        measured |= fit.improve(expert, fit.complete(Steps.join(recent)).to(device), config.reward_updates, left)
        rollouts = rollouts.to(device)
        with torch.no_grad():
            scale.update(reward.reward.of(rollouts))
        state.notes["reward_variance"] = scale.variance
        measured |= learner.improve(rollouts, reward, left)
        state.round += 1
        going = run.end_round(state, learner.evaluated, measured)
    if going and "last_fit" not in state.notes:
        # the latest rounds know nothing of what the policy did long ago, and a fresh one will do it again
        everything = fit.complete(Steps.join(list(past_rounds(run, state.round)))).to(device)
        fit.improve(expert, everything, config.last_updates, left=1.0)
        state.notes["last_fit"] = True  # a run that is done and started again stays as it is
    return run.finish(state, learner.evaluated, reward_net)


def learner_of(policy: MLPPolicy, config: Config, generator: torch.Generator) -> Learner:
    if config.learner == "sac":
        return sac.SAC(policy, config.sac, generator)
    if not config.start:
        start_small(policy, ppo.FIRST_LAYER)
    return ppo.PPO(policy, config.ppo, generator)


def reward_of(logits: Logits, reward_net: RewardNet, policy: MLPPolicy, config: Config) -> tuple[Scaled, Scale]:
    """Return the reward as the learner sees it: SAC adds the entropy of AIRL's -log pi itself, PPO does not.

    A temperature that is given means that many nats a reward: it is left at its scale then.
    """
    if config.learner == "ppo":
        scale = Scale()
        return Scaled(Judged(logits, reward_net, policy), scale), scale
    scale = Scale() if config.sac.learn_temperature else Scale(target=None)
    return Scaled(reward_net, scale), scale


def past_rounds(run: Run, count: int) -> Iterator[Steps]:
    """Yield the rollouts of the first rounds."""
    for tensors in run.history.read(0, count - 1):
        yield Steps.from_tensors(tensors)


class RewardFit:
    """How the reward learns to tell the expert's steps from the policy's."""

    def __init__(
        self,
        reward_net: RewardNet,
        logits: Logits,
        policy: MLPPolicy,
        config: Config,
        generator: torch.Generator,
        time_limit: int,
    ) -> None:
        self.reward_net, self.logits, self.policy = reward_net, logits, policy
        self.config, self.generator, self.time_limit = config, generator, time_limit
        self.optimizer = torch.optim.Adam(reward_net.parameters(), config.reward_learning_rate, fused=True)

    def complete(self, steps: Steps) -> Steps:
        """Return steps with those after the end."""
        return with_absorbing(steps, self.time_limit, self.config.discount)

    def improve(self, expert: Steps, rollouts: Steps, updates: int, left: float) -> dict[str, float]:
        """Make so many updates, and return what the last one was like.

        Args:
            left: the share of the training that is still to come: 1 at the start.
        """
        falls = 1.0 - self.config.reward_rate_left
        self.optimizer.param_groups[0]["lr"] = self.config.reward_learning_rate * (1.0 - falls * (1.0 - left))
        both = Steps.join([expert, rollouts])
        count = self.config.batch_size
        loss = expert_B = policy_B = torch.zeros(1)
        for _ in range(updates):
            wanted = torch.randint(len(expert), (count,), generator=self.generator)
            found = torch.randint(len(expert), len(both), (count,), generator=self.generator)
            steps = both.take(torch.cat([wanted, found]).to(both.rewards.device))
            expert_B, policy_B = torch.split(self.logits(self.reward_net, self.policy, steps), count)
            loss = cross_entropy(expert_B, policy_B, self.config.label_smoothing)
            if self.config.gradient_penalty:
                share_B = torch.rand(count, generator=self.generator).to(loss.device)
                loss = loss + self.config.gradient_penalty * squared_gradient(self.reward_net, steps, share_B)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        right = 0.5 * ((expert_B > 0).float().mean() + (policy_B < 0).float().mean())
        return {
            "reward/loss": loss.item(),
            "reward/accuracy": right.item(),
            "reward/expert_logit": expert_B.mean().item(),
            "reward/policy_logit": policy_B.mean().item(),
        }


def cross_entropy(expert_B: Tensor, policy_B: Tensor, smoothing: float) -> Tensor:
    """Return -log D of the expert's steps and -log(1 - D) of the policy's, with labels that far from 1 and 0."""
    expert_loss = F.softplus(expert_B) - (1.0 - smoothing) * expert_B  # -t log D - (1 - t) log(1 - D) of a label t
    policy_loss = F.softplus(policy_B) - smoothing * policy_B
    return expert_loss.mean() + policy_loss.mean()


def squared_gradient(reward_net: nn.Module, steps: Steps, share_B: Tensor) -> Tensor:
    """Return the mean squared gradient of f at points between steps of two kinds (Mescheder et al. 2018).

    Nothing lies between a step and one after the end: there, AIRL's f would be pulled towards the level of log pi.

    Args:
        steps: as many of the one kind as then of the other, 2 B.
        share_B: how near each point is to the first kind, 0 to 1.
    """
    between = [between_halves(values, share_B) for values in reward_inputs(steps)]
    moved = [values.requires_grad_() for values in between if values.dim() == 2]  # not whether it is an end
    f_B = reward_net(*between)
    gradients = torch.autograd.grad(f_B.sum(), moved, create_graph=True, allow_unused=True)
    squares_B = torch.stack([g.square().sum(-1) for g in gradients if g is not None]).sum(0)
    one_B, other_B = torch.split(steps.absorbing, len(share_B))
    return (squares_B * (one_B == other_B)).mean()


def between_halves(values: Tensor, share_B: Tensor) -> Tensor:
    one, other = torch.split(values, len(share_B))
    return torch.lerp(other, one, share_B[:, None] if values.dim() == 2 else share_B)
