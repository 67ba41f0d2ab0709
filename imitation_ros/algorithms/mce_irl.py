"""Maximum causal entropy inverse reinforcement learning (Ziebart 2010), exact, where the world is finite and known.

Of all rewards that are linear in features of the state (or of state and action), it finds the one whose soft-optimal
policy meets the expert's features as often as the expert does. That is also the reward that makes what the expert
chose most likely, and this is how it is found. A reference for what is learned approximately elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imitation_ros.algorithms.check import check_counts, check_range
from imitation_ros.algorithms.tabular import Array, Solution, TabularMDP, Walk, followed, solve
from imitation_ros.errors import TrainingError

Objective = Callable[[Array], tuple[float, Array, Solution]]
"""Weights to a loss, its gradient, and the soft-optimal policy for them."""
ENOUGH = 1e-4  # of the decrease that the slope promises: what a step must reach (Armijo 1966)
ROUNDING = 1e-13  # of the loss: near its minimum no step decreases it by more
SMALLEST = 1e-12  # of a step: below, the loss is not what its gradient says


@dataclass(frozen=True)
class Config:
    """Maximum causal entropy: find the reward that explains what the expert chose."""

    updates: int = 2000
    """of the weights, at most"""
    tolerance: float = 1e-6
    """of the feature gap, at which the search ends: in discounted visits an episode, times a feature's value"""
    weight_decay: float = 0.0
    """times half the squared weights, and the gap left at each; above 0 (1e-3) where demonstrations are few: what they
    happen not to show may be explained best by a reward without end"""

    def __post_init__(self) -> None:
        check_counts(self, "updates")
        check_range("tolerance", self.tolerance, 0.0 < self.tolerance < np.inf, "above 0, and finite")
        check_range("weight_decay", self.weight_decay, 0.0 <= self.weight_decay < np.inf, "at least 0, and finite")


@dataclass(frozen=True, eq=False)
class Result:
    """What was found.

    Attributes:
        weights: of the features, (F,).
        reward: of each state, (S,), or each state and action, (S, A), as the features are.
        policy: soft-optimal for it, (T, S, A), or (S, A) without a time limit.
        feature_gap: how much more often the expert meets each feature than the policy does, at most.
        updates: how many were made.
    """

    weights: Array
    reward: Array
    policy: Array
    feature_gap: float
    updates: int


def train(mdp: TabularMDP, features: ArrayLike, demonstrations: Sequence[Walk] | Array, config: Config) -> Result:
    """Find the reward whose soft-optimal policy meets the features as often as the expert.

    Args:
        mdp: the world; its time limit and discount are the expert's.
        features: of each state, (S, F), or of each state and action, (S, A, F).
        demonstrations: the states, (T + 1,), and actions, (T,), of each episode; or the expert's exact visits, as
            `occupancy` returns them. An episode that ended before the time limit counts for the steps that it has:
            what came after is unknown, unless its last state is absorbing, where no choice is left to explain.

    Raises:
        TrainingError: the demonstrations are impossible here, or no reward of these features explains them.
    """
    table = np.asarray(features, np.float64)
    pairs = mdp.shape[-2:]
    if table.shape[:-1] not in (pairs[:1], pairs) or not table.shape[-1] or not np.isfinite(table).all():
        raise TrainingError(
            f"the features have the shape {table.shape}; they should be finite, one row per state, ({pairs[0]}, F), "
            f"or per state and action, ({pairs[0]}, {pairs[1]}, F)."
        )
    expert = visits_of(mdp, demonstrations)
    feature_SAF = np.broadcast_to(table if table.ndim == 3 else table[:, None], (*pairs, table.shape[-1]))

    def objective(weights_F: Array) -> tuple[float, Array, Solution]:
        solution = solve(mdp, table @ weights_F)
        loss = surprise(solution, expert) + config.weight_decay / 2.0 * float(weights_F @ weights_F)
        gap_F = feature_gap(mdp, solution.policy, feature_SAF, expert)
        return loss, config.weight_decay * weights_F - gap_F, solution

    weights_F, policy, updates = descend(objective, np.zeros(table.shape[-1]), config)
    gap = float(abs(feature_gap(mdp, policy, feature_SAF, expert)).max())
    return Result(weights_F, table @ weights_F, policy, gap, updates)


def surprise(solution: Solution, expert: Array) -> float:
    """Return -log pi(a|s), summed over what the expert did."""
    return -float((expert * solution.advantages).sum())


