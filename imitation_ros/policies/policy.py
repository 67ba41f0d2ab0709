"""Policies: from the observation of one tick to the action until the next.

Shapes: B batch, E encoded observation, A an action field's width.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imitation_ros.errors import SpecError
from imitation_ros.policies.bundle import as_input
from imitation_ros.policies.continuous_heads import (
    Bounds,
    DeterministicHead,
    GaussianHead,
    MixtureHead,
    TanhGaussianHead,
)
from imitation_ros.policies.discrete_heads import BinaryHead, CategoryHead
from imitation_ros.policies.heads import CONTINUOUS, Head
from imitation_ros.policies.networks import ACTIVATIONS, ObservationEncoder, mlp, module_name
from imitation_ros.policies.normalizer import Normalizer
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]
Density = GaussianHead | TanhGaussianHead | BinaryHead | CategoryHead
"""The heads whose policies PPO, SAC and AIRL can train: they know their log p and their entropy."""


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
    """for continuous actions: deterministic (Huber loss); or, by log-likelihood: gaussian, tanh_gaussian, mixture"""
    activation: str = "relu"
    """between layers: relu or tanh"""
    relative_positions: bool = True
    """also feed the differences between positions in the same frame"""
    log_std: tuple[float, float, float] = (-5.0, 1.0, -0.5)
    """lowest, highest and first log standard deviation of a head that has one, of normalised actions"""
    components: int = 5
    """of a mixture"""

    def __post_init__(self) -> None:
        if self.head not in CONTINUOUS:
            raise SpecError(f"head is {self.head!r}; allowed: {', '.join(CONTINUOUS)}.")
        if self.activation not in ACTIVATIONS:
            raise SpecError(f"activation is {self.activation!r}; allowed: {', '.join(ACTIVATIONS)}.")
        if len(self.log_std) != 3 or not self.log_std[0] <= self.log_std[2] <= self.log_std[1]:
            raise SpecError(
                f"log_std is {list(self.log_std)}; it should be [lowest, highest, first], such as [-5, 1, -0.5]."
            )
        if self.components < 1:
            raise SpecError(f"components is {self.components}; it should be at least 1.")
        sizes_fit = all(type(size) is int and size >= 1 for size in self.hidden)
        if not self.hidden or not sizes_fit:
            raise SpecError(f"hidden is {list(self.hidden)}; it should be sizes of layers, such as [256, 256].")

    def as_json(self) -> dict[str, Any]:
        return {"kind": "mlp", **asdict(self), "hidden": list(self.hidden), "log_std": list(self.log_std)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> NetworkConfig:
        lists = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
        return NetworkConfig(**{**data, **lists})


def head_for(field: Field, config: NetworkConfig, hidden: int) -> Head:
    if field.kind == "binary":
        return BinaryHead(hidden)
    if field.kind == "category":
        return CategoryHead(hidden, field.categories)
    bounds = Bounds(*config.log_std)
    if config.head == "gaussian":
        return GaussianHead(hidden, field.width, bounds)
    if config.head == "tanh_gaussian":
        return TanhGaussianHead(hidden, field.width, bounds)
    if config.head == "mixture":
        return MixtureHead(hidden, field.width, config.components, bounds)
    return DeterministicHead(hidden, field.width)


def sum_of(parts: Iterable[Tensor]) -> Tensor:
    return reduce(operator.add, parts)


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
        self.trunk = mlp(self.encoder.width, config.hidden, config.activation)
        last = config.hidden[-1]
        self.chosen = [field.name for field in spec.action]
        self.heads = nn.ModuleDict()
        self.normalizers = nn.ModuleDict()
        for field in spec.action:
            self.heads[module_name(field.name)] = head_for(field, config, last)
            self.normalizers[module_name(field.name)] = Normalizer(field.width, clip=None)
            self.fit_scale(field)
        self.bounded = [head for head in self.heads.values() if isinstance(head, GaussianHead | MixtureHead)]

    def fit_scale(self, field: Field) -> None:
        """Normalise an action by its own scale: to [-1, 1]; or 0 for the low end, and 1 for the other or the next."""
        low, high = (torch.tensor(end, dtype=torch.float32) for end in field.scale)
        ends = {"binary": (low, high - low), "category": (low, torch.ones(1))}
        mean, std = ends.get(field.kind, (0.5 * (low + high), 0.5 * (high - low)))
        self.normalizer(field.name).mean.copy_(mean)
        self.normalizer(field.name).std.copy_(std)

    def head(self, name: str) -> Head:
        head = self.heads[module_name(name)]
        assert isinstance(head, Head)
        return head

    def density(self, name: str) -> Density:
        head = self.head(name)
        assert isinstance(head, Density)  # is_density was asked before
        return head

    def normalizer(self, name: str) -> Normalizer:
        normalizer = self.normalizers[module_name(name)]
        assert isinstance(normalizer, Normalizer)
        return normalizer

    def fit(self, observations: Mapping[str, Tensor], labels: Mapping[str, Tensor] | None = None) -> None:
        """Fit the normalisers to training data, (N, width) per field, in physical units.

        Without labels, actions keep their own scale, and so do those of a tanh_gaussian head always: it is bounded.
        """
        self.encoder.fit(observations)
        for field in self.spec.action:
            if labels is not None and field.kind == "continuous" and self.config.head != "tanh_gaussian":
                self.normalizer(field.name).fit(labels[field.name])

    def targets(self, labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return labels as the heads learn them: normalised, or whole numbers from 0 for binary and category fields."""
        targets: dict[str, Tensor] = {}
        for field in self.spec.action:
            normal = self.normalizer(field.name)(labels[field.name])
            whole = {"binary": (normal > 0.5).to(normal.dtype), "category": normal.round()}
            targets[field.name] = whole.get(field.kind, normal)
        return targets

    def physical(self, targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return actions in physical units; the inverse of `targets`."""
        return {name: self.normalizer(name).invert(targets[name]) for name in self.chosen}

    @property
    def device(self) -> torch.device:
        return self.encoder.normalizer.mean.device

    @property
    def is_density(self) -> bool:
        """Whether the policy knows log p and entropy of its actions, which PPO, SAC and AIRL need."""
        return all(isinstance(self.head(name), Density) for name in self.chosen)

    def log_prob(self, encoded_BE: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Return log p of actions as the heads learn them, given what the trunk reads, shape (B,)."""
        hidden = self.trunk(encoded_BE)
        heads = {name: self.density(name) for name in self.chosen}
        return sum_of(head.log_prob(head(hidden), targets[name]) for name, head in heads.items())

    def entropy(self, encoded_BE: Tensor) -> Tensor:
        """Return the entropy of the distribution that actions come from, (B,)."""
        hidden = self.trunk(encoded_BE)
        heads = [self.density(name) for name in self.chosen]
        return sum_of(head.entropy(head(hidden)) for head in heads)

    def sample(self, encoded_BE: Tensor, generator: torch.Generator) -> tuple[dict[str, Tensor], Tensor]:
        """Return drawn actions as the heads learn them, (B, A) per field, and their log p, (B,)."""
        hidden = self.trunk(encoded_BE)
        heads = {name: self.density(name) for name in self.chosen}
        drawn = {name: head.sample(head(hidden), generator) for name, head in heads.items()}
        actions = {name: action for name, (action, _) in drawn.items()}
        return actions, sum_of(log_prob for _, log_prob in drawn.values())

    def keep_in_bounds(self) -> None:
        """Put learned log-stds back within their bounds: beyond them they would get no gradient, and stay."""
        for head in self.bounded:
            head.log_std.data.clamp_(head.bounds.low, head.bounds.high)

    def losses(self, prepared: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return each action field's loss, a scalar; their sum is what BC minimises.

        Args:
            prepared: observations as `encoder.prepare` returns them.
        """
        hidden = self.trunk(self.encoder.join(prepared))
        heads = {name: self.head(name) for name in self.chosen}
        return {name: head.loss(head(hidden), targets[name]) for name, head in heads.items()}

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
