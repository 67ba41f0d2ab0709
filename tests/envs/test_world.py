"""The physics: a twist moves the hand as it says, and a reset forgets everything."""

from __future__ import annotations

import numpy as np
import pytest

from imitation_ros.envs.scene import load_scene
from imitation_ros.envs.world import World
from imitation_ros.errors import SpecError
from imitation_ros.robot.rotations import matrix_to_rotvec

RATE_HZ = 20.0
HAND = "panda_grasptarget"
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


@pytest.fixture
def world():
    world = World(load_scene("pick_place"), RATE_HZ)
    world.reset({"cube": (np.array([0.5, 0.15, 0.02]), UPRIGHT), "goal": (np.array([0.4, 0.0, 0.02]), UPRIGHT)})
    yield world
    world.close()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_twist_moves_the_hand_along_its_axis_and_keeps_its_orientation(world, axis):
    start = world.position(HAND)
    linear = np.zeros(3)
    linear[axis] = 0.2
    for _ in range(10):
        world.step(world.joint_velocity(linear, None))
    position, rotation = world.frame(HAND)
    np.testing.assert_allclose(position - start, linear * 10 / RATE_HZ, atol=0.004)  # 10 cm, and the lag of a motor
    turned = rotation @ world.home_rotation.T
    assert np.linalg.norm(matrix_to_rotvec(turned)) < 0.03


def test_an_angular_twist_turns_the_hand(world):
    for _ in range(10):
        world.step(world.joint_velocity(np.zeros(3), np.array([0.0, 0.0, 0.4])))
    turned = world.frame(HAND)[1] @ world.home_rotation.T
    np.testing.assert_allclose(matrix_to_rotvec(turned), [0.0, 0.0, 0.2], atol=0.02)


def test_an_arm_that_is_told_nothing_stays_where_it_is(world):
    start = world.position(HAND)
    for _ in range(20):
        world.step(world.joint_velocity(np.zeros(3), None), 0.08)
    np.testing.assert_allclose(world.position(HAND), start, atol=0.003)


def test_a_joint_is_never_faster_than_its_limit(world):
    world.step(np.array([100.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    velocity = world.joint_values(world.scene.robot.arm.names, "velocity")
    assert np.all(np.abs(velocity) <= np.array(world.scene.robot.arm.max_velocity) * 1.01)


def test_the_fingers_open_and_close_together(world):
    names = world.scene.robot.gripper.joints.names
    for width in (0.0, 0.08, 0.03):
        for _ in range(20):
            world.step(np.zeros(7), width)
        np.testing.assert_allclose(world.joint_values(names, "position"), 0.5 * width, atol=0.002)


def test_joints_come_in_the_order_that_is_asked_for(world):
    names = world.scene.robot.arm.names
    np.testing.assert_array_equal(
        world.joint_values(names[::-1], "position"), world.joint_values(names, "position")[::-1]
    )


def test_a_joint_that_is_not_there_is_named(world):
    with pytest.raises(SpecError, match="Did you mean 'panda_joint7'"):
        world.joint_values(("panda_joint77",), "position")


def test_only_objects_and_goals_can_be_placed(world):
    with pytest.raises(SpecError, match="'table' cannot be placed"):
        world.reset({"table": (np.zeros(3), UPRIGHT)})


def test_a_goal_touches_nothing(world):
    at = np.array([0.45, 0.0, 0.02])
    world.reset({"cube": (at, UPRIGHT), "goal": (at, UPRIGHT)})
    for _ in range(10):
        world.step(np.zeros(7))
    np.testing.assert_allclose(world.position("cube"), at, atol=0.001)


@pytest.mark.parametrize(("name", "width"), [("push", 0.0), ("peg_insert", 0.022), ("pick_place", 0.08)])
def test_fingers_that_nobody_commands_are_held_as_the_scene_says(name, width):
    world = World(load_scene(name), RATE_HZ)
    home = world.frame(HAND)[1]
    peg = {"peg": (world.position(HAND), UPRIGHT)} if name == "peg_insert" else {}
    world.reset(peg)
    for _ in range(10):
        world.step(world.joint_velocity(np.zeros(3), None))
    opened = world.joint_values(world.scene.robot.gripper.joints.names, "position").sum()
    np.testing.assert_allclose(opened, width, atol=0.001)
    np.testing.assert_allclose(world.frame(HAND)[1], home, atol=0.01)
    world.close()


def test_a_cylinder_that_slides_does_not_sink_into_the_table():
    """Its own single point of contact would let it sink by half its height."""
    world = World(load_scene("two_link_pusher"), RATE_HZ)
    world.reset({"disc": (np.array([0.3, 0.0, 0.015]), UPRIGHT)})
    for _ in range(10):
        world.step(np.array([0.8, -1.2]))  # the pen goes outwards
        assert abs(world.position("disc")[2] - 0.015) < 0.001
    assert world.position("disc")[0] > 0.31, "it was pushed"
    world.close()


def test_a_socket_has_a_hole_and_walls_and_stands_where_it_is_placed():
    world = World(load_scene("peg_insert"), RATE_HZ)
    for beside, lowest in ((0.0, 0.04), (0.03, 0.07)):  # the peg's middle: on the table, or on the socket
        at = np.array([0.5, 0.3, 0.015])
        world.reset({"socket": (at, UPRIGHT), "peg": (at + np.array([beside, 0.0, 0.06]), UPRIGHT)})
        for _ in range(20):
            world.step(np.zeros(7))
        np.testing.assert_allclose(world.position("socket"), at, atol=1e-9)
        np.testing.assert_allclose(world.position("peg")[2], lowest, atol=0.001)
    world.close()


def test_the_camera_sees_the_goal(world):
    seen = world.image(64, 48)
    world.reset({"cube": (np.array([0.5, 0.15, 0.02]), UPRIGHT)})
    assert seen.shape == (48, 64, 3) and seen.dtype == np.uint8
    assert np.any(seen != world.image(64, 48))


def test_closing_a_world_twice_leaves_the_next_one_open(world):
    world.close()
    other = World(load_scene("reach"), RATE_HZ)
    world.close()
    other.position(HAND)
    other.close()
