"""Links that are only frames: merged for the physics, and still where the URDF says."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pybullet
import pytest

from imitation_ros.envs.bullet import DATA, Bullet
from imitation_ros.envs.fixed_links import merge_fixed_links
from imitation_ros.envs.loaded_robot import LoadedRobot
from imitation_ros.envs.sim_robot import load_sim_robot
from imitation_ros.robot.rotations import quaternion_to_matrix

PANDA = DATA / "franka_panda" / "panda.urdf"
ANGLES = [0.3, -0.4, 0.2, -2.0, 0.5, 1.8, -0.6, 0.01, 0.02]


@pytest.fixture
def robot():
    bullet = Bullet()
    robot = LoadedRobot(bullet, load_sim_robot("panda"), own_visuals=False)
    robot.take(ANGLES)
    yield robot
    bullet.close()


def test_every_link_is_where_it_is_without_merging(robot):
    other = Bullet()
    whole = other.loadURDF(str(PANDA), useFixedBase=True)
    infos = [other.getJointInfo(whole, index) for index in range(other.getNumJoints(whole))]
    moving = [info[0] for info in infos if info[2] != pybullet.JOINT_FIXED]
    for joint, angle in zip(moving, ANGLES, strict=True):
        other.resetJointState(whole, joint, angle)
    assert robot.bullet.getNumJoints(robot.id) < len(infos)
    for info in infos:
        state = other.getLinkState(whole, info[0], computeForwardKinematics=1)
        position, rotation = robot.frame(info[12].decode())
        np.testing.assert_allclose(position, state[4], atol=1e-9)
        np.testing.assert_allclose(rotation, quaternion_to_matrix(state[5]), atol=1e-9)
    other.close()


def test_joint_velocities_move_the_end_effector_itself_and_not_what_carries_it(robot):
    wanted, step_s = np.array([0.05, -0.03, 0.04]), 1e-4
    before, hold = robot.frame("panda_grasptarget")
    velocity = robot.joint_velocity(wanted, None, hold)
    robot.take([*(np.array(ANGLES[:7]) + step_s * velocity), *ANGLES[7:]])
    moved = (robot.frame("panda_grasptarget")[0] - before) / step_s
    np.testing.assert_allclose(moved, wanted, atol=1e-3)


def test_what_weighs_or_touches_something_stays_and_what_hangs_on_a_frame_hangs_on_its_carrier():
    root = ET.fromstring(PANDA.read_text())
    mounts = merge_fixed_links(root)
    assert {name for name, mount in mounts.items() if mount.carrier != name} == {"panda_link8", "panda_grasptarget"}
    hand = next(joint for joint in root.findall("joint") if joint.get("name") == "panda_hand_joint")
    assert hand.find("parent").get("link") == "panda_link7"
    np.testing.assert_allclose([float(word) for word in hand.find("origin").get("xyz").split()], [0, 0, 0.107])


def test_what_was_read_is_read_again_once_the_robot_has_moved(robot):
    before = robot.frame("panda_hand")[0], robot.angles()
    robot.take([0.0] * len(ANGLES))
    assert np.any(robot.frame("panda_hand")[0] != before[0]) and robot.angles() != before[1]
