"""Which start of the simulator an episode began at: as its file says, or as its first observation shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imitation_ros.data.episode import Episode
from imitation_ros.envs.environment import PURPOSES, Environment

SAME = 1e-5  # in a field's unit: a rotation that went through a quaternion is not the same to the last bit
SEARCHED = {"train": 1000, "rollout": 100, "validation": 100, "test": 100}


@dataclass(frozen=True)
class Start:
    """A start of the simulator.

    Attributes:
        found: it was looked for, because the recording does not say.
    """

    seed: int
    purpose: str
    number: int
    found: bool = False

    def __str__(self) -> str:
        said = f"start {self.number} of seed {self.seed}"
        return said if self.purpose == "train" else f"{self.purpose} {said}"


def recorded_start(episode: Episode) -> Start | None:
    """Return the start that an episode's attributes name; None where they do not, as those of a recorder."""
    seed, purpose, number = (episode.attributes.get(word) for word in ("seed", "purpose", "start"))
    if isinstance(seed, int) and isinstance(number, int) and purpose in PURPOSES and min(seed, number) >= 0:
        return Start(seed, str(purpose), number)
    return None


def find_start(env: Environment, episode: Episode, seed: int, guess: int) -> Start | None:
    """Return the start of a seed whose first observation is the episode's; None where none of the first is.

    A recorder hears what the simulator shows, and not which start it is.

    Args:
        guess: the start to look at first.
    """
    for purpose, count in SEARCHED.items():
        numbers = [*({guess} & {*range(count)}), *range(count)]
        for number in numbers:
            if begins_alike(env, episode, seed, purpose, number):
                return Start(seed, purpose, number, found=True)
    return None


def begins_alike(env: Environment, episode: Episode, seed: int, purpose: str, number: int) -> bool:
    first = env.begin(seed, purpose, number)
    numbers = [field.name for field in episode.spec.observation if not field.is_image]
    return bool(numbers) and all(
        np.abs(first[name].astype(np.float64) - episode.observations[name][0]).max(initial=0.0) <= SAME
        for name in numbers
    )
