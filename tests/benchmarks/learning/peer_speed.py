"""imitation's side of the speed row, in its own environment: see speed.py.

What it does for its log alone is left out: the statistics of every discriminator update.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import torch
from imitation.algorithms.adversarial import common
from stable_baselines3.common.vec_env import DummyVecEnv

from tests.benchmarks.learning.gym_side import environment_of
from tests.benchmarks.learning.peer_adversarial import ENVIRONMENTS, policy_updates, ppo_trainer
from tests.benchmarks.peers import answer_questions


def prepare() -> Callable[..., float]:
    torch.set_num_threads(1)
    common.compute_train_stats = lambda *args, **more: {}
    last: dict[str, float] = {}

    def answer(job: str | None = None, read: str | None = None) -> float:
        """Train a little; or say how fast the last training was, in steps per second."""
        if read is not None:
            return last[read]
        asked, looks = json.loads(job or ""), []
        trainer = ppo_trainer(asked, DummyVecEnv([lambda: environment_of(asked)] * ENVIRONMENTS))

        def look(_: int) -> None:
            looks.append((trainer.gen_algo.num_timesteps, time.process_time(), time.monotonic()))

        trainer.train(asked["steps"], look)
        (steps, cpu_s, wall_s), (all_steps, all_cpu_s, all_wall_s) = looks[0], looks[-1]
        last["rounds"], last["discriminator"] = len(looks), trainer._disc_step
        last["policy"] = policy_updates(trainer.gen_algo)
        last["cpu"] = (all_steps - steps) / (all_cpu_s - cpu_s)
        last["wall"] = (all_steps - steps) / (all_wall_s - wall_s)
        return last["wall"]

    return answer


if __name__ == "__main__":
    answer_questions(prepare)
