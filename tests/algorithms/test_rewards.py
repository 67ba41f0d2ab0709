"""Shaping changes no choice, a slope is bounded, a scale shifts nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixed_robot import EPISODES, mixed_episode, mixed_policy, rows_of
from tabular_env import gridworld, random_mdp
from tabular_rows import table

from imitation_ros.algorithms.rewards import ConstantReward, RewardConfig, RewardNet, Scale, Scaled, TaskReward
from imitation_ros.algorithms.rollouts import Steps, steps_of, with_absorbing
from imitation_ros.algorithms.tabular import expected, occupancy, solve
from imitation_ros.errors import TrainingError

WIDTHS = 5, 7  # of the mixed robot's encoded observation and executed actions
DISCOUNT = 0.9
SEEDS = st.integers(0, 2**31 - 1)


def network(seed: int, widths: tuple[int, int] = WIDTHS, grown: float = 1.0, **config) -> RewardNet:
    """Return a network whose weights are larger than torch's, so that it matters what it reads."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = RewardNet(*widths, RewardConfig(**config), DISCOUNT)
    for name, weight in net.named_parameters():
        if "original" not in name:
            weight.data.mul_(grown)
    return net


def without_shaping(net: RewardNet) -> RewardNet:
    plain = RewardNet(*WIDTHS, RewardConfig(state_only=net.config.state_only), DISCOUNT)
    plain.g.load_state_dict(net.g.state_dict())
    return plain


@given(SEEDS, st.integers(1, 8), st.booleans())
def test_shaping_telescopes_to_its_start_and_where_time_ran_out_also_to_its_end(seed, length, terminated):
    """The sum of discount^t (f - g) is -h(first), plus discount^T h(last) unless the task ended there."""
    net, policy = network(seed, shaped=True, grown=2.0), mixed_policy()
    steps = steps_of([mixed_episode(length, seed, terminated)], policy)
    with torch.no_grad():
        gained = net.of(steps) - without_shaping(net).of(steps)
        first, final = net.h(steps.observations[:1]).item(), net.h(steps.next_observations[-1:]).item()
    total = float((DISCOUNT ** torch.arange(length) * gained).sum())
    assert total == pytest.approx(-first + (0.0 if terminated else DISCOUNT**length * final), abs=1e-4)


@given(SEEDS)
def test_the_time_after_an_end_is_not_shaped_and_is_one_number(seed):
    net, policy = network(seed, shaped=True), mixed_policy()
    full = with_absorbing(steps_of([mixed_episode(3, seed, terminated=True)], policy), 100, DISCOUNT)
    rest = full.take(full.absorbing.nonzero().flatten())
    with torch.no_grad():
        assert torch.equal(net.of(rest), without_shaping(net).of(rest))
    np.testing.assert_allclose(net.of(rest).detach(), net.of_absorbing(), atol=1e-6)
    geometric = sum(DISCOUNT**k * net.of_absorbing() for k in range(1, 400))
    assert net.after_end(DISCOUNT) == pytest.approx(geometric, abs=1e-4)


GRID = gridworld(("S..#", ".#.G", "..S."), slip=0.2, discount=DISCOUNT)


@given(SEEDS, st.sampled_from(["grid", "random"]), st.booleans())
def test_shaping_changes_neither_the_best_policy_nor_the_soft_one_also_where_a_task_ends(seed, kind, state_only):
    mdp = GRID if kind == "grid" else random_mdp(seed, discount=DISCOUNT)
    states, actions = mdp.shape
    shaped = network(seed, (states, actions), grown=3.0, shaped=True, state_only=state_only)
    plain = network(seed, (states, actions), shaped=False, state_only=state_only)
    plain.g.load_state_dict(shaped.g.state_dict())
    g, f = table(plain, mdp), table(shaped, mdp)
    assert abs(f - g).max() > 0.1
    np.testing.assert_allclose(solve(mdp, f).policy, solve(mdp, g).policy, atol=1e-4)
    best, chosen = solve(mdp, g, temperature=0.0), solve(mdp, f, temperature=0.0).policy
    earned = (occupancy(mdp, chosen) * expected(mdp, g)).sum()
    assert earned == pytest.approx(float(mdp.start @ best.values), abs=1e-4)


