"""Run a policy in the simulator and return Episodes, in as many processes as wanted.

The unit of work is a whole episode, index i, with random numbers of its own; results are ordered by
i. So any number of workers gives the same bytes.
"""

from __future__ import annotations

import multiprocessing
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from imitation_ros.data.episode import Episode, EpisodeBuilder
from imitation_ros.envs import ENVIRONMENTS
from imitation_ros.envs.any_env import AnyEnv
from imitation_ros.envs.environment import Environment
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.errors import SpecError
from imitation_ros.robot.spec import RobotSpec, load_spec


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
    randomisation: bool = False,
) -> list[Episode]:
    """Return episodes of a policy, ordered by start.

    Labels are the policy's own actions; executed is what the robot was told after the disturbance.

    Args:
        setup: a name in config/setups, a path, or an id of gymnasium's.
        policy: sees float32 observations, as a recording holds them.
        episodes: which starts; a number n means the first n.
        seed, purpose: choose the starts, see RobotEnv.reset.
        workers: processes; 1 runs in this one.
        disturbance: add the scene's noise to what is executed.
        randomisation: vary every episode as the scene says.
    """
    starts = range(episodes) if isinstance(episodes, int) else episodes
    workers = max(1, min(workers, len(starts)))
    if workers == 1:
        return run_episodes(setup, policy, starts, seed, purpose, disturbance, randomisation)
    how = (seed, purpose, disturbance, randomisation)
    shares = [starts[worker::workers] for worker in range(workers)]
    # spawn: a forked child would share the state of pybullet and of torch's threads
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(run_episodes, setup, policy, share, *how) for share in shares]
        done = [iter(job.result()) for job in jobs]
    return [next(done[index % workers]) for index in range(len(starts))]


def run_episodes(
    setup: str | Path,
    policy: Acts,
    starts: Sequence[int],
    seed: int,
    purpose: str,
    disturbance: bool,
    randomisation: bool,
) -> list[Episode]:
    """Return the episodes of these starts, run one after another in this process."""
    env = open_environment(setup, disturbance, randomisation)
    try:
        with one_thread():
            return [run_episode(env, policy, start, seed, purpose) for start in starts]
    finally:
        env.close()


def open_environment(setup: str | Path, disturbance: bool = False, randomisation: bool = False) -> Environment:
    """Return an environment: of a setup (a name in config/setups, or a path), or of an id of gymnasium's.

    Raises:
        SpecError: it is neither, or the environment cannot be made.
    """
    if (identifier := gymnasium_id(setup)) is None:
        return RobotEnv(our_setup(setup), disturbance=disturbance, randomisation=randomisation)
    if disturbance or randomisation:
        what = "disturbance" if disturbance else "randomisation"
        raise SpecError(f"{identifier} has no {what}: only scenes of our own do. Leave it out.")
    return AnyEnv(identifier)


def spec_of(setup: str | Path) -> RobotSpec:
    """Return the robot spec of a setup, or of an id of gymnasium's."""
    if (identifier := gymnasium_id(setup)) is None:
        return load_spec(our_setup(setup))
    env = AnyEnv(identifier)
    env.close()
    return env.robot_spec


def gymnasium_id(setup: str | Path) -> str | None:
    """Return what looks like an id of gymnasium (Name-v1, or module:Name-v1), and is none of our own."""
    name = str(setup)
    return name if re.fullmatch(r"[\w:./-]+-v\d+", name) and our_setup(setup) == setup else None


def our_setup(setup: str | Path) -> str | Path:
    """Return the setup behind an id of our own environments, such as imitation_ros/PandaReach-v0."""
    return ENVIRONMENTS.get(str(setup).removeprefix("imitation_ros/"), setup)


def run_episode(env: Environment, policy: Acts, start: int, seed: int, purpose: str) -> Episode:
    builder = EpisodeBuilder(env.robot_spec)
    observation = env.begin(seed, purpose, start)
    builder.add_observation(observation)
    ended = False
    while not ended:
        action = policy.act(observation)
        outcome = env.advance(action)
        observation = outcome.observation
        builder.add_action(action, outcome.executed, outcome.reward)
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
