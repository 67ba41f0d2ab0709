"""Frozen affine normalisers, fitted on training data and stored with the policy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

RANGE_FLOOR = 0.01  # of a number's range: a nearly constant number must not be blown up to noise
CLIP = 10.0  # standard deviations; a sensor far outside its training data saturates instead of exploding


class Normalizer(nn.Module):
    """x -> (x - mean) / std per number, clipped; and back. Identity until fitted.

    Args:
        width: how many numbers a row has.
        clip: bound of the normalised values; None for actions, whose labels are never cut.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int, clip: float | None = CLIP) -> None:
        super().__init__()
        self.clip = clip
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))

    def fit(self, rows: Tensor) -> None:
        """Fit to rows of shape (N, width); a constant number gets a standard deviation of 1."""
        rows = rows.double()
        spread = rows.amax(0) - rows.amin(0)
        std = torch.maximum(rows.std(0, unbiased=False), RANGE_FLOOR * spread)
        self.mean.copy_(rows.mean(0))
        self.std.copy_(torch.where(spread > 1e-6, std, torch.ones_like(std)))

    def forward(self, rows: Tensor) -> Tensor:
        normal = (rows - self.mean) / self.std
        return normal if self.clip is None else normal.clamp(-self.clip, self.clip)

    def invert(self, normal: Tensor) -> Tensor:
        return normal * self.std + self.mean
