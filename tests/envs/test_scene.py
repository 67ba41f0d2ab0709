"""Scene and robot files: they load, and what is wrong in one is said in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from scene_files import changed

from imitation_ros.envs.scene import load_scene
from imitation_ros.envs.sim_robot import load_sim_robot
from imitation_ros.envs.world import World
from imitation_ros.errors import SpecError
from imitation_ros.paths import find_file, names_in


def written(folder: Path, change: dict[str, object], name: str = "pick_place", kind: str = "sim/scenes") -> Path:
    """Return a copy of one of the package's files with some words changed; None takes a word away."""
    data = changed(yaml.safe_load(find_file(kind, name).read_text()), change)
    file = folder / "changed.yaml"
    file.write_text(yaml.safe_dump(data))
    return file


@pytest.mark.parametrize("name", names_in("sim/scenes"))
def test_every_scene_loads_into_a_world(name):
    World(load_scene(name), rate_hz=20.0).close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"objets": {}}, ["objets", "Did you mean 'objects'"]),
        ({"robot": "pandaa"}, ["pandaa", "Did you mean 'panda'"]),
        ({"objects/cube/shape": "ball"}, ["cube", "ball", "box, sphere"]),
        ({"objects/cube/size_m": [0.04, 0.04]}, ["cube", "size_m", "3", "height"]),
        ({"objects/cube/mass_kg": 0.0}, ["cube", "mass_kg", "above 0"]),
        ({"objects/cube/mass_kg": None}, ["cube", "mass_kg", "missing"]),
        ({"goals/cube": {"shape": "sphere", "size_m": 0.04}}, ["two bodies", "cube"]),
        ({"physics": {"substep_hz": 120}}, ["physics", "solver_iterations"]),
        ({"disturbance/std": -0.1}, ["disturbance", "std", "at least 0"]),
        ({"poses": ["cube"]}, ["poses", "object_pose: cube"]),
        ({"objects/cube": {"shape": "socket", "size_m": [0.02, 0.1, 0.03], "mass_kg": 1.0}}, ["hole", "0.1", "0.02"]),
        ({"fingers": {"start_m": 0.02}}, ["fingers", "hold_m"]),
        ({"fingers": {"start_m": -0.02, "hold_m": 0.0}}, ["fingers", "start_m", "at least 0"]),
    ],
)
def test_a_mistake_in_a_scene_is_named_with_what_is_allowed(tmp_path, change, words):
    file = written(tmp_path, change)
    with pytest.raises(SpecError) as caught:
        load_scene(file)
    for word in [str(file) if "robot" not in change else "robot", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arm/home_rad": [0.0]}, ["home_rad", "7"]),
        ({"gripper/joints": ["panda_finger_joint1"]}, ["gripper", "two fingers"]),
        ({"end_effector": 3}, ["end_effector", "text"]),
    ],
)
def test_a_mistake_in_a_robot_file_is_named(tmp_path, change, words):
    with pytest.raises(SpecError) as caught:
        load_sim_robot(written(tmp_path, change, "panda", "sim/robots"))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"urdf": "nowhere.urdf"}, ["nowhere.urdf"]),
        ({"end_effector": "panda_grasptarge"}, ["Did you mean 'panda_grasptarget'"]),
        ({"gripper/joints": ["panda_finger_joint1", "panda_finger"]}, ["panda_finger", "Did you mean"]),
    ],
)
def test_a_robot_file_that_does_not_fit_its_urdf_is_named(tmp_path, change, words):
    robot = written(tmp_path, change, "panda", "sim/robots")
    scene = tmp_path / "scene.yaml"
    data = yaml.safe_load(find_file("sim/scenes", "reach").read_text())
    scene.write_text(yaml.safe_dump({**data, "robot": robot.name}))
    with pytest.raises(SpecError) as caught:
        World(load_scene(scene), rate_hz=20.0)
    for word in [robot.name, *words]:
        assert word in str(caught.value)


def test_fingers_of_a_robot_that_has_none_are_refused(tmp_path):
    file = written(tmp_path, {"fingers": {"start_m": 0.0, "hold_m": 0.0}}, "two_link_pusher")
    with pytest.raises(SpecError, match=r"two_link.yaml has no gripper"):
        load_scene(file)


def test_a_pose_of_something_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SpecError, match="Did you mean 'cube'"):
        World(load_scene(written(tmp_path, {"poses/object_pose": "cub"})), rate_hz=20.0)


def test_a_rate_that_the_physics_cannot_divide_is_refused():
    with pytest.raises(SpecError, match="whole multiple"):
        World(load_scene("reach"), rate_hz=50.0)
