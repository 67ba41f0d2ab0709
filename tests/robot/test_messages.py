"""Messages to arrays and back, for messages of ROS and for anything shaped like them."""

from __future__ import annotations

import importlib
import importlib.util
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_ros.errors import MessageError
from imitation_ros.robot.field import Field, parse_field
from imitation_ros.robot.messages import COMPONENTS, READERS, WRITERS, header_stamp_s, read, write

HAS_ROS = importlib.util.find_spec("geometry_msgs") is not None
MAKERS = ["plain", pytest.param("ros", marks=pytest.mark.skipif(not HAS_ROS, reason="needs ROS's message packages"))]

FIELDS = {
    "sensor_msgs/msg/JointState": {"names": ["shoulder", "elbow"], "unit": "rad"},
    "geometry_msgs/msg/Pose": {"rotation": "rotvec"},
    "geometry_msgs/msg/PoseStamped": {"frame": "base", "rotation": "rotation_6d"},
    "geometry_msgs/msg/Twist": {"names": ["angular.z", "linear.x"]},
    "geometry_msgs/msg/TwistStamped": {"frame": "base"},
    "std_msgs/msg/Float64": {},
    "std_msgs/msg/Bool": {},
}
NUMBERS = st.floats(-1e3, 1e3)


def make_field(message_type: str, **changes: object) -> Field:
    words = {"topic": "a/topic", "type": message_type, **FIELDS[message_type], **changes}
    return parse_field("thing", words, "cell.yaml")


def empty(message_type: str, maker: str) -> object:
    """Return an empty message, of ROS or merely shaped like it."""
    package, _, name = message_type.split("/")
    if maker == "ros":
        return getattr(importlib.import_module(f"{package}.msg"), name)()
    return PLAIN[name]()


def vector(names: str) -> SimpleNamespace:
    return SimpleNamespace(**dict.fromkeys(names, 0.0))


def header() -> SimpleNamespace:
    return SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0), frame_id="")


PLAIN = {
    "JointState": lambda: SimpleNamespace(header=header(), name=[], position=[], velocity=[], effort=[]),
    "Pose": lambda: SimpleNamespace(position=vector("xyz"), orientation=vector("xyzw")),
    "PoseStamped": lambda: SimpleNamespace(header=header(), pose=PLAIN["Pose"]()),
    "Twist": lambda: SimpleNamespace(linear=vector("xyz"), angular=vector("xyz")),
    "TwistStamped": lambda: SimpleNamespace(header=header(), twist=PLAIN["Twist"]()),
    "Float64": lambda: SimpleNamespace(data=0.0),
    "Bool": lambda: SimpleNamespace(data=False),
}


def test_every_message_type_has_a_reader_a_writer_its_numbers_and_a_round_trip_here():
    assert set(READERS) == set(WRITERS) == set(COMPONENTS) == set(FIELDS)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", FIELDS)
@given(data=st.data())
def test_what_is_written_is_read_back(message_type, maker, data):
    field = make_field(message_type)
    values = np.array(data.draw(st.lists(NUMBERS, min_size=field.width, max_size=field.width)))
    if message_type == "std_msgs/msg/Bool":
        values = np.round(np.abs(values) % 1.0)
    if field.rotation is not None:
        turn = data.draw(st.tuples(*[st.floats(-1.7, 1.7)] * 3).map(np.array))
        values[3:] = turn if field.rotation == "rotvec" else np.concatenate(columns_of(turn))
    message = empty(message_type, maker)
    write(message, field, values)
    back = read(message, field)
    assert back.shape == (field.width,) and back.dtype == np.float64
    np.testing.assert_allclose(back, values, atol=1e-7)
    if field.rotation is None:
        np.testing.assert_array_equal(back, values)


