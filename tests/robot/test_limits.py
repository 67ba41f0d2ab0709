"""Limits and scales: what a command may be, and what -1 and 1 mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_ros.robot.field import Field
from imitation_ros.robot.field_yaml import parse_field
from imitation_ros.robot.limits import limited, says_where

ANY = st.floats(-100, 100)
TWO = st.tuples(ANY, ANY).map(np.array)


def arm(quantity: str, **limits: object) -> Field:
    words = {"topic": "a", "type": "sensor_msgs/msg/JointState", "names": ["one", "two"], "quantity": quantity}
    return parse_field("arm", {**words, "scale_low": [-2, -1], "scale_high": [2, 3], "limits": limits}, "cell.yaml")


@given(wanted=TWO, start=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)).map(np.array), share=st.floats(0.01, 1))
def test_a_velocity_keeps_its_scale_its_limit_and_its_acceleration(wanted, start, share):
    field = arm("velocity", velocity=1.0, acceleration=4.0)
    start = start * share
    value = limited(field, wanted, start, 0.05, share)
    assert (np.abs(value) <= 1.0 * share + 1e-12).all()
    assert (np.abs(value - start) <= 4.0 * 0.05 + 1e-12).all()
    assert (value >= field.scale[0]).all() and (value <= field.scale[1]).all()


@given(wanted=TWO, start=st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(np.array), share=st.floats(0.01, 1))
def test_a_position_keeps_its_bounds_and_its_speed(wanted, start, share):
    field = arm("position", position_low=-1.0, position_high=[1.0, 2.0], velocity=0.5)
    value = limited(field, wanted, start, 0.05, share)
    assert (value >= -1.0).all() and (value <= [1.0, 2.0]).all()
    assert (np.abs(value - start) <= 0.5 * 0.05 * share + 1e-12).all()


@given(wanted=TWO)
def test_what_is_within_the_limits_is_not_changed(wanted):
    field = arm("position")
    wanted = np.clip(wanted, *field.scale)
    np.testing.assert_array_equal(limited(field, wanted, None, 0.05, 1.0), wanted)


@given(values=TWO)
def test_a_scale_is_undone_by_its_inverse(values):
    field = arm("position")
    np.testing.assert_allclose(field.from_unit(field.to_unit(values)), values, atol=1e-9)
    np.testing.assert_array_equal(field.to_unit(np.array([field.scale_low, field.scale_high])), [[-1, -1], [1, 1]])


@given(value=st.floats(-3, 3))
def test_a_binary_field_takes_one_of_its_two_ends(value):
    words = {"topic": "a", "type": "std_msgs/msg/Float64", "kind": "binary", "scale_low": 0, "scale_high": 0.08}
    field = parse_field("gripper", words, "cell.yaml")
    assert field.from_unit(np.array([value])) == pytest.approx(0.08 if value > 0 else 0.0)


ARM_TYPES = ["sensor_msgs/msg/JointState", "trajectory_msgs/msg/JointTrajectory", "std_msgs/msg/Float64MultiArray"]


@pytest.mark.parametrize("kind", ARM_TYPES)
@given(
    mine=st.tuples(*[st.sampled_from(["", "left", "right"])] * 2),
    theirs=st.tuples(*[st.sampled_from(["", "left", "right"])] * 2),
)
def test_joints_say_where_an_arm_is_only_if_they_are_its_own(kind, mine, theirs):
    def of(part: str, prefix: str, message_type: str, quantity: str = "position") -> Field:
        words = {"topic": "a", "type": message_type, "names": ["one", "two"], "quantity": quantity}
        return parse_field("arm", {**words, "part": part, "joint_prefix": prefix}, "cell.yaml")

    action, observation = of(*mine, kind), of(*theirs, "sensor_msgs/msg/JointState")
    assert says_where(observation, action) == (mine == theirs)
    assert not says_where(of(*mine, "sensor_msgs/msg/JointState", "velocity"), action)


def test_what_is_not_a_joint_says_nothing_of_where_an_arm_is():
    numbers = {"topic": "a", "names": ["axes.0"], "type": "sensor_msgs/msg/Joy"}
    stick = parse_field("stick", numbers, "cell.yaml")
    assert not says_where(stick, stick)


def test_a_prefix_or_the_whole_name_say_the_same_joint():
    words = {"topic": "a", "type": "sensor_msgs/msg/JointState"}
    whole = parse_field("arm", {**words, "names": ["left_one"]}, "cell.yaml")
    assert says_where(whole, parse_field("arm", {**words, "names": ["one"], "joint_prefix": "left_"}, "cell.yaml"))
