"""What learning by a discriminator must arrive at, where every expectation can be summed exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from imitation_ros.algorithms.tabular import TabularMDP


def discriminator_loss(logits: Tensor, expert: Tensor, rollout: Tensor) -> Tensor:
    """Return the mean of -log D over the expert's visits and of -log(1 - D) over the policy's.

    Args:
        logits: log D - log(1 - D) of each pair or step; positive means expert-like.
        expert, rollout: how often each visits the pair or step, in any scale, of the shape of the logits.
    """
    expert, rollout = expert / expert.sum(), rollout / rollout.sum()
    return (expert * softplus(-logits)).sum() + (rollout * softplus(logits)).sum()


def fit_discriminator(
    logits: Callable[[], Tensor], parameters: Sequence[Tensor], expert: np.ndarray, rollout: np.ndarray
) -> np.ndarray:
    """Fit the parameters until the loss falls no more, by exact expectations; return the logits.

    `logits` may be a table's entries, or a reward_net on every pair at once (in float64: a converged loss needs it);
    the parameters are those that it reads. The optimum is log(expert / rollout), if the logits can take that form.
    """
    targets = torch.as_tensor(expert / expert.sum()), torch.as_tensor(rollout / rollout.sum())
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=2000, tolerance_grad=1e-10, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = discriminator_loss(logits(), *targets)
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        return logits().numpy()


def jensen_shannon(one: np.ndarray, other: np.ndarray) -> float:
    """Return the divergence in nats, 0 (alike) to log 2 (apart), of two distributions in any scale."""
    one, other = one / one.sum(), other / other.sum()
    middle = (one + other) / 2.0
    halves = [np.sum(part * np.log(np.where(part > 0.0, part, 1.0) / middle)) for part in (one, other)]
    return float(sum(halves) / 2.0)


def tells_reward_of_states(mdp: TabularMDP) -> bool:
    """Return whether, in a deterministic world, g(s) + discount * h(s') - h(s) fixes g up to a constant.

    Fu et al. (2018) call such dynamics decomposable: whatever two states lead to is linked to all else.
    """
    ones = np.eye(len(mdp.start))
    rows = [np.hstack([ones, mdp.discount * moves - ones]) for moves in mdp.transitions.swapaxes(0, 1)]
    return bool(np.linalg.matrix_rank(np.vstack(rows)) == 2 * len(ones) - 1)
