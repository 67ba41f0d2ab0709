"""A learned reward in an environment of gymnasium's, for whatever trains there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
from numpy.typing import NDArray

from imitation_ros.algorithms.frozen_reward import FrozenReward
from imitation_ros.algorithms.reward_file import load_reward
from imitation_ros.envs.any_env import AnyEnv
from imitation_ros.envs.robot_env import RobotEnv

Array = NDArray[Any]


class LearnedReward(gymnasium.Wrapper[Any, Any, Any, Any], gymnasium.utils.RecordConstructorArgs):
    """Gives a learned reward in place of the environment's, which stays in `info["task_reward"]`.

    Where the task ends an episode (`terminated`), the last reward also holds what follows is worth, since no learner
    would see it: gamma / (1 - gamma) of a step after the end, by the discount that the reward was learned with. So a
    learner should have that discount (`discount`). Whether and why an episode ends is untouched.

    Wrap it directly around the environment that the reward was learned in: other wrappers, such as those that
    normalise or flatten observations, belong outside of this one.

    Args:
        env: one of ours, or any whose spaces AnyEnv knows.
        reward: one that was loaded, or its folder.

    Raises:
        BundleError: the reward was learned in another environment, or is broken.
        SpecError: a space that no field holds.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], reward: FrozenReward | str | Path) -> None:
        gymnasium.utils.RecordConstructorArgs.__init__(self, reward=reward)  # check_env makes it a second time
        gymnasium.Wrapper.__init__(self, env)
        self.learned = reward if isinstance(reward, FrozenReward) else load_reward(reward)
        self.reads = OurStep(env.unwrapped) if is_ours(env) else AnyStep(env)
        self.learned.check_fits(self.reads.spec, f"the environment {self.reads.spec.name}")
        self.ending = self.learned.after_end()
        self.seen: Mapping[str, Array] = {}

    @property
    def discount(self) -> float:
        """Of the reward one step later, as it was learned."""
        return self.learned.info.discount

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        self.seen = self.reads.observation(observation)
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, task_reward, terminated, truncated, info = self.env.step(action)
        following = self.reads.observation(observation)
        reward = self.learned.of_step(self.seen, self.reads.executed(action, info), following, bool(terminated))
        reward += self.ending if terminated else 0.0
        self.seen = following
        return observation, reward, terminated, truncated, {**info, "task_reward": task_reward}


def is_ours(env: gymnasium.Env[Any, Any]) -> bool:
    """Return whether it is a RobotEnv, seen as it is."""
    own = env.unwrapped
    spaces = (env.observation_space, env.action_space)
    return isinstance(own, RobotEnv) and spaces == (own.observation_space, own.action_space)


class OurStep:
    """How a RobotEnv's steps are read."""

    def __init__(self, env: Any) -> None:
        self.env, self.spec = env, env.robot_spec

    def observation(self, observation: Any) -> Mapping[str, Array]:
        values: Mapping[str, Array] = observation
        return values

    def executed(self, action: Any, info: Mapping[str, Any]) -> Mapping[str, Array]:
        values: Mapping[str, Array] = self.env.from_unit(info["executed"])
        return values


class AnyStep:
    """How the steps of any other environment are read."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        fields = AnyEnv(env)
        self.spec, self.sees, self.does = fields.robot_spec, fields.sees, fields.does

    def observation(self, observation: Any) -> Mapping[str, Array]:
        return self.sees.to_values(observation)

    def executed(self, action: Any, info: Mapping[str, Any]) -> Mapping[str, Array]:
        return self.does.to_values(self.does.from_values(self.does.to_values(action)))
