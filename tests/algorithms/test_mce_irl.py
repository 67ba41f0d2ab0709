"""MCE-IRL explains an expert exactly: the same features as often, and, where they tell, the same policy."""

from __future__ import annotations

import numpy as np
import pytest
from closed_forms import tells_reward_of_states
from hypothesis import assume, given
from hypothesis import strategies as st
from tabular_env import goal_reward, gridworld, maze, random_grid, random_mdp

from imitation_ros.algorithms import mce_irl
from imitation_ros.algorithms.tabular import TabularMDP, occupancy, sample_walks, solve
from imitation_ros.errors import TrainingError

SEEDS = st.integers(0, 2**32 - 1)
LIMITS = st.sampled_from([None, 1, 8])
CONFIG = mce_irl.Config()
EXACT = mce_irl.Config(tolerance=1e-9)


def met(visits: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return how often features of states are met, (F,)."""
    return visits.reshape(-1, *visits.shape[-2:]).sum(axis=(0, 2)) @ features


def a_problem(seed: int, time_limit: int | None, per_action: bool) -> tuple[TabularMDP, np.ndarray, np.ndarray]:
    mdp = random_mdp(seed, time_limit=time_limit)
    rng = np.random.default_rng([seed, 2])
    features = rng.normal(size=(6, 3, 4) if per_action else (6, 4))
    return mdp, features, rng.normal(size=4)


@given(SEEDS, LIMITS, st.booleans(), st.booleans())
def test_the_feature_gap_is_the_slope_of_the_experts_likelihood(seed, time_limit, per_action, exact):
    mdp, features, truth = a_problem(seed, time_limit, per_action)
    policy = solve(mdp, features @ truth).policy
    visits = occupancy(mdp, policy) if exact else mce_irl.visits_of(mdp, sample_walks(mdp, policy, 3, seed, steps=9))
    per_pair = np.broadcast_to(features if per_action else features[:, None], (6, 3, 4))
    weights = np.random.default_rng([seed, 3]).normal(size=4)
    gap = mce_irl.feature_gap(mdp, solve(mdp, features @ weights).policy, per_pair, visits)
    for index, nudge in enumerate(1e-5 * np.eye(4)):
        low, high = (mce_irl.surprise(solve(mdp, features @ (weights + by)), visits) for by in (-nudge, nudge))
        assert gap[index] == pytest.approx((low - high) / 2e-5, rel=1e-4, abs=1e-5)


@given(SEEDS, LIMITS)
def test_for_exact_visits_the_gap_is_the_experts_features_minus_the_policys(seed, time_limit):
    mdp, features, truth = a_problem(seed, time_limit, per_action=False)
    expert, uniform = occupancy(mdp, solve(mdp, features @ truth).policy), np.full(mdp.shape, 1 / 3)
    gap = mce_irl.feature_gap(mdp, uniform, np.broadcast_to(features[:, None], (6, 3, 4)), expert)
    np.testing.assert_allclose(gap, met(expert - occupancy(mdp, uniform), features), atol=1e-10)


@given(SEEDS, LIMITS)
def test_in_any_world_the_policy_meets_the_features_as_often_as_the_expert(seed, time_limit):
    mdp, features, truth = a_problem(seed, time_limit, per_action=False)
    expert = occupancy(mdp, solve(mdp, features @ truth).policy)
    found = mce_irl.train(mdp, features, expert, CONFIG)
    np.testing.assert_allclose(met(occupancy(mdp, found.policy), features), met(expert, features), atol=1e-5)
    assert found.feature_gap <= CONFIG.tolerance and found.updates < 200
    np.testing.assert_array_equal(found.reward, features @ found.weights)


@given(SEEDS, st.sampled_from([None, 20]))
def test_in_a_grid_with_walls_anywhere_the_policy_becomes_the_experts(seed, time_limit):
    """Features tell every cell apart, so all that can be known of the reward is found: the policy is the expert's."""
    mdp = gridworld(random_grid(seed), slip=0.1, time_limit=time_limit)
    features = np.eye(len(mdp.start))
    truth = np.random.default_rng(seed).normal(size=len(mdp.start))
    expert = solve(mdp, truth).policy
    visits = occupancy(mdp, expert)
    found = mce_irl.train(mdp, features, visits, CONFIG)
    np.testing.assert_allclose(met(occupancy(mdp, found.policy), features), met(visits, features), atol=1e-4)
    seen = visits.sum(axis=-1) > 0.01
    np.testing.assert_allclose(found.policy[seen], expert[seen], atol=1e-3)


@given(SEEDS)
def test_where_nothing_is_left_to_chance_the_reward_of_states_is_found_up_to_a_constant(seed):
    mdp = random_mdp(seed, deterministic=True)
    assume(tells_reward_of_states(mdp))
    truth = np.random.default_rng(seed).normal(size=6)
    found = mce_irl.train(mdp, np.eye(6), occupancy(mdp, solve(mdp, truth).policy), EXACT)
    offset = found.reward - truth
    np.testing.assert_allclose(offset, offset.mean(), atol=1e-4)


@given(SEEDS)
def test_with_a_feature_of_every_pair_the_policy_is_the_experts_whatever_it_is(seed):
    mdp = random_mdp(seed)
    expert = np.random.default_rng(seed).dirichlet(np.ones(3), size=6)
    found = mce_irl.train(mdp, np.eye(18).reshape(6, 3, 18), occupancy(mdp, expert), EXACT)
    np.testing.assert_allclose(found.policy, expert, atol=1e-5)


def test_in_a_single_choice_the_weights_are_the_log_odds():
    mdp = TabularMDP(np.ones((1, 3, 1)), np.ones(1), time_limit=1)
    walks = [(np.array([0, 0]), np.array([action])) for action in (0, 0, 0, 1, 1, 2)]
    found = mce_irl.train(mdp, np.eye(3)[None], walks, CONFIG)
    np.testing.assert_allclose(found.policy, [[[3 / 6, 2 / 6, 1 / 6]]], atol=1e-6)
    np.testing.assert_allclose(found.weights - found.weights[0], np.log([1, 2 / 3, 1 / 3]), atol=1e-5)


def test_an_optimal_expert_is_followed_to_the_goal():
    """Its choices are never random, so ever larger weights explain it better; the tolerance ends that."""
    mdp = maze(slip=0.1, time_limit=None)
    best = solve(mdp, goal_reward(mdp), temperature=0.0).policy
    found = mce_irl.train(mdp, np.eye(len(mdp.start)), sample_walks(mdp, best, 30, seed=0, steps=100), CONFIG)
    reached = [occupancy(mdp, policy)[mdp.absorbing].sum() for policy in (found.policy, best)]
    assert reached[0] == pytest.approx(reached[1], rel=0.01)  # a goal reached late counts less; measured: 3e-8


@pytest.mark.parametrize("cut", [None, 4], ids=["whole", "cut short"])
def test_more_episodes_come_nearer_to_the_experts_policy_also_when_cut_short(cut):
    mdp = maze(slip=0.2, time_limit=12, discount=1.0)
    features = np.eye(len(mdp.start))
    expert = solve(mdp, np.random.default_rng(0).normal(size=len(mdp.start))).policy
    weight = occupancy(mdp, expert).sum(axis=-1)
    errors = []
    for episodes in (10, 3000):
        found = mce_irl.train(mdp, features, sample_walks(mdp, expert, episodes, seed=1, steps=cut), CONFIG)
        apart = abs(found.policy - expert).sum(axis=-1) / 2.0
        errors.append((weight * apart).sum() / weight.sum())
    assert errors[1] < 0.3 * errors[0] and errors[1] < 0.05  # measured: 0.07 to 0.003 whole, 0.44 to 0.02 cut


def test_weight_decay_keeps_few_demonstrations_from_a_reward_without_end():
    mdp = maze(slip=0.2, time_limit=12, discount=1.0)
    features = np.eye(len(mdp.start))
    expert = solve(mdp, np.random.default_rng(1).normal(size=len(mdp.start))).policy
    weight = occupancy(mdp, expert).sum(axis=-1)
    walks = sample_walks(mdp, expert, 10, seed=1, steps=4)
    errors = []
    for weight_decay in (0.0, 1e-3):
        found = mce_irl.train(mdp, features, walks, mce_irl.Config(weight_decay=weight_decay))
        apart = abs(found.policy - expert).sum(axis=-1) / 2.0
        errors.append((weight * apart).sum() / weight.sum())
    assert errors[1] < 0.6 * errors[0]  # measured: 0.12, 0.34
    assert abs(found.weights).max() < 5.0  # measured: 2.7, and 7648 without; the truth's: 1.3
    assert found.feature_gap == pytest.approx(1e-3 * abs(found.weights).max(), abs=1e-5)


def test_an_episode_that_ended_in_an_absorbing_state_says_as_much_as_one_that_stayed_there():
    mdp = maze(time_limit=12)
    goal = int(np.flatnonzero(mdp.absorbing)[0])
    policy = solve(mdp, goal_reward(mdp), 0.2).policy
    ended = sample_walks(mdp, policy, 40, seed=0)
    stayed = [
        tuple(np.pad(numbers, (0, 12 - len(walk[1])), constant_values=goal * (numbers is walk[0])) for numbers in walk)
        for walk in ended
    ]
    assert min(len(actions) for _, actions in ended) < 12
    features = np.eye(len(mdp.start))
    short, long = (mce_irl.train(mdp, features, walks, CONFIG) for walks in (ended, stayed))
    seen = occupancy(mdp, policy).sum(axis=-1) > 0.01
    np.testing.assert_allclose(short.policy[seen], long.policy[seen], atol=1e-4)


def test_the_same_demonstrations_give_the_same_bytes():
    mdp, features, truth = a_problem(0, 8, per_action=True)
    walks = sample_walks(mdp, solve(mdp, features @ truth).policy, 20, seed=0)
    first, again = (mce_irl.train(mdp, features, walks, CONFIG) for _ in range(2))
    assert first.weights.tobytes() == again.weights.tobytes() and first.policy.tobytes() == again.policy.tobytes()


WALK = (np.array([0, 1, 2]), np.array([0, 1]))


@pytest.mark.parametrize(
    ("walks", "words"),
    [
        ([], "there is no demonstration; there should be at least 1"),
        ([(WALK[0], WALK[1][:1])], r"demonstration 0 has \(3,\) states and \(1,\) actions; T actions have T \+ 1"),
        ([WALK, (np.array([0, 7]), np.array([0]))], r"demonstration 1 has the states \[0 7\]; .* from 0 to 5"),
        ([(np.array([0, 1]), np.array([0.5]))], r"demonstration 0 has the actions \[0.5\]; they should be whole"),
        ([(np.arange(6) % 2, np.zeros(5, int))], "demonstration 0 has 5 steps; time_limit is 4. Raise it, or cut"),
        (np.zeros((6, 3)), r"the expert's visits have the shape \(6, 3\); it should be \(4, 6, 3\)"),
        (np.full((4, 6, 3), -1.0), "the expert's visits hold -1; visits are finite and at least 0"),
    ],
)
def test_impossible_demonstrations_are_refused(walks, words):
    with pytest.raises(TrainingError, match=words):
        mce_irl.train(random_mdp(0, time_limit=4), np.eye(6), walks, CONFIG)


def test_a_step_that_the_world_does_not_allow_is_named():
    mdp = gridworld(["S.G"])
    with pytest.raises(TrainingError, match="demonstration 0, step 1: action 3 leads from state 1 to 2, which the MDP"):
        mce_irl.train(mdp, np.eye(3), [(np.array([0, 1, 2]), np.array([1, 3]))], CONFIG)


def test_features_of_another_shape_are_refused():
    for features in (np.eye(5), np.zeros((6, 0)), np.full((6, 2), np.nan), np.zeros(6)):
        with pytest.raises(TrainingError, match=r"the features have the shape .*one row per state, \(6, F\)"):
            mce_irl.train(random_mdp(0), features, [WALK], CONFIG)


def test_a_search_that_did_not_end_is_said():
    mdp, features, truth = a_problem(0, None, per_action=False)
    expert = occupancy(mdp, solve(mdp, features @ truth).policy)
    with pytest.raises(
        TrainingError, match=r"the feature gap is .* after 2 updates; it should be at most 1e-06. Raise"
    ):
        mce_irl.train(mdp, features, expert, mce_irl.Config(updates=2))


@pytest.mark.parametrize(("name", "value"), [("updates", 0), ("tolerance", 0), ("weight_decay", -1)])
def test_a_setting_out_of_range_is_refused(name, value):
    with pytest.raises(TrainingError, match=f"{name} is {value}; it should be"):
        mce_irl.Config(**{name: value})
