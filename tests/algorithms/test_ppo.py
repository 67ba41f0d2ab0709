"""Advantages by hand and by their laws; a loss that holds still beyond its clip; a learner that learns."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixed_robot import mixed_episode, mixed_policy, mixed_spec, rows_of

from imitation_ros.algorithms.ppo import PPO, Settings, SideBySide, advantages, clip_gradient, clipped_loss
from imitation_ros.algorithms.rewards import ConstantReward, RewardConfig, RewardNet, TaskReward
from imitation_ros.algorithms.rollouts import Steps, steps_of, with_absorbing
from imitation_ros.errors import TrainingError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

SMALL = Settings(epochs=4, batch_size=64, learning_rate=3e-3)


def values(observations: torch.Tensor) -> torch.Tensor:
    return observations[:, 0]  # rows made by hand observe their own value


@st.composite
def hand_made(draw):
    """Draw episodes as lists of (reward, value), the value after each, and whether the task ended it."""
    number = st.floats(-3.0, 3.0, width=32)
    steps = st.lists(st.tuples(number, number), min_size=1, max_size=6)
    return draw(st.lists(st.tuples(steps, number, st.booleans()), min_size=1, max_size=4))


def as_rows(episodes) -> Steps:
    now = [value for steps, _, _ in episodes for _, value in steps]
    after = [value for steps, final, _ in episodes for value in [*[v for _, v in steps[1:]], final]]
    last = [tick == len(steps) - 1 for steps, _, _ in episodes for tick in range(len(steps))]
    terminated = [tick == len(steps) - 1 and ended for steps, _, ended in episodes for tick in range(len(steps))]
    rewards = [reward for steps, _, _ in episodes for reward, _ in steps]
    columns = ([[value] for value in column] for column in (now, after))
    return rows_of(*columns, rewards=rewards, terminated=terminated, last=last)


def advantages_of(episodes, after_end, **settings):
    rows = as_rows(episodes)
    found, returns = advantages(rows, rows.rewards, values, after_end, replace(Settings(), **settings))
    torch.testing.assert_close(returns, found + values(rows.observations))
    return found.numpy()


def test_advantages_are_those_of_a_hand_computation():
    """discount 0.5, trace 0.5; first an episode that time cut, then one that the task ended; 10 follows an end."""
    cut = ([(1.0, 2.0), (0.0, 4.0), (2.0, 1.0)], 6.0, False)
    ended = ([(1.0, 3.0), (-1.0, 2.0)], 99.0, True)  # 99 is the value of a state that nobody is in any more
    # errors of the first:  1 + 0.5 * 4 - 2 = 1;  0 + 0.5 * 1 - 4 = -3.5;  2 + 0.5 * 6 - 1 = 4
    # of the second: 1 + 0.5 * 2 - 3 = -1;  -1 + 10 - 2 = 7
    wanted = [1 - 0.25 * 2.5, -3.5 + 0.25 * 4, 4, -1 + 0.25 * 7, 7]
    np.testing.assert_allclose(advantages_of([cut, ended], 10.0, discount=0.5, trace=0.5), wanted)


@given(hand_made(), st.floats(-5, 5), st.sampled_from([0.5, 0.99]))
def test_with_a_trace_of_1_they_are_discounted_returns_minus_values(episodes, after_end, discount):
    wanted = []
    for steps, final, ended in episodes:
        beyond = after_end / discount if ended else final
        for tick, (_, value) in enumerate(steps):
            rewards = [reward for reward, _ in steps[tick:]] + [beyond]
            wanted.append(sum(discount**k * reward for k, reward in enumerate(rewards)) - value)
    found = advantages_of(episodes, after_end, discount=discount, trace=1.0)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@given(hand_made(), st.floats(-5, 5))
def test_with_a_trace_of_0_they_are_the_errors_of_one_step(episodes, after_end):
    wanted = []
    for steps, final, ended in episodes:
        following = [value for _, value in steps[1:]] + [after_end / 0.9 if ended else final]
        wanted += [reward + 0.9 * then - now for (reward, now), then in zip(steps, following, strict=True)]
    np.testing.assert_allclose(advantages_of(episodes, after_end, discount=0.9, trace=0.0), wanted, atol=1e-4)


@given(hand_made(), hand_made(), st.floats(-5, 5))
def test_no_episode_changes_anothers_advantages(some, others, after_end):
    together = advantages_of([*some, *others], after_end)
    apart = np.concatenate([advantages_of(some, after_end), advantages_of(others, after_end)])
    swapped = advantages_of([*others, *some], after_end)
    count = len(as_rows(some))
    np.testing.assert_allclose(together, apart, atol=1e-5)
    np.testing.assert_allclose(together, np.concatenate([swapped[-count:], swapped[:-count]]), atol=1e-5)


@given(st.integers(0, 99), st.integers(1, 6), st.sampled_from([0.5, 0.9]))
def test_what_follows_an_end_is_worth_a_walk_through_its_rows(seed, length, discount):
    """A learned reward's `after_end` against the sum of the same reward over 300 explicit rows after the end."""
    policy = mixed_policy()
    steps = steps_of([mixed_episode(length, seed, terminated=True)], policy)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reward_net = RewardNet(5, 7, RewardConfig(shaped=True), discount)
    settings = Settings(discount=discount, trace=1.0)

    def no_value(observations):
        return torch.zeros(len(observations))

    with torch.no_grad():
        short, _ = advantages(steps, reward_net.of(steps), no_value, reward_net.after_end(discount), settings)
        full = with_absorbing(steps, 10**6, discount)
        walk = Steps.join([full.take(torch.arange(length)), full.take(torch.full((300,), length))])
        marks = torch.arange(len(walk)) == len(walk) - 1  # one long episode, cut where nothing counts any more
        rewards = reward_net.of(walk)
        explicit = replace(walk, last=marks, terminated=torch.zeros(len(walk), dtype=torch.bool))
        long, _ = advantages(explicit, rewards, no_value, 0.0, settings)
    torch.testing.assert_close(short, long[:length], atol=1e-4, rtol=1e-4)


