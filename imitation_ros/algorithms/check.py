"""What a Config's numbers may be."""

from __future__ import annotations

import math

from imitation_ros.errors import TrainingError


def check_range(name: str, value: float, holds: bool, allowed: str) -> None:
    """Refuse a value that is out of its range, or not finite.

    Raises:
        TrainingError: names what it is and what it may be.
    """
    if not holds or not math.isfinite(value):
        raise TrainingError(f"{name} is {value:g}; it should be {allowed}.")


def check_counts(config: object, *names: str) -> None:
    """Refuse numbers below 1 where things are counted."""
    for name in names:
        check_range(name, getattr(config, name), getattr(config, name) >= 1, "at least 1")
