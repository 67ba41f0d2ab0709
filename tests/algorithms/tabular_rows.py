"""Small worlds as rows: a table as a policy network, visits as steps, and a reward network read back as a table."""

from __future__ import annotations

import numpy as np
import torch

from imitation_ros.algorithms.rewards import RewardNet
from imitation_ros.algorithms.rollouts import Steps
from imitation_ros.algorithms.tabular import TabularMDP
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.plain import category_field, plain_spec


class TablePolicy:
    """A policy network that says exactly what a table, (S, A), says."""

    def __init__(self, states: int, actions: int) -> None:
        fields = [category_field("state", 0, states)], [category_field("action", 0, actions)]
        self.network = MLPPolicy(plain_spec("table", *fields, 10.0), NetworkConfig(hidden=(states,), head="gaussian"))
        layer = self.network.trunk[0]
        layer.weight.data.copy_(torch.eye(states))
        layer.bias.data.zero_()
        self.network.head("action").linear.bias.data.zero_()
        self.say(np.full((states, actions), 1.0 / actions))

    def say(self, policy: np.ndarray) -> None:
        weight = self.network.head("action").linear.weight
        weight.data.copy_(torch.as_tensor(np.log(policy).T))


def every_step(mdp: TabularMDP) -> Steps:
    """Return all states, actions and next states as rows, (S * A * N,); absorbing states as the time after an end."""
    states, actions = mdp.shape[-2:]
    s, a, n = (torch.from_numpy(index.flatten()) for index in np.indices((states, actions, states)))
    absorbing = torch.from_numpy(mdp.absorbing)
    is_after = absorbing[s]
    seen = torch.eye(states) * ~absorbing[:, None]  # what comes after an end is seen as zeros
    chosen = {"action": (a * ~is_after)[:, None].float()}
    return Steps(
        observations=seen[s],
        next_observations=seen[n],
        actions=chosen,
        executed=torch.eye(actions)[a] * ~is_after[:, None],
        executed_targets=chosen,
        rewards=torch.zeros(len(s)),
        terminated=absorbing[n] & ~is_after,
        last=torch.zeros(len(s), dtype=torch.bool),
        absorbing=is_after,
    )


def visited(mdp: TabularMDP, visits: np.ndarray, rows: int = 20_000) -> Steps:
    """Return about so many rows, each step as often as it is visited; visits are of pairs, (S, A)."""
    share = visits[:, :, None] * mdp.transitions
    counts = torch.from_numpy(np.rint(share / share.sum() * rows).astype(np.int64).flatten())
    return every_step(mdp).take(torch.arange(len(counts)).repeat_interleave(counts))


def table(net: RewardNet, mdp: TabularMDP) -> np.ndarray:
    """Return f of every step, (S, A, N)."""
    with torch.no_grad():
        return net.of(every_step(mdp)).double().numpy().reshape(mdp.transitions.shape)
