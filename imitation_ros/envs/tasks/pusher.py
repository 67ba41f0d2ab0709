"""Pusher: a planar arm of two joints pushes a disc to a goal, told by joint velocities.

Disc and goal lie in the 0.16 x 0.3 m around which the pen can go on all sides with a bent elbow. The expert
succeeds from 200 of 200 test starts, and from 198 under the disturbance of 0.2. It is the cheapest
task that has contacts: 9000 ticks per second of a processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.tasks import motion, push

Array = NDArray[np.float64]
Observation = Mapping[str, NDArray[Any]]

FIELDS = ("joint_position", "end_effector_pose", "object_pose", "goal")
TOLERANCE_M = 0.02
DWELL_TICKS = 10
TIME_LIMIT_S = 6.0  # the expert needs 1 to 2.5 s, and twice that where a disturbance makes it go round again
LOW_M = np.array([0.30, -0.15])  # of disc and goal, x and y
HIGH_M = np.array([0.46, 0.15])
APART_M = 0.08  # of disc and goal, at least
REST_M = 0.015  # height of the disc's centre on the table

LINK_M = 0.3  # each of the two
CONTACT_M = 0.05  # distance of disc and pen when they touch
MAX_SPEED = 0.3  # [m/s] of the pen
DAMPING = 0.02  # [m] of the inverse of the Jacobian, so that it stays bounded


def place(rng: np.random.Generator) -> dict[str, tuple[Array, Array]]:
    """Return disc and goal: field name to position [m] and quaternion."""
    return push.place_apart(rng, LOW_M, HIGH_M, APART_M, REST_M)


def reward(observation: Observation) -> float:
    """Return minus the disc's distance to the goal, minus the pen's to the disc until it is there [m]."""
    return push.reward_of(*push.positions(observation), TOLERANCE_M)


def is_success(observation: Observation) -> bool:
    return push.is_within(observation, TOLERANCE_M)


def expert(observation: Observation) -> dict[str, Array]:
    """Return the joint velocities [rad/s] that move the pen as motion.push says."""
    pen, disc, goal = push.positions(observation)
    velocity = motion.push(pen[:2], disc[:2], goal[:2], CONTACT_M, MAX_SPEED)
    jacobian = pen_jacobian(observation["joint_position"].astype(np.float64), pen)
    damped = jacobian.T @ jacobian + DAMPING**2 * np.eye(2)  # of rank 1 where the arm is stretched out
    return {"joint_velocity": np.linalg.solve(damped, jacobian.T @ velocity)}


def pen_jacobian(angles: Array, pen: Array) -> Array:
    """Return d(x, y of the pen) / d(angles), shape (2, 2): each joint turns the pen about its own axis."""
    elbow = LINK_M * np.array([np.cos(angles[0]), np.sin(angles[0])])
    arms = np.stack([pen[:2], pen[:2] - elbow])
    return np.stack([-arms[:, 1], arms[:, 0]])
