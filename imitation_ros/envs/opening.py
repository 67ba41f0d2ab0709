"""From the name of a setup, or an id of gymnasium's, to an environment."""

from __future__ import annotations

import re
from pathlib import Path

from imitation_ros.envs import ENVIRONMENTS
from imitation_ros.envs.any_env import AnyEnv
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.errors import SpecError
from imitation_ros.robot.spec import RobotSpec, load_spec


def open_environment(
    setup: str | Path,
    disturbance: bool = False,
    randomisation: bool = False,
    terminate_on_success: bool = False,
) -> RobotEnv | AnyEnv:
    """Return an environment: of a setup (a name in config/setups, or a path), or of an id of gymnasium's.

    Raises:
        SpecError: it is neither, the environment cannot be made, or it cannot do what is asked of it.
    """
    if (identifier := gymnasium_id(setup)) is None:
        env = RobotEnv(our_setup(setup), disturbance, terminate_on_success, randomisation=randomisation)
        if terminate_on_success and env.task is None:
            env.close()
            raise SpecError(f"the setup {setup} has no `task:`, so nothing ends at success. Leave it out, or add one.")
        return env
    asked = {"disturbance": disturbance, "randomisation": randomisation}
    for what in (word for word, wanted in asked.items() if wanted):
        raise SpecError(f"{identifier} has no {what}: only scenes of our own do. Leave it out.")
    if terminate_on_success:
        raise SpecError(
            f"{identifier} ends its own episodes; only setups of ours can end them at success. "
            f"Leave terminate_on_success out."
        )
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
