"""Collecting: whole episodes, the same bytes for any number of workers, clean labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_ros.envs.collect import collect
from imitation_ros.envs.evaluate import Evaluation, evaluate, wilson_interval
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.envs.tasks import Expert

SETUP, EXPERT = "panda_pick_place", Expert("pick_place")


@pytest.fixture(scope="module")
def disturbed():
    return collect(SETUP, EXPERT, 3, seed=7, disturbance=True)


def assert_equal(first, second):
    for name in ("observations", "actions", "executed"):
        for field, values in getattr(first, name).items():
            np.testing.assert_array_equal(values, getattr(second, name)[field], err_msg=f"{name} {field}")
    np.testing.assert_array_equal(first.rewards, second.rewards)
    assert (first.success, first.attributes) == (second.success, second.attributes)


def test_two_workers_give_the_bytes_of_one(disturbed):
    for one, two in zip(disturbed, collect(SETUP, EXPERT, 3, seed=7, disturbance=True, workers=2), strict=True):
        assert_equal(one, two)


def test_an_episode_does_not_depend_on_those_before_it(disturbed):
    assert_equal(disturbed[2], collect(SETUP, EXPERT, range(2, 3), seed=7, disturbance=True)[0])


def test_another_seed_or_purpose_gives_other_episodes(disturbed):
    goal = disturbed[0].observations["goal"][0]
    for other in (collect(SETUP, EXPERT, 1, seed=8), collect(SETUP, EXPERT, 1, seed=7, purpose="test")):
        assert np.any(other[0].observations["goal"][0] != goal)


def test_labels_stay_clean_and_differ_from_what_was_executed_only_under_the_disturbance(disturbed):
    calm = collect(SETUP, EXPERT, 1, seed=7)[0]
    np.testing.assert_array_equal(calm.actions["twist"], calm.executed["twist"])
    episode = disturbed[0]
    assert np.all(np.any(episode.actions["twist"] != episode.executed["twist"], axis=1))
    np.testing.assert_array_equal(episode.actions["gripper"], episode.executed["gripper"])
    for tick in range(0, episode.steps, 7):
        seen = {name: values[tick] for name, values in episode.observations.items()}
        np.testing.assert_array_equal(EXPERT.act(seen)["twist"].astype(np.float32), episode.actions["twist"][tick])


def test_executing_again_what_was_executed_gives_the_same_episode(disturbed):
    """So what a recording says was executed is what moved the robot, to the rounding of float32."""
    episode, env = disturbed[0], RobotEnv(SETUP)
    env.reset(seed=7, options={"start": 0})
    for tick in range(10):
        env.apply({name: values[tick] for name, values in episode.executed.items()})
        for name, values in env.observe().items():
            np.testing.assert_allclose(values, episode.observations[name][tick + 1], atol=1e-5)
    env.close()


def test_episodes_have_the_length_of_the_time_limit_and_say_where_they_are_from(disturbed):
    for start, episode in enumerate(disturbed):
        assert episode.steps == 100
        assert episode.attributes["start"] == start and episode.attributes["seed"] == 7
        assert not episode.terminated


def test_an_error_in_a_worker_arrives():
    with pytest.raises(KeyError, match="object_pose"):
        collect("panda_reach", EXPERT, 2, workers=2)


def test_evaluation_counts_what_the_episodes_say(disturbed):
    result = evaluate(SETUP, EXPERT, 3, seed=7, purpose="train", disturbance=True)
    assert result.successes == tuple(episode.success for episode in disturbed)
    np.testing.assert_allclose(result.returns, [episode.rewards.sum() for episode in disturbed])


def test_the_interval_is_wilsons():
    low, high = Evaluation((True,) * 8 + (False,) * 2, (0.0,) * 10).interval
    np.testing.assert_allclose([low, high], [0.490, 0.943], atol=0.001)  # Newcombe 1998, method 3


@given(trials=st.integers(1, 500), data=st.data())
def test_the_interval_holds_the_rate_and_stays_within_0_and_1(trials, data):
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    assert 0.0 <= low <= successes / trials + 1e-12 and successes / trials - 1e-12 <= high <= 1.0
