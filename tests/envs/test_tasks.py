"""The experts: they succeed, from the observation alone, and the tasks are not solved by standing still."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_ros.envs.evaluate import evaluate
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.envs.tasks import Expert, find_task, motion, pick_place
from imitation_ros.errors import SpecError

TASKS = {"reach": "panda_reach", "pick_place": "panda_pick_place"}
POINTS = st.tuples(*[st.floats(-0.5, 0.5)] * 3).map(np.array)


class Constant:
    """Always the same action: zero, or the mean of the expert's."""

    def __init__(self, action):
        self.action = action

    def act(self, observation):
        return self.action


class Random:
    """Anything within the scale."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def act(self, observation):
        return {"twist": self.rng.uniform(-0.5, 0.5, 3), "gripper": self.rng.choice([0.0, 0.08], 1)}


@pytest.mark.parametrize("disturbance", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_the_expert_succeeds_with_and_without_the_disturbance(task, disturbance):
    result = evaluate(TASKS[task], Expert(task), 40, purpose="validation", disturbance=disturbance)
    assert sum(result.successes) >= 38, str(result)  # 99 % of 200 where this was written


@pytest.mark.parametrize(
    "policy",
    [
        Constant({"twist": np.zeros(3), "gripper": np.array([0.08])}),
        Constant({"twist": np.array([0.02, 0.0, -0.06]), "gripper": np.array([0.0])}),
        Random(),
    ],
    ids=["zero", "mean", "random"],
)
@pytest.mark.parametrize("task", TASKS)
def test_nothing_succeeds_without_looking(task, policy):
    assert evaluate(TASKS[task], policy, 20).success_rate <= 0.1


@pytest.mark.parametrize("task", TASKS)
def test_the_expert_needs_no_memory(task):
    """Two experts that take turns do what one does: nothing is kept between calls."""
    env = RobotEnv(TASKS[task])
    observation, _ = env.reset(seed=0)
    for _ in range(30):
        first, second = Expert(task).act(observation), Expert(task).act(dict(observation))
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])
        env.apply(first)
        observation = env.rounded(env.observe())
    env.close()


def test_the_cube_and_its_goal_are_apart_and_within_reach():
    for seed in range(200):
        placed = pick_place.place(np.random.default_rng(seed))
        cube, goal = placed["object_pose"][0], placed["goal"][0]
        assert np.linalg.norm(cube - goal) >= pick_place.APART_M
        for position in (cube, goal):
            assert np.all(position[:2] >= pick_place.LOW_M) and np.all(position[:2] <= pick_place.HIGH_M)


def observation(hand, cube, goal, fingers):
    pose = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    return {
        "end_effector_pose": np.array([*hand, *pose]),
        "object_pose": np.array([*cube, *pose]),
        "goal": np.array(goal),
        "finger_position": np.array([0.5 * fingers, 0.5 * fingers]),
    }


GOAL = np.array([0.5, 0.1, 0.02])


def test_a_cube_at_the_goal_counts_only_when_it_is_let_go():
    assert pick_place.is_success(observation([0.5, 0.1, 0.1], GOAL, GOAL, 0.08))
    assert not pick_place.is_success(observation(GOAL, GOAL, GOAL, 0.04))
    assert not pick_place.is_success(observation([0.5, 0.1, 0.1], GOAL + np.array([0.03, 0, 0]), GOAL, 0.08))
    assert not pick_place.is_success(observation([0.5, 0.1, 0.1], GOAL + np.array([0, 0, 0.03]), GOAL, 0.08))


@pytest.mark.parametrize(
    ("hand", "cube", "fingers", "gripper", "sign_of_z"),
    [
        ([0.4, 0.0, 0.25], [0.4, 0.0, 0.02], 0.08, 0.08, -1),  # above the cube: down, open
        ([0.4, -0.1, 0.02], [0.4, 0.0, 0.02], 0.08, 0.08, +1),  # beside the cube: up first
        ([0.4, 0.0, 0.02], [0.4, 0.0, 0.02], 0.04, 0.0, +1),  # holds it: lift
        ([0.5, 0.1, 0.12], [0.5, 0.1, 0.12], 0.04, 0.0, -1),  # holds it above the goal: lower
        ([0.5, 0.1, 0.02], [0.5, 0.1, 0.02], 0.08, 0.08, +1),  # has let it go: rise
    ],
)
def test_the_phase_follows_from_what_is_seen(hand, cube, fingers, gripper, sign_of_z):
    action = pick_place.expert(observation(hand, cube, GOAL, fingers))
    assert action["gripper"] == gripper
    assert np.sign(action["twist"][2]) == sign_of_z


@settings(max_examples=200, deadline=None)
@given(error=POINTS)
def test_towards_goes_straight_and_never_too_fast(error):
    velocity = motion.towards(error)
    assert np.linalg.norm(velocity) <= motion.MAX_SPEED + 1e-9
    np.testing.assert_allclose(np.cross(velocity, error), 0.0, atol=1e-12)
    assert velocity @ error >= 0.0


@settings(max_examples=200, deadline=None)
@given(point=POINTS, nudge=POINTS)
def test_the_funnel_is_smooth(point, nudge):
    """A millimetre changes the speed by little: what a network has to imitate must not jump."""
    target = np.zeros(3)
    nudge = 1e-3 * nudge / max(np.linalg.norm(nudge), 1e-9)
    near, far = (motion.funnel(at, target, 0.1, near=0.008, far=0.05) for at in (point, point + nudge))
    assert np.linalg.norm(near - far) < 0.05  # m/s, of 0.45


def test_an_unknown_task_is_named():
    with pytest.raises(SpecError, match="Did you mean 'reach'"):
        find_task("rech")
