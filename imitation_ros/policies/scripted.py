"""Policies without a network: what a learned one has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class ConstantPolicy:
    """The same action at every tick, such as the mean of the demonstrations'.

    Attributes:
        action: field name to values, (width,), physical units.
    """

    action: Mapping[str, NDArray[Any]]

    def act(self, observation: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return dict(self.action)
