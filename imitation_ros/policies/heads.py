"""What a policy's last layer says about one action field: a value, a distribution, one of two ends, or of several.

Shapes: B batch, H hidden, A the field's width. The kinds are in continuous_heads.py and discrete_heads.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

CONTINUOUS = ("deterministic", "gaussian", "tanh_gaussian", "mixture")
"""The heads that a recipe may choose for continuous actions."""


class Head(nn.Module, ABC):
    """One linear layer, and what its numbers mean.

    Args:
        hidden: how many numbers come in.
        numbers: how many come out, which the other methods take as `out`, (B, numbers).
    """

    def __init__(self, hidden: int, numbers: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, numbers)

    def forward(self, hidden_BH: Tensor) -> Tensor:
        out: Tensor = self.linear(hidden_BH)
        return out

    @abstractmethod
    def mode(self, out: Tensor) -> Tensor:
        """Return the most likely action as the head learns it, (B, A)."""

    @abstractmethod
    def loss(self, out: Tensor, target_BA: Tensor) -> Tensor:
        """Return what cloning minimises, a scalar."""

    def error(self, out: Tensor, target_BA: Tensor) -> Tensor:
        """Return how far the mode is off, in what targets are measured in, a scalar: what robots feel."""
        return (self.mode(out) - target_BA).abs().mean()
