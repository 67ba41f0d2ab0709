"""Adversarial imitation: a reward that tells the expert from the policy, and a policy that makes it large.

GAIL (Ho & Ermon 2016) and AIRL (Fu et al. 2018) are this one loop, and two logits. With SAC as the
learner it is DAC (Kostrikov et al. 2019). Positive logits mean expert-like.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from imitation_ros.algorithms import ppo, sac
from imitation_ros.algorithms.check import check_counts, check_range
from imitation_ros.algorithms.discriminator import Logits, RewardFit
from imitation_ros.algorithms.reinforcement import Learner, Plan, check_steps, first_policy, start_small
from imitation_ros.algorithms.rewards import RewardConfig, RewardNet, Scale, Scaled
from imitation_ros.algorithms.rollouts import Steps, steps_of
from imitation_ros.algorithms.rounds import Result, collect_round
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.state import TrainState
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import TrainingError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig


@dataclass(frozen=True)
class Config(Plan):
    """What GAIL and AIRL have in common."""

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
    """of the reward on all rollouts there ever were, at the end, and twice as many by itself: what is saved"""
    last_penalty: float = 1.0
    """gradient_penalty of the latter: a smooth reward shows the way from wherever a fresh policy is"""
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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(self, "reward_updates", "batch_size", "replayed_rounds")
        check_range("reward_learning_rate", self.reward_learning_rate, self.reward_learning_rate > 0, "above 0")
        check_range("reward_rate_left", self.reward_rate_left, 0 < self.reward_rate_left <= 1, "above 0 and at most 1")
        check_range("gradient_penalty", self.gradient_penalty, self.gradient_penalty >= 0, "at least 0")
        check_range(
            "label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 0.5, "at least 0 and below 0.5"
        )
        check_range("last_updates", self.last_updates, self.last_updates >= 0, "at least 0")
        check_range("last_penalty", self.last_penalty, self.last_penalty >= 0, "at least 0")
        if self.learner not in ("ppo", "sac"):
            raise TrainingError(f"learner is {self.learner!r}; allowed: ppo, sac.")

    @property
    def discount(self) -> float:
        return self.ppo.discount if self.learner == "ppo" else self.sac.discount


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
    if config.learner == "sac":
        check_steps(config.steps, 0, max(1, config.sac.first_steps))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        policy, _ = first_policy(config.start, config.policy, demonstrations, workers, config.seed)
        policy = policy.to(device)
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
    recent = remembered(run, state.round, learner, config.replayed_rounds)
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
        fit.alone(config.last_penalty).improve(expert, everything, 2 * config.last_updates, left=1.0)
        state.notes["last_fit"] = True  # a run that is done and started again stays as it is
    return run.finish(state, learner.evaluated, reward_net)


def remembered(run: Run, rounds: int, learner: Learner, latest: int) -> deque[Steps]:
    """Give a learner the rounds before an interruption, and return the latest ones."""
    recent: deque[Steps] = deque(maxlen=latest)
    for past in past_rounds(run, rounds):
        learner.remember(past)
        recent.append(past)
    return recent


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
