"""Rotations between messages (quaternions) and arrays (rotation_6d or rotvec).

Quaternions are [x, y, z, w] as in geometry_msgs and exist only at the edge: q and -q are the same
rotation, so an average or a network must never see one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def quaternion_to_matrix(quaternion: Array | tuple[float, ...]) -> Array:
    """Return the rotation matrix, shape (3, 3), of a quaternion [x, y, z, w] of any length but zero.

    Raises:
        ValueError: the quaternion is zero or not finite, as in a message that nobody filled.
    """
    numbers = [float(number) for number in quaternion]  # four floats are faster than an array of them
    norm = math.hypot(*numbers)
    if not math.isfinite(norm) or norm < 1e-6:
        raise ValueError(f"the quaternion {numbers} is no rotation: its length is {norm:g}")
    x, y, z, w = numbers
    s = 2.0 / norm**2
    return np.array(
        [
            [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
            [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
            [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
        ]
    )


def matrix_to_quaternion(matrix: Array) -> Array:
    """Return [x, y, z, w] with w >= 0 (Shepperd 1978: divide by the largest component)."""
    m = np.asarray(matrix, dtype=np.float64)
    squares = np.array(
        [
            1 + m[0, 0] - m[1, 1] - m[2, 2],
            1 - m[0, 0] + m[1, 1] - m[2, 2],
            1 - m[0, 0] - m[1, 1] + m[2, 2],
            1 + m[0, 0] + m[1, 1] + m[2, 2],
        ]
    )
    largest = int(np.argmax(squares))
    candidates = np.array(
        [
            [squares[0], m[1, 0] + m[0, 1], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
            [m[1, 0] + m[0, 1], squares[1], m[2, 1] + m[1, 2], m[0, 2] - m[2, 0]],
            [m[0, 2] + m[2, 0], m[2, 1] + m[1, 2], squares[2], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], squares[3]],
        ]
    )
    quaternion: Array = candidates[largest] / np.linalg.norm(candidates[largest])
    return -quaternion if quaternion[3] < 0 else quaternion


def matrix_to_rotation_6d(matrix: Array) -> Array:
    """Return the first two columns, shape (6,): continuous, unlike any 3 or 4 numbers (Zhou et al. 2019)."""
    return np.asarray(matrix.T[:2].ravel())


def rotation_6d_to_matrix(rotation: Array) -> Array:
    """Return the matrix whose first two columns are nearest in order (Gram-Schmidt, Zhou et al. 2019).

    Raises:
        ValueError: the two columns are parallel or zero, so they say no rotation.
    """
    first, second = np.asarray(rotation[:3], dtype=np.float64), np.asarray(rotation[3:6], dtype=np.float64)
    length = float(np.linalg.norm(first))
    x = first / length if length > 1e-6 else first
    y = second - (x @ second) * x
    rest = float(np.linalg.norm(y))
    if length <= 1e-6 or rest <= 1e-6:
        raise ValueError(f"{np.asarray(rotation).tolist()} is no rotation_6d: its two columns are zero or parallel")
    y = y / rest
    return np.stack([x, y, np.cross(x, y)], axis=1)


def matrix_to_rotvec(matrix: Array) -> Array:
    """Return axis times angle [rad], shape (3,), angle in [0, pi]."""
    x, y, z, w = matrix_to_quaternion(matrix)
    axis = np.array([x, y, z])
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        return 2.0 * axis
    return np.asarray(axis * (2.0 * np.arctan2(sine, w) / sine))


def rotvec_to_matrix(rotvec: Array) -> Array:
    """Return the matrix of axis times angle [rad] (Rodrigues)."""
    angle = float(np.linalg.norm(rotvec))
    half = 0.5 * angle
    # sin(a/2)/a has the limit 1/2: no division by zero at the identity
    factor = 0.5 if angle < 1e-12 else np.sin(half) / angle
    return quaternion_to_matrix(np.array([*(np.asarray(rotvec, dtype=np.float64) * factor), np.cos(half)]))


ROTATIONS = {
    "rotation_6d": (matrix_to_rotation_6d, rotation_6d_to_matrix, ("r11", "r21", "r31", "r12", "r22", "r32")),
    "rotvec": (matrix_to_rotvec, rotvec_to_matrix, ("rx", "ry", "rz")),
}
"""Name to (from matrix, to matrix, the names of its numbers)."""
