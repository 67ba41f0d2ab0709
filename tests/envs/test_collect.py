"""Collecting: whole episodes, the same bytes for any number of workers, clean labels."""

from __future__ import annotations

import numpy as np
import pytest
from scene_files import write_setup

from imitation_ros.envs.collect import collect
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.envs.tasks import Expert
from imitation_ros.errors import SpecError
from imitation_ros.policies.driving import Choice

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


class Half:
    """Says that a person chose in the first half of an episode, and nothing after it."""

    def begin(self, generator):
        ticks, action = iter(range(1000)), {"action": np.zeros(1)}
        return lambda observation: Choice(action, {"action": np.ones(1)}, True if next(ticks) < 100 else None)


def test_an_episode_holds_the_labels_of_its_driver_and_who_chose_them():
    (episode,) = collect("Pendulum-v1", Half(), 1)
    assert episode.is_human is not None and episode.is_human.tolist() == [True] * 100 + [False] * 100
    assert set(episode.actions["action"].ravel()) == {1.0} and set(episode.executed["action"].ravel()) == {0.0}


def test_where_nobody_says_who_chose_an_episode_does_not_either(disturbed):
    assert disturbed[0].is_human is None


@pytest.mark.parametrize("workers", [1, 2])
def test_an_episode_ends_at_success_where_that_is_asked_for(workers):
    expert = Expert("reach")
    whole = collect("panda_reach", expert, 2, workers=workers)
    for early, late in zip(
        collect("panda_reach", expert, 2, workers=workers, terminate_on_success=True), whole, strict=True
    ):
        assert early.success and early.terminated and early.attributes["ended_by"] == "task"
        assert early.steps < late.steps and late.success and not late.terminated
        np.testing.assert_array_equal(early.executed["twist"], late.executed["twist"][: early.steps])


def test_only_a_setup_with_a_task_can_end_at_success(tmp_path):
    with pytest.raises(SpecError, match="Pendulum-v1 ends its own episodes"):
        collect("Pendulum-v1", Half(), 1, terminate_on_success=True)
    setup = write_setup(tmp_path, {"task": ""}, {"spawn": {"goal": {"low_m": [0.4, 0, 0.2], "high_m": [0.5, 0, 0.3]}}})
    with pytest.raises(SpecError, match="no `task:`"):
        collect(setup, Expert("reach"), 1, terminate_on_success=True)
