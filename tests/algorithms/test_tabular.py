"""Small worlds are solved exactly, and run as any environment does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from tabular_env import Table, TabularEnv, free_cells, goal_reward, gridworld, maze, random_mdp

from imitation_ros.algorithms.tabular import TabularMDP, expected, occupancy, sample_walks, shaped, solve
from imitation_ros.envs.any_env import AnyEnv
from imitation_ros.envs.collect import collect
from imitation_ros.errors import TrainingError

SEEDS = st.integers(0, 2**32 - 1)
LIMITS = st.sampled_from([None, 1, 7])


def random_reward(mdp: TabularMDP, seed: int, axes: int = 3) -> np.ndarray:
    return np.random.default_rng([seed, 1]).normal(size=mdp.transitions.shape[:axes])


@given(SEEDS, st.sampled_from([0.0, 0.3, 1.0]))
def test_the_values_are_those_that_plain_value_iteration_converges_to(seed, temperature):
    mdp = random_mdp(seed)
    reward = random_reward(mdp, seed)
    values = np.zeros(len(mdp.start))
    for _ in range(300):  # 0.9^300 is 2e-14
        worth = expected(mdp, reward) + mdp.discount * mdp.transitions @ values
        soft = np.log(np.exp(worth / temperature).sum(axis=1)) * temperature if temperature else None
        values = worth.max(axis=1) if soft is None else soft
    np.testing.assert_allclose(solve(mdp, reward, temperature).values, values, atol=1e-10)


@given(SEEDS)
def test_a_soft_value_is_the_log_of_the_sum_over_all_paths(seed):
    """Where nothing is left to chance, a path's probability is in proportion to exp(its reward) (Ziebart 2008)."""
    mdp = random_mdp(seed, states=4, actions=2, discount=1.0, time_limit=5, deterministic=True)
    reward = random_reward(mdp, seed)
    total = np.full(4, -np.inf)
    for first, actions in itertools.product(range(4), itertools.product(range(2), repeat=5)):
        state, earned = first, 0.0
        for action in actions:
            following = int(mdp.transitions[state, action].argmax())
            earned, state = earned + reward[state, action, following], following
        total[first] = np.logaddexp(total[first], earned)
    np.testing.assert_allclose(solve(mdp, reward).values[0], total, atol=1e-12)


@given(SEEDS, LIMITS, st.sampled_from([0.5, 1.0]))
def test_what_a_soft_policy_earns_on_its_visits_is_the_value_of_the_start(seed, time_limit, temperature):
    mdp = random_mdp(seed, time_limit=time_limit)
    reward = random_reward(mdp, seed)
    best = solve(mdp, reward, temperature)
    visits = occupancy(mdp, best.policy)
    earned = (visits * (expected(mdp, reward) - temperature * np.log(best.policy))).sum()
    first = best.values if time_limit is None else best.values[0]
    assert earned == pytest.approx(mdp.start @ first, abs=1e-10)
    np.testing.assert_allclose(temperature * np.log(best.policy), best.advantages, atol=1e-10)


@given(SEEDS, LIMITS)
def test_visits_are_those_that_follow_step_by_step(seed, time_limit):
    mdp = random_mdp(seed, time_limit=time_limit)
    policy = solve(mdp, random_reward(mdp, seed)).policy
    state, steps = mdp.start, []
    for step in range(time_limit or 300):
        pairs = state[:, None] * (policy if time_limit is None else policy[step])
        steps.append(mdp.discount**step * pairs)
        state = np.einsum("san,sa->n", mdp.transitions, pairs)
    followed = np.sum(steps, axis=0) if time_limit is None else np.array(steps)
    np.testing.assert_allclose(occupancy(mdp, policy), followed, atol=1e-11)


def test_a_long_time_limit_comes_to_none():
    mdp = random_mdp(0)
    long = TabularMDP(mdp.transitions, mdp.start, mdp.discount, 400)
    reward = random_reward(mdp, 0)
    np.testing.assert_allclose(solve(long, reward).policy[0], solve(mdp, reward).policy, atol=1e-12)


def test_sampled_episodes_visit_what_they_should_as_often():
    mdp = maze(time_limit=12, discount=1.0)
    policy = solve(mdp, goal_reward(mdp), 0.1).policy
    walks = sample_walks(mdp, policy, 2000, seed=0)
    counted = np.zeros(mdp.shape)
    for states, actions in walks:
        assert len(states) == len(actions) + 1 and (len(actions) == 12 or mdp.absorbing[states[-1]])
        counted[np.arange(len(actions)), states[:-1], actions] += 1 / len(walks)
    exact = occupancy(mdp, policy)
    exact[:, mdp.absorbing] = 0.0  # a sampled episode ends there
    assert abs(counted - exact).max() < 0.045  # four standard errors of a half; measured: 0.013
    again = sample_walks(mdp, policy, 2000, seed=0)
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(walks, again, strict=True))


# shaping


@given(SEEDS, st.booleans(), st.sampled_from([0.0, 1.0]), st.integers(1, 3))
def test_shaping_changes_neither_the_optimal_nor_the_soft_optimal_policy(seed, deterministic, temperature, axes):
    mdp = random_mdp(seed, deterministic=deterministic)
    reward, potential = random_reward(mdp, seed, axes), np.random.default_rng(seed).normal(size=len(mdp.start))
    plain, changed = (solve(mdp, r, temperature) for r in (reward, shaped(reward, potential, mdp.discount)))
    np.testing.assert_allclose(changed.policy, plain.policy, atol=1e-9)
    np.testing.assert_allclose(changed.values, plain.values - potential, atol=1e-9)


