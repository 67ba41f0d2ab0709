"""A robot of one's own: a URDF and YAML, no Python; with a task, or free; and what is wrong with one, in words."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from scene_files import write_setup

from imitation_ros.envs import camera, randomisation, scene
from imitation_ros.envs.body import SHAPES
from imitation_ros.envs.bullet import DATA
from imitation_ros.envs.collect import collect
from imitation_ros.envs.evaluate import evaluate
from imitation_ros.envs.robot_env import FREE_TIME_LIMIT_S, RobotEnv
from imitation_ros.envs.tasks import Expert
from imitation_ros.errors import SpecError
from imitation_ros.paths import find_file

KUKA = "kuka_reach"
INERTIAL = """<inertial><mass value="1"/>
  <inertia ixx="0.01" ixy="0" ixz="0" iyy="0.01" iyz="0" izz="0.01"/></inertial>"""
LINK = """<origin xyz="0.1 0 0"/><geometry><box size="0.2 0.02 0.02"/></geometry>"""
WOBBLY = f"""<robot name="wobbly">
  <link name="base"/>
  <link name="upper">{INERTIAL}<collision>{LINK}</collision></link>
  <link name="lower">{INERTIAL}<visual>{LINK}</visual></link>
  <joint name="turn" type="revolute">
    <parent link="base"/><child link="upper"/><origin xyz="0 0 0.5"/><axis xyz="0 0 1"/>
    <limit lower="-2" upper="2" effort="50" velocity="2"/>
  </joint>
  <joint name="flap" type="revolute">
    <parent link="upper"/><child link="lower"/><origin xyz="0.2 0 0"/><axis xyz="0 1 0"/>
    <limit lower="0.3" upper="2" effort="50" velocity="2"/>
  </joint>
