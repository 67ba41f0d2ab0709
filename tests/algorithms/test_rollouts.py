"""Episodes become rows in which nothing of one episode is found in another, and an end is an end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixed_robot import EPISODES, mixed_episode, mixed_policy, mixed_spec, same_steps

from imitation_ros.algorithms.rollouts import Steps, steps_of, with_absorbing
from imitation_ros.errors import TrainingError
from imitation_ros.policies.actor import Actor
from imitation_ros.policies.continuous_heads import NEAR_BOUND
from imitation_ros.policies.networks import STATE
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

POLICY, SPEC = mixed_policy(), mixed_spec()
PUSH, GEAR, GRIP = SPEC.action


def encoded(episode, tick):
    """Return one observation as the encoder prepares it, alone."""
    row = {name: torch.from_numpy(values[tick : tick + 1]) for name, values in episode.observations.items()}
    return POLICY.encoder.prepare(row)[STATE][0]


def targets_by_hand(push, gear, grip):
    """Return what the heads learn: halves of the scale, the category's number from 0, and 0 or 1."""
    return [(push[0] - 0.0) / 2.0, (push[1] - 0.5) / 0.5, gear[0] - 3.0, float(grip[0] > 0.04)]


@given(EPISODES)
def test_rows_are_what_a_loop_over_episodes_says(episodes):
    steps = steps_of(episodes, POLICY)
    row = 0
    for episode in episodes:
        for tick in range(episode.steps):
            is_last = tick == episode.steps - 1
            assert torch.equal(steps.observations[row], encoded(episode, tick))
            assert torch.equal(steps.next_observations[row], encoded(episode, tick + 1))
            assert float(steps.rewards[row]) == (0.0 if episode.rewards is None else float(episode.rewards[tick]))
            assert bool(steps.last[row]) == is_last
            assert bool(steps.terminated[row]) == (is_last and episode.terminated)
            assert not steps.absorbing[row]
            push, gear, grip = (episode.executed[name][tick] for name in ("push", "gear", "grip"))
            unit = np.clip([push[0] / 2.0, 2.0 * push[1] - 1.0], -1.0, 1.0)
            hot = np.eye(4)[int(gear[0]) - 3]
            told = np.concatenate([unit, hot, [2.0 * float(grip[0] > 0.04) - 1.0]])
            np.testing.assert_allclose(steps.executed[row], told, atol=1e-6)
            labels = [episode.actions[name][tick] for name in ("push", "gear", "grip")]
            for kept, values in ((steps.actions, labels), (steps.executed_targets, (push, gear, grip))):
                wanted = np.array(targets_by_hand(*values))
                if kept is steps.executed_targets:
                    wanted[:2] = np.clip(wanted[:2], -NEAR_BOUND, NEAR_BOUND)
                found = torch.cat([kept[name][row] for name in ("push", "gear", "grip")])
                np.testing.assert_allclose(found, wanted, atol=1e-5)
            row += 1
    assert row == len(steps)


@given(EPISODES)
def test_an_episode_has_the_same_rows_alone_as_among_others(episodes):
    assert same_steps(steps_of(episodes, POLICY), Steps.join([steps_of([one], POLICY) for one in episodes]))


@given(EPISODES, st.integers(0, 5), st.booleans())
def test_episodes_without_a_step_leave_no_trace(episodes, where, terminated):
    among = [*episodes[:where], mixed_episode(0, 1, terminated), *episodes[where:]]
    assert same_steps(steps_of(among, POLICY), steps_of(episodes, POLICY))


@pytest.mark.parametrize("episodes", [[], [mixed_episode(0, 0)]], ids=["no episode", "no step"])
def test_nothing_to_learn_from_is_said_in_words(episodes):
    with pytest.raises(TrainingError, match="no step"):
        steps_of(episodes, POLICY)


class Largest:
    """Draws the largest number below 1 that there is."""

    def random(self, size=None):
        return 1.0 - 2.0**-53 if size is None else np.full(size, 1.0 - 2.0**-53)

    def standard_normal(self, size, dtype):
        return np.zeros(size, dtype)


def test_the_largest_draw_is_still_one_of_the_categories():
    choose = Actor(POLICY).begin(Largest())
    choice = choose({"joints": np.zeros(2, np.float32), "mode": np.zeros(1, np.float32)})
    assert choice.action["gear"] == 6.0


def test_images_are_refused_in_words(camera_spec, make_episode):
    policy = MLPPolicy(camera_spec, NetworkConfig(hidden=(8,), head="gaussian"))
    with pytest.raises(TrainingError, match="'wrist' is an image"):
        steps_of([make_episode(camera_spec)], policy)


def test_a_density_at_the_bound_is_finite_and_the_reward_reads_the_bound_itself():
    episode = mixed_episode(50, 3)
    steps = steps_of([episode], POLICY)
    beyond = np.abs(PUSH.to_unit(episode.executed["push"])) > 1.0
    assert beyond.sum() > 10
    np.testing.assert_allclose(steps.executed_targets["push"].numpy()[beyond].__abs__(), NEAR_BOUND, atol=1e-6)
    np.testing.assert_allclose(steps.executed.numpy()[:, :2][beyond].__abs__(), 1.0)
    squashed = MLPPolicy(SPEC, NetworkConfig(hidden=(8,), head="tanh_gaussian"))
    kept = steps_of([episode], squashed)
    assert torch.isfinite(squashed.log_prob(kept.observations, kept.executed_targets)).all()


@given(EPISODES)
def test_rows_survive_a_file(episodes):
    steps = steps_of(episodes, POLICY)
    assert same_steps(Steps.from_tensors(steps.to_tensors()), steps)


@given(EPISODES, st.randoms(use_true_random=False))
def test_taking_after_taking_is_taking_once_and_taken_rows_are_copies(episodes, random):
    steps = steps_of(episodes, POLICY)
    one = torch.tensor(random.choices(range(len(steps)), k=7))
    other = torch.tensor(random.choices(range(7), k=4))
    assert same_steps(steps.take(one).take(other), steps.take(one[other]))
    assert same_steps(steps.take(torch.arange(len(steps))), steps)
    steps.take(one).rewards.fill_(7.0)
    assert same_steps(steps, steps_of(episodes, POLICY))


@given(EPISODES, EPISODES, EPISODES)
def test_joining_keeps_all_rows_in_order_however_it_is_bracketed(one, two, three):
    parts = [steps_of(episodes, POLICY) for episodes in (one, two, three)]
    joined = Steps.join(parts)
    assert same_steps(joined, Steps.join([Steps.join(parts[:2]), parts[2]]))
    assert same_steps(joined, steps_of([*one, *two, *three], POLICY))
    first = torch.arange(len(parts[0]))
    assert same_steps(joined.take(first), parts[0])


@given(EPISODES, st.integers(1, 60), st.sampled_from([0.5, 0.95]))
def test_after_a_tasks_end_come_rows_of_zeros_up_to_the_time_limit_and_at_most_a_horizon(episodes, limit, discount):
    steps = steps_of(episodes, POLICY)
    full = with_absorbing(steps, limit, discount)
    horizon = {0.5: 2, 0.95: 20}[discount]
    added = sum(min(max(limit - one.steps, 0), horizon) for one in episodes if one.terminated)
    assert len(full) == len(steps) + added
    assert same_steps(full.take(torch.arange(len(steps))), steps)
    rest = full.take(torch.arange(len(steps), len(full)))
    assert rest.absorbing.all()
    for name, values in rest.to_tensors().items():
        assert name == "absorbing" or not values.any(), name
