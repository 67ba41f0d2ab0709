"""A point on a line that is to be brought to the middle: what a learner solves in a second."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

SPEED, NEAR, STEPS = 0.3, 0.1, 20


class PointEnv(gymnasium.Env):
    """x moves by up to SPEED a step, from anywhere in [-1, 1]; its reward is -|x|.

    Args:
        ends: whether the task ends near the middle, within NEAR.
    """

    metadata = {"render_fps": 10}  # noqa: RUF012 gymnasium's own form

    def __init__(self, ends: bool = False) -> None:
        self.ends, self.x = ends, np.zeros(1, np.float32)
        self.observation_space = spaces.Box(-2.0, 2.0, (1,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.x = self.np_random.uniform(-1.0, 1.0, 1).astype(np.float32)
        return self.x, {}

    def step(self, action: Any) -> Any:
        self.x = np.clip(self.x + SPEED * np.asarray(action, np.float32), -2.0, 2.0)
        near = bool(abs(self.x[0]) < NEAR)
        return self.x, -float(abs(self.x[0])), self.ends and near, False, {"is_success": near}


class Expert:
    """Straight to the middle."""

    def act(self, observation: Any) -> dict[str, np.ndarray]:
        return {"action": np.clip(-observation["observation"] / SPEED, -1.0, 1.0)}


POINT, ENDING = "Point-v0", "EndingPoint-v0"
gymnasium.register(POINT, PointEnv, max_episode_steps=STEPS)
gymnasium.register(ENDING, PointEnv, max_episode_steps=STEPS, kwargs={"ends": True})
