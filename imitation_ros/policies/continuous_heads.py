"""Heads of continuous actions, normalised: a value, or a distribution. Shapes as in heads.py; K parts of a mixture."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imitation_ros.policies.heads import Head

NEAR_BOUND = 0.99  # tanh reaches 1 at infinity, so densities of bounded actions are read no nearer to it
LOG_2PI = math.log(2 * math.pi)
NODES = 16  # of the quadrature: exact to 0.01 at a standard deviation of 2.7, to 1e-5 at 0.6


class Bounds(NamedTuple):
    """Of a log standard deviation: a policy that is sure of itself, or of nothing, stops learning."""

    low: float = -5.0
    high: float = 1.0
    start: float = -0.5

    def of(self, spread: Tensor) -> Tensor:
        """Return any numbers as log-stds within the bounds: 0 is the start. A clamp would have no gradient beyond."""
        middle, half, offset = self.curve
        return middle + half * torch.tanh(spread + offset)

    @property
    def curve(self) -> tuple[float, float, float]:
        """The middle, the half of the range, and what is added before the tanh."""
        middle, half = 0.5 * (self.low + self.high), 0.5 * (self.high - self.low)
        share = (self.start - middle) / half if half else 0.0
        return middle, half, math.atanh(min(max(share, -NEAR_BOUND), NEAR_BOUND))


BOUNDS = Bounds()


def gaussian_log_prob(mean: Tensor, log_std: Tensor, value: Tensor) -> Tensor:
    """Return log N(value; mean, exp(log_std)), summed over the last dimension."""
    z = (value - mean) * (-log_std).exp()
    return -0.5 * z.square().sum(-1) - (log_std + 0.5 * LOG_2PI).sum(-1)


def log_slope(before: Tensor) -> Tensor:
    """Return log(1 - tanh(x)^2), exact also where tanh rounds to 1."""
    return 2.0 * (math.log(2.0) - before - F.softplus(-2.0 * before))


def normal_like(rows: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return normal numbers; drawn on the CPU, so that a seed means the same on every device."""
    return torch.randn(rows.shape, generator=generator).to(rows.device)


class DeterministicHead(Head):
    """The action itself, fitted by the Huber loss (robust to a demonstrator's slips)."""

    def mode(self, out_BA: Tensor) -> Tensor:
        return out_BA

    def loss(self, out_BA: Tensor, action_BA: Tensor) -> Tensor:
        return F.smooth_l1_loss(out_BA, action_BA, beta=0.5)


