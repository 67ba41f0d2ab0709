"""Topics of fields: messages that can be filled, packages that are missing, drivers that share a topic, tf."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_graph import wait_until
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

from imitation_ros.errors import MessageError, SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.field_yaml import parse_field
from imitation_ros.robot.messages import COMPONENTS, write
from imitation_ros.ros import gripper_node
from imitation_ros.ros.frames import FrameSubscription
from imitation_ros.ros.topics import FieldPublishers, FieldSubscriptions, message_class, new_message, to_stamp

IN_WHEELS = sorted(set(COMPONENTS) - {"control_msgs/msg/JointJog"})


@pytest.mark.parametrize("message_type", IN_WHEELS)
def test_a_new_message_of_every_type_can_be_filled(message_type):
    message = new_message(message_type)
    if message_type == "trajectory_msgs/msg/JointTrajectory":
        assert len(message.points) == 1, "a command is a trajectory of one point"
    assert new_message(message_type) is not message


@pytest.mark.parametrize(
    ("message_type", "package"),
    [("control_msgs/msg/JointJog", "control-msgs"), ("no_such_msgs/msg/Thing", "no-such-msgs")],
)
def test_a_package_that_is_not_installed_is_named_with_how_to_install_it(message_type, package):
    if importlib.util.find_spec(package.replace("-", "_")) is not None:
        pytest.skip(f"{package} is installed here")
    with pytest.raises(
        SpecError, match=rf"{message_type} is not installed here.*apt install ros-\$ROS_DISTRO-{package}"
    ):
        message_class(message_type)


def test_a_type_that_an_installed_package_lacks_is_named():
    with pytest.raises(SpecError, match="sensor_msgs/msg/JoyStick is not installed here"):
        message_class("sensor_msgs/msg/JoyStick")


LACKING = {
    "control_msgs": {"topic": "jog", "type": "control_msgs/msg/JointJog", "names": ["a"]},
    "tf2_msgs": {"type": "tf", "parent": "base", "child": "tool"},
}


@pytest.mark.parametrize("package", LACKING)
def test_subscribing_and_publishing_say_at_once_that_a_package_is_missing(graph, package):
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"{package} is installed here")
    field = parse_field("thing", LACKING[package], "cell.yaml")
    for make in (lambda: FieldSubscriptions(graph.node, [field], print), lambda: FieldPublishers(graph.node, [field])):
        with pytest.raises(SpecError, match=f"No module named '{package}'"):
            make()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ([], ["control_msgs, which is not installed", "apt install ros-$ROS_DISTRO-control-msgs"]),
        (["action_type:=Gripper"], ["'Gripper'; allowed: GripperCommand, ParallelGripperCommand"]),
        (["action_type:=ParallelGripperCommand"], ["'joint' of gripper is not set"]),
    ],
)
def test_a_gripper_relay_that_cannot_work_ends_and_says_why(parameters, words):
    if not parameters and importlib.util.find_spec("control_msgs") is not None:
        pytest.skip("control_msgs is installed here")
    given = [part for words in parameters for part in ("-p", words)]
    line = [sys.executable, "-m", "imitation_ros.ros.gripper_node", "--ros-args", *given]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    for part in words:
        assert part in done.stderr


class Accepting:
    """Stands in for an ActionClient, and accepts every goal at once."""

    def __init__(self, node, kind, action) -> None:
        self.action, self.goals = action, []

    def server_is_ready(self) -> bool:
        return True

    def send_goal_async(self, goal):
        self.goals.append((goal.command.position, goal.command.max_effort))
        future = SimpleNamespace(result=lambda: SimpleNamespace(accepted=True))
        future.add_done_callback = lambda callback: callback(future)
        return future


def test_a_stream_of_gripper_commands_becomes_goals(graph, monkeypatch):
    package, module = ModuleType("control_msgs"), ModuleType("control_msgs.action")
    goal = lambda: SimpleNamespace(command=SimpleNamespace(position=0.0, max_effort=0.0))  # noqa: E731
    module.GripperCommand, package.action = SimpleNamespace(Goal=goal), module
    monkeypatch.setitem(sys.modules, "control_msgs", package)
    monkeypatch.setitem(sys.modules, "control_msgs.action", module)
    monkeypatch.setattr(gripper_node, "ActionClient", Accepting)
    rclpy.init()  # nodes of ours are made in the default context
    node = gripper_node.GripperNode({"topic": "grip", "scale": 0.5, "max_effort": 20.0})
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    publisher = graph.node.create_publisher(Float64, "grip", 10)
    try:
        for value, goals in ((0.08, 1), (math.nan, 1), (0.0, 2), (0.0, 2)):
            deadline_s = time.monotonic() + 10.0
            while len(node.relay.client.goals) < goals or time.monotonic() < deadline_s - 9.8:
                assert time.monotonic() < deadline_s, node.relay.client.goals
                publisher.publish(Float64(data=value))
                executor.spin_once(timeout_sec=0.05)
        assert node.relay.client.goals == [(0.04, 20.0), (0.0, 20.0)]
        assert node.relay.client.action == "gripper_controller/gripper_cmd"
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown()


def joints(name: str, *names: str) -> Field:
    words = {"topic": "shared/joint_states", "type": "sensor_msgs/msg/JointState", "names": list(names)}
    return parse_field(name, words, "cell.yaml")


def test_drivers_that_share_a_topic_are_no_problem_to_each_other_until_one_is_silent(graph):
    arm, hand = joints("arm", "shoulder", "elbow"), joints("hand", "finger")
    heard: dict[str, list[np.ndarray]] = {"arm": [], "hand": []}
    quiet: set[str] = set()
    topics = FieldSubscriptions(graph.node, [arm, hand], lambda name, data, *_: heard[name].append(data))
    said: list[str] = []
    publisher = graph.node.create_publisher(JointState, arm.topic, 10)

    def publish() -> None:
        for field, values in ((arm, [1.0, 2.0]), (hand, [3.0])):
            if field.name not in quiet:
                message = new_message(field.type)
                write(message, field, np.array(values))
                publisher.publish(message)
        said.extend(topics.problems_of([arm, hand]))

    timer = graph.node.create_timer(0.02, publish)
    wait_until(lambda: all(len(values) > 20 for values in heard.values()), what="both drivers' messages")
    said.clear()
    time.sleep(0.5)
    assert said == [], "each message lacks the other driver's joints"
    np.testing.assert_array_equal(heard["arm"][-1], [1.0, 2.0])
    quiet.add("hand")
    wait_until(lambda: topics.problems_of([hand]), what="noticing the silent hand")
    assert "'hand' (shared/joint_states) has no joint finger; it has shoulder, elbow" in topics.problems_of([hand])[0]
    assert topics.problems_of([arm]) == []
    quiet.clear()
    wait_until(lambda: not topics.problems_of([hand]), what="hearing the hand again")
    timer.cancel()
    topics.close()


def test_a_command_that_was_refused_once_does_not_stand_against_a_start_for_ever(graph):
    """Such as one that came before /clock did; the next, which would be well, may be long in coming."""
    command = parse_field("gripper", {"topic": "gripper", "type": "std_msgs/msg/Float64"}, "cell.yaml")

    refused: list[float] = []

    def refuse(*_: object) -> None:
        refused.append(time.monotonic())
        raise MessageError("'gripper' is stamped 2.350 s in the future")

    topics = FieldSubscriptions(graph.node, [], refuse, optional=[command])
    publisher = graph.node.create_publisher(Float64, "gripper", 10)
    wait_until(lambda: publisher.get_subscription_count(), what="being heard")
    publisher.publish(Float64())
    wait_until(lambda: refused, what="the refusal")
    wait_until(lambda: not topics.problems_of([command]), what="forgetting it")
    assert time.monotonic() - refused[0] > 0.9, "long enough for a report, and for who calls ~/start just then"
    topics.close()


def test_a_topic_of_another_type_stands_against_a_start_as_long_as_it_is_published_so(graph):
    command = parse_field("gripper", {"topic": "gripper", "type": "std_msgs/msg/Float64"}, "cell.yaml")
    topics = FieldSubscriptions(graph.node, [], print, optional=[command])
    publisher = graph.node.create_publisher(JointState, "gripper", 10)
    wait_until(lambda: topics.problems_of([command]), what="noticing the type")
    assert "is published as sensor_msgs/msg/JointState" in topics.problems_of([command])[0]
    for _ in range(8):
        time.sleep(0.2)
        assert topics.problems_of([command])
    graph.node.destroy_publisher(publisher)
    wait_until(lambda: not topics.problems_of([command]), what="forgetting who has gone")
    topics.close()


def test_commands_are_listened_to_before_anybody_commands(graph):
    command = parse_field("gripper", {"topic": "gripper", "type": "std_msgs/msg/Float64"}, "cell.yaml")
    heard: list[float] = []
    topics = FieldSubscriptions(graph.node, [], lambda name, data, *_: heard.append(float(data[0])), [command])
    wait_until(lambda: graph.node.count_subscribers("gripper"), what="listening")
    publisher = graph.node.create_publisher(Float64, "gripper", 10)
    wait_until(publisher.get_subscription_count, what="being heard")
    publisher.publish(Float64(data=0.5))
    wait_until(lambda: heard == [0.5], what="the first command")
    topics.close()


def test_good_and_bad_messages_in_turn_are_not_logged_each_time(graph, monkeypatch):
    field, said = joints("arm", "shoulder"), []
    monkeypatch.setattr(graph.node, "get_logger", lambda: SimpleNamespace(warning=said.append))
    topics = FieldSubscriptions(graph.node, [], print, [field])
    graph.node.destroy_timer(topics.timer)
    for number in range(20):
        topics.note(field.topic, field.name, f"'arm' has a value of {number}")
        topics.announce()
        topics.forget(field.topic, field.name)
    assert said == ["'arm' has a value of 0"]
    topics.said_s = {key: said_s - 6.0 for key, said_s in topics.said_s.items()}  # later
    topics.note(field.topic, field.name, "'arm' has a value of 20")
    topics.announce()
    assert said[1:] == ["'arm' has a value of 20"]
    topics.close()


@pytest.mark.parametrize("optional", [False, True])
def test_a_driver_that_comes_back_as_best_effort_is_heard_again(graph, optional):
    field, heard = joints("arm", "shoulder"), []
    fields = {"expected": [], "optional": [field]} if optional else {"expected": [field]}
    topics = FieldSubscriptions(graph.node, on_value=lambda name, *_: heard.append(name), **fields)
    message = new_message(field.type)
    write(message, field, np.array([1.0]))
    for reliability in (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT):
        qos = QoSProfile(depth=10, reliability=reliability)
        publisher = graph.node.create_publisher(JointState, field.topic, qos)
        timer = graph.node.create_timer(0.05, lambda publisher=publisher: publisher.publish(message))
        heard.clear()
        wait_until(lambda: heard, what=f"hearing {reliability.name}", why=lambda: topics.problems_of([field]))
        graph.node.destroy_timer(timer)
        graph.node.destroy_publisher(publisher)
    topics.close()


def test_a_node_in_a_namespace_names_topics_as_the_command_line_finds_them(graph):
    node = Node("observer", context=graph.context, namespace="/robots/left")
    graph.executor.add_node(node)
    topics = FieldSubscriptions(node, [joints("arm", "shoulder")], print)
    wait_until(lambda: topics.problems, what="noticing the silence")
    assert "(/robots/left/shared/joint_states) has no publisher" in topics.problems_of([joints("arm", "shoulder")])[0]
    graph.executor.remove_node(node)
    topics.close()
    node.destroy_node()


class TFMessage:
    """As tf2_msgs has it, which is on no package index; without what DDS needs."""

    def __init__(self) -> None:
        self.transforms: list[TransformStamped] = []


class StandIn:
    """Takes the subscriptions and publications of a message that DDS cannot carry here."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.callbacks: dict[str, Callable[[Any], None]] = {}
        self.qos: dict[str, Any] = {}
        self.sent: list[tuple[str, Any]] = []

    def get_clock(self):
        return self.node.get_clock()

    def create_subscription(self, kind, topic, callback, qos):
        assert kind is TFMessage
        self.callbacks[topic], self.qos[topic] = callback, qos
        return topic

    def create_publisher(self, kind, topic, depth):
        return SimpleNamespace(publish=lambda message: self.sent.append((topic, message)))


