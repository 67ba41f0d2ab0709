"""Evaluating: what the episodes say, the same starts for everybody, an interval that is sound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_ros.envs.collect import Workers, collect
from imitation_ros.envs.evaluate import Evaluation, evaluate, evaluate_with, wilson_interval
from imitation_ros.envs.tasks import Expert
from imitation_ros.policies.driving import Choice, Mixture


class Swings:
    """Pushes with what speed there is; where it may draw, it pushes at random."""

    def act(self, observation):
        return {"action": np.sign(observation["observation"][2:])}

    def begin(self, generator):
        def choose(observation):
            action = {"action": generator.uniform(-2.0, 2.0, 1)}
            return Choice(action, action)

        return choose


class OnlyActs:
    act = Swings.act


def test_evaluation_counts_what_the_episodes_say():
    episodes = collect("panda_pick_place", Expert("pick_place"), 3, seed=7, disturbance=True)
    result = evaluate("panda_pick_place", Expert("pick_place"), 3, seed=7, purpose="train", disturbance=True)
    assert result.successes == tuple(episode.success for episode in episodes)
    np.testing.assert_allclose(result.returns, [episode.rewards.sum() for episode in episodes])
    assert result.steps == (100, 100, 100)


def test_steps_are_the_time_to_success_where_episodes_end_there():
    ended = evaluate("panda_reach", Expert("reach"), 3, terminate_on_success=True)
    assert ended.success_rate == 1.0 and max(ended.steps) < 60 and ended.episodes == len(ended.steps) == 3


def test_a_policy_that_can_draw_is_evaluated_without_drawing():
    with Workers("Pendulum-v1") as workers:
        first = evaluate_with(workers, Swings(), 3, seed=1)
        assert first == evaluate_with(workers, OnlyActs(), 3, seed=1) == evaluate("Pendulum-v1", Swings(), 3, seed=1)
        assert first.successes is None and math.isnan(first.success_rate)
        drawn = workers.collect(Swings(), 3, seed=1, purpose="test")
    assert first.returns != tuple(float(episode.rewards.sum()) for episode in drawn)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mixture_is_evaluated_as_it_drives(workers):
    alone = evaluate("Pendulum-v1", OnlyActs(), 3)
    assert evaluate("Pendulum-v1", Mixture(OnlyActs(), Swings(), 1.0), 3, workers=workers) == alone


def test_the_interval_is_wilsons():
    low, high = Evaluation((True,) * 8 + (False,) * 2, (0.0,) * 10).interval
    np.testing.assert_allclose([low, high], [0.490, 0.943], atol=0.001)  # Newcombe 1998, method 3


@given(trials=st.integers(1, 500), data=st.data())
def test_the_interval_holds_the_rate_and_stays_within_0_and_1(trials, data):
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    assert 0.0 <= low <= successes / trials + 1e-12 and successes / trials - 1e-12 <= high <= 1.0
