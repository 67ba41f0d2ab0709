"""What goes wrong in training without an error: a policy that forgets, or noise or a reward that says nothing any more.

Each is told once, when it has lasted; and again only if it went away and came back.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

import torch

from imitation_ros.algorithms.state import TrainState
from imitation_ros.envs.evaluate import Evaluation
from imitation_ros.policies.continuous_heads import GaussianHead
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

LOG_STD, ACCURACY = "policy/log_std", "reward/accuracy"
"""The names under which algorithms measure the mean log standard deviation, and the share of rows told apart."""
LOW_EVALUATIONS = 2  # in a row: one may be bad luck
UNTRAINED_EVALUATIONS = 4  # in a row, where nothing was gained before: learning often starts downwards
AT_BOUND_ROUNDS, AT_BOUND = 5, 0.02  # in a row; of the bounds' distance
TOLD_APART_ROUNDS, TOLD_APART = 10, 0.999


def fallen(state: TrainState, evaluation: Evaluation) -> list[str]:
    """Say that the policy lost more than half of what it had gained, and more than chance explains.

    Args:
        state: its best is that of the evaluations before this one, if there was one.
    """
    watched = state.notes.setdefault("watch", {})
    score = score_of(evaluation)
    first = watched.setdefault("first_score", score)
    if not state.best:
        return []
    gained, lost = state.best_score - first, state.best_score - score
    is_low = lost > max(0.5 * gained, 3.0 * standard_error(evaluation), 0.0)
    limit = LOW_EVALUATIONS if gained > 0 else UNTRAINED_EVALUATIONS
    if lasted(watched, "low evaluations", is_low) != limit:
        return []
    what = "mean return" if evaluation.successes is None else "success rate"
    return [
        f"the policy collapsed: its {what} is {score:.4g} after {state.steps} steps, and was {state.best_score:.4g} "
        f"after {state.best_steps}. The best policy is kept. Lower the learning rates, or stop here."
    ]


def stuck(state: TrainState, measured: Mapping[str, float], network: NetworkConfig) -> list[str]:
    """Say that the policy's noise is at a bound, or that the discriminator tells all rows apart."""
    watched = state.notes.setdefault("watch", {})
    told = []
    low, high, first = network.log_std
    noise, room = measured.get(LOG_STD, math.nan), AT_BOUND * (high - low)
    is_low, is_high = (noise <= low + room < first), (noise >= high - room > first)  # begun there, it is meant
    for end, bound, is_at, advice in (
        ("floor", low, is_low, "it explores no more. Lower the learning rate, or reward entropy"),
        ("ceiling", high, is_high, "it acts by chance. Lower the ceiling, or the learning rate"),
    ):
        if lasted(watched, f"log_std at its {end}", is_at) == AT_BOUND_ROUNDS:
            told.append(
                f"the policy's standard deviation is at its {end}, {math.exp(bound):.3g}, after {state.steps} steps: "
                f"{advice}."
            )
    accuracy = measured.get(ACCURACY, math.nan)
    if lasted(watched, "all told apart", accuracy >= TOLD_APART) == TOLD_APART_ROUNDS:
        told.append(
            f"for {TOLD_APART_ROUNDS} rounds, to {state.steps} steps, the discriminator has told the expert's steps "
            f"from the policy's without a mistake: its reward says little then. Lower its learning rate, or raise "
            f"gradient_penalty."
        )
    return told


def log_std_of(policy: MLPPolicy) -> float | None:
    """Return the mean log standard deviation of heads that have one for all states, or None."""
    heads = [head for head in policy.heads.values() if isinstance(head, GaussianHead)]
    if not heads:
        return None
    return float(torch.cat([head.log_std.detach().clamp(head.bounds.low, head.bounds.high) for head in heads]).mean())


def lasted(watched: dict[str, Any], what: str, holds: bool) -> int:
    """Return for how many rounds in a row something has held."""
    watched[what] = watched.get(what, 0) + 1 if holds else 0
    return int(watched[what])


def score_of(evaluation: Evaluation) -> float:
    """Return what policies are compared by: the success rate, or the mean return where nobody says what success is."""
    return evaluation.mean_return if evaluation.successes is None else evaluation.success_rate


def standard_error(evaluation: Evaluation) -> float:
    """Return how far the score may be off by the luck of its episodes."""
    values = evaluation.returns if evaluation.successes is None else [float(won) for won in evaluation.successes]
    return statistics.pstdev(values) / math.sqrt(len(values))
