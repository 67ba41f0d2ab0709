"""Heads of actions that are one of two ends, or one of several values. Shapes as in heads.py; N values."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from imitation_ros.policies.heads import Head


class BinaryHead(Head):
    """Open or closed, by a logit and cross-entropy; the target is 0 or 1, never normalised."""

    def __init__(self, hidden: int) -> None:
        super().__init__(hidden, 1)

    def mode(self, logit_B1: Tensor) -> Tensor:
        return (logit_B1 > 0).to(logit_B1.dtype)

    def sample(self, logit_B1: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return actions, (B, 1), and their log p, (B,)."""
        chance_B1 = torch.rand(logit_B1.shape, generator=generator).to(logit_B1.device)
        chosen_B1 = (chance_B1 < torch.sigmoid(logit_B1)).to(logit_B1.dtype)
        return chosen_B1, self.log_prob(logit_B1, chosen_B1)

    def log_prob(self, logit_B1: Tensor, target_B1: Tensor) -> Tensor:
        """Return log p of targets 0 or 1, (B,)."""
        return -F.binary_cross_entropy_with_logits(logit_B1, target_B1, reduction="none").sum(-1)

    def entropy(self, logit_B1: Tensor) -> Tensor:
        """Return the entropy, (B,)."""
        return (F.softplus(logit_B1) - logit_B1 * torch.sigmoid(logit_B1)).sum(-1)

    def loss(self, logit_B1: Tensor, target_B1: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logit_B1, target_B1)


class CategoryHead(Head):
    """One of several values, by logits and cross-entropy; the target is the value's number, counted from 0."""

    def mode(self, logit_BN: Tensor) -> Tensor:
        return logit_BN.argmax(dim=-1, keepdim=True).to(logit_BN.dtype)

    def sample(self, logit_BN: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return actions, (B, 1), and their log p, (B,)."""
        chosen_B1 = torch.multinomial(logit_BN.softmax(-1).cpu(), 1, generator=generator).to(logit_BN)
        return chosen_B1, self.log_prob(logit_BN, chosen_B1)

    def log_prob(self, logit_BN: Tensor, target_B1: Tensor) -> Tensor:
        """Return log p of targets, (B,)."""
        return -F.cross_entropy(logit_BN, target_B1[:, 0].long(), reduction="none")

    def entropy(self, logit_BN: Tensor) -> Tensor:
        """Return the entropy, (B,)."""
        log_prob_BN = logit_BN.log_softmax(-1)
        return -(log_prob_BN.exp() * log_prob_BN).sum(-1)

    def loss(self, logit_BN: Tensor, target_B1: Tensor) -> Tensor:
        return F.cross_entropy(logit_BN, target_B1[:, 0].long())

    def error(self, logit_BN: Tensor, target_B1: Tensor) -> Tensor:
        """Return the share of targets that the mode misses, a scalar."""
        return (self.mode(logit_BN) != target_B1).to(logit_BN.dtype).mean()
