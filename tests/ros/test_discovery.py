"""A live graph, listened to: a draft that records at once, the same from a bag, a checkup that finds faults."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rosbags")

import yaml
from bag_writer import write_bag
from builtin_interfaces.msg import Time as Builtin
from geometry_msgs.msg import Pose, TwistStamped
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from ros_graph import wait_until
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64

from imitation_ros.checkup.topics import judge_topics
from imitation_ros.data.load import load_episodes
from imitation_ros.drafting.files import new_robot
from imitation_ros.drafting.probe import facts_of_bag, probe
from imitation_ros.recording import Recorder
from imitation_ros.robot.field_yaml import parse_field
from imitation_ros.robot.messages import COMPONENTS, write
from imitation_ros.robot.spec import load_spec
from imitation_ros.robot.strict_yaml import parse_yaml
from imitation_ros.ros.discovery import listen_to_everything, listen_to_spec
from imitation_ros.ros.message_types import new_message, now_s, to_stamp
from imitation_ros.ros.topics import FieldSubscriptions
from imitation_ros.topic_facts import GraphFacts, TopicFacts

ARM = [f"joint{number}" for number in range(1, 7)]
BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
LISTEN_S = 2.0


class Arm:
    """A teleoperated arm of real publishers: joints at 50 Hz, commands at 25, a camera at 12, a gripper, a stranger.

    Args:
        faults: what is wrong with it.
    """

    def __init__(self, graph, *faults: str) -> None:
        self.node, self.faults, self.count = graph.node, faults, 0
        make = self.node.create_publisher
        self.joints = make(JointState, "joint_states", 10)
        self.twist = make(TwistStamped, "servo_node/delta_twist_cmds", BEST_EFFORT if "best effort" in faults else 10)
        self.camera = make(Pose if "type" in faults else Image, "wrist/image_raw", BEST_EFFORT)
        self.gripper = make(Float64, "gripper/command", 10)
        self.mode = make(Builtin, "arm/mode", 10)  # a type that is none of ours
        self.node.create_subscription(TwistStamped, "servo_node/delta_twist_cmds", lambda message: None, 10)
        self.node.create_subscription(Float64, "gripper/command", lambda message: None, 10)
        self.node.create_subscription(Float64, "light/command", lambda message: None, 10)
        self.timer = self.node.create_timer(0.02, self.publish)

    def publish(self) -> None:
        self.count += 1
        wave = float(np.sin(0.1 * self.count))
        stamp = to_stamp(time.time() - (0.5 if "late" in self.faults else 0.0))
        state = JointState(name=ARM, position=[wave] * 6)
        state.header.stamp = stamp
        if "joint" in self.faults:
            state.name = [*ARM[:5], "wrist_joint6"]
        if "slow" not in self.faults or self.count % 15 == 0:
            self.joints.publish(state)
        if self.count % 2 == 0:
            twist = TwistStamped()
            twist.header.stamp, twist.header.frame_id = stamp, "base_link"
            twist.twist.linear.x = 0.2 * wave
            self.twist.publish(twist)
            self.gripper.publish(Float64(data=0.08 if wave > 0.0 else 0.0))
            self.mode.publish(stamp)
        if self.count % 4 == 0 and "type" not in self.faults:
            image = Image(height=48, width=64, encoding="rgb8", step=192, data=bytes(48 * 192))
            image.header.stamp, image.header.frame_id = stamp, "camera"
            self.camera.publish(image)


def record(graph, spec, folder):
    """Record a second and a half of a live graph with a drafted setup; return the episode."""
    recorder = Recorder(spec, folder)
    receive = lambda name, data, stamp_s, received_s, heard_s: recorder.put(name, data, stamp_s, received_s)  # noqa: E731
    topics = FieldSubscriptions(graph.node, spec.observation, receive, optional=spec.action)
    wait_until(lambda: not recorder.silent_fields(now_s(graph.node)), what="hearing every field")
    recorder.start(now_s(graph.node))
    began_s = time.monotonic()

    def enough() -> bool:
        recorder.close_ticks(now_s(graph.node))
        return time.monotonic() > began_s + 1.5 and recorder.steps >= 20

    wait_until(enough, what="twenty ticks", why=lambda: str(recorder.take_notices()))
    path = recorder.stop(now_s(graph.node))
    topics.close()
    (episode,) = load_episodes(path)
    return episode


def test_a_live_robot_is_drafted_and_recorded_at_once_and_a_bag_of_it_gives_the_same_draft(
    graph, tmp_path, monkeypatch, capsys
):
    heard = []
    add = GraphFacts.add

    def note(self, topic, message, received_s, heard_s):
        log_s = round(received_s * 1e9) * 1e-9  # a bag has one time for both
        heard.append((topic, self.topics[topic].type, serialize_message(message), log_s))
        add(self, topic, message, log_s, log_s)

    with monkeypatch.context() as patched:
        patched.setattr(GraphFacts, "add", note)
        Arm(graph)
        facts = listen_to_everything(LISTEN_S)
    new_robot("my_arm", tmp_path / "live.yaml", facts)
    screen = capsys.readouterr().out

    spec = load_spec(tmp_path / "live_setup.yaml")
    assert [field.name for field in spec.observation] == ["joint_position", "wrist_image"]
    assert {field.name for field in spec.action} == {"gripper_command", "light_command", "servo_node_delta_twist_cmds"}
    assert list(spec.field("joint_position").names) == ARM
    assert spec.field("wrist_image").shape == (48, 64, 3)
    assert 0.05 <= spec.field("joint_position").max_age_s <= 0.5
    assert "/arm/mode  builtin_interfaces/msg/Time: no type that we record" in screen

    struck = yaml.safe_load((tmp_path / "live_setup.yaml").read_text())
    struck["action"].remove("light_command")  # nobody commands it
    (tmp_path / "live_setup.yaml").write_text(yaml.safe_dump(struck))
    episode = record(graph, load_spec(tmp_path / "live_setup.yaml"), tmp_path / "demos")
    assert episode.steps >= 20
    assert np.ptp(episode.actions["servo_node_delta_twist_cmds"]) > 0.1

    bag = write_bag(tmp_path / "bag", heard)
    new_robot("my_arm", tmp_path / "bag.yaml", facts_of_bag(bag))
    live, recorded = ((tmp_path / f"{name}.yaml").read_text().splitlines()[1:] for name in ("live", "bag"))
    assert fields_of(live) - fields_of(recorded) == {"light_command"}  # nobody published it, so no bag holds it
    both = "\n".join(recorded).split("\n\n")[0]
    for line in both.splitlines():
        assert line in live


def fields_of(lines):
    return set(yaml.safe_load("\n".join(lines))["fields"])


FILLED = {
    "sensor_msgs/msg/JointState": {"names": ARM},
    "trajectory_msgs/msg/JointTrajectory": {"names": ARM},
    "std_msgs/msg/Float64MultiArray": {"names": ["first", "second"]},
    "sensor_msgs/msg/Joy": {"names": ["axes.1", "buttons.2"]},
    "sensor_msgs/msg/LaserScan": {"beams": 90},
    "sensor_msgs/msg/Image": {"shape": [4, 6, 3]},
    "sensor_msgs/msg/CompressedImage": {"shape": [16, 24, 3]},
}
TYPES = sorted(set(COMPONENTS) - {"tf", "control_msgs/msg/JointJog"})  # of which the wheels have the packages


@pytest.mark.parametrize("role", ["state", "command"])
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_that_we_know_is_drafted_into_something_that_loads(kind, role, tmp_path):
    topic = f"arm/{role}"
    field = parse_field("field", {"topic": topic, "type": kind, **FILLED.get(kind, {})}, "test")
    other = parse_field("other", {"topic": "other/command", "type": "std_msgs/msg/Float64"}, "test")
    graph = GraphFacts("a test")
    for each in (field, other):
        graph.topics[f"/{each.topic}"] = TopicFacts(f"/{each.topic}", each.type, probe(each.topic, each.type))
    for index in range(10):
        for each in (field, other):
            message = new_message(each.type)
            if hasattr(message, "header"):
                message.header.stamp, message.header.frame_id = to_stamp(100.0 + 0.02 * index), "base_link"
            values = (
                np.full(each.row_shape, 100 + index, np.uint8) if each.is_image else np.full(each.width, 0.1 * index)
            )
            write(message, each, values)
            graph.add(f"/{each.topic}", message, 100.0 + 0.02 * index, 100.0 + 0.02 * index)
    new_robot("arm", tmp_path / "arm.yaml", graph)
    drafted = parse_yaml((tmp_path / "arm.yaml").read_text(), "arm.yaml")["fields"]
    (name,) = [name for name, words in drafted.items() if words["topic"] == topic]
    lists = parse_yaml((tmp_path / "arm_setup.yaml").read_text(), "arm_setup.yaml")
    listed = name in lists["observation"] + lists["action"]
    assert listed or kind == "sensor_msgs/msg/Joy"  # which is a device, seldom a state
    if not lists["observation"]:  # then everything was taken for a command
        lists = {**lists, "observation": [name], "action": ["other_command"]}
        (tmp_path / "arm_setup.yaml").write_text(yaml.safe_dump(lists))
    assert load_spec(tmp_path / "arm_setup.yaml").field(name).type == kind


@pytest.fixture
def setup(tmp_path):
    """What the healthy arm needs."""
    path = tmp_path / "setup.yaml"
    path.write_text(
        f"""
