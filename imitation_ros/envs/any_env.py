"""Any environment of gymnasium's, as collecting, learning and evaluation know ours."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.environment import Outcome, start_sequence
from imitation_ros.envs.spaces import SpaceFields
from imitation_ros.errors import SpecError
from imitation_ros.robot.plain import plain_spec
from imitation_ros.robot.spec import RobotSpec

TIME_LIMIT = 1000  # steps, of an environment that has no limit of its own
RATE_HZ = 20.0  # of an environment that does not say how long a step is


class AnyEnv:
    """An environment whose robot spec is derived from its spaces (see SpaceFields); no topic ever was involved.

    `success` is what the last step's info calls `is_success` or `success`, in any tick so far; None where it calls
    nothing so. Its rate is 1 / dt where the environment has a dt, else its render_fps, else 20 Hz.

    Args:
        env: an environment, or an id such as Pendulum-v1.

    Raises:
        SpecError: gymnasium has no such id, or the environment cannot be made; a space that no field holds.
    """

    def __init__(self, env: gymnasium.Env[Any, Any] | str) -> None:
        self.env = make(env) if isinstance(env, str) else env
        self.sees = SpaceFields(self.env.observation_space, "observation", is_action=False)
        self.does = SpaceFields(self.env.action_space, "action", is_action=True)
        identifier = self.env.spec.id if self.env.spec is not None else type(self.env.unwrapped).__name__
        self.robot_spec = plain_spec(identifier, self.sees.fields, self.does.fields, rate_hz(self.env))
        limit = self.env.spec.max_episode_steps if self.env.spec is not None else None
        self.time_limit = TIME_LIMIT if limit is None else limit
        self.ticks = 0
        self.succeeded: bool | None = None

    @property
    def success(self) -> bool | None:
        return self.succeeded

    @property
    def drawn(self) -> Mapping[str, float]:
        return {}

    def begin(self, seed: int, purpose: str, start: int) -> dict[str, NDArray[Any]]:
        """Begin a start of a purpose; see Environment."""
        own_seed = int(start_sequence(seed, purpose, start).generate_state(1)[0])
        observation, _ = self.env.reset(seed=own_seed)
        self.ticks, self.succeeded = 0, None
        return self.sees.to_values(observation)

    def advance(self, action: Mapping[str, NDArray[Any]]) -> Outcome:
        """Act for one tick; see Environment. Executed is what lies within the space's bounds."""
        taken = self.does.from_values(action)
        observation, reward, terminated, truncated, info = self.env.step(taken)
        self.ticks += 1
        for word in ("is_success", "success"):
            if word in info:
                self.succeeded = bool(self.succeeded) or bool(np.all(info[word]))
        return Outcome(
            self.sees.to_values(observation),
            self.does.to_values(taken),
            float(reward),
            bool(terminated),
            bool(truncated) or self.ticks >= self.time_limit,
        )

    def close(self) -> None:
        self.env.close()


def make(identifier: str) -> gymnasium.Env[Any, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # gymnasium says what is newer, in three lines
            return gymnasium.make(identifier)
    except (gymnasium.error.Error, ImportError) as error:
        raise SpecError(f"gymnasium cannot make {identifier!r}: {error}") from None


def rate_hz(env: gymnasium.Env[Any, Any]) -> float:
    dt = getattr(env.unwrapped, "dt", None)
    if isinstance(dt, float) and dt > 0:
        return round(1.0 / dt, 6)
    return float(env.metadata.get("render_fps") or RATE_HZ)


def spec_from_env(env: gymnasium.Env[Any, Any] | str) -> RobotSpec:
    """Return the robot spec of an environment of gymnasium's, or of the id of one."""
    opened = AnyEnv(env)
    if isinstance(env, str):
        opened.close()
    return opened.robot_spec