</robot>"""


def test_the_scripted_expert_reaches_with_a_robot_that_was_only_described():
    assert evaluate(KUKA, Expert("reach"), 20).success_rate == 1.0


def test_the_scene_says_where_things_start_and_the_task_where_it_does_not():
    env = RobotEnv(KUKA)
    box = env.scene.spawn["goal"]
    goals = np.array([env.begin(0, "train", start)["goal"] for start in range(50)])
    assert np.all(goals >= box.low_m) and np.all(goals <= box.high_m)
    assert np.all(np.ptp(goals, axis=0) > 0.8 * np.subtract(box.high_m, box.low_m))
    env.close()


def copy_of_kuka(folder, name="package://iiwa/meshes/"):
    """Copy the URDF and its meshes as a ROS package keeps them."""
    source, package = DATA / "kuka_iiwa", folder / "iiwa"
    (package / "urdf").mkdir(parents=True)
    shutil.copytree(source / "meshes", package / "meshes")
    text = (source / "model.urdf").read_text().replace('filename="meshes/', f'filename="{name}')
    (package / "urdf" / "iiwa.urdf").write_text(text)
    return package


@pytest.mark.parametrize("where", ["beside the YAML", "in a workspace"])
def test_meshes_of_a_ros_package_are_found_and_the_robot_is_the_same(tmp_path, monkeypatch, where):
    yaml_folder = tmp_path / "my_robot"
    yaml_folder.mkdir()
    if where == "in a workspace":
        package = copy_of_kuka(tmp_path / "install" / "share")
        urdf = yaml_folder / "own.urdf"
        shutil.move(package / "urdf" / "iiwa.urdf", urdf)
        monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "install"))
    else:
        urdf = copy_of_kuka(yaml_folder) / "urdf" / "iiwa.urdf"
    own = write_setup(yaml_folder, robot={"urdf": str(urdf.relative_to(yaml_folder))}, of=KUKA)
    for mine, shipped in zip(collect(own, Expert("reach"), 1), collect(KUKA, Expert("reach"), 1), strict=True):
        np.testing.assert_array_equal(mine.observations["joint_position"], shipped.observations["joint_position"])


def test_a_mesh_that_is_not_there_is_named_with_where_it_was_looked_for(tmp_path):
    package = copy_of_kuka(tmp_path)
    (package / "meshes" / "link_3.stl").unlink()
    with pytest.raises(SpecError, match=r"package://iiwa/meshes/link_3.stl.*beside the YAML file, or source"):
        RobotEnv(write_setup(tmp_path, robot={"urdf": "iiwa/urdf/iiwa.urdf"}, of=KUKA))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<robot name='x'><link name='base'/>", ["own.urdf", "no URDF"]),
        ("<sdf version='1.6'/>", ["own.urdf", "<sdf>", "<robot>"]),
        ("<robot name='x'><link/></robot>", ["own.urdf", "cannot load"]),
        (
            "<robot name='x' xmlns:xacro='http://www.ros.org/wiki/xacro'><xacro:arm/><link name='base'/></robot>",
            ["xacro", "own.urdf", "Expand it"],
        ),
        ("<robot name='x'><link name='base'/></robot>", ["no 'lbr_iiwa_joint_1'"]),
        (None, ["own.urdf", "No such file"]),
    ],
)
def test_a_urdf_that_does_not_load_is_named_with_what_is_wrong(tmp_path, text, words):
    if text is not None:
        (tmp_path / "own.urdf").write_text(text)
    with pytest.raises(SpecError) as caught:
        RobotEnv(write_setup(tmp_path, robot={"urdf": "own.urdf"}, of=KUKA))
    for word in ["robot.yaml", *words]:
        assert word in str(caught.value)


def free_setup(folder, **scene):
    """A setup without a task: a robot of two joints, of which one is driven and one is not."""
    (folder / "wobbly.urdf").write_text(WOBBLY)
    robot = {"urdf": "wobbly.urdf", "end_effector": "lower"}
    robot["arm"] = {"joints": ["turn"], "home_rad": [0.4], "max_force": 50.0, "max_velocity": 2.0}
    (folder / "robot.yaml").write_text(yaml.safe_dump(robot))
    (folder / "scene.yaml").write_text(
        yaml.safe_dump({"robot": "robot.yaml", "physics": {"substep_hz": 120, "solver_iterations": 20}, **scene})
    )
    joints = {"type": "sensor_msgs/msg/JointState", "unit": "rad"}
    fields = {
        "joints": {"topic": "joint_states", "names": ["flap", "turn"], **joints},
        "target": {"topic": "target", "names": ["turn"], "scale_low": -2.0, "scale_high": 2.0, **joints},
    }
    setup = {"setup": "free", "robot": "robot", "scene": str(folder / "scene.yaml"), "fields": fields}
    (folder / "robot_fields.yaml").write_text(yaml.safe_dump({"robot": "wobbly", "rate_hz": 20, "fields": {}}))
    file = folder / "setup.yaml"
    lists = {"robot": "robot_fields.yaml", "observation": ["joints"], "action": ["target"]}
    file.write_text(yaml.safe_dump({**setup, **lists}))
    return file


def test_a_setup_without_a_task_is_simulated_so_that_a_person_can_drive_any_robot(tmp_path):
    env = RobotEnv(free_setup(tmp_path))
    env.begin(0, "train", 0)
    for _ in range(30):
        outcome = env.advance({"target": np.array([1.0])})
    np.testing.assert_allclose(outcome.observation["joints"], [0.3, 1.0], atol=0.02)  # what nobody drives is held
    assert env.success is None and outcome.reward == 0.0 and not outcome.terminated
    assert env.time_limit == FREE_TIME_LIMIT_S * 20
    env.close()


def test_a_free_scene_has_a_time_limit_of_its_own_and_places_its_objects(tmp_path):
    cube = {"shape": "box", "size_m": [0.04, 0.04, 0.04], "mass_kg": 0.1}
    scene = {
        "time_limit_s": 2.0,
        "fixed": {"table": {"shape": "box", "size_m": [1.0, 1.0, 0.1], "position_m": [0.0, 0.0, -0.05]}},
        "objects": {"cube": cube},
        "spawn": {"cube": {"low_m": [0.3, -0.1, 0.02], "high_m": [0.4, 0.1, 0.02]}},
    }
    env = RobotEnv(free_setup(tmp_path, **scene))
    places = []
    for start in (0, 1):
        env.begin(0, "train", start)
        places.append(env.world.position("cube"))
        for tick in range(env.time_limit):
            assert env.advance(env.motors.resting()).truncated == (tick == 39)
    assert np.any(places[0] != places[1]) and 0.3 <= places[0][0] <= 0.4
    env.close()


def test_a_scene_is_found_beside_its_setup(tmp_path, monkeypatch):
    file = free_setup(tmp_path, time_limit_s=1.0)
    file.write_text(file.read_text().replace(str(tmp_path / "scene.yaml"), "scene.yaml"))
    monkeypatch.chdir("/")
    env = RobotEnv(file)
    assert env.time_limit == 20
    env.close()


def test_the_base_is_a_link_too_and_is_the_origin(tmp_path):
    env = RobotEnv(write_setup(tmp_path, scene={"poses/end_effector_pose": "lbr_iiwa_link_0"}, of=KUKA))
    np.testing.assert_array_equal(env.begin(0, "train", 0)["end_effector_pose"], [0, 0, 0, 1, 0, 0, 0, 1, 0])
    env.close()


def test_a_task_has_a_time_limit_of_its_own(tmp_path):
    with pytest.raises(SpecError, match="time_limit_s is for setups without a task"):
        RobotEnv(write_setup(tmp_path, scene={"time_limit_s": 9.0}))


@pytest.mark.parametrize(
    ("spawn", "words"),
    [
        ({"gaol": {"low_m": [0, 0, 0], "high_m": [1, 1, 1]}}, ["gaol", "Did you mean 'goal'"]),
        ({"table": {"low_m": [0, 0, 0], "high_m": [1, 1, 1]}}, ["table", "no object or goal"]),
        ({"goal": {"low_m": [0, 0, 0]}}, ["goal", "high_m"]),
        ({"goal": {"low_m": [0, 0, 1], "high_m": [1, 1, 0]}}, ["goal", "low_m", "high_m"]),
        (["goal"], ["spawn", "low_m"]),
    ],
)
def test_a_mistake_in_spawn_is_named(tmp_path, spawn, words):
    with pytest.raises(SpecError) as caught:
        RobotEnv(write_setup(tmp_path, scene={"spawn": spawn}))
    for word in ["scene.yaml", *words]:
        assert word in str(caught.value)


def test_every_simulated_robot_file_is_used_by_a_scene():
    robots = {path.stem for path in find_file("sim/robots", "kuka").parent.glob("*.yaml")}
    scenes = find_file("sim/scenes", KUKA).parent.glob("*.yaml")
    assert robots == {yaml.safe_load(path.read_text())["robot"] for path in scenes}


def test_the_reference_names_every_word_of_a_scene():
    text = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
    for word in (*scene.WORDS, *camera.WORDS, *randomisation.WORDS, *SHAPES):
        assert re.search(rf"\b{word}\b", text), word
