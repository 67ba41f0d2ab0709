"""Randomisation: seeded, off unless asked for, and nothing else than another scene file, and late and noisy numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene_files import write_setup

from imitation_ros.data.hdf5 import read_episode, write_episode
from imitation_ros.envs.collect import run_episode
from imitation_ros.envs.environment import start_sequence
from imitation_ros.envs.randomisation import Randomisation, vary
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.envs.scene import load_scene
from imitation_ros.envs.tasks import Expert
from imitation_ros.errors import SpecError

SETUP, EXPERT = "panda_pick_place", Expert("pick_place")


def run(env, start, ticks=40):
    """Return everything that is observed, one array per tick."""
    seen = [env.begin(0, "train", start)]
    for _ in range(ticks):
        seen.append(env.advance(EXPERT.act(seen[-1])).observation)
    return [np.concatenate([values.ravel() for _, values in sorted(row.items())]) for row in seen]


@pytest.fixture(scope="module")
def varied():
    env = RobotEnv(SETUP, randomisation=True)
    yield env
    env.close()


def test_an_episode_is_the_same_whatever_ran_before_and_in_a_new_environment(varied):
    first = run(varied, 0)
    run(varied, 1, ticks=100)
    np.testing.assert_array_equal(first, run(varied, 0))
    other = RobotEnv(SETUP, randomisation=True)
    np.testing.assert_array_equal(first, run(other, 0))
    other.close()


def test_every_start_draws_other_numbers_and_reset_says_which(varied):
    drawn = [varied.reset(seed=0, options={"start": start})[1]["randomisation"] for start in (0, 1, 0)]
    assert drawn[0] == drawn[2] != drawn[1]
    assert {"cube.mass_kg", "cube.friction", "cube.size", "table.friction", "scene_camera.x_m"} <= set(drawn[0])
    assert {"command_latency_s", "object_pose.observation_delay_s"} <= set(drawn[0])


def test_what_was_drawn_stands_in_the_episode_and_its_file(tmp_path, varied):
    class Lazy:
        def act(self, observation):
            return {"twist": np.zeros(3), "gripper": np.zeros(1)}

    episode = run_episode(varied, Lazy(), 0, seed=0, purpose="train")
    drawn = varied.reset(seed=0, options={"start": 0})[1]["randomisation"]
    back = read_episode(write_episode(tmp_path / "episode.hdf5", episode)).attributes
    assert drawn and {name: back[f"drawn {name}"] for name in drawn} == drawn


def test_it_is_off_unless_asked_for_and_does_not_move_the_placement(varied):
    calm = RobotEnv(SETUP)
    assert calm.reset(seed=0)[1]["randomisation"] == {}
    for start in range(3):
        calm.begin(0, "train", start)
        varied.begin(0, "train", start)
        for name in ("cube", "goal"):
            np.testing.assert_array_equal(calm.world.position(name)[:2], varied.world.position(name)[:2])
    calm.close()


def test_what_is_drawn_is_a_scene_file_with_these_numbers(tmp_path):
    """So nothing of the file's own numbers, nor of the episode before, is left in the physics."""
    varied = RobotEnv(
        write_setup(tmp_path, scene={"randomisation": {"mass": 0.5, "friction": 0.5}}, of=SETUP), randomisation=True
    )
    run(varied, 0, ticks=5)
    seen, cube, table = run(varied, 1), varied.world.scene.objects[0], varied.world.scene.fixed[0]
    scene = {"objects/cube/mass_kg": cube.mass_kg, "objects/cube/friction": cube.friction}
    plain = RobotEnv(write_setup(tmp_path, scene={**scene, "fixed/table/friction": table.friction}, of=SETUP))
    np.testing.assert_array_equal(seen, run(plain, 1))
    assert cube.mass_kg != 0.1
    varied.close()
    plain.close()


@given(start=st.integers(0, 2**31))
def test_nothing_is_drawn_outside_its_range_and_one_part_does_not_move_another(start):
    ranges = Randomisation(0.3, 0.2, 0.1, 0.2, 0.02, 2.0, (0.01, 0.05), {"object_pose": (0.0, 0.1)}, {})
    scene, sequence = load_scene("pick_place"), start_sequence(0, "train", start)
    found = vary(replace(scene, randomisation=ranges), sequence)
    cube, nominal = found.scene.objects[0], scene.objects[0]
    assert abs(cube.mass_kg / nominal.mass_kg - 1.0) <= 0.3 and abs(cube.friction / nominal.friction - 1.0) <= 0.2
    assert abs(cube.size_m[0] / nominal.size_m[0] - 1.0) <= 0.1 and len(set(cube.size_m)) == 1
    assert cube.lift_m == pytest.approx(0.5 * (cube.size_m[2] - nominal.size_m[2]))
    assert all(0.0 <= value <= 1.0 for body in found.scene.bodies for value in body.color)
    camera, fixed = found.scene.cameras["scene_camera"], scene.cameras["scene_camera"]
    assert np.max(np.abs(np.subtract(camera.position_m, fixed.position_m))) <= 0.02
    assert 0.01 <= found.command_latency_s <= 0.05 and 0.0 <= found.observation_delay_s["object_pose"] <= 0.1
    again = vary(
        replace(scene, randomisation=replace(ranges, friction=0.0, color=0.0, camera_m=0.0)),
        start_sequence(0, "train", start),
    )
    assert again.scene.objects[0].mass_kg == cube.mass_kg and again.scene.objects[0].size_m == cube.size_m
    assert again.command_latency_s == found.command_latency_s