RATIOS = torch.tensor([0.5, 0.79, 0.81, 1.0, 1.19, 1.21, 2.0])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_loss_holds_still_beyond_the_clip_but_lets_a_policy_come_back(sign):
    """The first rows have the advantage in question, as many others its opposite, so that their mean is 0."""
    log_ratio = torch.cat([RATIOS, torch.ones(7)]).log().requires_grad_()
    advantage = torch.cat([torch.full((7,), sign), torch.full((7,), -sign)])
    clipped_loss(log_ratio, advantage, 0.2).backward()
    slope = log_ratio.grad[:7]
    gone_too_far = RATIOS > 1.2 if sign > 0 else RATIOS < 0.8
    assert (slope[gone_too_far] == 0).all() and (slope[~gone_too_far] != 0).all()
    assert (slope[~gone_too_far] * sign < 0).all()  # less loss by more of what was good, and less of what was bad


@given(st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=20).filter(lambda all_: np.std(all_) > 0.1))
def test_at_the_old_policy_the_loss_is_the_policy_gradient_of_normalised_advantages(numbers):
    log_ratio = torch.zeros(len(numbers), requires_grad=True)
    advantage = torch.tensor(numbers)
    clipped_loss(log_ratio, advantage, 0.2).backward()
    normal = (advantage - advantage.mean()) / advantage.std()
    torch.testing.assert_close(log_ratio.grad, -normal / len(numbers), atol=1e-5, rtol=1e-4)
    scaled = torch.zeros(len(numbers), requires_grad=True)
    clipped_loss(scaled, 3.0 * advantage + 7.0, 0.2).backward()
    torch.testing.assert_close(scaled.grad, log_ratio.grad, atol=1e-4, rtol=1e-3)


@given(st.integers(0, 99), st.sampled_from([0.1, 0.2, 0.5]))
def test_the_loss_is_equation_7_with_both_bounds_written_out(seed, clip):
    generator = torch.Generator().manual_seed(seed)
    log_ratio, advantage = torch.randn(2, 50, generator=generator)
    normal, ratio = (advantage - advantage.mean()) / (advantage.std() + 1e-8), log_ratio.exp()
    wanted = -torch.minimum(ratio * normal, ratio.clamp(1 - clip, 1 + clip) * normal).mean()
    torch.testing.assert_close(clipped_loss(log_ratio, advantage, clip), wanted)


