"""BC of imitation 1.0.1, in its own environment: see bc_speed.py."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable

import gymnasium
import numpy as np
import torch
from imitation.algorithms.bc import BC
from imitation.data.types import Transitions
from imitation.util.logger import configure
from stable_baselines3.common.policies import ActorCriticPolicy

from tests.benchmarks.peers import answer_questions

ROWS, OBSERVATION, ACTION = 100_000, 23, 7


def prepare() -> Callable[..., float]:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    observations = rng.standard_normal((ROWS, OBSERVATION), dtype=np.float32)
    actions = np.tanh(observations @ rng.standard_normal((OBSERVATION, ACTION), dtype=np.float32) / 5)
    data = Transitions(observations, actions, np.array([{}] * ROWS), observations, np.zeros(ROWS, bool))
    seen = gymnasium.spaces.Box(-np.inf, np.inf, (OBSERVATION,), np.float32)
    done = gymnasium.spaces.Box(-1.0, 1.0, (ACTION,), np.float32)
    quiet = configure(tempfile.mkdtemp(), [])

    def updates_per_s(hidden: int, batch: int, updates: int) -> float:
        network = {"net_arch": {"pi": [hidden, hidden], "vf": []}, "activation_fn": torch.nn.ReLU}
        trainer = BC(
            observation_space=seen,
            action_space=done,
            rng=rng,
            policy=ActorCriticPolicy(seen, done, lambda _: 1e-3, **network),
            demonstrations=data,
            batch_size=batch,
            ent_weight=0.0,
            device="cpu",
            custom_logger=quiet,
        )
        trainer.train(n_batches=3, progress_bar=False)
        started_s = time.process_time()
        trainer.train(n_batches=updates, progress_bar=False)
        return updates / (time.process_time() - started_s)

    return updates_per_s


if __name__ == "__main__":
    answer_questions(prepare)