def in_scene(tmp_path, **ranges):
    return RobotEnv(write_setup(tmp_path, scene={"randomisation": ranges}, of=SETUP), randomisation=True)


@pytest.mark.parametrize("latency_s", [0.0, 0.025, 0.05, 0.1])
def test_a_command_is_executed_after_the_latency(tmp_path, latency_s):
    env = in_scene(tmp_path, command_latency_s=latency_s)
    env.begin(0, "train", 0)
    start = env.world.position("panda_grasptarget")[0]
    for _ in range(10):
        env.apply({"twist": np.array([0.2, 0.0, 0.0]), "gripper": np.array([0.08])})
    moved_m = env.world.position("panda_grasptarget")[0] - start
    assert moved_m == pytest.approx(0.2 * (0.5 - latency_s), abs=0.003)
    env.close()


@pytest.mark.parametrize("delay_s", [0.05, 0.1, 0.125])
def test_an_observation_is_as_old_as_the_delay(tmp_path, delay_s):
    late, now = in_scene(tmp_path, observation_delay_s={"end_effector_pose": delay_s}), RobotEnv(SETUP)
    rows = {}
    for env in (late, now):
        env.begin(0, "train", 0)
        rows[env] = []
        for _ in range(12):
            env.apply({"twist": np.array([0.2, 0.0, 0.0]), "gripper": np.array([0.08])})
            rows[env].append(env.observe()["end_effector_pose"])
    ticks, rest = divmod(delay_s, 0.05)
    shown, true = np.array(rows[late]), np.array(rows[now])
    if rest < 1e-9:
        np.testing.assert_array_equal(shown[int(ticks) :], true[: -int(ticks)])
    np.testing.assert_allclose(true[-1, 0] - shown[-1, 0], 0.2 * delay_s, atol=0.002)
    late.close()
    now.close()


def test_noise_has_its_deviation_leaves_the_truth_alone_and_is_the_same_twice_in_a_tick(tmp_path):
    env = in_scene(tmp_path, noise={"object_pose": 0.01, "joint_position": 0.002})
    env.begin(0, "train", 0)
    rows, angles = [], []
    for _ in range(300):
        first, second = env.observe(), env.observe()
        for name, values in first.items():
            np.testing.assert_array_equal(values, second[name])
        rows.append(first["object_pose"])
        angles.append(first["joint_position"] - env.sensors.truth("joint_position"))
        env.apply({"twist": np.zeros(3), "gripper": np.array([0.08])})
    noise = np.array(rows)[20:, :3] - env.world.position("cube")
    assert noise.std() == pytest.approx(0.01, rel=0.1)  # 840 numbers: 2.4 % is one standard error
    assert np.std(angles) == pytest.approx(0.002, rel=0.1)
    assert np.array(rows)[20:, 3:].std(axis=0).max() < 1e-3, "a rotation has no noise"
    env.close()


def test_success_is_judged_by_the_truth(tmp_path):
    env = in_scene(tmp_path, noise={"object_pose": 0.2})
    env.begin(0, "train", 0)
    goal = env.world.position("goal")
    env.world.move("cube", (goal, np.array([0.0, 0.0, 0.0, 1.0])))
    for _ in range(12):
        env.apply({"twist": np.zeros(3), "gripper": np.array([0.08])})
    assert env.success
    env.close()


def test_image_noise_is_in_grey_levels(tmp_path):
    scene = {"randomisation": {"noise": {"scene_camera": 10.0}}}
    env = RobotEnv(write_setup(tmp_path, scene=scene, of="panda_pick_place_cameras"), randomisation=True)
    seen = env.begin(0, "train", 0)["scene_camera"]
    noise = seen.astype(float) - env.sensors.truth("scene_camera")
    inside = noise[(env.sensors.truth("scene_camera") > 40) & (env.sensors.truth("scene_camera") < 215)]
    assert inside.std() == pytest.approx(10.0, rel=0.05)
    env.close()


def test_the_expert_still_succeeds_in_most_randomised_episodes(varied):
    successes = []
    for start in range(20):
        seen, ended = varied.begin(0, "test", start), False
        while not ended:
            outcome = varied.advance(EXPERT.act(seen))
            seen, ended = outcome.observation, outcome.truncated
        successes.append(varied.success)
    assert sum(successes) >= 16


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"mas": 0.3}, ["'mas'", "Did you mean 'mass'"]),
        ({"mass": 1.0}, ["mass", "below 1"]),
        ({"mass": -0.1}, ["mass", "at least 0"]),
        ({"command_latency_s": [0.05, 0.01]}, ["command_latency_s", "[low, high]"]),
        ({"command_latency_s": 5.0}, ["command_latency_s", "0 to 1"]),
        ({"observation_delay_s": 0.1}, ["observation_delay_s", "one per field"]),
        ({"noise": {"object_pos": 0.1}}, ["noise", "object_pos", "Did you mean 'object_pose'"]),
        ({"noise": {"object_pose": "much"}}, ["noise", "object_pose", "much"]),
    ],
)
def test_a_mistake_in_the_ranges_is_named(tmp_path, ranges, words):
    with pytest.raises(SpecError) as caught:
        in_scene(tmp_path, **ranges)
    for word in ["scene.yaml", "randomisation", *words]:
        assert word in str(caught.value)


def test_asking_for_what_the_scene_does_not_have_is_refused():
    with pytest.raises(SpecError, match="no `randomisation:`"):
        RobotEnv("panda_reach", randomisation=True)
