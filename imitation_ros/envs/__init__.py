"""Where policies practise: PyBullet behind gymnasium."""

from __future__ import annotations

import gymnasium

ENVIRONMENTS = {"PandaReach-v0": "panda_reach", "PandaPickPlace-v0": "panda_pick_place"}
"""Name in gymnasium's namespace `imitation_ros` to setup."""


def register_environments() -> None:
    """Make `gymnasium.make("imitation_ros/PandaReach-v0")` work; called when this package is imported."""
    for name, setup in ENVIRONMENTS.items():
        identifier = f"imitation_ros/{name}"
        if identifier not in gymnasium.registry:  # twice would warn
            gymnasium.register(identifier, entry_point="imitation_ros.envs.robot_env:RobotEnv", kwargs={"setup": setup})


register_environments()