@given(SEEDS, EPISODES)
def test_a_reward_of_the_state_alone_ignores_actions(seed, episodes):
    net, steps = network(seed, state_only=True, grown=2.0), steps_of(episodes, mixed_policy())
    tensors = steps.to_tensors()
    others = Steps.from_tensors({**tensors, "executed": torch.rand_like(steps.executed)})
    assert torch.equal(net.of(steps), net.of(others))
    elsewhere = Steps.from_tensors({**tensors, "observations": steps.observations + 1.0})
    assert not torch.equal(net.of(steps), net.of(elsewhere))


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@given(seed=SEEDS)
def test_with_a_spectral_norm_no_difference_grows(activation, seed):
    """|g(x) - g(y)| <= |x - y|, also of layers that training made large; 5 % for the norm's approximation."""
    net = network(seed, spectral_norm=True, activation=activation)
    for name, weight in net.named_parameters():
        if name.endswith("original0") or name.endswith("original"):
            weight.data.mul_(20.0)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _ in range(20):  # each pass brings the approximation nearer
            net.g(torch.zeros(1, 13))
        x, step = 3.0 * torch.randn(200, 13, generator=generator), torch.randn(200, 13, generator=generator)
        grown = (net.g(x + step) - net.g(x))[:, 0].abs() / step.norm(dim=1)
    assert 0.0 < grown.max() <= 1.05


def test_without_it_differences_do_grow():
    net = network(0, grown=20.0)
    x = torch.randn(200, 13, generator=torch.Generator().manual_seed(0))
    assert (net.g(x + 0.01) - net.g(x)).abs().max() > 1.05 * 0.01 * 13**0.5


@given(st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=30), st.floats(0.1, 50))
def test_a_scale_makes_the_spread_the_same_whatever_the_unit_and_never_shifts(numbers, unit):
    rewards = unit * torch.tensor(numbers)
    scale = Scale()
    scale.update(rewards)
    spread = float(rewards.double().std(unbiased=False))
    assert scale.factor == pytest.approx(0.3 / max(spread, 0.1))
    seen = Scaled(TaskReward(), scale).of(rows_of(torch.zeros(len(numbers), 1), rewards=rewards))
    torch.testing.assert_close(seen, rewards * scale.factor)
    assert torch.equal(seen.sign(), rewards.sign()) or float(rewards.abs().min()) < 1e-30


def test_a_reward_that_says_nothing_is_not_blown_up():
    scale = Scale()
    for _ in range(100):
        scale.update(torch.full((50,), 4.0) + 1e-4 * torch.randn(50, generator=torch.Generator().manual_seed(0)))
    assert scale.factor == pytest.approx(0.3 / 0.1)


def test_a_scale_forgets_slowly_and_its_average_is_of_variances():
    scale = Scale(target=1.0, memory=0.9)
    assert scale.factor == 1.0  # nothing seen yet
    scale.update(torch.tensor([-1.0, 1.0]))
    scale.update(torch.tensor([-2.0, 2.0]))
    assert scale.factor == pytest.approx((0.9 * 1 + 0.1 * 4) ** -0.5)


def test_what_follows_an_end_is_scaled_as_the_rewards_before_it_are():
    scale, net = Scale(), network(1)
    scale.update(torch.tensor([-1.0, 1.0]))
    assert Scaled(net, scale).after_end(0.9) == pytest.approx(net.after_end(0.9) * scale.factor)


@pytest.mark.parametrize("reward", [TaskReward(), ConstantReward(2.0)])
def test_nothing_follows_the_end_of_a_task_that_has_its_own_reward(reward):
    assert reward.after_end(0.99) == 0.0
    steps = rows_of(torch.zeros(3, 1), rewards=[2.0, 2.0, 2.0])
    assert reward.of(steps).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"activation": "sine"}, "activation is 'sine'; allowed: relu, tanh"),
        ({"hidden": (64, 0)}, r"hidden is \[64, 0\]; it should be sizes"),
    ],
)
def test_a_reward_network_that_cannot_be_is_refused_in_words(config, words):
    with pytest.raises(TrainingError, match=words):
        RewardConfig(**config)
