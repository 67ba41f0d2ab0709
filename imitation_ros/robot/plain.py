"""A robot spec for numbers that never were on a topic: arrays, or an environment of gymnasium's.

Every field still has a topic and a type, so that what is learned from such data can be deployed as any
other policy: a field called `observation` is a Float64MultiArray on the topic `observation`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

ENDLESS = 1e15  # some environments write the largest float32 for infinity
ARRAY, NUMBER, IMAGE = "std_msgs/msg/Float64MultiArray", "std_msgs/msg/Float64", "sensor_msgs/msg/Image"


def plain_spec(name: str, observation: Sequence[Field], action: Sequence[Field], rate_hz: float) -> RobotSpec:
    """Return a spec of plain fields; see array_field, category_field and image_field.

    Raises:
        SpecError: two fields have one name, or a number is none: what a file of it could not be read back with.
    """
    spec = RobotSpec(name=name, robot=name, rate_hz=rate_hz, observation=tuple(observation), action=tuple(action))
    return spec_from_yaml(spec.to_yaml(), f"the spec of {name!r}")


def array_field(
    name: str, width: int, low: Sequence[float] | None = None, high: Sequence[float] | None = None
) -> Field:
    """Return a field of `width` numbers; an action also has the ends of its scale.

    An end that is infinite says nothing about the scale. By rule it then counts as -1 or 1, the range that
    actions are given in by convention, or as 2 away from the other end where that lies beyond.
    """
    scale: list[tuple[float, ...] | None] = [None, None]
    if low is not None and high is not None:
        ends = [finite_ends(*pair) for pair in zip(low, high, strict=True)]
        scale = [tuple(end[side] for end in ends) for side in (0, 1)]
    return Field(
        name=plain_name(name),
        topic=plain_name(name),
        type=ARRAY,
        names=tuple(f"x{index}" for index in range(width)),
        scale_low=scale[0],
        scale_high=scale[1],
    )


def finite_ends(low: float, high: float) -> tuple[float, float]:
    """Return both ends of a scale, finite and apart; what is beyond ENDLESS counts as infinite."""
    if not abs(low) < ENDLESS:
        low = min(-1.0, high - 2.0) if abs(high) < ENDLESS else -1.0
    if not abs(high) < ENDLESS:
        high = max(1.0, low + 2.0)
    if low == high:  # a number that cannot change still needs a scale
        return float(low) - 1.0, float(high) + 1.0
    return float(low), float(high)


def category_field(name: str, first: int, count: int) -> Field:
    """Return a field of one whole number, from `first` on."""
    if count < 2:
        raise SpecError(f"{name!r} has {count} category; there should be at least 2 to choose from.")
    low, high = (float(first),), (float(first + count - 1),)
    return Field(
        name=plain_name(name), topic=plain_name(name), type=NUMBER, names=("data",), kind="category", scale_low=low,
        scale_high=high)  # fmt: skip


def image_field(name: str, shape: tuple[int, int, int], storage: str = "jpeg") -> Field:
    """Return a field of pixels: height, width, channels; `storage` is jpeg or raw."""
    return Field(
        name=plain_name(name), topic=plain_name(name), type=IMAGE, names=(), kind="image", shape=shape,
        storage=storage)  # fmt: skip


def plain_name(name: str) -> str:
    """Return a name as fields and topics may have it."""
    cleaned = re.sub(r"\W+", "_", name, flags=re.ASCII)
    return cleaned if re.match(r"[A-Za-z_]", cleaned) else f"_{cleaned}"


def spec_from_arrays(
    name: str, observations: dict[str, NDArray[np.generic]], actions: dict[str, NDArray[np.generic]], rate_hz: float
) -> RobotSpec:
    """Return a spec for arrays of one's own: field name to rows, (N, width) or (N,), of all episodes or of one.

    An action's scale is the range it has in these rows, so give all of them, or those that span it. An observation
    of uint8, (N, height, width, 1 or 3), is of images. What chooses among categories has a `category_field`.
    """
    sees = [observed_field(field, np.asarray(rows)) for field, rows in observations.items()]
    does = []
    for field, rows in actions.items():
        table = np.asarray(rows, dtype=np.float64).reshape(len(rows), width_of(field, rows))
        if not np.isfinite(table).all():
            raise SpecError(f"{field!r} holds nan or inf, which is no action. Leave such rows out.")
        does.append(array_field(field, table.shape[1], table.min(axis=0).tolist(), table.max(axis=0).tolist()))
    return plain_spec(name, sees, does, rate_hz)


def observed_field(name: str, rows: NDArray[np.generic]) -> Field:
    if rows.dtype == np.uint8 and rows.ndim == 4 and rows.shape[3] in (1, 3):
        return image_field(name, (rows.shape[1], rows.shape[2], rows.shape[3]))
    return array_field(name, width_of(name, rows))


def width_of(name: str, rows: NDArray[np.generic]) -> int:
    array = np.asarray(rows)
    if array.ndim not in (1, 2) or not len(array):
        raise SpecError(f"{name!r} has the shape {array.shape}; it should be (rows, width), with at least one row.")
    return 1 if array.ndim == 1 else int(array.shape[1])
