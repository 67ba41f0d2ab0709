"""Peg insertion: lower the square peg that the gripper holds into a square hole.

An episode starts with the peg in the closing gripper, held a few millimetres off the middle. The hole is 21 mm
wide and the peg 20 mm: half a millimetre of clearance per side. Neither is turned. The hole lies in the
0.25 x 0.36 m in front of the arm. The expert succeeds from 200 of 200 test starts, and from 199 under the
disturbance of 0.04, one tick of which throws the peg off by a millimetre.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.tasks.motion import smooth_step, speed, towards
from imitation_ros.robot.rotations import rotation_6d_to_matrix

Array = NDArray[np.float64]
Observation = Mapping[str, NDArray[Any]]

FIELDS = ("object_pose", "goal")
DEPTH_M = 0.02  # of the peg's lower end below the socket's top, at least
OFF_M = 0.004  # of the peg's lower end from the hole's axis, at most: it is in the hole, not beside the socket
DWELL_TICKS = 10
TIME_LIMIT_S = 6.0  # the expert needs 1.5 to 2 s, and longer where a disturbance keeps it over the hole
LOW_M = np.array([0.35, -0.18])  # of the hole, x and y
HIGH_M = np.array([0.60, 0.18])
PEG_M = 0.08  # long
SOCKET_M = 0.03  # high
HAND_M = np.array([0.45, 0.0, 0.25])  # where an episode starts
BELOW_HAND_M = 0.015  # the peg's middle
GRIP_M = np.array([0.003, 0.0, 0.004])  # how far the peg is off that, at most
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])

INSERTED_M = 0.005  # height of the peg's lower end above the table at which the expert stops
HOVER_M = 0.006  # above the rim until the peg is over the hole
CLEARANCE_M = 0.04  # more than that where the hole is far
OVER_M = (0.0005, 0.0015)  # off the axis: nearer it goes down, farther it hovers; 1 mm is in between, lest it stalls
BESIDE_M = (0.003, 0.006)  # off the axis: farther, a peg that is below the rim is not in the hole
NEAR_M = (0.005, 0.040)  # off the axis: nearer it hovers, farther it is high
WITHIN_M = (0.026, 0.029)  # height of the peg's lower end: lower the walls lead it, higher only the eye does
SLOWING_M = (0.040, 0.080)  # height of the lower end: lower it moves down slowly, higher fast
MAX_SPEED = 0.25  # [m/s]
SLOW_SPEED = 0.10  # [m/s] down to the rim and into the hole


def place(rng: np.random.Generator) -> dict[str, tuple[Array, Array]]:
    """Return peg and hole: field name to position [m] and quaternion."""
    hole = np.array([*rng.uniform(LOW_M, HIGH_M), 0.5 * SOCKET_M])
    peg = HAND_M - np.array([0.0, 0.0, BELOW_HAND_M]) + rng.uniform(-GRIP_M, GRIP_M)
    return {"object_pose": (peg, UPRIGHT), "goal": (hole, UPRIGHT)}


def reward(observation: Observation) -> float:
    """Return minus the distance of the peg's lower end to where it should be [m]."""
    end, hole = positions(observation)
    return -float(np.linalg.norm(end - np.array([hole[0], hole[1], INSERTED_M])))


def is_success(observation: Observation) -> bool:
    """Return whether the peg is in the hole, deep enough."""
    end, hole = positions(observation)
    return bool(np.linalg.norm((end - hole)[:2]) < OFF_M and SOCKET_M - end[2] > DEPTH_M)


def expert(observation: Observation) -> dict[str, Array]:
    """Return the twist [m/s]: over the hole, and down where the peg is over it or in it."""
    end, hole = positions(observation)
    sideways = np.array([*(hole - end)[:2], 0.0])
    off = float(np.linalg.norm(sideways))
    free = max(smooth_step(end[2], *WITHIN_M), smooth_step(off, *BESIDE_M))  # of the hole's walls
    hover = (SOCKET_M + HOVER_M - INSERTED_M) * free * smooth_step(off, *OVER_M)
    wanted = INSERTED_M + hover + CLEARANCE_M * smooth_step(off, *NEAR_M)
    high_enough = smooth_step(end[2], 0.2 * wanted - 0.01, 0.8 * wanted)
    max_speed = SLOW_SPEED + (MAX_SPEED - SLOW_SPEED) * smooth_step(end[2], *SLOWING_M)
    down = np.array([0.0, 0.0, speed(wanted - end[2], max_speed)])
    return {"twist": high_enough * towards(sideways, MAX_SPEED) + down}


def positions(observation: Observation) -> tuple[Array, Array]:
    """Return the middle of the peg's lower end, and of the hole [m], each of shape (3,)."""
    peg = observation["object_pose"].astype(np.float64)
    along = rotation_6d_to_matrix(peg[3:])[:, 2]
    return peg[:3] - 0.5 * PEG_M * along, observation["goal"].astype(np.float64)