@given(SEEDS)
def test_with_a_time_limit_shaping_is_harmless_where_the_potential_ends_at_zero(seed):
    """Four steps to nowhere: the last state, in which every episode ends, has the potential 0."""
    rng = np.random.default_rng(seed)
    transitions = np.zeros((9, 2, 9))
    for layer, state in itertools.product(range(4), range(2)):  # states 2 * layer + 0 or 1, then the end
        following = [8] if layer == 3 else [2 * layer + 2, 2 * layer + 3]
        transitions[2 * layer + state][:, following] = rng.dirichlet(np.ones(len(following)), size=2)
    transitions[8, :, 8] = 1.0
    mdp = TabularMDP(transitions, np.eye(9)[0], 0.9, time_limit=4)
    reward, potential = random_reward(mdp, seed), np.append(rng.normal(size=8), 0.0)
    plain, changed = (solve(mdp, r) for r in (reward, shaped(reward, potential, 0.9)))
    np.testing.assert_allclose(changed.values[0, 0], plain.values[0, 0] - potential[0], atol=1e-12)
    met = occupancy(mdp, plain.policy) > 0.0
    np.testing.assert_allclose(changed.policy[met], plain.policy[met], atol=1e-12)


def test_with_a_time_limit_a_potential_at_the_end_does_change_the_policy():
    mdp = random_mdp(0, time_limit=1)
    reward, potential = np.zeros(6), np.arange(6.0)
    assert abs(solve(mdp, shaped(reward, potential, 0.9)).policy - 1 / 3).max() > 0.1


# grids, and worlds as gymnasium knows them


def test_a_grid_is_what_was_drawn():
    rows = ["S#G", "..."]
    mdp = gridworld(rows)
    assert free_cells(rows) == [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2)]
    up, right, down, _ = range(4)
    assert mdp.transitions[0, right].tolist() == [1, 0, 0, 0, 0]  # a wall
    assert mdp.transitions[0, down].tolist() == [0, 0, 1, 0, 0]
    assert mdp.transitions[4, up].tolist() == [0, 1, 0, 0, 0]
    assert mdp.absorbing.tolist() == [False, True, False, False, False]
    value = solve(mdp, goal_reward(mdp), temperature=0.0).values[0]
    assert value == pytest.approx(0.9**3)  # down, right, right, up


def test_a_world_runs_as_any_environment_and_earns_what_was_computed():
    mdp = maze(discount=1.0)
    check_env(TabularEnv(mdp, goal_reward(mdp)), skip_render_check=True)
    best = solve(maze(discount=0.999, time_limit=None), goal_reward(mdp), temperature=0.0)
    exact = float((occupancy(mdp, np.eye(4)[best.policy.argmax(axis=1)]) * expected(mdp, goal_reward(mdp))).sum())
    episodes = collect("tabular_env:Maze-v0", Table(best.policy), 50)
    earned = np.mean([episode.rewards.sum() for episode in episodes])
    assert earned == pytest.approx(exact, abs=0.02) and exact > 0.99  # both 1.00: 30 steps are plenty
    assert all(episode.terminated for episode in episodes)
    steps = np.mean([episode.steps for episode in episodes])
    going = occupancy(mdp, np.eye(4)[best.policy.argmax(axis=1)])[:, ~mdp.absorbing].sum()
    assert steps == pytest.approx(going, abs=0.5)
    assert AnyEnv(TabularEnv(mdp, goal_reward(mdp))).robot_spec.observation[0].categories == len(mdp.start)


# what is impossible is said in words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"transitions": np.ones((2, 3))}, r"transitions have the shape \(2, 3\); it should be \(states"),
        ({"transitions": np.full((2, 1, 2), 0.4)}, r"transitions\[0, 0\] sum to 0.8; probabilities should sum to 1"),
        ({"transitions": np.array([[[1.5, -0.5]], [[0.0, 1.0]]])}, "transitions hold -0.5; probabilities are finite"),
        ({"start": np.array([1.0])}, r"start has the shape \(1,\); it should be \(2,\)"),
        ({"start": np.array([0.5, 0.4])}, "start sum to 0.9; probabilities should sum to 1"),
        ({"time_limit": 0}, "time_limit is 0; it should be at least 1, or None"),
        ({"discount": 1.0}, "discount is 1; it should be from 0 to 1, and below 1 where there is no time_limit"),
        ({"discount": 1.1, "time_limit": 5}, "discount is 1.1"),
    ],
)
def test_an_impossible_world_is_refused(changes, words):
    given = {"transitions": np.eye(2)[:, None], "start": np.array([1.0, 0.0]), "discount": 0.9, **changes}
    with pytest.raises(TrainingError, match=words):
        TabularMDP(**given)


def test_a_reward_or_a_policy_of_another_shape_is_refused():
    mdp = random_mdp(0)
    with pytest.raises(TrainingError, match=r"the reward has the shape \(5,\); it should be \(6,\), \(6, 3\) or"):
        solve(mdp, np.zeros(5))
    with pytest.raises(TrainingError, match="the reward is not finite"):
        solve(mdp, np.array([0, 0, 0, 0, 0, -np.inf]))
    with pytest.raises(TrainingError, match=r"the policy has the shape \(3, 6\); it should be \(6, 3\)"):
        occupancy(mdp, np.full((3, 6), 1 / 6))
    with pytest.raises(TrainingError, match=r"policy\[0\] sum to 1.5"):
        occupancy(mdp, np.full((6, 3), 0.5))
    with pytest.raises(TrainingError, match="steps is None; without a time_limit it should say"):
        sample_walks(mdp, np.full((6, 3), 1 / 3), 1, seed=0)
