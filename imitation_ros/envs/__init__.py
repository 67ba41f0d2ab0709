"""Where policies practise: PyBullet behind gymnasium."""

from __future__ import annotations

import gymnasium

ENVIRONMENTS = {
    "PandaReach-v0": "panda_reach",
    "PandaPush-v0": "panda_push",
    "PandaPickPlace-v0": "panda_pick_place",
    "PandaPegInsert-v0": "panda_peg_insert",
    "TwoLinkPush-v0": "two_link_push",
}
"""Name in gymnasium's namespace `imitation_ros` to setup."""


def register_environments() -> None:
    """Make `gymnasium.make("imitation_ros/PandaReach-v0")` work; called when this package is imported."""
    for name, setup in ENVIRONMENTS.items():
        identifier = f"imitation_ros/{name}"
        if identifier not in gymnasium.registry:  # twice would warn
            gymnasium.register(identifier, entry_point="imitation_ros.envs.robot_env:RobotEnv", kwargs={"setup": setup})


register_environments()
