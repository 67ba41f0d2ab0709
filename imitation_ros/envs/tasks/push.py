"""Push: slide a puck over the table to a goal, with the closed gripper.

Puck and goal lie in the 0.2 x 0.36 m in front of the arm around which the hand can go on all sides. A puck
looks the same however it is turned, so its orientation is left out. The expert succeeds from 200 of 200
test starts, and from 200 under the disturbance of 0.3 (0.4: 98 %).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.tasks import motion

Array = NDArray[np.float64]
Observation = Mapping[str, NDArray[Any]]

FIELDS = ("end_effector_pose", "object_pose", "goal")
TOLERANCE_M = 0.02
DWELL_TICKS = 10
TIME_LIMIT_S = 6.0  # the expert needs 1.3 to 2.5 s, and twice that where a disturbance makes it go round again
LOW_M = np.array([0.38, -0.18])  # of puck and goal, x and y
HIGH_M = np.array([0.58, 0.18])
APART_M = 0.10  # of puck and goal, at least
REST_M = 0.02  # height of the puck's centre on the table
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])

CONTACT_M = 0.052  # distance of puck and hand when they touch: its radius, and half a fingertip
HEIGHT_M = 0.022  # of the hand while it pushes: the fingertips are 1 cm lower
MAX_SPEED = 0.3  # [m/s] sideways
CLEARANCE_M = 0.07  # how far above that the hand moves before it comes down
LOW_ENOUGH_M = (0.015, 0.045)  # above the height to push at: lower it pushes, higher it only comes down


def place(rng: np.random.Generator) -> dict[str, tuple[Array, Array]]:
    """Return puck and goal: field name to position [m] and quaternion."""
    return place_apart(rng, LOW_M, HIGH_M, APART_M, REST_M)


def place_apart(
    rng: np.random.Generator, low: Array, high: Array, apart_m: float, height_m: float
) -> dict[str, tuple[Array, Array]]:
    """Return an object and a goal in a rectangle, at least so far apart."""
    body, goal = rng.uniform(low, high), rng.uniform(low, high)
    while np.linalg.norm(goal - body) < apart_m:
        goal = rng.uniform(low, high)
    return {name: (np.array([*at, height_m]), UPRIGHT) for name, at in (("object_pose", body), ("goal", goal))}


def reward(observation: Observation) -> float:
    """Return minus the puck's distance to the goal, minus the hand's to the puck until it is there [m]."""
    return reward_of(*positions(observation), TOLERANCE_M)


def reward_of(hand: Array, body: Array, goal: Array, tolerance_m: float) -> float:
    left = math.dist(goal, body)
    return -left - math.dist(body, hand) * (left > tolerance_m)


def is_success(observation: Observation) -> bool:
    return is_within(observation, TOLERANCE_M)


def is_within(observation: Observation, tolerance_m: float) -> bool:
    _, body, goal = positions(observation)
    return math.dist(goal, body) < tolerance_m


def expert(observation: Observation) -> dict[str, Array]:
    """Return the twist [m/s]: down behind the puck, then as motion.push says."""
    hand, puck, goal = positions(observation)
    ahead = goal[:2] - puck[:2]
    ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-9)
    behind = np.array([*(puck[:2] - (CONTACT_M + motion.CIRCLE_M) * ahead), HEIGHT_M])
    down = motion.funnel(hand, behind, CLEARANCE_M, near=0.02, far=0.06)
    sideways = motion.push(hand[:2], puck[:2], goal[:2], CONTACT_M, MAX_SPEED)
    along = np.array([*sideways, motion.speed(HEIGHT_M - hand[2], MAX_SPEED)])
    high = motion.smooth_step(hand[2] - HEIGHT_M, *LOW_ENOUGH_M)
    return {"twist": high * down + (1.0 - high) * along}


def positions(observation: Observation) -> tuple[Array, Array, Array]:
    """Return hand, puck and goal [m], each of shape (3,)."""
    hand, puck, goal = (
        observation[name][:3].astype(np.float64) for name in ("end_effector_pose", "object_pose", "goal")
    )
    return hand, puck, goal
