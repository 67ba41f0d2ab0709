"""Run a policy in the simulator and return Episodes, in as many processes as wanted.

The unit of work is a whole episode, index i, with random numbers of its own; results are ordered by
i. So any number of workers gives the same bytes.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from imitation_ros.data.episode import Episode, EpisodeBuilder
from imitation_ros.envs.robot_env import RobotEnv


class Acts(Protocol):
    """A policy as collecting needs it: picklable, observation in, action out, both in physical units."""

    def act(self, observation: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]: ...


def collect(
    setup: str | Path,
    policy: Acts,
    episodes: int | range,
    seed: int = 0,
    purpose: str = "train",
    workers: int = 1,
    disturbance: bool = False,
) -> list[Episode]:
    """Return episodes of a policy, ordered by start.

    Labels are the policy's own actions; executed is what the robot was told after the disturbance.

    Args:
        setup: a name in config/setups, or a path.
        policy: sees float32 observations, as a recording holds them.
        episodes: which starts; a number n means the first n.
        seed, purpose: choose the starts, see RobotEnv.reset.
        workers: processes; 1 runs in this one.
        disturbance: add the scene's noise to what is executed.
    """
    starts = range(episodes) if isinstance(episodes, int) else episodes
    workers = max(1, min(workers, len(starts)))
    if workers == 1:
        return run_episodes(setup, policy, starts, seed, purpose, disturbance)
    shares = [starts[worker::workers] for worker in range(workers)]
    # spawn: a forked child would share the state of pybullet and of torch's threads
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(run_episodes, setup, policy, share, seed, purpose, disturbance) for share in shares]
        done = [iter(job.result()) for job in jobs]
    return [next(done[index % workers]) for index in range(len(starts))]


def run_episodes(
    setup: str | Path, policy: Acts, starts: Sequence[int], seed: int, purpose: str, disturbance: bool
) -> list[Episode]:
    """Return the episodes of these starts, run one after another in this process."""
    env = RobotEnv(setup, disturbance=disturbance)
    try:
        with one_thread():
            return [run_episode(env, policy, start, seed, purpose) for start in starts]
    finally:
        env.close()


def run_episode(env: RobotEnv, policy: Acts, start: int, seed: int, purpose: str) -> Episode:
    builder = EpisodeBuilder(env.robot_spec)
    observation, _ = env.reset(seed=seed, options={"start": start, "purpose": purpose})
    builder.add_observation(observation)
    while not env.time_is_up:
        action = policy.act(observation)
        executed = env.apply(action)
        seen = env.observe()
        observation = env.rounded(seen)
        builder.add_action(action, executed, env.task.reward(seen))
        builder.add_observation(observation)
    attributes: dict[str, str | int | float] = {
        "task": env.robot_spec.task,
        "seed": seed,
        "purpose": purpose,
        "start": start,
    }
    return builder.build(success=env.success, attributes={**attributes, "ended_by": "time limit"})


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