@pytest.mark.parametrize("largest", [0.1, 1000.0])
def test_a_gradient_is_clipped_as_torch_clips_it(largest):
    ours, theirs = ([torch.nn.Parameter(torch.zeros(5)), torch.nn.Parameter(torch.zeros(3))] for _ in range(2))
    for one, other in zip(ours, theirs, strict=True):
        one.grad = torch.linspace(-1.0, 2.0, len(one))
        other.grad = one.grad.clone()
    clip_gradient(ours, largest)
    torch.nn.utils.clip_grad_norm_(theirs, largest)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_weights_side_by_side_learn_as_they_do_one_by_one():
    networks = [torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    vector, weights = SideBySide(networks[0]), list(networks[1].parameters())
    together, apart = torch.optim.Adam([vector.vector], 0.1), torch.optim.Adam(weights, 0.1)
    for _ in range(5):
        seen = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
        parts = torch.autograd.grad(networks[0](seen).square().mean(), vector.weights)
        vector.vector.grad = torch.cat([part.flatten() for part in parts])
        together.step()
        apart.zero_grad()
        networks[1](seen).square().mean().backward()
        apart.step()
    for one, other in zip(vector.weights, weights, strict=True):
        torch.testing.assert_close(one, other)


def learner(settings: Settings = SMALL, seed: int = 0) -> PPO:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = NetworkConfig(hidden=(16,), head="gaussian", activation="tanh", log_std=(-2.0, 0.5, -0.3))
        return PPO(MLPPolicy(mixed_spec(), network), settings, torch.Generator().manual_seed(seed))


def weights_of(ppo: PPO) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector([*ppo.policy.parameters(), *ppo.value.parameters()]).detach()


def one_step_rollouts(ppo: PPO, count: int, generator: torch.Generator) -> Steps:
    """Return episodes of one step; wanted are a push of 0.5 and -0.5, gear 4 (number 1) and grip 1."""
    seen = torch.zeros(count, 5)
    with torch.no_grad():
        actions, _ = ppo.policy.sample(seen, generator)
    wrong = (actions["push"] - torch.tensor([0.5, -0.5])).square().sum(1)
    right = (actions["gear"][:, 0] == 1.0).float() + (actions["grip"][:, 0] == 1.0).float()
    ones = [True] * count
    return rows_of(seen, rewards=right - wrong, terminated=ones, last=ones, targets=actions)


def test_it_finds_the_best_action_of_every_kind_of_field():
    torch.set_num_threads(1)
    ppo, generator, rounds = learner(replace(SMALL, discount=0.5)), torch.Generator().manual_seed(1), 40
    for index in range(rounds):
        ppo.improve(one_step_rollouts(ppo, 256, generator), TaskReward(), left=1.0 - index / rounds)
    action = ppo.policy.act({"joints": np.zeros(2, np.float32), "mode": np.full(1, 9.0, np.float32)})
    unit = mixed_spec().action[0].to_unit(action["push"])
    np.testing.assert_allclose(unit, [0.5, -0.5], atol=0.1)
    assert (action["gear"], action["grip"]) == (4.0, pytest.approx(0.08))
    found = ppo.value(torch.zeros(1, 5)).item()
    spread = float(ppo.policy.head("push").log_std.detach().exp().square().sum())
    assert found == pytest.approx(2.0 - spread, abs=0.25)  # both right, and its own noise


def test_same_seed_same_bytes_and_another_seed_others():
    def weights(seed):
        ppo, generator = learner(seed=0), torch.Generator().manual_seed(1)
        ppo.generator.manual_seed(seed)
        ppo.improve(one_step_rollouts(ppo, 100, generator), TaskReward(), left=1.0)
        return weights_of(ppo)

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_with_nothing_left_to_come_nothing_changes():
    ppo = learner()
    before = weights_of(ppo)
    ppo.improve(one_step_rollouts(ppo, 100, torch.Generator().manual_seed(1)), TaskReward(), left=0.0)
    assert torch.equal(weights_of(ppo), before)


def test_a_single_row_left_over_is_not_normalised_by_its_own_spread():
    ppo = learner(replace(SMALL, epochs=1, batch_size=8))
    measured = ppo.improve(one_step_rollouts(ppo, 17, torch.Generator().manual_seed(1)), TaskReward(), left=1.0)
    assert ppo.updates == 2 and all(math.isfinite(value) for value in measured.values())


def test_a_constant_reward_teaches_nothing_but_stays_finite():
    ppo = learner()
    for _ in range(3):
        rollouts = one_step_rollouts(ppo, 100, torch.Generator().manual_seed(1))
        measured = ppo.improve(rollouts, ConstantReward(1.0), left=1.0)
    assert all(math.isfinite(value) for value in measured.values()) and measured["ppo/reward"] == 1.0


def test_a_bonus_for_randomness_makes_it_grow():
    plain, bonus = learner(), learner(replace(SMALL, entropy=0.1))
    for ppo in (plain, bonus):
        for _ in range(5):
            rollouts = one_step_rollouts(ppo, 100, torch.Generator().manual_seed(1))
            ppo.improve(rollouts, ConstantReward(0.0), left=1.0)
    assert (bonus.policy.head("push").log_std > plain.policy.head("push").log_std + 0.02).all()


def test_noise_stays_within_its_bounds_and_can_leave_them_again():
    ppo = learner(replace(SMALL, learning_rate=1.0))
    head = ppo.policy.head("push")
    for _ in range(5):
        ppo.improve(one_step_rollouts(ppo, 100, torch.Generator().manual_seed(1)), TaskReward(), left=1.0)
        assert ((head.log_std >= -2.0) & (head.log_std <= 0.5)).all()


@pytest.mark.parametrize("head", ["deterministic", "mixture"])
def test_a_policy_that_knows_no_probabilities_is_refused_in_words(head):
    policy = MLPPolicy(mixed_spec(), NetworkConfig(hidden=(8,), head=head))
    with pytest.raises(TrainingError, match=f"'{head}', use gaussian"):
        PPO(policy, Settings(), torch.Generator())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0), ("batch_size", 0), ("learning_rate", 0.0), ("learning_rate", math.nan), ("discount", 0.0),
        ("discount", 1.0), ("trace", -0.1), ("trace", 1.1), ("clip", 0.0), ("entropy", -0.1), ("gradient_clip", 0.0),
    ],
)  # fmt: skip
def test_a_setting_out_of_its_range_is_refused_by_name_value_and_range(name, value):
    with pytest.raises(TrainingError, match=rf"^{name} is {value:g}; it should be "):
        Settings(**{name: value})
