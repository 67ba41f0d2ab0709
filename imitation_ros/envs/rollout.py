"""One episode of a driver in an environment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from imitation_ros.data.episode import Episode, EpisodeBuilder
from imitation_ros.envs.environment import PURPOSES, Environment
from imitation_ros.policies.driving import Driver, begin_episode

DRAWS = 1  # the word that keeps a driver's random numbers apart from its start's


def run_episode(env: Environment, policy: Driver, start: int, seed: int, purpose: str) -> Episode:
    """Return start `start` of a purpose under a seed, driven by a policy to its end."""
    builder = EpisodeBuilder(env.robot_spec)
    observation = env.begin(seed, purpose, start)
    choose = begin_episode(policy, generator_of(seed, purpose, start))
    builder.add_observation(observation)
    ended = False
    while not ended:
        choice = choose(observation)
        outcome = env.advance(choice.action)
        observation = outcome.observation
        builder.add_action(choice.label, outcome.executed, outcome.reward, choice.is_human)
        builder.add_observation(observation)
        ended = outcome.terminated or outcome.truncated
    attributes: dict[str, str | int | float] = {
        "task": env.robot_spec.task,
        "seed": seed,
        "purpose": purpose,
        "start": start,
        "ended_by": "task" if outcome.terminated else "time limit",
        **{f"drawn {name}": number for name, number in env.drawn.items()},
    }
    return builder.build(terminated=outcome.terminated, success=env.success, attributes=attributes)


def generator_of(seed: int, purpose: str, start: int) -> np.random.Generator:
    """Return the random numbers that a driver has for one episode, whoever runs it."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, PURPOSES[purpose], start, DRAWS])))


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold torch to one thread, if anybody imported it: more would change the last bits of a policy."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
