"""DAgger: the learner drives, the expert says what it should have done there, and it learns from all of that.

Cloning knows only where the expert goes; a learner that strays sees what nobody showed it. Ross et al.
2011 (Algorithm 3.1), and human-gated DAgger (Kelly et al. 2019), where the expert speaks only while it drives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from imitation_ros.algorithms import bc
from imitation_ros.algorithms.check import check_counts, check_range
from imitation_ros.algorithms.rounds import Result, collect_round
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.run import driver as acting
from imitation_ros.algorithms.state import TrainState
from imitation_ros.data.episode import Episode
from imitation_ros.data.growing import GrowingData
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import TrainingError
from imitation_ros.policies.driving import Acts, Disagreement, Driver, Mixture, Supervised
from imitation_ros.policies.policy import MLPPolicy
from imitation_ros.robot.spec import RobotSpec

BETA_SCHEDULES = ("exponential", "linear")


@dataclass(frozen=True)
class Config(bc.Config):
    """DAgger; what it shares with cloning is of every round: the policy is fitted anew to all that there is."""

    updates: int = 4000
    """of the weights, in every round"""
    weight_decay: float = 1.0
    """of AdamW; much, for there are few labels: it is what keeps a fit to 2,000 ticks from learning them by heart"""
    validation_fraction: float = 0.0
    """of episodes; 0: none is held out, since whole policies are evaluated"""
    steps: int = 2000
    """of the environment, about: whole episodes are collected"""
    steps_per_round: int = 240
    """of the environment, about"""
    beta_schedule: str = "linear"
    """how the expert's share of the driving, beta, falls from the 1 of the demonstrations: exponential or linear"""
    beta_fall: float = 0.12
    """by which share of itself (exponential), or of 1 (linear), beta falls each round; 1: the learner drives alone"""
    human_gated: bool = False
    """HG-DAgger: the expert takes over where the learner strays, and only what it did then is learned"""
    takes_over: float = 0.3
    """the difference between learner and expert, in actions' units of [-1, 1], from which on the expert takes over"""
    hands_back: float = 0.15
    """below which it hands back"""
    gate_ticks: int = 3
    """for how many ticks in a row it must be so, either way"""
    evaluate_every: int = 1
    """steps of the environment; 1: after every round"""
    validation_starts: int = 20
    """episodes of an evaluation, which choose the policy that is kept"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(self, "steps", "steps_per_round", "gate_ticks", "evaluate_every", "validation_starts")
        check_range("beta_fall", self.beta_fall, 0.0 < self.beta_fall <= 1.0, "above 0, and at most 1")
        check_range("takes_over", self.takes_over, 0.0 < self.takes_over < math.inf, "above 0, and finite")
        check_range(
            "hands_back", self.hands_back, 0.0 < self.hands_back <= self.takes_over, "above 0, and at most takes_over"
        )
        if self.beta_schedule not in BETA_SCHEDULES:
            raise TrainingError(f"beta_schedule is {self.beta_schedule!r}; allowed: {', '.join(BETA_SCHEDULES)}.")


def train(
    demonstrations: Iterable[Episode],
    workers: Workers | None,
    expert: Acts | None,
    config: Config,
    run: Run,
    device: str = "cpu",
) -> Result:
    """Learn from demonstrations, then from what an expert says of the learner's own rounds.

    What is collected goes into `episodes` of the run's folder, and what is learned from into `rows`. Labels are counted
    in every row of the curve, and of each round in `state.notes["labels"]`.

    Args:
        demonstrations: the expert's, or recordings of a policy that people took over from: where is_human is false, the
            tick is left out. Read once, one at a time. Where there are none, the expert shows the first round.
        workers: where the learner drives; None: what the demonstrations teach is all.
        expert: any policy: a task's scripted expert, a bundle, your own.

    Raises:
        TrainingError: there is nobody to learn from.
        DataError: no tick is labelled, demonstrations mean something else, or the disk takes no more.
    """
    shown = iter(demonstrations)
    first = next(shown, None)
    spec = spec_of(first, workers, expert)
    policy = untrained(spec, config)
    state = TrainState(modules={"policy": policy}, notes={"data": [0, 0, 0], "labels": []})
    run.resume(state)
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory()) if run.path is None else run.path.parent
        data = GrowingData(Path(folder), spec)
        data.cut(state.notes["data"])
        going = True
        while going and not (state.round and state.steps >= config.steps):
            measured: dict[str, float] = {}
            if not state.round and first is not None:
                labels = data.add(chain([first], shown))
            elif workers is None or expert is None:
                break
            else:
                labels, measured = ask(expert, policy, workers, data, state, config)
            state.notes["labels"].append(labels)
            state.notes["data"] = data.counts
            fitted = bc.train(data.transitions(), config, lambda update, measured: True, device)
            policy.load_state_dict(fitted.policy.state_dict())
            measured |= {"labels/round": labels, "labels/all": data.rows}
            state.round += 1
            going = run.end_round(state, policy, measured)
        return run.finish(state, policy)


def spec_of(shown: Episode | None, workers: Workers | None, expert: Acts | None) -> RobotSpec:
    """Return whose observations and actions are learned."""
    if workers is not None and expert is not None:
        return workers.spec
    if workers is None and shown is not None:
        return shown.spec
    raise TrainingError("there is nobody to learn from: give demonstrations, or workers and an expert to ask.")


def ask(
    expert: Acts, policy: MLPPolicy, workers: Workers, data: GrowingData, state: TrainState, config: Config
) -> tuple[int, dict[str, float]]:
    """Collect a round, and keep what the expert says of it; return how many labels that is, and what was measured."""
    drives = who_drives(policy, expert, state.round, config)
    episodes, measured = collect_round(workers, drives, state, config.steps_per_round, config.seed)
    data.save(episodes, round=state.round)
    measured["rollouts/beta"] = beta_of(state.round, config)
    return data.add(episodes), measured


def untrained(spec: RobotSpec, config: Config) -> MLPPolicy:
    """Return a policy of the size that is saved, whatever its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return MLPPolicy(spec, config.network)


def who_drives(policy: MLPPolicy, expert: Acts, number: int, config: Config) -> Driver:
    """Return who drives in a round: the expert in round 0, then the learner, with the expert's help."""
    if number == 0:
        return expert
    learner = acting(policy)
    if config.human_gated:
        gate = Disagreement(policy.spec, config.takes_over, config.hands_back, config.gate_ticks)
        return Supervised(learner, expert, gate)
    return Mixture(expert, learner, beta_of(number, config))


def beta_of(number: int, config: Config) -> float:
    """Return the expert's share of the driving in a round: 1 in round 0, the demonstrations."""
    if config.beta_schedule == "linear":
        return max(0.0, 1.0 - config.beta_fall * number)
    return (1.0 - config.beta_fall) ** number if number else 1.0
