"""What cloning learns from: observations as the network reads them, and the heads' targets; and how far off it is."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from imitation_ros.data.dataset import Transitions
from imitation_ros.policies.policy import MLPPolicy

Rows = Mapping[str, Tensor]
"""Name to tensor, (N, ...): the same rows of each."""
VALIDATION_ROWS = 512  # at once: images of all held-out ticks, convolved, would fill the memory


class Examples:
    """Observations as the network reads them, and the heads' targets.

    Encoded once, since the normalisers are frozen; but where the data is mapped from files, whenever rows are taken.
    """

    def __init__(self, policy: MLPPolicy, data: Transitions, device: str) -> None:
        self.policy, self.data, self.device = policy, data, device
        self.ready = None if data.mapped else prepare(policy, data, device)

    def take(self, rows: Tensor) -> tuple[Rows, Rows]:
        """Return copies of some rows."""
        if self.ready is None:
            return prepare(self.policy, self.data.take(rows), self.device)
        rows, (prepared, targets) = rows.to(self.device), self.ready
        return rows_of(prepared, rows), rows_of(targets, rows)


@torch.no_grad()
def prepare(policy: MLPPolicy, data: Transitions, device: str) -> tuple[Rows, Rows]:
    """Return what the network reads of the observations, and its targets."""
    observations = {name: value.to(device) for name, value in data.observations.items()}
    labels = {name: value.to(device) for name, value in data.labels.items()}
    return policy.encoder.prepare(observations), policy.targets(labels)


def rows_of(tensors: Rows, rows: Tensor) -> dict[str, Tensor]:
    return {name: tensor.index_select(0, rows) for name, tensor in tensors.items()}


def add_noise(encoded_BE: Tensor, policy: MLPPolicy, std: float, generator: torch.Generator) -> None:
    """Disturb encoded numbers, in place, but for the categories, which come last."""
    numbers = encoded_BE[:, : encoded_BE.shape[1] - sum(field.categories for field in policy.encoder.categories)]
    numbers += (std * torch.randn(numbers.shape, generator=generator)).to(numbers.device)


@torch.no_grad()
def validate(policy: MLPPolicy, examples: Examples, held_out: Tensor) -> dict[str, float]:
    """Return losses and errors of each field on the held-out rows, and the sum of the errors: the validation error.

    The error chooses the checkpoint: a likelihood goes on to punish the few confident mistakes long after the
    policy acts no worse.
    """
    sums: dict[str, float] = {}
    for rows in torch.split(held_out, VALIDATION_ROWS):
        seen, wanted = examples.take(rows)
        found = {f"validation/{name}": value for name, value in policy.losses(seen, wanted).items()}
        found |= {f"error/{name}": value for name, value in policy.errors(seen, wanted).items()}
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + value.item() * len(rows) / len(held_out)
    sums["validation_error"] = sum(value for name, value in sums.items() if name.startswith("error/"))
    return sums
