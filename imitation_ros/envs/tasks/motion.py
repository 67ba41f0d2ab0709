"""How the scripted experts move: smoothly, as a function of where things are and of nothing else.

Smooth, because a network has to imitate it: a speed that jumps where a millimetre decides cannot be
learned from a hundred demonstrations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GAIN = 8.0  # [1/s] speed per distance near the target: 0.4 of what is left in a tick
MAX_SPEED = 0.45  # [m/s] below the 0.5 of the scale, so that labels are not clipped
WORKING_M = (0.004, 0.010)  # of a pushed body from its goal: nearer it is left alone, farther it is pushed
BEHIND_COS = (0.80, 0.98)  # of the angle off the push direction: beyond 37 degrees circle, within 11 push
TURN_RAD = 0.5  # the angle off the push direction from which on circling is at full speed
CIRCLE_M = 0.03  # how far from contact a body is circled


def towards(error: NDArray[Any], max_speed: float = MAX_SPEED) -> Array:
    """Return a velocity [m/s] along an error [m]: proportional near zero, max_speed far away."""
    distance = float(np.linalg.norm(error))
    return np.asarray(error * (speed(distance, max_speed) / max(distance, 1e-9)))


def speed(left: float, max_speed: float) -> float:
    """Return a speed [m/s] for a signed distance that is left [m]: proportional near zero, max_speed far away."""
    return float(max_speed * np.tanh(GAIN * left / max_speed))


def smooth_step(value: float, start: float, end: float) -> float:
    """Return 0 up to `start`, 1 from `end` on, and a cubic between them."""
    x = min(max((value - start) / (end - start), 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


def funnel(point: NDArray[Any], target: NDArray[Any], clearance: float, near: float, far: float) -> Array:
    """Return a velocity [m/s] that takes a point down onto a target from above.

    The height to keep grows from none within `near` to `clearance` beyond `far` of the target's
    vertical axis. A point that is too low for where it is rises before it moves sideways.

    Args:
        point, target: positions [m], shape (3,).
        clearance, near, far: [m].
    """
    sideways = np.array([target[0] - point[0], target[1] - point[1], 0.0])
    height = float(point[2] - target[2])
    wanted = clearance * smooth_step(float(np.linalg.norm(sideways)), near, far)
    free = smooth_step(height, 0.2 * wanted - 0.01, 0.8 * wanted)  # 1 where the point is high enough to move sideways
    return towards(sideways) * free + towards(np.array([0.0, 0.0, wanted - height]))


def push(point: NDArray[Any], body: NDArray[Any], goal: NDArray[Any], contact: float, max_speed: float) -> Array:
    """Return a velocity [m/s] in the plane with which a point pushes a round body to a goal.

    It circles the body at a distance, towards the side away from the goal, and goes straight in where
    it is behind it; what it is off sideways while it pushes, it corrects (a dipole field, as in Igarashi
    et al. 2010). It slows near the goal, and backs off there.

    Args:
        point, body, goal: positions [m], shape (2,).
        contact: distance of point and body when they touch [m].
        max_speed: [m/s].
    """
    ahead, outward = goal - body, point - body
    left, distance = float(np.linalg.norm(ahead)), float(np.linalg.norm(outward))
    ahead, outward = ahead / max(left, 1e-9), outward / max(distance, 1e-9)
    across = np.array([-outward[1], outward[0]])
    angle = float(np.arctan2(-across @ ahead, -outward @ ahead))  # about the body, from the point to right behind it
    working = smooth_step(left, *WORKING_M)
    behind = working * smooth_step(float(np.cos(angle)), *BEHIND_COS)
    circling = max_speed * working * np.tanh(angle / TURN_RAD)
    circle = contact + CIRCLE_M
    away = speed(circle - distance, max_speed) * (1.0 - behind) - speed(left + distance - contact, max_speed) * behind
    return np.asarray(across * circling + outward * away)
