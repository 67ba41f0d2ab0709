"""One episode of a driver in an environment."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from imitation_ros.data.episode import Episode, EpisodeBuilder
from imitation_ros.envs.environment import PURPOSES, Environment
from imitation_ros.errors import TrainingError
from imitation_ros.policies.driving import Driver, begin_episode

DRAWS = 1  # the word that keeps a driver's random numbers apart from its start's


def run_episode(env: Environment, policy: Driver, start: int, seed: int, purpose: str) -> Episode:
    """Return start `start` of a purpose under a seed, driven by a policy to its end.

    Raises:
        TrainingError: the environment, or the policy, gave a number that is none.
    """
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
    episode = builder.build(terminated=outcome.terminated, success=env.success, attributes=attributes)
    check_numbers(episode)
    return episode


def check_numbers(episode: Episode) -> None:
    """Refuse what nobody can learn from, and say who gave it: what comes first is the cause of all that follows.

    Raises:
        TrainingError: a number is nan or infinite.
    """
    spec, rewards = episode.spec, episode.rewards
    seen = {f"the observation {f.name!r}": episode.observations[f.name] for f in spec.observation if not f.is_image}
    chosen = {f"the action {field.name!r}": episode.actions[field.name] for field in spec.action}
    given = [(tick, what, f"the environment {spec.name} gave") for what, tick in first_wrong(seen)]
    given += [(step, what, "the policy chose") for what, step in first_wrong(chosen)]
    if rewards is not None:
        given += [
            (step + 1, what, f"the environment {spec.name} gave") for what, step in first_wrong({"the reward": rewards})
        ]
    if not given:
        return
    tick, what, who = min(given, key=lambda each: each[0])
    raise TrainingError(
        f"{who} a number that is not finite: {what} after {tick} of {episode.steps} steps (start "
        f"{episode.attributes['start']} of seed {episode.attributes['seed']}). Mend it there: nothing can be learned "
        f"from that."
    )


def first_wrong(arrays: Mapping[str, np.ndarray]) -> list[tuple[str, int]]:
    """Return the names of arrays with a number that is not finite, and the first row that holds one."""
    wrong = {name: ~np.isfinite(values) for name, values in arrays.items()}
    return [(name, int(np.argwhere(where)[0][0])) for name, where in wrong.items() if where.any()]


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
