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


def towards(error: NDArray[Any], max_speed: float = MAX_SPEED) -> Array:
    """Return a velocity [m/s] along an error [m]: proportional near zero, max_speed far away."""
    distance = float(np.linalg.norm(error))
    return np.asarray(error * (max_speed * np.tanh(GAIN * distance / max_speed) / max(distance, 1e-9)))


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