class GaussianHead(Head):
    """A normal distribution whose mean follows the state, and whose log-std is one learned number per action number.

    A log-std of the state fits noise-free labels ever more narrowly where it has seen them, and is wrong elsewhere.
    """

    def __init__(self, hidden: int, width: int, bounds: Bounds = BOUNDS) -> None:
        super().__init__(hidden, width)
        self.bounds = bounds
        self.log_std = nn.Parameter(torch.full((width,), bounds.start))

    def split(self, out_BA: Tensor) -> tuple[Tensor, Tensor]:
        """Return means, (B, A), and log-stds, (A,)."""
        return out_BA, self.log_std.clamp(self.bounds.low, self.bounds.high)

    def mode(self, out_BA: Tensor) -> Tensor:
        return out_BA

    def sample(self, out_BA: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return actions, (B, A), through which gradients flow, and their log p, (B,)."""
        mean_BA, log_std_A = self.split(out_BA)
        action_BA = mean_BA + log_std_A.exp() * normal_like(mean_BA, generator)
        return action_BA, gaussian_log_prob(mean_BA, log_std_A, action_BA)

    def log_prob(self, out_BA: Tensor, action_BA: Tensor) -> Tensor:
        """Return log p of normalised actions, (B,)."""
        return gaussian_log_prob(*self.split(out_BA), action_BA)

    def entropy(self, out_BA: Tensor) -> Tensor:
        """Return the entropy, (B,)."""
        return (self.split(out_BA)[1] + 0.5 * (1.0 + LOG_2PI)).sum().expand(len(out_BA))

    def loss(self, out_BA: Tensor, action_BA: Tensor) -> Tensor:
        return -self.log_prob(out_BA, action_BA).mean()


class TanhGaussianHead(Head):
    """tanh of a normal distribution: never beyond the action's scale (Haarnoja et al. 2018, appendix C).

    Mean and log-std follow the state; targets are of the field's scale, in [-1, 1]. Its mode is the tanh of the mean:
    where the density is highest may be at the very bounds.
    """

    def __init__(self, hidden: int, width: int, bounds: Bounds = BOUNDS) -> None:
        super().__init__(hidden, 2 * width)
        self.bounds = bounds

    def split(self, out: Tensor) -> tuple[Tensor, Tensor]:
        """Return means before the tanh, and log-stds, (B, A) each."""
        mean_BA, spread_BA = out.chunk(2, dim=-1)
        return mean_BA, self.bounds.of(spread_BA)

    def mode(self, out: Tensor) -> Tensor:
        return torch.tanh(out.chunk(2, dim=-1)[0])

    def sample(self, out: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return actions, (B, A), through which gradients flow, and their log p, (B,)."""
        mean_BA, log_std_BA = self.split(out)
        noise_BA = normal_like(mean_BA, generator)
        before_BA = mean_BA + log_std_BA.exp() * noise_BA
        log_prob_BA = -0.5 * noise_BA.square() - log_std_BA - 0.5 * LOG_2PI - log_slope(before_BA)
        return torch.tanh(before_BA), log_prob_BA.sum(-1)

    def log_prob(self, out: Tensor, action_BA: Tensor) -> Tensor:
        """Return log p of actions in [-1, 1], read at most at NEAR_BOUND, (B,)."""
        mean_BA, log_std_BA = self.split(out)
        before_BA = torch.atanh(action_BA.clamp(-NEAR_BOUND, NEAR_BOUND))
        return gaussian_log_prob(mean_BA, log_std_BA, before_BA) - log_slope(before_BA).sum(-1)

    def entropy(self, out: Tensor) -> Tensor:
        """Return the entropy, (B,): that of the normal distribution, and the mean of the log slope by quadrature."""
        mean_BA, log_std_BA = self.split(out)
        nodes_N, weights_N = (torch.from_numpy(part).to(out) for part in HERMITE)
        slope_BA = log_slope(mean_BA[..., None] + log_std_BA.exp()[..., None] * nodes_N) @ weights_N
        return (log_std_BA + 0.5 * (1.0 + LOG_2PI) + slope_BA).sum(-1)

    def loss(self, out: Tensor, action_BA: Tensor) -> Tensor:
        return -self.log_prob(out, action_BA).mean()


def hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return places and weights whose sum is the mean over a standard normal distribution (Gauss-Hermite)."""
    places, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return places, weights / weights.sum()


HERMITE = hermite(NODES)


class MixtureHead(Head):
    """Several normal distributions and their weights: where experts do one thing or another (Bishop 1994).

    Its mode is the mean of the heaviest, never a mean of two.
    """

    def __init__(self, hidden: int, width: int, components: int, bounds: Bounds = BOUNDS) -> None:
        super().__init__(hidden, components * (1 + width))
        self.width, self.components, self.bounds = width, components, bounds
        self.log_std = nn.Parameter(torch.full((components, width), bounds.start))

    def split(self, out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log weights (B, K), means (B, K, A) and log-stds (K, A)."""
        logit_BK, mean = out[:, : self.components], out[:, self.components :]
        log_std_KA = self.log_std.clamp(self.bounds.low, self.bounds.high)
        return logit_BK.log_softmax(-1), mean.reshape(-1, self.components, self.width), log_std_KA

    def mode(self, out: Tensor) -> Tensor:
        weight_BK, mean_BKA, _ = self.split(out)
        heaviest_B1A = weight_BK.argmax(-1)[:, None, None].expand(-1, 1, self.width)
        return mean_BKA.gather(1, heaviest_B1A)[:, 0]

    def sample(self, out: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return actions, (B, A), and their log p, (B,). No gradient says which normal distribution to choose."""
        weight_BK, mean_BKA, log_std_KA = self.split(out)
        chosen_B = torch.multinomial(weight_BK.exp().cpu(), 1, generator=generator)[:, 0].to(out.device)
        mean_BA = mean_BKA[torch.arange(len(chosen_B)), chosen_B]
        action_BA = mean_BA + log_std_KA[chosen_B].exp() * normal_like(mean_BA, generator)
        return action_BA, self.log_prob(out, action_BA)

    def log_prob(self, out: Tensor, action_BA: Tensor) -> Tensor:
        """Return log p of normalised actions, (B,)."""
        weight_BK, mean_BKA, log_std_KA = self.split(out)
        return (weight_BK + gaussian_log_prob(mean_BKA, log_std_KA, action_BA[:, None])).logsumexp(-1)

    def loss(self, out: Tensor, action_BA: Tensor) -> Tensor:
        return -self.log_prob(out, action_BA).mean()

    def error(self, out: Tensor, action_BA: Tensor) -> Tensor:
        """Return the standard deviation of a normal distribution that would be as surprised, a scalar.

        Not how far the mode is off: of two ways that the expert goes alike, the middle is as near as either of them.
        """
        surprise = self.loss(out, action_BA) / self.width
        return (surprise - 0.5 * (1.0 + LOG_2PI)).exp()
