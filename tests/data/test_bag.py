"""Bags come out as they were recorded, in both formats, without ROS; what is wrong with one is said in words."""

from __future__ import annotations

import sqlite3
import sys

import numpy as np
import pytest

pytest.importorskip("rosbags")

from bag_writer import STORAGES, STORE, joint_state, make, number, write_bag

from imitation_ros.data.bag import bag_messages, bag_topics
from imitation_ros.errors import DataError
from imitation_ros.robot.messages import header_stamp_s, read

START_S = 1.7e9
JOINTS = ["shoulder", "elbow"]
STATE, NUMBER, MODE = "sensor_msgs/msg/JointState", "std_msgs/msg/Float64", "vendor_msgs/msg/ArmMode"


def items(count=10):
    for index in range(count):
        log_s = START_S + 0.02 * index
        yield "/joint_states", STATE, joint_state(log_s - 0.001, JOINTS, [0.1 * index, -0.2]), log_s
        yield "/gripper", NUMBER, number(0.01 * index), log_s + 0.005


@pytest.fixture(params=STORAGES)
def bag(request, tmp_path):
    return write_bag(tmp_path / "bag", items(), request.param)


def test_messages_come_in_the_order_of_their_log_times_with_topic_and_type(bag):
    found = list(bag_messages(bag))
    assert [(item.topic, item.type) for item in found[:2]] == [("/joint_states", STATE), ("/gripper", NUMBER)]
    np.testing.assert_allclose([item.received_s for item in found[::2]], START_S + 0.02 * np.arange(10), atol=1e-6)
    assert len(found) == 20


def test_a_message_is_read_by_the_same_lines_as_one_of_rclpy(bag, spec):
    message = list(bag_messages(bag, {"/joint_states"}))[3].message
    np.testing.assert_allclose(read(message, spec.field("joints")), [0.3, -0.2])
    assert header_stamp_s(message) == pytest.approx(START_S + 0.059, abs=1e-6)


def test_only_the_topics_that_were_asked_for_come(bag):
    assert {item.topic for item in bag_messages(bag, {"/gripper"})} == {"/gripper"}
    assert list(bag_messages(bag, {"/nothing"})) == []


def test_a_bag_says_which_topics_it_holds(bag):
    assert bag_topics(bag) == {"/gripper": NUMBER, "/joint_states": STATE}


def test_a_single_file_of_a_bag_is_a_bag_too(bag):
    file = next(path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))
    assert len(list(bag_messages(file))) == 20


def test_a_type_that_only_the_bag_describes_is_read(tmp_path):
    bag = write_bag(tmp_path / "bag", [("/mode", MODE, make(MODE, mode="teach", code=7), START_S)])
    (item,) = bag_messages(bag)
    assert (item.message.mode, item.message.code) == ("teach", 7)


def undescribed(bag):
    """Make a bag one of ROS 2 Humble, whose sqlite3 files describe no types."""
    (file,) = bag.glob("*.db3")
    with sqlite3.connect(file) as database:
        database.execute("DELETE FROM message_definitions")
    return bag


def test_a_bag_that_describes_no_types_is_read_where_the_types_are_the_usual_ones(tmp_path):
    bag = undescribed(write_bag(tmp_path / "bag", items(), "sqlite3"))
    assert len(list(bag_messages(bag))) == 20


def test_a_type_that_nobody_describes_is_named(tmp_path):
    mode = ("/mode", MODE, make(MODE, mode="teach", code=7), START_S)
    bag = undescribed(write_bag(tmp_path / "bag", [mode, *items()], "sqlite3"))
    with pytest.raises(DataError, match=r"/mode is a vendor_msgs/msg/ArmMode, which neither the bag nor rosbags"):
        list(bag_messages(bag))
    assert len(list(bag_messages(bag, {"/gripper"}))) == 10


def test_bytes_that_a_python_script_left_behind_the_message_do_not_matter(tmp_path, spec):
    message = bytes(STORE.serialize_cdr(joint_state(START_S, JOINTS, [0.1, 0.2]), STATE))
    bag = write_bag(tmp_path / "bag", [("/joint_states", STATE, message + bytes(8), START_S)])
    (item,) = bag_messages(bag)
    np.testing.assert_allclose(read(item.message, spec.field("joints")), [0.1, 0.2])


def test_a_bag_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere does not exist.*mcap or db3"):
        bag_topics(tmp_path / "nowhere")


def test_what_is_no_bag_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    with pytest.raises(DataError, match=r"cannot be read as a rosbag2.*ros2 bag reindex"):
        bag_topics(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="cannot be read as a rosbag2"):
        bag_topics(tmp_path / "empty")
    (tmp_path / "notes.txt").write_text("no bag")
    with pytest.raises(DataError, match="cannot be read as a rosbag2"):
        bag_topics(tmp_path / "notes.txt")


@pytest.mark.parametrize("storage", STORAGES)
def test_a_bag_that_was_cut_off_is_refused_or_read_up_to_there(storage, tmp_path):
    bag = write_bag(tmp_path / "bag", items(200), storage)
    file = next(path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    try:
        found = list(bag_messages(bag))
    except DataError as error:
        assert "cannot be read as a rosbag2" in str(error)
    else:
        assert len(found) < 400


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("seed", range(5))
def test_a_bag_with_broken_bytes_is_refused_in_words_or_read(storage, seed, tmp_path):
    bag = write_bag(tmp_path / "bag", items(50), storage)
    file = next(path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))
    data, rng = bytearray(file.read_bytes()), np.random.default_rng(seed)
    for at in rng.integers(0, len(data), 40):
        data[at] = rng.integers(256)
    file.write_bytes(data)
    try:
        list(bag_messages(bag))
    except DataError as error:
        assert str(bag) in str(error)


def test_without_rosbags_the_extra_that_brings_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "rosbags.rosbag2", None)
    with pytest.raises(DataError, match=r"'rosbags', which is not installed: `pip install 'imitation_ros\[bags\]'`"):
        bag_topics(tmp_path)
