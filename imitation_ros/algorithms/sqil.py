"""Soft Q imitation learning (Reddy et al. 2020): SAC on a reward of 1 for the expert's steps, and 0 for the policy's.

Nothing is learned about the reward; to act as the expert did, and to come back to where it was, is what is worth
most.

Ends: if what follows an end were worth nothing, rewards that are never negative would teach to stay alive, also
where the expert ends on purpose. So the time after an end is a state like any other: its reward is how likely it is
that the expert, not the policy, is seen there (see `worth_after_end`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from imitation_ros.algorithms.reinforcement import Plan, observed
from imitation_ros.algorithms.replay import Replay
from imitation_ros.algorithms.rollouts import Steps, steps_of, with_absorbing
from imitation_ros.algorithms.rounds import Result, collect_round
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.sac import NETWORK, SAC, Settings
from imitation_ros.algorithms.state import TrainState
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import TrainingError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

SETTINGS = Settings(discount=0.99, temperature=0.05, learn_temperature=False, average_decay=0.995, first_steps=0)


@dataclass(frozen=True)
class Config(Plan):
    """SQIL: imitate by SAC, without a discriminator."""

    steps: int = 30_000
    steps_per_round: int = 200
    evaluate_every: int = 5_000
    policy: NetworkConfig = NETWORK
    """the policy's network; the critics have layers of the same sizes"""
    sac: Settings = field(default_factory=lambda: SETTINGS)
    """how the policy is improved; half of each batch is the expert's"""


@dataclass
class AfterEnds:
    """How much of some steps is time after a task's end."""

    rows: int = 0
    absorbing: int = 0

    def count(self, steps: Steps) -> None:
        self.rows += len(steps)
        self.absorbing += int(steps.absorbing.sum())

    @property
    def share(self) -> float:
        return self.absorbing / max(self.rows, 1)


def worth_after_end(expert: AfterEnds, policy: AfterEnds, discount: float) -> float:
    """Return what follows an end is worth at the step that ends it, discounted to that step.

    A batch that is half the expert's shows the time after an end with a reward of 1 as often as the expert was there,
    and with 0 as often as the policy was. So the value that a critic would learn for it is known.
    """
    seen = expert.share + policy.share
    return discount / (1.0 - discount) * (expert.share / seen if seen else 0.0)


def train(demonstrations: Sequence[Episode], workers: Workers, config: Config, run: Run, device: str = "cpu") -> Result:
    """Train a policy to do as the demonstrations do."""
    if not demonstrations:
        raise TrainingError("there are no demonstrations; SQIL imitates some. Record them, or use sac on a reward.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        policy = MLPPolicy(workers.spec, config.policy).to(device)
        generator = torch.Generator().manual_seed(config.seed)
        learner = SAC(policy, config.sac, generator)
    policy.fit(observed(demonstrations, policy))
    discount = config.sac.discount
    expert_steps = with_absorbing(steps_of(demonstrations, policy), workers.time_limit, discount)
    expert = Replay(policy.spec, policy.encoder.width, len(expert_steps), device)
    expert.add(expert_steps)
    expert_ends, policy_ends = AfterEnds(), AfterEnds()
    expert_ends.count(expert_steps)
    state = TrainState(learner.modules, learner.optimizers, {"draws": generator})
    run.resume(state)
    for tensors in run.history.read(0, state.round - 1):
        rollouts = Steps.from_tensors(tensors)
        learner.remember(rollouts)
        policy_ends.count(rollouts)
    going = True
    while going and state.steps < config.steps:
        left = 1.0 - state.steps / config.steps
        episodes, measured = collect_round(workers, policy, state, config.steps_per_round, config.seed)
        rollouts = with_absorbing(steps_of(episodes, policy), workers.time_limit, discount)
        run.history.add(state.round, rollouts.to_tensors())
        learner.remember(rollouts)
        policy_ends.count(rollouts)
        updates = round(config.sac.updates_per_step * sum(episode.steps for episode in episodes))
        measured |= imitate(learner, expert, updates, worth_after_end(expert_ends, policy_ends, discount), left)
        state.round += 1
        going = run.end_round(state, learner.evaluated, measured)
    return run.finish(state, learner.evaluated)


def imitate(learner: SAC, expert: Replay, updates: int, after_end: float, left: float) -> dict[str, float]:
    """Improve the policy by batches that are half the expert's; left as in SAC.improve."""
    half = max(1, learner.settings.batch_size // 2)
    rewards_B = torch.cat([torch.ones(half), torch.zeros(half)]).to(expert.rows.device)
    learner.slow_down(left)
    all_learn = learner.all_learn(left)
    measured: dict[str, Tensor] = {}
    for _ in range(updates if len(learner.replay) >= learner.settings.first_steps else 0):
        rows = torch.cat([kept.draw_rows(half, learner.generator) for kept in (expert, learner.replay)])
        measured = learner.update(expert.as_steps(rows), rewards_B, after_end, all_learn)
    return {f"sac/{name}": value.item() for name, value in measured.items()}
