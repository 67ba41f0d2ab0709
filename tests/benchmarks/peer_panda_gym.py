"""PandaPickAndPlace-v3 of panda-gym 3.0.7, in its own environment: see simulator.py."""

from __future__ import annotations

import time
from collections.abc import Callable

import gymnasium
import numpy as np
import panda_gym  # noqa: F401 registers the environments

from tests.benchmarks.peers import answer_questions


def prepare() -> Callable[..., float]:
    env = gymnasium.make("PandaPickAndPlace-v3")
    env.reset(seed=0)
    env.action_space.seed(0)

    def steps_per_s(what: str, steps: int) -> float:
        actions = [env.action_space.sample() for _ in range(steps)]
        env.reset()
        env.step(np.zeros(env.action_space.shape))  # the arm holds where it is, not where the last episode sent it
        started_s = time.process_time()
        for action in actions:
            if what == "physics":
                env.unwrapped.sim.step()
            else:
                *_, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    env.reset()
        return steps / (time.process_time() - started_s)

    return steps_per_s


if __name__ == "__main__":
    answer_questions(prepare)