@pytest.fixture
def tf_node(graph, monkeypatch):
    package, module = ModuleType("tf2_msgs"), ModuleType("tf2_msgs.msg")
    module.TFMessage = TFMessage
    monkeypatch.setitem(sys.modules, "tf2_msgs", package)
    monkeypatch.setitem(sys.modules, "tf2_msgs.msg", module)
    return StandIn(graph.node)


def looked_up(name: str, parent: str, child: str, **words: object) -> Field:
    return parse_field(name, {"type": "tf", "parent": parent, "child": child, **words}, "cell.yaml")


def message_of(*edges: tuple[str, str, float, float]) -> TFMessage:
    """Return transforms (parent, child, x, stamp)."""
    message = TFMessage()
    for parent, child, x, stamp_s in edges:
        transform = TransformStamped()
        transform.header.frame_id, transform.child_frame_id = parent, child
        transform.transform.translation.x = x
        transform.header.stamp = to_stamp(stamp_s)
        message.transforms.append(transform)
    return message


def test_tf_is_heard_in_every_namespace_and_what_is_latched_as_well(tf_node):
    FrameSubscription(tf_node, "tf", [looked_up("tool", "base", "tool")], print)
    assert set(tf_node.callbacks) == {"/tf", "/tf_static"}
    assert tf_node.qos["/tf_static"].durability == DurabilityPolicy.TRANSIENT_LOCAL
    FrameSubscription(tf_node, "left/tf", [looked_up("tool", "base", "tool", topic="left/tf")], print)
    assert {"left/tf", "left/tf_static"} <= set(tf_node.callbacks)


