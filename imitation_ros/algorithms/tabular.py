"""Finite Markov decision processes, known exactly and solved exactly: what learned things are checked against.

Axes are named at the end of a name: S states, A actions, N the next state, T the steps of the time limit. With a time
limit, values, policies and visits differ from step to step, and T is their first axis, which `...` stands for below;
without one they have no such axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imitation_ros.errors import TrainingError

Array = NDArray[np.float64]
Walk = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The states, (T + 1,), and the actions, (T,), of one episode."""
ROUNDING = 1e-8  # how far probabilities may be off a sum of 1
CONVERGED = 1e-12  # Bellman error, relative to the largest value
NEWTON_STEPS = 1000  # each solves for all values at once; a handful is enough
TIE = 1e-9  # relative: actions this near to the best one are as good


@dataclass(frozen=True, eq=False)
class TabularMDP:
    """What the world does, without a reward.

    Attributes:
        transitions: the probability of each next state, (S, A, N).
        start: the probability that an episode starts in each state, (S,).
        discount: of each step, 0 to 1; below 1 where there is no time limit.
        time_limit: steps of every episode; None: it never ends.

    Raises:
        TrainingError: a shape or a probability is impossible.
    """

    transitions: Array
    start: Array
    discount: float = 1.0
    time_limit: int | None = None

    def __post_init__(self) -> None:
        for name in ("transitions", "start"):
            object.__setattr__(self, name, np.array(getattr(self, name), np.float64))
        shape = self.transitions.shape
        if len(shape) != 3 or shape[0] != shape[2] or 0 in shape:
            raise TrainingError(f"transitions have the shape {shape}; it should be (states, actions, states).")
        if self.start.shape != shape[:1]:
            raise TrainingError(f"start has the shape {self.start.shape}; it should be ({shape[0]},): one per state.")
        check_probabilities("transitions", self.transitions)
        check_probabilities("start", self.start)
        if self.time_limit is not None and self.time_limit < 1:
            raise TrainingError(f"time_limit is {self.time_limit}; it should be at least 1, or None.")
        if not 0.0 <= self.discount <= 1.0 or (self.time_limit is None and self.discount == 1.0):
            raise TrainingError(
                f"discount is {self.discount:g}; it should be from 0 to 1, and below 1 where there is no time_limit."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a policy and of visits: (T, S, A), or (S, A) without a time limit."""
        pairs = self.transitions.shape[:2]
        return pairs if self.time_limit is None else (self.time_limit, *pairs)

    @property
    def absorbing(self) -> NDArray[np.bool_]:
        """Which states nothing leads out of, (S,)."""
        states = np.arange(len(self.start))
        return np.asarray((self.transitions[states, :, states] >= 1.0 - ROUNDING).all(axis=1))


def check_probabilities(name: str, probabilities: Array) -> None:
    """Raise TrainingError unless the last axis holds probabilities of things that exclude each other."""
    if not np.isfinite(probabilities).all() or probabilities.min() < 0.0:
        raise TrainingError(f"{name} hold {probabilities.min():g}; probabilities are finite and at least 0.")
    sums = np.asarray(probabilities.sum(axis=-1))
    off = np.argwhere(abs(sums - 1.0) > ROUNDING)
    if len(off):
        where = f"[{', '.join(map(str, off[0]))}]" if sums.ndim else ""
        raise TrainingError(f"{name}{where} sum to {sums[tuple(off[0])]:g}; probabilities should sum to 1.")


def expected(mdp: TabularMDP, reward: ArrayLike) -> Array:
    """Return the mean reward of each state and action, (S, A).

    Given is one of each state, (S,), earned by whoever acts in it, of each pair, (S, A), or of each step, (S, A, N);
    an axis of length 1 stands for "whichever".
    """
    given = np.asarray(reward, np.float64)
    axes = mdp.transitions.shape
    try:
        full = np.broadcast_to(given.reshape(given.shape + (1,) * (3 - given.ndim)), axes)
    except ValueError:
        raise TrainingError(
            f"the reward has the shape {given.shape}; it should be {axes[:1]}, {axes[:2]} or {axes}."
        ) from None
    if not np.isfinite(full).all():
        raise TrainingError("the reward is not finite. A state to avoid has a low reward, not one of -inf.")
    return np.asarray((mdp.transitions * full).sum(axis=-1))


def shaped(reward: ArrayLike, potential: ArrayLike, discount: float) -> Array:
    """Return reward + discount * potential(s') - potential(s), (S, A or 1, N): no policy gains by it (Ng et al. 1999).

    That holds without a time limit, and with one where the potential is 0 wherever episodes end.
    """
    given, level = np.asarray(reward, np.float64), np.asarray(potential, np.float64)
    return np.asarray(given.reshape(given.shape + (1,) * (3 - given.ndim)) + discount * level - level[:, None, None])


@dataclass(frozen=True, eq=False)
class Solution:
    """The best that can be done, and what doing it is worth.

    Attributes:
        values: of each state, (..., S), from there on.
        action_values: of each action, (..., S, A).
        policy: the probability of each action, (..., S, A).
    """

    values: Array
    action_values: Array
    policy: Array

    @property
    def advantages(self) -> Array:
        """What an action is worth beyond its state, (..., S, A); log policy, where the temperature is 1."""
        return np.asarray(self.action_values - self.values[..., None])


def solve(mdp: TabularMDP, reward: ArrayLike, temperature: float = 1.0) -> Solution:
    """Return the policy of the most reward + temperature * entropy (Ziebart 2010); 0: of the most reward.

    Actions as good as the best one share its probability at temperature 0.
    """
    reward_SA = expected(mdp, reward)
    if mdp.time_limit is None:
        values = stationary_values(mdp, reward_SA, temperature)
        action_values = backup(mdp, reward_SA, values)
    else:
        action_values, values = np.empty(mdp.shape), np.empty(mdp.shape[:2])
        later_S = np.zeros(len(mdp.start))
        for step in reversed(range(mdp.time_limit)):
            action_values[step] = backup(mdp, reward_SA, later_S)
            later_S = values[step] = best_of(action_values[step], temperature)
    return Solution(values, action_values, choice_of(action_values, temperature))


def stationary_values(mdp: TabularMDP, reward_SA: Array, temperature: float) -> Array:
    """Return the fixed point of the backups, (S,), by Newton's method, which is policy iteration."""
    values_S = np.zeros(len(mdp.start))
    for _ in range(NEWTON_STEPS):
        action_values_SA = backup(mdp, reward_SA, values_S)
        error_S = best_of(action_values_SA, temperature) - values_S
        if abs(error_S).max() <= CONVERGED * max(1.0, float(abs(values_S).max())):
            return values_S
        moves_SN = np.einsum("san,sa->sn", mdp.transitions, choice_of(action_values_SA, temperature, tie=0.0))
        values_S = values_S + np.linalg.solve(np.eye(len(error_S)) - mdp.discount * moves_SN, error_S)
    raise TrainingError(f"the values did not settle at a discount of {mdp.discount:g}. Lower it, or set a time_limit.")


def backup(mdp: TabularMDP, reward_SA: Array, values_S: Array) -> Array:
    return np.asarray(reward_SA + mdp.discount * (mdp.transitions @ values_S))


def best_of(action_values: Array, temperature: float) -> Array:
    """Return the value of a state whose actions are worth this: their softened maximum, (..., S)."""
    if temperature == 0.0:
        return np.asarray(action_values.max(axis=-1))
    return np.asarray(temperature * np.logaddexp.reduce(action_values / temperature, axis=-1))


def choice_of(action_values: Array, temperature: float, tie: float = TIE) -> Array:
    best = action_values.max(axis=-1, keepdims=True)
    if temperature == 0.0:
        weights = (action_values >= best - tie * (1.0 + abs(best))).astype(np.float64)
    else:
        weights = np.exp((action_values - best) / temperature)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def occupancy(mdp: TabularMDP, policy: ArrayLike) -> Array:
    """Return how often a policy, (..., S, A), takes each action in each state, discounted, (..., S, A)."""
    chosen = policy_of(mdp, policy)
    if mdp.time_limit is None:
        return followed(mdp, chosen, mdp.start[:, None] * chosen)
    source = np.zeros(mdp.shape)
    source[0] = mdp.start[:, None] * chosen[0]
    return followed(mdp, chosen, source)


def policy_of(mdp: TabularMDP, policy: ArrayLike) -> Array:
    """Return a policy as (..., S, A); one without steps acts alike in all of them."""
    chosen = np.asarray(policy, np.float64)
    if chosen.shape not in (mdp.shape, mdp.shape[-2:]):
        raise TrainingError(f"the policy has the shape {chosen.shape}; it should be {mdp.shape}.")
    check_probabilities("policy", chosen)
    return np.broadcast_to(chosen, mdp.shape)


def followed(mdp: TabularMDP, policy: Array, source: Array) -> Array:
    """Return visits of pairs, (..., S, A), and all that follow them when the policy goes on from there.

    What enters a state is discount * sum of P(s'|s, a) * visits(s, a); the policy chooses what leaves it.
    """
    if mdp.time_limit is None:
        moves_SN = np.einsum("san,sa->sn", mdp.transitions, policy)
        first_N = mdp.discount * np.einsum("san,sa->n", mdp.transitions, source)
        entering_N = np.linalg.solve(np.eye(len(first_N)) - mdp.discount * moves_SN.T, first_N)
        return np.asarray(source + entering_N[:, None] * policy)
    visits = np.array(source)
    for step in range(1, mdp.time_limit):
        entering_N = mdp.discount * np.einsum("san,sa->n", mdp.transitions, visits[step - 1])
        visits[step] += entering_N[:, None] * policy[step]
    return visits


def sample_walks(mdp: TabularMDP, policy: ArrayLike, episodes: int, seed: int, steps: int | None = None) -> list[Walk]:
    """Return episodes of a policy. Each ends in an absorbing state, or at `steps` (by default the time limit)."""
    limit = mdp.time_limit if steps is None else min(steps, mdp.time_limit or steps)
    if limit is None:
        raise TrainingError("steps is None; without a time_limit it should say after how many an episode is cut.")
    chosen = policy_of(mdp, policy)
    if mdp.time_limit is None:
        chosen = np.broadcast_to(chosen, (limit, *mdp.shape))
    generator, absorbing, walks = np.random.default_rng(seed), mdp.absorbing, []
    for _ in range(episodes):
        states, actions = [int(generator.choice(len(mdp.start), p=mdp.start))], list[int]()
        while len(actions) < limit and not absorbing[states[-1]]:
            actions.append(int(generator.choice(mdp.shape[-1], p=chosen[len(actions)][states[-1]])))
            states.append(int(generator.choice(len(mdp.start), p=mdp.transitions[states[-1], actions[-1]])))
        walks.append((np.array(states, np.int64), np.array(actions, np.int64)))
    return walks
