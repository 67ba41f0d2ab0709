"""Messages of places, turns, velocities and forces."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_kinds import ANY_TURN, MAKERS, empty, make_field

from imitation_ros.errors import MessageError, SpecError
from imitation_ros.robot.messages import ORIENTED, pose_values, read, write
from imitation_ros.robot.rotations import quaternion_to_matrix, rotvec_to_matrix

TURNED = sorted(ORIENTED)
QUATERNIONS = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 1e-3)


def quaternion_in(message):
    """Return the quaternion of a message."""
    if hasattr(message, "transform"):
        return message.transform.rotation
    pose = getattr(message, "pose", message)
    return getattr(pose, "pose", pose).orientation


def turn(message, numbers) -> None:
    q = quaternion_in(message)
    q.x, q.y, q.z, q.w = (float(number) for number in numbers)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", TURNED)
@given(quaternion=QUATERNIONS)
def test_q_and_minus_q_are_read_as_the_same_numbers(message_type, maker, quaternion):
    for rotation in ("rotation_6d", "rotvec"):
        field = make_field(message_type, rotation=rotation)
        arrays = []
        for sign in (1.0, -1.0):
            message = empty(message_type, maker)
            turn(message, sign * np.array(quaternion))
            arrays.append(read(message, field))
        np.testing.assert_array_equal(*arrays)


@pytest.mark.parametrize("message_type", TURNED)
@given(quaternion=QUATERNIONS, angles=ANY_TURN)
def test_a_turn_survives_both_representations(message_type, quaternion, angles):
    for matrix in (quaternion_to_matrix(np.array(quaternion)), rotvec_to_matrix(angles)):
        for rotation in ("rotation_6d", "rotvec"):
            field = make_field(message_type, rotation=rotation)
            placed = np.eye(4)
            placed[:3, :3] = matrix
            numbers = pose_values(placed, field)[3:]
            message = empty(message_type)
            write(message, field, np.concatenate([np.zeros(field.width - len(numbers)), numbers]))
            q = quaternion_in(message)
            np.testing.assert_allclose(quaternion_to_matrix(np.array([q.x, q.y, q.z, q.w])), matrix, atol=1e-7)
            assert q.w >= 0.0 and math.isclose(q.x**2 + q.y**2 + q.z**2 + q.w**2, 1.0)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", TURNED)
@pytest.mark.parametrize("numbers", [[0, 0, 0, 0], [math.nan, 0, 0, 1], [0, math.inf, 0, 1]])
def test_a_quaternion_that_is_no_rotation_is_refused(message_type, maker, numbers):
    message = empty(message_type, maker)
    turn(message, numbers)
    with pytest.raises(MessageError, match=r"'thing' \(a/topic\): the quaternion .* is no rotation"):
        read(message, make_field(message_type))


@pytest.mark.parametrize("message_type", TURNED)
def test_a_rotation_that_is_none_is_not_written(message_type):
    field = make_field(message_type, rotation="rotation_6d")
    with pytest.raises(MessageError, match=r"'thing'.*no rotation_6d"):
        write(empty(message_type), field, np.zeros(field.width))


@pytest.mark.parametrize("message_type", TURNED)
def test_without_a_rotation_the_quaternion_is_not_looked_at_and_is_written_upright(message_type):
    field = make_field(message_type, rotation=None)
    message = empty(message_type)
    assert read(message, field).tolist() == [0.0] * field.width, "its quaternion is zero"
    write(message, field, np.arange(float(field.width)))
    q = quaternion_in(message)
    assert (q.x, q.y, q.z, q.w) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("message_type", ["geometry_msgs/msg/Twist", "std_msgs/msg/Float64", "sensor_msgs/msg/Image"])
def test_a_rotation_of_what_has_none_is_refused(message_type):
    with pytest.raises(SpecError, match=f"rotation is 'rotvec', but a {message_type} holds no orientation"):
        make_field(message_type, rotation="rotvec")


@pytest.mark.parametrize("maker", MAKERS)
def test_axes_that_a_twist_field_does_not_name_stay_zero(maker):
    message = empty("geometry_msgs/msg/Twist", maker)
    write(message, make_field("geometry_msgs/msg/Twist"), np.array([0.5, 0.25]))
    assert (message.angular.z, message.linear.x) == (0.5, 0.25)
    assert (message.angular.x, message.angular.y, message.linear.y, message.linear.z) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("maker", MAKERS)
@given(names=st.permutations(["x", "y", "z", "linear.x", "linear.y", "angular.z"]), count=st.integers(1, 6))
def test_odometry_gives_the_named_numbers_in_order_then_the_rotation(maker, names, count):
    names = names[:count]
    field = make_field("nav_msgs/msg/Odometry", names=names)
    message = empty(field.type, maker)
    numbers = {"x": 1.0, "y": 2.0, "z": 3.0, "linear.x": 4.0, "linear.y": 5.0, "angular.z": 6.0}
    place, speed = message.pose.pose.position, message.twist.twist
    place.x, place.y, place.z = 1.0, 2.0, 3.0
    speed.linear.x, speed.linear.y, speed.angular.z = 4.0, 5.0, 6.0
    turn(message, [0.0, 0.0, 1.0, 1.0])
    assert field.names == (*names, "rx", "ry", "rz")
    np.testing.assert_allclose(read(message, field), [*(numbers[name] for name in names), 0.0, 0.0, math.pi / 2])


def test_a_rotation_stays_together_at_the_end_wherever_its_names_stand():
    field = make_field("nav_msgs/msg/Odometry", names=["rx", "y", "rz", "x"])
    assert field.names == ("y", "x", "rx", "ry", "rz")
    assert make_field("sensor_msgs/msg/Imu", names=["rx"], rotation="rotvec").names == ("rx", "ry", "rz")


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("part", ["orientation", "angular_velocity", "linear_acceleration"])
def test_what_an_imu_does_not_measure_is_refused_only_where_it_is_asked_for(maker, part):
    message = empty("sensor_msgs/msg/Imu", maker)
    message.orientation.w = 1.0
    covariance = list(getattr(message, f"{part}_covariance"))
    covariance[0] = -1.0
    setattr(message, f"{part}_covariance", covariance)
    with pytest.raises(MessageError, match=rf"does not measure its {part} \(covariance -1\)"):
        read(message, make_field("sensor_msgs/msg/Imu"))
    others = {"angular_velocity", "linear_acceleration"} - {part}
    rotation = None if part == "orientation" else "rotvec"
    names = [f"{other}.x" for other in sorted(others)]
    read(message, make_field("sensor_msgs/msg/Imu", names=names, rotation=rotation))


def test_a_transform_says_whose_it_is():
    field = make_field("tf", frame_prefix="left_")
    message = empty("tf")
    write(message, field, np.array([1.0, 2.0, 3.0, 0.0, 0.0, 0.0]))
    assert (message.header.frame_id, message.child_frame_id) == ("left_base", "left_tool")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parent": None}, "is a tf and has no `parent`"),
        ({"child": None}, "is a tf and has no `child`"),
        ({"frame": "world"}, "has parent and frame, which say the same"),
        ({"child": "base"}, "looks for 'base' in itself"),
        ({"names": ["x"]}, "recorded whole"),
    ],
)
def test_a_tf_field_names_two_frames(changes, words):
    with pytest.raises(SpecError, match=words):
        make_field("tf", **changes)


def test_a_tf_needs_no_topic_and_its_frame_is_its_parent():
    field = make_field("tf", topic=None)
    assert (field.topic, field.frame, field.child) == ("tf", "base", "tool")


@pytest.mark.parametrize("word", ["parent", "child"])
def test_what_is_no_tf_has_neither_parent_nor_child(word):
    with pytest.raises(SpecError, match=f"has `{word}`, which only `type: tf` has"):
        make_field("geometry_msgs/msg/PoseStamped", **{word: "tool"})
