"""Actions: velocities and positions of joints, in any message that holds them; twists; the gripper."""

from __future__ import annotations

import numpy as np
import pytest
from scene_files import write_setup

from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.errors import SpecError

ARM = [f"panda_joint{index}" for index in range(1, 8)]
HOME = np.array([0.0, -0.1876, 0.0, -2.495, 0.0, 2.3074, 0.7854])
FLOATS, STATE = "std_msgs/msg/Float64MultiArray", "sensor_msgs/msg/JointState"
TRAJECTORY, JOG = "trajectory_msgs/msg/JointTrajectory", "control_msgs/msg/JointJog"


def field(kind, quantity, names=ARM, **more):
    ends = {"scale_low": -1.0, "scale_high": 1.0} if quantity == "velocity" else {"scale_low": -3.0, "scale_high": 3.0}
    return {"topic": "joint_command", "type": kind, "quantity": quantity, "names": list(names), **ends, **more}


def env_of(folder, described, observation=None):
    change = {"fields/command": described, "action": ["command"]}
    for name, seen in (observation or {}).items():
        change |= {f"fields/{name}": seen}
    names = ["joint_position", "end_effector_pose", "goal", *(observation or {})]
    return RobotEnv(write_setup(folder, {**change, "observation": names}))


@pytest.mark.parametrize("kind", [STATE, TRAJECTORY, FLOATS, JOG])
def test_joint_velocities_move_the_joints_in_any_order(tmp_path, kind):
    env = env_of(tmp_path, field(kind, "velocity", ARM[::-1]))
    before = env.begin(0, "train", 0)["joint_position"]
    after = env.advance({"command": np.array([1.0, 0, 0, 0, 0, 0, 0])}).observation["joint_position"]
    np.testing.assert_allclose(after - before, [0, 0, 0, 0, 0, 0, 0.05], atol=0.005)
    env.close()


@pytest.mark.parametrize("kind", [STATE, TRAJECTORY, FLOATS])
def test_joint_positions_are_reached_in_any_order(tmp_path, kind):
    env = env_of(tmp_path, field(kind, "position", ARM[::-1]))
    target = HOME + 0.2
    env.begin(0, "train", 0)
    for _ in range(20):
        outcome = env.advance({"command": target[::-1]})
    np.testing.assert_allclose(outcome.observation["joint_position"], target, atol=0.01)
    env.close()


def test_no_joint_goes_to_a_position_faster_than_it_may(tmp_path):
    velocity = {"topic": "joint_states", "type": STATE, "quantity": "velocity", "names": ARM}
    env = env_of(tmp_path, field(STATE, "position"), {"joint_velocity": velocity})
    env.begin(0, "train", 0)
    fastest = np.max([np.abs(env.advance({"command": HOME + 1.5 * np.sign(HOME)}).observation["joint_velocity"])
                      for _ in range(10)], axis=0)  # fmt: skip
    limit = np.array(env.scene.robot.arm.max_velocity)
    assert np.all(fastest <= 1.02 * limit) and np.any(fastest > 0.9 * limit)
    env.close()


def test_positions_that_nobody_commands_are_where_the_arm_is(tmp_path):
    env = env_of(tmp_path, field(STATE, "position", ARM[::-1]))
    env.begin(0, "train", 0)
    np.testing.assert_allclose(env.motors.resting()["command"], HOME[::-1])
    for _ in range(20):
        outcome = env.advance(env.motors.resting())
    np.testing.assert_allclose(outcome.observation["joint_position"], HOME, atol=0.003)
    env.close()


@pytest.mark.parametrize("kind", [STATE, TRAJECTORY, FLOATS])
@pytest.mark.parametrize("quantity", ["position", "velocity", "effort"])
def test_joints_are_observed_as_any_type_that_holds_them(tmp_path, kind, quantity):
    seen = {"topic": "seen", "type": kind, "quantity": quantity, "names": ["panda_finger_joint1", *ARM[::-1]]}
    env = env_of(tmp_path, field(STATE, "velocity"), {"seen": seen})
    env.begin(0, "train", 0)
    outcome = env.advance({"command": np.full(7, 0.3)})
    expected = env.world.joint_values(("panda_finger_joint1", *ARM[::-1]), quantity)
    np.testing.assert_allclose(outcome.observation["seen"], expected, rtol=1e-6)
    env.close()


