"""What is measured of one episode: a record of a few kilobytes, however long the episode is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from imitation_ros.data.episode import Episode
from imitation_ros.data.images import EncodedImages
from imitation_ros.data.quality.following import Following, following_of
from imitation_ros.data.quality.layout import Pair
from imitation_ros.data.quality.motion import Motion, motion_of
from imitation_ros.data.quality.numbers import Numbers, Rows, numbers_of
from imitation_ros.data.quality.signals import Array
from imitation_ros.data.quality.timing import Timing, timing_of


@dataclass(frozen=True)
class Measures:
    """What one episode is like.

    Attributes:
        index: its place in the dataset; name: its file, or file:demo.
        digest: the same for episodes that are identical to the last bit.
        timing: None where nothing was stamped; following: how the robot follows its commands.
    """

    index: int
    name: str
    steps: int
    seconds: float
    success: bool | None
    digest: bytes
    numbers: Numbers
    motion: Motion
    timing: Timing | None
    following: Following


def measure(episode: Episode, index: int, name: str, rows: Rows, pairs: tuple[Pair, ...], scale: Array) -> Measures:
    """Return what an episode is like.

    Args:
        rows: its numbers.
        pairs: which commands and observations to compare.
        scale: the range of each observed number over the dataset, as far as it is known.
    """
    return Measures(
        index=index,
        name=name,
        steps=episode.steps,
        seconds=episode.steps * episode.spec.period_s,
        success=episode.success,
        digest=digest_of(episode),
        numbers=numbers_of(rows, episode, scale),
        motion=motion_of(rows, episode, scale),
        timing=timing_of(episode),
        following=following_of(rows, pairs, scale),
    )


def digest_of(episode: Episode) -> bytes:
    """Return a hash of every number, and of the first and last image of each camera."""
    digest = hashlib.blake2b(digest_size=16)
    for arrays in (episode.observations, episode.actions):
        for name in sorted(arrays):
            values = arrays[name]
            if isinstance(values, EncodedImages):
                values = np.concatenate([values.jpegs[0], values.jpegs[-1]])
            elif values.ndim > 2:
                values = values[[0, -1]]
            digest.update(np.ascontiguousarray(values).data)
    return digest.digest()
