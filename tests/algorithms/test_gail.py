"""GAIL's discriminator finds the density ratio; the policy that it rewards learns to swing a pendulum up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pendulum import swung_up
from tabular_env import random_mdp
from tabular_rows import TablePolicy, table, visited

from imitation_ros.algorithms import gail
from imitation_ros.algorithms.discriminator import RewardFit
from imitation_ros.algorithms.rewards import RewardConfig, RewardNet
from imitation_ros.algorithms.tabular import occupancy, solve
from imitation_ros.envs.collect import Workers

STATES, ACTIONS = 6, 3
EXACT = gail.Config(gradient_penalty=0.0, batch_size=2048, reward_learning_rate=0.02, reward_rate_left=0.01)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("state_only", [False, True], ids=["pairs", "states alone"])
def test_the_discriminator_at_its_optimum_is_the_density_ratio(state_only, smoothing):
    """On known visits, by the real updates without a penalty; smoothed labels mix the two densities."""
    mdp = random_mdp(3)
    best = solve(mdp, np.random.default_rng(3).normal(size=STATES)).policy
    expert, policy = occupancy(mdp, best), occupancy(mdp, np.full(mdp.shape, 1.0 / ACTIONS))
    config = replace(EXACT, label_smoothing=smoothing, reward=RewardConfig(hidden=(32,), state_only=state_only))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = RewardNet(STATES, ACTIONS, config.reward, config.discount)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    fit = RewardFit(net, gail.logits, TablePolicy(STATES, ACTIONS).network, config, generator, time_limit=100)
    for part in range(10):
        fit.improve(visited(mdp, expert), visited(mdp, policy), 60, left=1.0 - part / 9)
    if state_only:
        expert, policy = (np.repeat(visits.sum(1, keepdims=True), ACTIONS, 1) for visits in (expert, policy))
    expert, policy = expert / expert.sum(), policy / policy.sum()
    mixed = [(1.0 - smoothing) * one + smoothing * other for one, other in ((expert, policy), (policy, expert))]
    wanted = np.log(mixed[0] / mixed[1])
    assert np.ptp(wanted) > 0.8
    np.testing.assert_allclose(table(net, mdp)[:, :, 0], wanted, atol=0.1)  # measured: MEASURED


def test_it_swings_a_pendulum_up_as_ten_demonstrations_do():
    """In 4 s it gave -154 to -164 over three seeds."""
    with Workers("Pendulum-v1") as workers:
        _, mean_return = swung_up(workers, gail, last_updates=0)
    assert mean_return > -300.0
