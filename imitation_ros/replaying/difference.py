"""How far two runs of an episode are apart, field by field and tick by tick."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.data.episode import Episode
from imitation_ros.data.images import EncodedImages
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages.images import decoded, encoded

Array = NDArray[Any]

IMAGE_LEVELS = 2.0  # of 255, the mean over an image: an edge that moves by a pixel is less
REWARD = "reward"


@dataclass(frozen=True)
class Difference:
    """How far one field of a replay is from the recording.

    Attributes:
        largest, mean: of all numbers, in the field's unit; of an image in grey levels, the mean of each image.
        first: the first tick that is beyond the tolerance; None where none is.
        exact: whether every bit is the same.
    """

    name: str
    unit: str
    largest: float
    mean: float
    first: int | None
    exact: bool


@dataclass(frozen=True)
class Replayed:
    """What the simulator made of an episode's executed actions.

    Attributes:
        observations: one row per tick, T + 1, as a recording holds them.
        rewards: (T,); success: None where the task says nothing.
    """

    observations: Sequence[Mapping[str, Array]]
    rewards: Array
    success: bool | None


def differences(episode: Episode, replayed: Replayed, tolerance: float) -> Iterator[Difference]:
    """Yield a difference for each observation field, and for the rewards where the recording has some."""
    for field in episode.spec.observation:
        recorded = episode.observations[field.name]
        rows = [row[field.name] for row in replayed.observations]
        if field.is_image:
            each = np.array([image_difference(recorded, tick, row, field) for tick, row in enumerate(rows)])
            yield summed(field.name, "levels", each, IMAGE_LEVELS)
        else:
            again = np.array(rows, dtype=np.float64)
            yield summed(field.name, field.unit, np.abs(again - np.asarray(recorded, dtype=np.float64)), tolerance)
    if episode.rewards is not None:
        again = replayed.rewards.astype(np.float32).astype(np.float64)
        yield summed(REWARD, "", np.abs(again - episode.rewards.astype(np.float64)), tolerance)


def summed(name: str, unit: str, apart: Array, tolerance: float) -> Difference:
    """Return what is said of the differences of one field, (ticks, ...)."""
    if not apart.size:
        return Difference(name, unit, 0.0, 0.0, None, exact=True)
    worst = apart.reshape(len(apart), -1).max(axis=1)
    beyond = np.flatnonzero(~(worst <= tolerance))  # what is no number is beyond
    first = int(beyond[0]) if len(beyond) else None
    return Difference(name, unit, float(worst.max()), float(apart.mean()), first, exact=not apart.any())


def image_difference(recorded: Array | EncodedImages, tick: int, pixels: Array, field: Field) -> float:
    """Return how far an image is from the recorded one in grey levels, after the same JPEG where one is stored."""
    if not isinstance(recorded, EncodedImages):
        seen = np.asarray(recorded[tick])
    else:
        jpeg = encoded(pixels, field)
        if np.array_equal(jpeg, recorded.jpegs[tick]):
            return 0.0
        seen, pixels = recorded[tick], decoded(jpeg, field)
    return float(np.abs(seen.astype(np.int16) - pixels.astype(np.int16)).mean())
