"""Noise on the executed action, so that demonstrations also show how to recover (DART, Laskey et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.sim_robot import scalar, section
from imitation_ros.robot.field import Field

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Disturbance:
    """How strong the noise is.

    Attributes:
        std: standard deviation, as a fraction of half the action's scale.
        correlation_s: time constant after which noise is forgotten [s]; 0 is white.
    """

    std: float
    correlation_s: float


def parse_disturbance(data: Mapping[str, Any], file: str) -> Disturbance:
    words = ("std", "correlation_s")
    noise = section(data, "disturbance", words, file)
    return Disturbance(*(scalar(noise, word, f"{file}: disturbance") for word in words))


class ActionNoise:
    """One episode's noise, by action field.

    Args:
        fields: the action.
        rng: the episode's own numbers for it.
    """

    def __init__(
        self, disturbance: Disturbance, fields: Iterable[Field], period_s: float, rng: np.random.Generator
    ) -> None:
        self.disturbance, self.period_s, self.rng = disturbance, period_s, rng
        self.state = {field.name: rng.standard_normal(field.width) for field in fields}

    def next(self, field: Field) -> Array:
        """Return what is added to a field in this tick, in its unit."""
        noise = self.disturbance
        low, high = field.scale
        # first-order autoregression: its standard deviation stays `std` for any correlation
        kept = np.exp(-self.period_s / noise.correlation_s) if noise.correlation_s > 0 else 0.0
        added: Array = 0.5 * (high - low) * noise.std * self.state[field.name]
        fresh = self.rng.standard_normal(field.width)
        self.state[field.name] = kept * self.state[field.name] + np.sqrt(1.0 - kept**2) * fresh
        return added