def test_transforms_become_values_with_the_stamp_of_the_oldest(tf_node):
    heard: list[tuple[str, float, float | None]] = []
    fields = [looked_up("tool", "world", "tool"), looked_up("mount", "world", "base"), looked_up("lost", "world", "x")]
    frames = FrameSubscription(
        tf_node, "tf", fields, lambda name, data, stamp_s, *_: heard.append((name, data[0], stamp_s))
    )
    tf_node.callbacks["/tf_static"](message_of(("world", "base", 1.0, 0.0)))
    assert heard == []
    frames.look()
    assert [(name, x) for name, x, _ in heard] == [("mount", 1.0)] and abs(heard[0][2] - time.time()) < 5.0
    heard.clear()
    tf_node.callbacks["/tf"](message_of(("base", "arm", 0.5, 20.0), ("arm", "tool", 0.25, 10.0)))
    assert heard == [("tool", 1.75, 10.0)]
    frames.last_s = dict.fromkeys(frames.last_s, time.monotonic() - 2.0)
    problems = frames.look()
    assert problems["mount"] is None
    assert "'tool' (/tf) has been silent for 2 s: `ros2 run tf2_ros tf2_echo world tool`" in problems["tool"]
    assert "tf has no frame 'x'; known frames: arm, base, tool, world" in problems["lost"]


def test_a_robot_says_where_its_frames_are_in_one_message(tf_node):
    fields = [looked_up("tool", "base", "tool"), looked_up("camera", "base", "camera", frame_prefix="left_")]
    publishers = FieldPublishers(tf_node, fields)
    publishers.publish({"tool": np.array([1.0, 0.0, 0.0]), "camera": np.array([2.0, 0.0, 0.0])}, 12.5)
    [(topic, message)] = tf_node.sent
    assert topic == "/tf"
    assert [(t.header.frame_id, t.child_frame_id) for t in message.transforms] == [
        ("base", "tool"),
        ("left_base", "left_camera"),
    ]
    heard: list[tuple[str, float, float | None]] = []
    FrameSubscription(tf_node, "tf", fields, lambda name, data, stamp_s, *_: heard.append((name, data[0], stamp_s)))
    tf_node.callbacks["/tf"](message)
    assert heard == [("tool", 1.0, 12.5), ("camera", 2.0, 12.5)]
