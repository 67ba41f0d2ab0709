"""Policies: from the observation of one tick to the action until the next.

Shapes: B batch, E encoded observation, A an action field's width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imitation_ros.errors import SpecError
from imitation_ros.policies.bundle import as_input
from imitation_ros.policies.heads import CONTINUOUS, BinaryHead, CategoryHead, DeterministicHead, GaussianHead, Head
from imitation_ros.policies.networks import ObservationEncoder, mlp, module_name
from imitation_ros.policies.normalizer import Normalizer
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]


class Policy(Protocol):
    """What drives a robot, real or simulated: a learned policy, a bundle, or a scripted expert."""

    def act(self, observation: Mapping[str, Array]) -> dict[str, Array]:
        """Return field name to action, (width,), for field name to observation, (width,), both in physical units."""
        ...


@dataclass(frozen=True)
class NetworkConfig:
    """The network of an MLP policy."""

    hidden: tuple[int, ...] = (256, 256)
    """sizes of the hidden layers"""
    head: str = "deterministic"
    """for continuous actions: deterministic (Huber loss), or gaussian (log-likelihood)"""
    relative_positions: bool = True
    """also feed the differences between positions in the same frame"""

    def __post_init__(self) -> None:
        if self.head not in CONTINUOUS:
            raise SpecError(f"head is {self.head!r}; allowed: {', '.join(CONTINUOUS)}.")
        sizes_fit = all(type(size) is int and size >= 1 for size in self.hidden)
        if not self.hidden or not sizes_fit:
            raise SpecError(f"hidden is {list(self.hidden)}; it should be sizes of layers, such as [256, 256].")

    def as_json(self) -> dict[str, Any]:
        return {"kind": "mlp", **asdict(self), "hidden": list(self.hidden)}


def head_for(field: Field, config: NetworkConfig, hidden: int) -> Head:
    if field.kind == "binary":
        return BinaryHead(hidden)
    if field.kind == "category":
        return CategoryHead(hidden, field.categories)
    if config.head == "gaussian":
        return GaussianHead(hidden, field.width)
    return DeterministicHead(hidden, field.width)


class MLPPolicy(nn.Module):
    """Observation -> encoding -> MLP -> one head per action field; normalisation is inside.

    Args:
        spec: what goes in and out.
        config: the network.
    """

    low: Tensor
    high: Tensor

    def __init__(self, spec: RobotSpec, config: NetworkConfig) -> None:
        super().__init__()
        self.spec, self.config = spec, config
        self.encoder = ObservationEncoder(spec, config.relative_positions)
        self.trunk = mlp(self.encoder.width, config.hidden)
        last = config.hidden[-1]
        self.chosen = [field.name for field in spec.action]
        self.heads = nn.ModuleDict()
        self.normalizers = nn.ModuleDict()
        for field in spec.action:
            self.heads[module_name(field.name)] = head_for(field, config, last)
            self.normalizers[module_name(field.name)] = Normalizer(field.width, clip=None)
            if field.kind != "continuous":  # 0 means the low end, and 1 the other or the next: known, not fitted
                low, high = (torch.tensor(end, dtype=torch.float32) for end in field.scale)
                self.normalizer(field.name).mean.copy_(low)
                self.normalizer(field.name).std.copy_(high - low if field.kind == "binary" else torch.ones(1))

    def head(self, name: str) -> Head:
        head = self.heads[module_name(name)]
        assert isinstance(head, Head)
        return head

    def normalizer(self, name: str) -> Normalizer:
        normalizer = self.normalizers[module_name(name)]
        assert isinstance(normalizer, Normalizer)
        return normalizer

    def fit(self, observations: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> None:
        """Fit the normalisers to training data, (N, width) per field, in physical units."""
        self.encoder.fit(observations)
        for field in self.spec.action:
            if field.kind == "continuous":
                self.normalizer(field.name).fit(labels[field.name])

    def targets(self, labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return labels as the heads learn them: normalised, or whole numbers from 0 for binary and category fields."""
        targets: dict[str, Tensor] = {}
        for field in self.spec.action:
            normal = self.normalizer(field.name)(labels[field.name])
            whole = {"binary": (normal > 0.5).to(normal.dtype), "category": normal.round()}
            targets[field.name] = whole.get(field.kind, normal)
        return targets

    @property
    def device(self) -> torch.device:
        return self.encoder.normalizer.mean.device

    def losses(self, prepared: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return each action field's loss, a scalar; their sum is what BC minimises.

        Args:
            prepared: observations as `encoder.prepare` returns them.
        """
        hidden = self.trunk(self.encoder.join(prepared))
        return {name: self.head(name).loss(self.head(name)(hidden), targets[name]) for name in self.chosen}

    def errors(self, prepared: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return how far each action field's mode is off, a scalar: what robots feel, unlike a likelihood."""
        hidden = self.trunk(self.encoder.join(prepared))
        return {name: self.head(name).error(self.head(name)(hidden), targets[name]) for name in self.chosen}

    def forward(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the most likely action per field, (B, A), in physical units."""
        hidden = self.trunk(self.encoder(observation))
        return {
            name: self.normalizer(name).invert(self.head(name).mode(self.head(name)(hidden))) for name in self.chosen
        }

    @torch.no_grad()
    def act(self, observation: Mapping[str, Array]) -> dict[str, Array]:
        batch = {f.name: torch.from_numpy(as_input(observation, f))[None] for f in self.spec.observation}
        return {name: action[0].numpy() for name, action in self(batch).items()}