def columns_of(turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first two columns of the matrix with these Euler angles."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(turn), np.cos(turn)
    return np.array([cy * cz, cy * sz, -sy]), np.array([sx * sy * cz - cx * sz, sx * sy * sz + cx * cz, sx * cy])


JOINTS = {"shoulder": 0.1, "elbow": -0.2, "gripper": 0.04}


def joint_state(names: list[str], maker: str = "plain") -> object:
    message = empty("sensor_msgs/msg/JointState", maker)
    message.name = list(names)
    message.position = [JOINTS[name] for name in names]
    return message


@pytest.mark.parametrize("maker", MAKERS)
@given(order=st.permutations(list(JOINTS)))
def test_joint_order_in_the_message_does_not_matter(maker, order):
    field = make_field("sensor_msgs/msg/JointState")
    np.testing.assert_array_equal(read(joint_state(order, maker), field), [0.1, -0.2])


def test_missing_joints_are_named_with_those_that_are_there():
    field = make_field("sensor_msgs/msg/JointState", names=["elbow", "wrist", "toe"])
    with pytest.raises(MessageError, match=r"'thing' \(a/topic\) has no joint wrist, toe; it has elbow, gripper.*cell"):
        read(joint_state(["elbow", "gripper"]), field)


def test_a_quantity_that_the_driver_leaves_empty_is_named():
    field = make_field("sensor_msgs/msg/JointState", quantity="velocity")
    with pytest.raises(MessageError, match="names 2 joints but has 0 values of velocity"):
        read(joint_state(["shoulder", "elbow"]), field)


@pytest.mark.parametrize("quantity", ["position", "velocity", "effort"])
def test_the_quantity_says_which_numbers_are_read_and_written(quantity):
    field = make_field("sensor_msgs/msg/JointState", quantity=quantity)
    message = empty("sensor_msgs/msg/JointState", "plain")
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
@given(quaternion=st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 1e-3))
def test_q_and_minus_q_are_read_as_the_same_numbers(maker, quaternion):
    for rotation in ("rotation_6d", "rotvec"):
        field = make_field("geometry_msgs/msg/PoseStamped", rotation=rotation)
        arrays = []
        for sign in (1.0, -1.0):
            message = empty(field.type, maker)
            q = message.pose.orientation
            q.x, q.y, q.z, q.w = (sign * number for number in quaternion)
            arrays.append(read(message, field))
        np.testing.assert_array_equal(*arrays)


def test_a_pose_without_rotation_is_three_numbers_and_is_written_upright():
    field = make_field("geometry_msgs/msg/PoseStamped", rotation=None)
    message = empty(field.type, "plain")
    assert read(message, field).tolist() == [0.0, 0.0, 0.0], "its quaternion is not looked at"
    write(message, field, np.array([1.0, 2.0, 3.0]))
    q = message.pose.orientation
    assert (q.x, q.y, q.z, q.w) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", ["geometry_msgs/msg/Pose", "geometry_msgs/msg/PoseStamped"])
def test_a_zero_quaternion_is_refused(message_type, maker):
    message = empty(message_type, maker)
    pose = getattr(message, "pose", message)
    pose.orientation.w = 0.0  # a message of ROS begins upright
    with pytest.raises(MessageError, match=r"'thing' \(a/topic\): the quaternion .* is no rotation"):
        read(message, make_field(message_type))


def test_a_rotation_that_is_none_is_not_written():
    field = make_field("geometry_msgs/msg/PoseStamped")
    with pytest.raises(MessageError, match=r"'thing'.*no rotation_6d"):
        write(empty(field.type, "plain"), field, np.zeros(9))


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", sorted(set(FIELDS) - {"std_msgs/msg/Bool"}))
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(message_type, maker, bad):
    field = make_field(message_type, rotation=None)
    message = empty(message_type, maker)
    values = np.zeros(field.width)
    values[-1] = bad
    write(message, field, values)
    with pytest.raises(MessageError, match=r"'thing' \(a/topic\) holds .*not finite.*ros2 topic echo a/topic"):
        read(message, field)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", ["geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/TwistStamped"])
def test_another_frame_is_named_with_the_one_in_the_spec(message_type, maker):
    field = make_field(message_type, rotation=None)
    message = empty(message_type, maker)
    message.header.frame_id = "camera"
    with pytest.raises(MessageError, match=r"in frame 'camera'; the spec says 'base'.*cell\.yaml"):
        read(message, field)
    for fine in ("", "base"):
        message.header.frame_id = fine
        read(message, field)


def test_a_written_message_says_its_frame():
    message = empty("geometry_msgs/msg/TwistStamped", "plain")
    write(message, make_field("geometry_msgs/msg/TwistStamped"), np.zeros(6))
    assert message.header.frame_id == "base"


@pytest.mark.parametrize("maker", MAKERS)
def test_axes_that_a_twist_field_does_not_name_stay_zero(maker):
    message = empty("geometry_msgs/msg/Twist", maker)
    write(message, make_field("geometry_msgs/msg/Twist"), np.array([0.5, 0.25]))
    assert (message.angular.z, message.linear.x) == (0.5, 0.25)
    assert (message.angular.x, message.angular.y, message.linear.y, message.linear.z) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_stamp_is_the_headers_and_an_empty_one_is_none(maker):
    message = empty("geometry_msgs/msg/TwistStamped", maker)
    assert header_stamp_s(message) is None
    message.header.stamp.sec, message.header.stamp.nanosec = 12, 500_000_000
    assert header_stamp_s(message) == 12.5
    assert header_stamp_s(empty("std_msgs/msg/Float64", maker)) is None
