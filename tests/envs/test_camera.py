"""Cameras: they show what is there, in the field's size, the same bits every time, and only where asked."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scene_files import write_setup

from imitation_ros.envs.collect import collect
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.envs.tasks import Expert
from imitation_ros.errors import SpecError

SETUP, EXPERT = "panda_pick_place_cameras", Expert("pick_place")
CAMERAS = ("wrist_camera", "scene_camera")
RED, GREEN = 0, 1


@pytest.fixture(scope="module")
def env():
    env = RobotEnv(SETUP)
    yield env
    env.close()


def middle(pixels, channel):
    """Return row and column of the middle of what is mostly of one color."""
    others = [index for index in range(3) if index != channel]
    found = np.argwhere(np.all(pixels[:, :, channel, None] > 1.5 * pixels[:, :, others].astype(float), axis=2))
    assert len(found) > 5, "nothing of that color is in the picture"
    return found.mean(axis=0)


def picture(env, name, start=0):
    return env.begin(0, "train", start)[name]


def test_images_are_observations_of_gymnasium(env):
    observation = env.begin(0, "train", 0)
    for name in CAMERAS:
        assert observation[name].shape == (96, 96, 3) and observation[name].dtype == np.uint8
        assert env.observation_space[name].contains(observation[name])


def test_gymnasium_accepts_images(env):
    check_env(env, skip_render_check=True)


def test_a_fixed_camera_sees_an_object_where_it_is(env):
    env.begin(0, "train", 0)
    seen = []
    for y in (-0.15, 0.15):  # it looks back at the robot: what is on the robot's left is on its right
        env.world.reset({"cube": (np.array([0.45, y, 0.02]), np.array([0.0, 0.0, 0.0, 1.0]))})
        seen.append(middle(env.world.camera_image("scene_camera"), RED))
    assert seen[1][1] - seen[0][1] > 20
    assert abs(seen[1][0] - seen[0][0]) < 2


def test_a_camera_on_a_link_moves_with_it(env):
    env.begin(0, "train", 0)
    at = env.world.position("panda_grasptarget") * [1, 1, 0] + [0, 0, 0.02]
    rows = []
    for _ in range(2):
        env.world.move("cube", (at, np.array([0.0, 0.0, 0.0, 1.0])))
        rows.append(middle(env.world.camera_image("wrist_camera"), RED)[0])
        for _ in range(10):
            env.world.step(env.world.joint_velocity(np.array([0.0, 0.0, -0.2]), None), 0.08)
    assert rows[1] - rows[0] > 3  # nearer, what is between the fingers comes down towards them


def test_the_same_start_gives_the_same_pixels_whatever_ran_before_and_in_any_process(env):
    first = {name: picture(env, name) for name in CAMERAS}
    env.begin(0, "train", 1)
    for name in CAMERAS:
        np.testing.assert_array_equal(first[name], picture(env, name))
    for other in collect(SETUP, EXPERT, range(2), workers=2)[:1]:
        for name in CAMERAS:
            np.testing.assert_array_equal(first[name], other.observations[name][0])


def test_a_grey_field_is_the_brightness(tmp_path):
    setup = {"fields/scene_camera/shape": [96, 96, 1], "observation": [
        "finger_position", "end_effector_pose", "object_pose", "goal", "scene_camera"]}  # fmt: skip
    env = RobotEnv(write_setup(tmp_path, setup, of=SETUP))
    shown = picture(env, "scene_camera")
    color = env.world.camera_image("scene_camera")
    assert shown.shape == (96, 96, 1)
    np.testing.assert_allclose(shown[:, :, 0], color @ [0.299, 0.587, 0.114], atol=0.5)
    env.close()


def test_cameras_that_nobody_observes_are_not_drawn(monkeypatch):
    env = RobotEnv("panda_pick_place")
    assert env.scene.cameras
    drawn = []
    monkeypatch.setattr("imitation_ros.envs.world.photograph", lambda *_: drawn.append(1))
    env.step(env.action_space.sample())
    assert not drawn
    env.close()


def test_a_picture_for_people_is_drawn_with_the_robots_own_visuals_and_changes_nothing(env):
    first = env.begin(0, "train", 0)
    pretty = env.picture(96, 96)
    assert pretty.shape == (96, 96, 3)
    assert np.any(pretty != env.world.image(96, 96))
    for name, values in env.rounded(env.observe()).items():
        np.testing.assert_array_equal(values, first[name])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cameras/wrist_camera/size_px": [48, 96]}, ["wrist_camera", "[48, 96]", "[96, 96, 3]", "Make them the same"]),
        ({"cameras/wrist_camera/size_px": [96.5, 96]}, ["wrist_camera", "size_px", "whole pixels"]),
        ({"cameras/wrist_camera/size_px": None}, ["wrist_camera", "size_px", "missing"]),
        ({"cameras/wrist_camera/link": "panda_hnd"}, ["wrist_camera", "panda_hnd", "Did you mean 'panda_hand'"]),
        ({"cameras/wrist_camera/lnk": "panda_hand"}, ["wrist_camera", "'lnk'", "Did you mean 'link'"]),
        ({"cameras/wrist_camera/fov_deg": 180}, ["wrist_camera", "fov_deg", "below 180"]),
        ({"cameras/wrist_camera/up": [-0.05, 0.0, 0.13]}, ["wrist_camera", "up", "across"]),
        ({"cameras/wrist_camera/target_m": [0.0, 1.0]}, ["wrist_camera", "target_m", "3"]),
        ({"cameras/wrist_camera": None}, ["cameras has no 'wrist_camera'", "scene_camera"]),
        ({"cameras": ["wrist_camera"]}, ["cameras", "size_px"]),
    ],
)
def test_a_mistake_in_a_camera_is_named(tmp_path, change, words):
    with pytest.raises(SpecError) as caught:
        RobotEnv(write_setup(tmp_path, scene=change, of=SETUP))
    for word in ["scene.yaml", *words]:
        assert word in str(caught.value)
