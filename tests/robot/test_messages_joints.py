"""Messages of joints: by name and in any order; what is missing is said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_kinds import MAKERS, empty, make_field

from imitation_ros.errors import MessageError, SpecError
from imitation_ros.robot.messages import JOINTED, names_no_joint_of, read, write

JOINTS = {"shoulder": 0.1, "elbow": -0.2, "gripper": 0.04}
NAMED = sorted(JOINTED - {"std_msgs/msg/Float64MultiArray"})
NUMBERS_IN = {
    "sensor_msgs/msg/JointState": "velocity",
    "trajectory_msgs/msg/JointTrajectory": "velocities",
    "control_msgs/msg/JointJog": "velocities",
}


def message_of(message_type: str, names, maker: str = "plain", prefix: str = ""):
    """Return a message of velocities of these joints."""
    message = empty(message_type, maker)
    numbers = [JOINTS[name] for name in names]
    setattr(message.points[0] if hasattr(message, "points") else message, NUMBERS_IN[message_type], numbers)
    setattr(message, "name" if hasattr(message, "name") else "joint_names", [prefix + name for name in names])
    return message


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", NAMED)
@given(order=st.permutations(list(JOINTS)))
def test_joint_order_in_the_message_does_not_matter(message_type, maker, order):
    field = make_field(message_type, quantity="velocity")
    np.testing.assert_array_equal(read(message_of(message_type, order, maker), field), [0.1, -0.2])


@pytest.mark.parametrize("message_type", NAMED)
def test_missing_joints_are_named_with_those_that_are_there(message_type):
    field = make_field(message_type, names=["elbow", "wrist", "toe"], quantity="velocity")
    with pytest.raises(MessageError, match=r"'thing' \(a/topic\) has no joint wrist, toe; it has elbow, gripper.*cell"):
        read(message_of(message_type, ["elbow", "gripper"]), field)


@pytest.mark.parametrize("message_type", NAMED)
@pytest.mark.parametrize("maker", MAKERS)
def test_fewer_numbers_than_joints_are_named(message_type, maker):
    message = message_of(message_type, ["shoulder", "elbow"], maker)
    setattr(message.points[0] if hasattr(message, "points") else message, NUMBERS_IN[message_type], [1.0])
    with pytest.raises(MessageError, match="names 2 joints but has 1 values of velocity"):
        read(message, make_field(message_type, quantity="velocity"))


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", NAMED)
def test_a_prefix_stands_before_the_joints_in_messages_only(message_type, maker):
    field = make_field(message_type, joint_prefix="left_", quantity="velocity")
    assert field.names == ("shoulder", "elbow") and field.joint_names == ("left_shoulder", "left_elbow")
    np.testing.assert_array_equal(
        read(message_of(message_type, ["elbow", "shoulder"], maker, "left_"), field), [0.1, -0.2]
    )
    with pytest.raises(MessageError, match=r"no joint left_shoulder, left_elbow; it has elbow, shoulder.*joint_prefix"):
        read(message_of(message_type, ["elbow", "shoulder"], maker), field)
    message = empty(message_type, maker)
    write(message, field, np.array([1.0, 2.0]))
    assert list(getattr(message, "name", None) or message.joint_names) == ["left_shoulder", "left_elbow"]


def test_a_prefix_where_no_joint_is_named_is_refused():
    with pytest.raises(SpecError, match="joint_prefix is 'left_', but a geometry_msgs/msg/Twist names no joints"):
        make_field("geometry_msgs/msg/Twist", joint_prefix="left_")
    make_field("std_msgs/msg/Float64MultiArray", joint_prefix="left_")  # says whose joints they are


@pytest.mark.parametrize("maker", MAKERS)
def test_two_arms_share_one_joint_state_by_their_prefixes(maker):
    left, right = (make_field("sensor_msgs/msg/JointState", joint_prefix=prefix) for prefix in ("left_", "right_"))
    message = empty(left.type, maker)
    write(message, right, np.array([3.0, 4.0]))
    write(message, left, np.array([1.0, 2.0]))
    np.testing.assert_array_equal(read(message, left), [1.0, 2.0])
    np.testing.assert_array_equal(read(message, right), [3.0, 4.0])


@pytest.mark.parametrize("maker", MAKERS)
def test_a_message_of_other_joints_is_told_from_one_that_lacks_some(maker):
    field = make_field("sensor_msgs/msg/JointState")
    kind = "sensor_msgs/msg/JointState"
    assert names_no_joint_of(message_of(kind, ["gripper"], maker), field)
    assert not names_no_joint_of(message_of(kind, ["elbow", "gripper"], maker), field)
    assert not names_no_joint_of(empty(kind, maker), field)
    assert not names_no_joint_of(empty("std_msgs/msg/Float64", maker), field)


def test_a_quantity_that_the_driver_leaves_empty_is_named():
    field = make_field("sensor_msgs/msg/JointState", quantity="effort")
    with pytest.raises(MessageError, match=r"names 2 joints but has 0 values of effort.*another quantity in cell"):
        read(message_of(field.type, ["shoulder", "elbow"]), field)


@pytest.mark.parametrize("quantity", ["position", "velocity", "effort"])
def test_the_quantity_says_which_numbers_are_read_and_written(quantity):
    field = make_field("sensor_msgs/msg/JointState", quantity=quantity)
    message = empty("sensor_msgs/msg/JointState")
    write(message, field, np.array([1.0, 2.0]))
    assert {word: getattr(message, word) for word in ("position", "velocity", "effort")} == {
        **{"position": [], "velocity": [], "effort": []},
        quantity: [1.0, 2.0],
    }


@pytest.mark.parametrize("maker", MAKERS)
def test_fields_share_a_joint_state_and_what_nobody_gave_is_nan(maker):
    arm = make_field("sensor_msgs/msg/JointState")
    speed = make_field("sensor_msgs/msg/JointState", quantity="velocity")
    fingers = make_field("sensor_msgs/msg/JointState", names=["left", "right"])
    message = empty("sensor_msgs/msg/JointState", maker)
    write(message, arm, np.array([0.1, 0.2]))
    write(message, speed, np.array([1.0, 2.0]))
    write(message, fingers, np.array([0.03, 0.04]))
    assert list(message.name) == ["shoulder", "elbow", "left", "right"]
    np.testing.assert_array_equal(message.position, [0.1, 0.2, 0.03, 0.04])
    np.testing.assert_array_equal(message.velocity, [1.0, 2.0, math.nan, math.nan])
    assert len(message.effort) == 0, "an empty list says that nobody measures it"
    for field, values in ((arm, [0.1, 0.2]), (speed, [1.0, 2.0]), (fingers, [0.03, 0.04])):
        np.testing.assert_array_equal(read(message, field), values)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_trajectory_without_points_is_refused_and_the_last_point_counts(maker):
    kind = "trajectory_msgs/msg/JointTrajectory"
    field = make_field(kind)
    message = empty(kind, maker)
    write(message, field, np.array([1.0, 2.0]))
    later = empty(kind, maker)
    write(later, field, np.array([3.0, 4.0]))
    message.points = [message.points[0], later.points[0]]
    np.testing.assert_array_equal(read(message, field), [3.0, 4.0])
    message.points = []
    with pytest.raises(MessageError, match=r"'thing' \(a/topic\) is a trajectory without points"):
        read(message, field)


@pytest.mark.parametrize("maker", MAKERS)
@given(seconds=st.floats(1e-6, 1e6))
def test_a_trajectory_says_when_the_robot_should_be_there(maker, seconds):
    field = make_field("trajectory_msgs/msg/JointTrajectory", time_from_start_s=seconds)
    message = empty(field.type, maker)
    write(message, field, np.zeros(2))
    when = message.points[0].time_from_start
    assert 0 <= when.nanosec < 10**9
    assert when.sec + 1e-9 * when.nanosec == pytest.approx(seconds, abs=1e-9)


def test_just_under_a_second_is_no_billion_nanoseconds():
    field = make_field("trajectory_msgs/msg/JointTrajectory", time_from_start_s=1.0 - 1e-11)
    message = empty(field.type)
    write(message, field, np.zeros(2))
    when = message.points[0].time_from_start
    assert (when.sec, when.nanosec) == (1, 0)


def test_an_endless_trajectory_is_refused():
    with pytest.raises(SpecError, match="time_from_start_s is inf"):
        make_field("trajectory_msgs/msg/JointTrajectory", time_from_start_s=math.inf)


@pytest.mark.parametrize(("quantity", "place"), [("velocity", "velocities"), ("position", "displacements")])
def test_a_jog_holds_velocities_or_displacements(quantity, place):
    field = make_field("control_msgs/msg/JointJog", quantity=quantity)
    message = empty(field.type)
    write(message, field, np.array([1.0, 2.0]))
    assert getattr(message, place) == [1.0, 2.0]
    assert make_field("control_msgs/msg/JointJog").quantity == "velocity"


def test_a_jog_of_efforts_is_refused():
    field = make_field("control_msgs/msg/JointJog", quantity="effort")
    for use in (lambda: read(empty(field.type), field), lambda: write(empty(field.type), field, np.zeros(2))):
        with pytest.raises(MessageError, match=r"a JointJog has no effort.*quantity: velocity"):
            use()


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("numbers", [[], [1.0, 2.0], [1.0] * 4])
def test_an_array_of_another_count_is_refused(maker, numbers):
    message = empty("std_msgs/msg/Float64MultiArray", maker)
    message.data = numbers
    with pytest.raises(MessageError, match=rf"holds {len(numbers)} numbers; the spec names 3: shoulder, elbow, wrist"):
        read(message, make_field("std_msgs/msg/Float64MultiArray"))
