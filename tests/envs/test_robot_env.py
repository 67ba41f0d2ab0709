"""The environment: gymnasium's contract, physical units, and who decides what is random."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import yaml
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_stable_baselines

import imitation_ros.envs
from imitation_ros.envs.environment import PURPOSES
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.envs.tasks import TASKS, Expert
from imitation_ros.errors import SpecError
from imitation_ros.paths import find_file

SETUPS = list(imitation_ros.envs.ENVIRONMENTS.values())


@pytest.fixture(params=SETUPS)
def env(request):
    env = RobotEnv(request.param)
    yield env
    env.close()


@pytest.fixture
def reach():
    env = RobotEnv("panda_reach")
    yield env
    env.close()


def run(env, ticks, start=0, seed=0):
    """Return all observations of the expert from one start, one array per tick."""
    expert = Expert(env.robot_spec.task)
    seen = [env.reset(seed=seed, options={"start": start})[0]]
    for _ in range(ticks):
        env.apply(expert.act(seen[-1]))
        seen.append(env.rounded(env.observe()))
    return [np.concatenate([values for _, values in sorted(row.items())]) for row in seen]


@pytest.mark.parametrize("name", imitation_ros.envs.ENVIRONMENTS)
def test_gymnasium_and_stable_baselines_accept_it(name, recwarn):
    env = gymnasium.make(f"imitation_ros/{name}")
    check_env(env.unwrapped, skip_render_check=True)
    check_env_of_stable_baselines(env.unwrapped)
    env.close()
    warned = [str(warning.message) for warning in recwarn]
    assert [text for text in warned if "infinity" not in text] == []  # a pose has no bounds


def test_spaces_are_the_spec(env):
    observation, _ = env.reset(seed=0)
    assert list(observation) == [field.name for field in env.robot_spec.observation]
    assert env.observation_space.contains(observation)
    assert env.action_space.shape == (sum(field.width for field in env.robot_spec.action),)


def test_step_and_apply_are_the_same_way(env):
    action = env.action_space.sample()
    env.reset(seed=3)
    stepped, *_ = env.step(action)
    env.reset(seed=3)
    env.apply(env.from_unit(action))
    for name, values in env.rounded(env.observe()).items():
        np.testing.assert_array_equal(values, stepped[name])


def test_unit_actions_are_the_scale(reach):
    np.testing.assert_allclose(reach.from_unit(np.array([1.0, -1.0, 0.5]))["twist"], [0.5, -0.5, 0.25])
    np.testing.assert_allclose(reach.to_unit({"twist": np.array([0.5, -0.5, 0.25])}), [1.0, -1.0, 0.5])


def test_an_episode_is_truncated_at_its_time_limit_and_never_terminated(reach):
    reach.reset(seed=0)
    ends = [reach.step(np.zeros(3))[2:4] for _ in range(reach.time_limit)]
    assert ends == [(False, False)] * (reach.time_limit - 1) + [(False, True)]
    assert reach.time_limit == round(reach.task.TIME_LIMIT_S * reach.robot_spec.rate_hz)


def test_success_is_held_for_the_dwell_and_ends_the_episode_only_where_asked():
    env = RobotEnv("panda_reach", terminate_on_success=True)
    expert, (observation, _) = Expert("reach"), env.reset(seed=0)
    inside, terminated = 0, False
    while not terminated:
        observation, _, terminated, truncated, info = env.step(env.to_unit(expert.act(observation)))
        inside = inside + 1 if env.task.is_success(observation) else 0
        assert info["success"] == terminated == (inside >= env.task.DWELL_TICKS)
        assert not truncated
    env.close()


def test_the_same_start_is_the_same_whatever_ran_before(env):
    first = run(env, 40, start=0)
    run(env, env.time_limit, start=1)  # the cube is grasped, and lies somewhere else
    np.testing.assert_array_equal(first, run(env, 40, start=0))
    other = RobotEnv(env.robot_spec.name)
    np.testing.assert_array_equal(first, run(other, 40, start=0))
    other.close()


def test_starts_purposes_and_seeds_are_all_different(env):
    goals = {
        tuple(env.reset(seed=seed, options={"start": start, "purpose": purpose})[0]["goal"])
        for seed in (0, 1)
        for start in (0, 1)
        for purpose in PURPOSES
    }
    assert len(goals) == 2 * 2 * len(PURPOSES)


def test_an_unknown_purpose_is_refused(reach):
    with pytest.raises(ValueError, match="train, validation, test"):
        reach.reset(seed=0, options={"start": 0, "purpose": "exam"})


def test_a_seed_without_a_start_is_reproducible_and_goes_on_to_other_episodes(reach):
    def goals():
        return [reach.reset(seed=5)[0]["goal"], reach.reset()[0]["goal"]]

    first, second = goals(), goals()
    np.testing.assert_array_equal(first, second)
    assert np.any(first[0] != first[1])


def test_the_disturbance_is_seeded_and_does_not_move_the_placement():
    calm, rough = RobotEnv("panda_reach"), RobotEnv("panda_reach", disturbance=True)
    a, b = run(calm, 10), run(rough, 10)
    np.testing.assert_array_equal(a[0], b[0])
    assert np.any(a[-1] != b[-1])
    np.testing.assert_array_equal(b, run(rough, 10))
    calm.close()
    rough.close()


def test_the_disturbance_has_the_deviation_that_the_scene_says_and_stays_within_the_scale():
    env = RobotEnv("panda_pick_place", disturbance=True)
    action = {"twist": np.zeros(3), "gripper": np.array([0.08])}
    env.reset(seed=0)
    executed = [env.apply(action) for _ in range(400)]
    twists = np.array([row["twist"] for row in executed])
    std_mps = env.scene.disturbance.std * 0.5
    assert abs(twists.std() / std_mps - 1.0) < 0.08  # 1200 numbers: 2 % is one standard error
    assert abs(twists.mean()) < 0.02
    assert np.all(np.abs(env.apply({**action, "twist": np.full(3, 9.0)})["twist"]) <= 0.5)
    assert all(row["gripper"] == 0.08 for row in executed), "a gripper is not disturbed"
    env.close()


def test_an_action_that_is_no_number_is_refused(reach):
    with pytest.raises(ValueError, match="finite"):
        reach.apply({"twist": np.array([np.nan, 0.0, 0.0])})


def test_pictures_are_drawn_only_where_asked():
    env = RobotEnv("panda_reach", render_mode="rgb_array")
    assert env.render().shape == (240, 320, 3)
    env.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"observation": ["joint_position", "goal"]}, ["reach", "end_effector_pose"]),
        ({"task": "rech"}, ["rech", "Did you mean 'reach'"]),
        ({"task": "", "scene": "pick_place"}, ["pick_place.yaml", "without a task", "'cube'", "spawn"]),
        ({"scene": ""}, ["setup.yaml", "has no `scene:`"]),
        ({"action": ["joint_position"], "observation": ["end_effector_pose", "goal"]}, ["joint_position", "scale"]),
    ],
)
def test_a_setup_that_the_simulator_cannot_run_is_refused_in_words(tmp_path, change, words):
    file = tmp_path / "setup.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(find_file("config/setups", "panda_reach").read_text()), **change}))
    with pytest.raises(SpecError) as caught:
        RobotEnv(file)
    for word in words:
        assert word in str(caught.value)


def test_joint_velocities_are_an_action_too(tmp_path):
    data = yaml.safe_load(find_file("config/setups", "panda_reach").read_text())
    names = [f"panda_joint{index}" for index in range(7, 0, -1)]  # another order than the URDF's
    data["fields"]["joint_velocity"] = {
        "topic": "velocity", "type": "sensor_msgs/msg/JointState", "quantity": "velocity", "names": names,
        "unit": "rad/s", "scale_low": -1.0, "scale_high": 1.0,
    }  # fmt: skip
    file = tmp_path / "setup.yaml"
    file.write_text(yaml.safe_dump({**data, "action": ["joint_velocity"]}))
    env = RobotEnv(file)
    before = env.reset(seed=0)[0]["joint_position"]
    after = env.step(np.array([1.0, 0, 0, 0, 0, 0, 0]))[0]["joint_position"]
    np.testing.assert_allclose(after - before, [0, 0, 0, 0, 0, 0, 0.05], atol=0.005)
    env.close()


def test_a_joint_that_nobody_would_move_is_named(tmp_path):
    data = yaml.safe_load(find_file("config/setups", "panda_reach").read_text())
    data["fields"]["joint_velocity"] = {
        "topic": "velocity", "type": "sensor_msgs/msg/JointState", "quantity": "velocity",
        "names": [f"panda_joint{index}" for index in range(1, 7)], "scale_low": -1.0, "scale_high": 1.0,
    }  # fmt: skip
    file = tmp_path / "setup.yaml"
    file.write_text(yaml.safe_dump({**data, "action": ["joint_velocity"]}))
    with pytest.raises(SpecError, match="'joint_velocity' lacks the joint 'panda_joint7'"):
        RobotEnv(file)


def test_every_task_has_a_setup_that_runs_it():
    assert {RobotEnv(setup).robot_spec.task for setup in SETUPS} == set(TASKS)
