"""What turns an observation into the numbers that a head reads.

Shapes: B batch, E encoded observation, H hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor, nn

from imitation_ros.policies.normalizer import Normalizer
from imitation_ros.robot.spec import RobotSpec

FINE_M = 0.02  # within this distance a gripper's millimetres matter; beyond it, only the direction


class ObservationEncoder(nn.Module):
    """Observation fields side by side, normalised; positions also as differences, coarse and fine.

    Where things are relative to each other is what manipulation is about, and a network fed absolute
    positions of a metre's spread has to learn differences of a millimetre. So every two positions given
    in the same frame also enter as their difference, normalised, and as tanh(difference / FINE_M).

    Args:
        spec: the observation fields, in order.
        relative_positions: whether to add the differences.
    """

    def __init__(self, spec: RobotSpec, relative_positions: bool) -> None:
        super().__init__()
        self.fields = [field.name for field in spec.observation]
        positioned = [field for field in spec.observation if field.position_slice is not None]
        self.pairs = [
            (one.name, other.name)
            for one, other in combinations(positioned, 2)
            if relative_positions and one.frame == other.frame
        ]
        raw = sum(field.width for field in spec.observation) + 3 * len(self.pairs)
        self.normalizer = Normalizer(raw)
        self.width = raw + 3 * len(self.pairs)

    def raw(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Return fields and differences in physical units, shape (B, raw)."""
        parts = [observation[name] for name in self.fields]
        return torch.cat([*parts, *self.differences(observation)], dim=-1)

    def differences(self, observation: Mapping[str, Tensor]) -> list[Tensor]:
        return [observation[other][..., :3] - observation[one][..., :3] for one, other in self.pairs]

    def fit(self, observation: Mapping[str, Tensor]) -> None:
        """Fit the normaliser to observations of shape (N, width) per field."""
        self.normalizer.fit(self.raw(observation))

    def forward(self, observation: Mapping[str, Tensor]) -> Tensor:
        encoded_BE: Tensor = self.normalizer(self.raw(observation))
        fine = [torch.tanh(difference / FINE_M) for difference in self.differences(observation)]
        return torch.cat([encoded_BE, *fine], dim=-1)


def mlp(width: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """Return linear layers with ReLU between and after, (B, width) -> (B, hidden[-1])."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*layers)
