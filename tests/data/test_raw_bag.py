"""Raw messages into an mcap while they come: what is handed over is in it, and nobody waits."""

from __future__ import annotations

import pytest

pytest.importorskip("rosbags")

from imitation_ros.data.bag import bag_messages
from imitation_ros.data.bag.raw import RawBag
from imitation_ros.data.bag.writing import Messages
from imitation_ros.errors import DataError

STATE, NUMBER = "sensor_msgs/msg/JointState", "std_msgs/msg/Float64"
TYPES = {"/joint_states": STATE, "/gripper": NUMBER, "/mine": "my_msgs/msg/Mine"}


@pytest.fixture(scope="module")
def messages():
    return Messages()


def serialized(messages: Messages, value: float) -> bytes:
    message = messages.empty(NUMBER)
    message.data = value
    return messages.serialized(message, NUMBER)


def test_what_is_handed_over_is_in_the_bag_as_it_came(tmp_path, messages):
    bag = RawBag(tmp_path / "episode_000003.mcap", TYPES, messages)
    for index in range(1000):
        bag.put("/gripper", serialized(messages, float(index)), 10**18 + index)
    bag.put("/mine", b"of a type that nobody describes", 10**18)
    path = bag.close()
    assert [each.name for each in tmp_path.iterdir()] == ["episode_000003.mcap"]
    found = list(bag_messages(path, {"/gripper"}))
    assert [each.message.data for each in found] == [float(index) for index in range(1000)]


def test_a_bag_that_is_thrown_away_leaves_nothing(tmp_path, messages):
    bag = RawBag(tmp_path / "episode_000000.mcap", TYPES, messages)
    bag.put("/gripper", serialized(messages, 1.0), 10**18)
    bag.discard()
    assert list(tmp_path.iterdir()) == []


def test_what_a_disk_does_not_keep_up_with_is_left_out_and_counted(tmp_path, messages, monkeypatch):
    monkeypatch.setattr("imitation_ros.data.bag.raw.WAITING_BYTES", 10)
    bag = RawBag(tmp_path / "episode_000000.mcap", TYPES, messages)
    bag.put("/gripper", serialized(messages, 1.0), 10**18)
    assert bag.left_out == 1
    bag.close()


def test_a_disk_that_takes_no_more_is_said_and_what_was_written_is_kept(tmp_path, messages, monkeypatch):
    bag = RawBag(tmp_path / "episode_000000.mcap", TYPES, messages)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bag.writer, "write", refuse)
    bag.put("/gripper", serialized(messages, 1.0), 10**18)
    with pytest.raises(DataError, match=r"episode_000000\.mcap is not complete: .*No space left.*\.mcap\.part"):
        bag.close()
    assert bag.part.is_dir()
