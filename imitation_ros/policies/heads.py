"""What a policy's last layer says about one action field: a value, a distribution, one of two ends, or of several.

Shapes: B batch, H hidden, A the field's width. Continuous heads work on normalised actions.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOG_STD_LOW, LOG_STD_HIGH = -5.0, 1.0  # a policy that is sure of itself, or of nothing, stops learning


class DeterministicHead(nn.Module):
    """The action itself, fitted by the Huber loss (robust to a demonstrator's slips)."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, width)

    def forward(self, hidden_BH: Tensor) -> Tensor:
        out: Tensor = self.linear(hidden_BH)
        return out

    def mode(self, out_BA: Tensor) -> Tensor:
        return out_BA

    def sample(self, out_BA: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return out_BA

    def loss(self, out_BA: Tensor, action_BA: Tensor) -> Tensor:
        return F.smooth_l1_loss(out_BA, action_BA, beta=0.5)

    def error(self, out_BA: Tensor, action_BA: Tensor) -> Tensor:
        """Return how far the mode is off, in standard deviations of the labels, a scalar."""
        return (self.mode(out_BA) - action_BA).abs().mean()


class GaussianHead(nn.Module):
    """A normal distribution whose mean follows the state, and whose log-std is one learned number per action number.

    A log-std of the state fits noise-free labels ever more narrowly where it has seen them, and is wrong elsewhere.
    """

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, width)
        self.log_std = nn.Parameter(torch.full((width,), -0.5))

    def forward(self, hidden_BH: Tensor) -> Tensor:
        out: Tensor = self.linear(hidden_BH)
        return out

    def split(self, out: Tensor) -> tuple[Tensor, Tensor]:
        return out, self.log_std.clamp(LOG_STD_LOW, LOG_STD_HIGH).expand_as(out)

    def mode(self, out: Tensor) -> Tensor:
        return self.split(out)[0]

    def sample(self, out: Tensor, generator: torch.Generator | None = None) -> Tensor:
        mean_BA, log_std_BA = self.split(out)
        noise_BA = torch.randn(mean_BA.shape, generator=generator)
        return mean_BA + log_std_BA.exp() * noise_BA

    def log_prob(self, out: Tensor, action_BA: Tensor) -> Tensor:
        """Return log p of normalised actions, shape (B,)."""
        mean_BA, log_std_BA = self.split(out)
        z_BA = (action_BA - mean_BA) * (-log_std_BA).exp()
        return (-0.5 * z_BA.square() - log_std_BA - 0.5 * math.log(2 * math.pi)).sum(-1)

    def loss(self, out: Tensor, action_BA: Tensor) -> Tensor:
        return -self.log_prob(out, action_BA).mean()

    def error(self, out: Tensor, action_BA: Tensor) -> Tensor:
        """Return how far the mode is off, in standard deviations of the labels, a scalar."""
        return (self.mode(out) - action_BA).abs().mean()


class BinaryHead(nn.Module):
    """Open or closed, by a logit and cross-entropy; the target is 0 or 1, never normalised."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, 1)

    def forward(self, hidden_BH: Tensor) -> Tensor:
        out: Tensor = self.linear(hidden_BH)
        return out

    def mode(self, logit_B1: Tensor) -> Tensor:
        return (logit_B1 > 0).to(logit_B1.dtype)

    def sample(self, logit_B1: Tensor, generator: torch.Generator | None = None) -> Tensor:
        chance_B1 = torch.rand(logit_B1.shape, generator=generator)
        return (chance_B1 < torch.sigmoid(logit_B1)).to(logit_B1.dtype)

    def log_prob(self, logit_B1: Tensor, target_B1: Tensor) -> Tensor:
        """Return log p of targets 0 or 1, shape (B,)."""
        return -F.binary_cross_entropy_with_logits(logit_B1, target_B1, reduction="none").sum(-1)

    def loss(self, logit_B1: Tensor, target_B1: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logit_B1, target_B1)

    def error(self, logit_B1: Tensor, target_B1: Tensor) -> Tensor:
        """Return the share of targets that the mode misses, a scalar."""
        return (self.mode(logit_B1) != target_B1).to(logit_B1.dtype).mean()


class CategoryHead(nn.Module):
    """One of several values, by logits and cross-entropy; the target is the value's number, counted from 0."""

    def __init__(self, hidden: int, categories: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, categories)

    def forward(self, hidden_BH: Tensor) -> Tensor:
        out: Tensor = self.linear(hidden_BH)
        return out

    def mode(self, logit_BN: Tensor) -> Tensor:
        return logit_BN.argmax(dim=-1, keepdim=True).to(logit_BN.dtype)

    def sample(self, logit_BN: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return torch.multinomial(logit_BN.softmax(-1), 1, generator=generator).to(logit_BN.dtype)

    def log_prob(self, logit_BN: Tensor, target_B1: Tensor) -> Tensor:
        """Return log p of targets, shape (B,)."""
        return -F.cross_entropy(logit_BN, target_B1[:, 0].long(), reduction="none")

    def loss(self, logit_BN: Tensor, target_B1: Tensor) -> Tensor:
        return F.cross_entropy(logit_BN, target_B1[:, 0].long())

    def error(self, logit_BN: Tensor, target_B1: Tensor) -> Tensor:
        """Return the share of targets that the mode misses, a scalar."""
        return (self.mode(logit_BN) != target_B1).to(logit_BN.dtype).mean()


Head = DeterministicHead | GaussianHead | BinaryHead | CategoryHead
CONTINUOUS = ("deterministic", "gaussian")
"""The heads that a recipe may choose for continuous actions."""
