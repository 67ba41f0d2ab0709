"""A problem's environment as gymnasium shows it, and scores on the same starts as ours; for what peers run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from imitation_ros.envs.environment import start_sequence
from tests.benchmarks.learning.measure import Score

AT_ONCE = 20  # environments of gymnasium's; one of ours is a simulator of its own


def of_gymnasium(job: dict[str, Any]) -> bool:
    return "-v" in job["setup"]


def environment_of(job: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """Return the environment of a job, with flat observations."""
    if of_gymnasium(job):
        return gymnasium.make(job["setup"])
    from imitation_ros.envs.robot_env import RobotEnv

    env = RobotEnv(job["setup"], terminate_on_success=job["terminate_on_success"])
    return gymnasium.wrappers.FlattenObservation(env)


def score_of(job: dict[str, Any], predict: Callable[[np.ndarray], np.ndarray], purpose: str, starts: int) -> Score:
    """Return how a policy does on the first starts of a purpose; many environments are stepped side by side."""
    ours = not of_gymnasium(job)
    count = 1 if ours else AT_ONCE
    envs = [environment_of(job) for _ in range(count)]
    returns, lengths, successes = np.zeros(starts), np.zeros(starts, int), np.zeros(starts, bool)
    for first in range(0, starts, count):
        running = list(range(first, min(first + count, starts)))
        seen = {start: begin(envs[start - first], purpose, start, ours) for start in running}
        while running:
            actions = predict(np.stack([seen[start] for start in running]))
            for start, action in zip(list(running), actions, strict=True):
                seen[start], reward, terminated, truncated, info = envs[start - first].step(action)
                returns[start] += reward
                lengths[start] += 1
                successes[start] |= bool(info.get("success", False))
                if terminated or truncated:
                    running.remove(start)
    for env in envs:
        env.close()
    reached = lengths[successes]
    return Score(
        mean_return=float(returns.mean()),
        success=float(successes.mean()) if ours else None,
        steps=float(lengths.mean()),
        steps_to_success=float(reached.mean()) if len(reached) else None,
        episodes=starts,
    )


def begin(env: gymnasium.Env[Any, Any], purpose: str, start: int, ours: bool) -> np.ndarray:
    """Begin the start that imitation_ros.envs begins under seed 0."""
    if ours:
        return env.reset(seed=0, options={"start": start, "purpose": purpose})[0]
    return env.reset(seed=int(start_sequence(0, purpose, start).generate_state(1)[0]))[0]