def feature_gap(mdp: TabularMDP, policy: Array, feature_SAF: Array, expert: Array) -> Array:
    """Return how much more often the expert meets each feature than the policy does, (F,).

    Only what the expert chose counts, and what the policy makes of it afterwards by the MDP's probabilities; where
    an episode began and where chance led it are nobody's choice. For exact visits that is the same as expert minus
    occupancy of the policy; for episodes it spares a gap that no policy could close.
    """
    surplus = expert - expert.sum(axis=-1, keepdims=True) * policy
    difference_SA = followed(mdp, policy, surplus).reshape(-1, *mdp.shape[-2:]).sum(axis=0)
    return np.asarray(np.einsum("sa,saf->f", difference_SA, feature_SAF))


def descend(objective: Objective, weights: Array, config: Config) -> tuple[Array, Array, int]:
    """Return weights at which the gradient vanishes, the policy for them, and the updates made.

    Each step goes down the gradient, bent by the curvature seen so far (BFGS; Nocedal & Wright 2006, section 6.1),
    and is halved until it pays; where none does, the curvature is seen anew.
    """
    curvature: Array | None = None  # inverse
    loss, gradient, solution = objective(weights)
    for update in range(config.updates):
        gap = float(abs(gradient).max())
        if gap <= config.tolerance:
            return weights, solution.policy, update
        direction = -gradient / max(1.0, gap) if curvature is None else -curvature @ gradient
        size, enough = 1.0, ENOUGH * float(gradient @ direction)
        while (tried := objective(weights + size * direction))[0] > loss + size * enough + ROUNDING * abs(loss):
            size /= 2.0
            if size < SMALLEST:
                break
        if size < SMALLEST:
            if curvature is None:
                raise unexplained(gap, update, config)
            curvature = None
            continue
        step, change = size * direction, tried[1] - gradient
        weights, (loss, gradient, solution) = weights + step, tried
        if (bend := float(step @ change)) > 0.0:
            if curvature is None:
                curvature = bend / float(change @ change) * np.eye(len(weights))
            project = np.eye(len(weights)) - np.outer(step, change) / bend
            curvature = project @ curvature @ project.T + np.outer(step, step) / bend
    raise unexplained(float(abs(gradient).max()), config.updates, config)


def unexplained(gap: float, updates: int, config: Config) -> TrainingError:
    return TrainingError(
        f"the feature gap is {gap:.3g} after {updates} updates; it should be at most {config.tolerance:g}. Raise "
        f"updates or tolerance, or, where demonstrations are few, weight_decay; features should be about 1 in size."
    )


def visits_of(mdp: TabularMDP, demonstrations: Sequence[Walk] | Array) -> Array:
    """Return how often each pair was visited in an episode, discounted, in the mean, (..., S, A).

    Raises:
        TrainingError: there is nothing, or what cannot happen in this MDP.
    """
    if isinstance(demonstrations, np.ndarray):
        if demonstrations.shape != mdp.shape:
            raise TrainingError(f"the expert's visits have the shape {demonstrations.shape}; it should be {mdp.shape}.")
        if not np.isfinite(demonstrations).all() or demonstrations.min() < 0.0:
            raise TrainingError(f"the expert's visits hold {demonstrations.min():g}; visits are finite and at least 0.")
        return np.asarray(demonstrations, np.float64)
    if not demonstrations:
        raise TrainingError("there is no demonstration; there should be at least 1.")
    visits = np.zeros(mdp.shape)
    for index, walk in enumerate(demonstrations):
        states, actions = np.asarray(walk[0]), np.asarray(walk[1])
        check_walk(mdp, f"demonstration {index}", states, actions)
        weights = mdp.discount ** np.arange(len(actions))
        where = (states[:-1], actions) if mdp.time_limit is None else (np.arange(len(actions)), states[:-1], actions)
        np.add.at(visits, where, weights / len(demonstrations))
    return visits


def check_walk(mdp: TabularMDP, name: str, states: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
    """Raise TrainingError unless an episode is one that this MDP allows."""
    if states.ndim != 1 or states.shape != (len(actions) + 1,):
        raise TrainingError(
            f"{name} has {states.shape} states and {actions.shape} actions; T actions have T + 1 states."
        )
    for what, numbers, count in (("state", states, mdp.shape[-2]), ("action", actions, mdp.shape[-1])):
        if numbers.dtype.kind not in "iu" or (numbers.size and (numbers.min() < 0 or numbers.max() >= count)):
            raise TrainingError(
                f"{name} has the {what}s {numbers}; they should be whole numbers from 0 to {count - 1}."
            )
    if mdp.time_limit is not None and len(actions) > mdp.time_limit:
        raise TrainingError(f"{name} has {len(actions)} steps; time_limit is {mdp.time_limit}. Raise it, or cut.")
    never = np.flatnonzero(mdp.transitions[states[:-1], actions, states[1:]] == 0.0)
    if len(never):
        step = never[0]
        raise TrainingError(
            f"{name}, step {step}: action {actions[step]} leads from state {states[step]} to {states[step + 1]}, "
            f"which the MDP calls impossible. Check the numbers of states and actions, or the transitions."
        )
