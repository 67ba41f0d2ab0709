"""Adversarial learning of gymnasium's pendulum: random actions return -1216, the expert -146."""

from __future__ import annotations

from types import ModuleType

import torch
from benchmarks.learning.experts import PendulumExpert

from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.run import Run
from imitation_ros.envs.collect import Workers
from imitation_ros.envs.evaluate import evaluate_with
from imitation_ros.policies.actor import Actor


def swung_up(workers: Workers, algorithm: ModuleType, last_updates: int) -> tuple[Result, float]:
    """Train for 24k steps on ten demonstrations; return what came of it, and the last policy's mean return."""
    torch.set_num_threads(1)
    demonstrations = workers.collect(PendulumExpert(), 10, seed=100)
    config = algorithm.Config(steps=24_000, last_updates=last_updates)
    run = Run(None, {}, config.steps, None, config.evaluate_every, lambda steps, measured: True)
    result = algorithm.train(demonstrations, workers, config, run)
    return result, evaluate_with(workers, Actor(result.last), 20, seed=1).mean_return