setup: arm
robot: {tmp_path / "robot.yaml"}
observation: [joints, camera]
action: [twist, gripper]
"""
    )
    (tmp_path / "robot.yaml").write_text(
        f"""
robot: arm
rate_hz: 10
fields:
  joints: {{topic: joint_states, type: sensor_msgs/msg/JointState, names: {ARM}, max_age_s: 0.2}}
  camera: {{topic: wrist/image_raw, type: sensor_msgs/msg/Image, shape: [48, 64, 3], max_age_s: 0.4}}
  twist: {{topic: servo_node/delta_twist_cmds, type: geometry_msgs/msg/TwistStamped, frame: base_link,
    scale_low: -0.5, scale_high: 0.5, when_silent: zero, downstream_timeout_s: 0.1}}
  gripper: {{topic: gripper/command, type: std_msgs/msg/Float64, kind: binary, scale_low: 0, scale_high: 0.08}}
"""
    )
    return load_spec(path)


def check(spec):
    rows = {}
    for row in judge_topics(spec, listen_to_spec(spec, LISTEN_S)):
        rows.setdefault(row.what, row)
    return rows


def test_a_healthy_graph_is_well(graph, setup):
    Arm(graph)
    rows = check(setup)
    assert not [row for row in rows.values() if row.state == "wrong"], rows
    assert "6 joints" in rows["joints"].found
    assert "48x64x3" in rows["camera"].found and "best effort" in rows["camera"].found
    assert "heard by observer" in rows["twist"].found


@pytest.mark.parametrize(
    ("faults", "field", "found"),
    [
        (("type", "joint", "best effort"), "camera", "wrist/image_raw is a geometry_msgs/msg/Pose for observer"),
        (("type", "joint", "best effort"), "joints", "no joint joint6"),
        (("type", "joint", "best effort"), "twist", "asks for reliable and gets best effort"),
        (("slow",), "joints", "Hz: stale between messages"),
        (("late",), "joints", "s old on arrival; max_age_s is 0.2"),
    ],
)
def test_a_sick_graph_is_found_out(graph, setup, faults, field, found):
    Arm(graph, *faults)
    row = check(setup)[field]
    assert row.state == "wrong"
    assert found in row.found
    assert row.to_do


def test_a_graph_with_nobody_in_it_is_said_soon(graph, setup):
    began_s = time.monotonic()
    (row,) = judge_topics(setup, listen_to_spec(setup, seconds=60.0))
    assert "has anybody" in row.found
    assert time.monotonic() - began_s < 15.0


def test_a_simulators_clock_is_the_one_that_stamps_are_held_against(graph, setup):
    from rosgraph_msgs.msg import Clock

    clock, joints = (
        graph.node.create_publisher(Clock, "/clock", 10),
        graph.node.create_publisher(JointState, "joint_states", 10),
    )
    ticks = iter(range(100, 100_000))

    def tick() -> None:
        stamp = to_stamp(0.02 * next(ticks))
        clock.publish(Clock(clock=stamp))
        state = JointState(name=ARM, position=[0.0] * 6)
        state.header.stamp = stamp
        joints.publish(state)

    graph.node.create_timer(0.02, tick)
    facts = listen_to_spec(setup, LISTEN_S)
    assert facts.sim_time and facts.clocks == []
    latency = facts.topics["/joint_states"].timing.latency_s()
    assert latency is not None and abs(latency[1]) < 1.0
    second = graph.node.create_publisher(Clock, "/clock", 10)
    graph.node.create_timer(0.02, lambda: second.publish(Clock(clock=to_stamp(1.0))))
    assert listen_to_spec(setup, LISTEN_S).clocks == ["observer", "observer"]


def test_a_robot_in_a_namespace_is_heard_there(graph, setup):
    joints = graph.node.create_publisher(JointState, "left/joint_states", 10)
    state = JointState(name=ARM, position=[0.0] * 6)
    graph.node.create_timer(0.02, lambda: joints.publish(state))
    facts = listen_to_spec(setup, LISTEN_S, namespace="left")
    assert facts.topics["/left/joint_states"].count > 10
    assert listen_to_everything(LISTEN_S, "left").topics["/left/joint_states"].fields[0].field.topic == "joint_states"