def test_the_distance_between_the_fingers_is_observed_as_a_number(tmp_path):
    seen = {"topic": "gripper/width", "type": "std_msgs/msg/Float64", "unit": "m"}
    env = env_of(tmp_path, field(STATE, "velocity"), {"gripper_width": seen})
    np.testing.assert_allclose(env.begin(0, "train", 0)["gripper_width"], [0.08])
    env.close()


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (field(STATE, "effort"), ["effort as sensor_msgs/msg/JointState", "TwistStamped"]),
        (field(JOG, "position"), ["position as control_msgs/msg/JointJog", "velocities also as JointJog"]),
        (field(STATE, "position", relative=True), ["relative position", "none of them relative"]),
        (field(STATE, "velocity", ARM[:6]), ["lacks the joint 'panda_joint7'"]),
        (field(STATE, "velocity", [*ARM, "panda_joint8"]), ["panda_joint8", "not of the arm"]),
        ({"topic": "a", "type": "geometry_msgs/msg/PoseStamped", "scale_low": -1, "scale_high": 1}, ["PoseStamped"]),
    ],
)
def test_an_action_that_the_simulator_cannot_do_is_refused_with_what_it_can(tmp_path, described, words):
    with pytest.raises(SpecError) as caught:
        env_of(tmp_path, described)
    for word in ["'command'", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"type": "nav_msgs/msg/Odometry"}, ["Odometry", "JointState", "poses", "cameras"]),
        ({"type": "sensor_msgs/msg/Imu"}, ["Imu", "It shows"]),
        ({"type": "sensor_msgs/msg/LaserScan", "beams": 8}, ["LaserScan", "It shows"]),
        ({"type": "tf", "parent": "base", "child": "tool"}, ["tf", "It shows"]),
        ({"type": "geometry_msgs/msg/PoseStamped"}, ["poses has no 'seen'"]),
        ({"type": "sensor_msgs/msg/Image", "shape": [96, 96, 3]}, ["cameras has no 'seen'", "none"]),
        ({"type": STATE, "names": ["panda_joint77"]}, ["panda_joint77", "Did you mean 'panda_joint7'"]),
    ],
)
def test_an_observation_that_the_simulator_cannot_show_is_refused_with_what_it_can(tmp_path, seen, words):
    with pytest.raises(SpecError) as caught:
        env_of(tmp_path, field(STATE, "velocity"), {"seen": {"topic": "seen", **seen}})
    for word in words:
        assert word in str(caught.value)


def test_two_actions_for_one_arm_are_refused(tmp_path):
    change = {"fields/command": field(STATE, "velocity"), "action": ["command", "twist"]}
    with pytest.raises(SpecError, match="command and twist both move the arm"):
        RobotEnv(write_setup(tmp_path, change))


def test_a_gripper_that_the_robot_does_not_have_is_refused(tmp_path):
    gripper = {"topic": "gripper", "type": "std_msgs/msg/Float64", "scale_low": 0.0, "scale_high": 0.08}
    with pytest.raises(SpecError, match=r"'gripper' moves a gripper, and .*robot.yaml has none"):
        RobotEnv(write_setup(tmp_path, {"fields/gripper": gripper, "action": ["twist", "gripper"]}, of="kuka_reach"))
    width = {"topic": "width", "type": "std_msgs/msg/Float64"}
    names = ["end_effector_pose", "goal", "width"]
    with pytest.raises(SpecError, match="no gripper"):
        RobotEnv(write_setup(tmp_path, {"fields/width": width, "observation": names}, of="kuka_reach"))
