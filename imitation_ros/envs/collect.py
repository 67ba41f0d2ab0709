"""Run a policy in the simulator and return Episodes, in as many processes as wanted.

The unit of work is a whole episode, index i, with random numbers of its own; results are ordered by
i. So any number of workers gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from imitation_ros.data.episode import Episode
from imitation_ros.envs.any_env import AnyEnv
from imitation_ros.envs.opening import gymnasium_id, open_environment, our_setup, spec_of
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.envs.rollout import one_thread, run_episode
from imitation_ros.envs.workers import Opening, Processes, Round
from imitation_ros.errors import TrainingError
from imitation_ros.policies.driving import Acts, Driver
from imitation_ros.robot.spec import RobotSpec

__all__ = ["Acts", "Workers", "collect", "gymnasium_id", "open_environment", "our_setup", "run_episode", "spec_of"]


class Workers:
    """Processes that collect, round after round, each with its environment kept open.

    Close them when done, or use them in a `with`. One that dies ends the round with a TrainingError, and all others.

    Args:
        setup: a name in config/setups, a path, or an id of gymnasium's.
        count: how many processes; 1 runs in this one.
        disturbance: add the scene's noise to what is executed.
        randomisation: vary every episode as the scene says.
        terminate_on_success: end an episode at success, instead of at the time limit; setups of ours only.

    Attributes:
        spec: the environment's robot spec, which every episode has.
        time_limit: the most steps that an episode has.

    Raises:
        SpecError: the environment cannot be opened, or cannot do what is asked of it.
        TrainingError: a process ended.
    """

    def __init__(
        self,
        setup: str | Path,
        count: int = 1,
        disturbance: bool = False,
        randomisation: bool = False,
        terminate_on_success: bool = False,
    ) -> None:
        self.env: RobotEnv | AnyEnv | None = None
        self.processes: Processes | None = None
        opening = Opening(setup, disturbance, randomisation, terminate_on_success)
        if count <= 1:
            self.env = open_environment(**vars(opening))
            self.spec: RobotSpec = self.env.robot_spec
            self.time_limit: int = self.env.time_limit
        else:
            self.processes = Processes(opening, count)
            self.spec, self.time_limit = self.processes.spec, self.processes.time_limit

    def collect(self, policy: Driver, starts: int | range, seed: int = 0, purpose: str = "train") -> list[Episode]:
        """Return episodes of a policy, ordered by start.

        Labels are what the policy says they are, else its own actions; executed is what the robot was told after
        the disturbance.

        Args:
            policy: sees float32 observations, as a recording holds them. One that draws has random numbers of each
                episode's own; one with `act` alone should not remember, for nobody says which process runs what.
            starts: which; a number n means the first n.
            seed, purpose: choose the starts, see RobotEnv.reset.
        """
        wanted = Round(policy, range(starts) if isinstance(starts, int) else starts, seed, purpose)
        if self.processes is not None:
            return self.processes.run(wanted)
        if self.env is None:
            raise TrainingError("these workers are closed. Make new ones.")
        with one_thread():
            return [run_episode(self.env, policy, start, seed, purpose) for start in wanted.starts]

    def close(self) -> None:
        """End the processes and close the environments; twice does no harm."""
        if self.processes is not None:
            self.processes.close()
        if self.env is not None:
            self.env.close()
            self.env = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def collect(
    setup: str | Path,
    policy: Driver,
    episodes: int | range,
    seed: int = 0,
    purpose: str = "train",
    workers: int = 1,
    disturbance: bool = False,
    randomisation: bool = False,
    terminate_on_success: bool = False,
) -> list[Episode]:
    """Return episodes of a policy, ordered by start; arguments as for Workers and its `collect`."""
    starts = range(episodes) if isinstance(episodes, int) else episodes
    count = min(workers, len(starts))
    with Workers(setup, count, disturbance, randomisation, terminate_on_success) as opened:
        return opened.collect(policy, starts, seed, purpose)
