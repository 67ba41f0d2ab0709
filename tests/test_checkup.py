"""The checkup's judgement: facts of a healthy graph are well, each sickness is named with what to do. Without ROS."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from imitation_ros.checkup.machine import MachineFacts, bytes_per_s, judge_machine, look_at_machine
from imitation_ros.checkup.report import examine, show
from imitation_ros.checkup.row import OK, WARNING, WRONG, Row
from imitation_ros.checkup.topics import judge_topics
from imitation_ros.console import console
from imitation_ros.robot.spec import spec_from_yaml
from imitation_ros.topic_facts import Endpoint, GraphFacts, TopicFacts, full_name

START_S = 1.7e9


def stamp(time_s):
    nanoseconds = round(time_s * 1e9)
    return SimpleNamespace(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def header(time_s, frame=""):
    return SimpleNamespace(stamp=stamp(time_s), frame_id=frame)


def joints(time_s, names=("shoulder", "elbow"), position=(0.1, 0.2)):
    return SimpleNamespace(header=header(time_s), name=list(names), position=list(position), velocity=[], effort=[])


def pose(time_s, frame="base"):
    position = SimpleNamespace(x=0.1, y=0.2, z=0.3)
    turned = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0)
    return SimpleNamespace(header=header(time_s, frame), pose=SimpleNamespace(position=position, orientation=turned))


def twist(time_s, x=0.1, frame="base"):
    linear = SimpleNamespace(x=x, y=0.0, z=0.0)
    return SimpleNamespace(header=header(time_s, frame), twist=SimpleNamespace(linear=linear, angular=linear))


def number(time_s, value=0.08):
    return SimpleNamespace(data=value)


class Robot:
    """What the tiny robot of conftest would say in five seconds, until a test makes it sick."""

    def __init__(self, spec):
        self.spec = spec
        self.graph = GraphFacts("a test")
        self.make = {"joints": joints, "tool": pose, "velocity": twist, "gripper": number}
        self.rate_hz = dict.fromkeys(self.make, 50.0)
        self.late_s = dict.fromkeys(self.make, 0.002)
        self.publishers, self.subscribers = {}, {}
        for field in spec.fields:
            self.publishers[field.name] = [Endpoint("teleop" if field in spec.action else "driver", field.type)]
            self.subscribers[field.name] = [Endpoint("robot", field.type)] if field in spec.action else []

    def listen(self) -> GraphFacts:
        for field in self.spec.fields:
            facts = TopicFacts(full_name(field, ""), field.type, lambda message, field=field: [field])
            facts.publishers, facts.subscribers = self.publishers[field.name], self.subscribers[field.name]
            for index in range(int(5.0 * self.rate_hz[field.name])):
                heard_s = START_S + index / self.rate_hz[field.name]
                facts.add(self.make[field.name](heard_s - self.late_s[field.name]), heard_s, heard_s)
            facts.until_s = START_S + 5.0
            self.graph.topics[facts.topic] = facts
        return self.graph

    def rows(self) -> dict[str, list[Row]]:
        rows: dict[str, list[Row]] = {}
        for row in judge_topics(self.spec, self.listen()):
            rows.setdefault(row.what, []).append(row)
        return rows


@pytest.fixture
def robot(spec):
    return Robot(spec)


def test_a_healthy_graph_has_one_good_row_per_field(robot):
    rows = robot.rows()
    assert {name: [row.state for row in found] for name, found in rows.items()} == {
        name: [OK] for name in ("joints", "tool", "velocity", "gripper")
    }
    assert rows["joints"][0].found == "50 Hz, 2.0 ms old, 2 joints"
    assert rows["velocity"][0].found == "50 Hz, 2.0 ms old, 2 numbers, in base; heard by robot"


def no_publisher(robot):
    robot.publishers["joints"], robot.rate_hz["joints"] = [], 0.0
    robot.graph.others = ["/joint_state"]


def other_type(robot):
    robot.publishers["joints"] = [Endpoint("driver", "std_msgs/msg/Float64")]


def mute(robot):
    robot.rate_hz["tool"] = 0.0


def renamed_joint(robot):
    robot.make["joints"] = lambda time_s: joints(time_s, ("shoulder", "elbow_joint"))


def another_arms_joints(robot):
    robot.make["joints"] = lambda time_s: joints(time_s, ("a1", "a2"))


def other_frame(robot):
    robot.make["tool"] = lambda time_s: pose(time_s, "camera")


def not_a_number(robot):
    robot.make["joints"] = lambda time_s: joints(
        time_s, position=(time_s % 1, np.nan if time_s < START_S + 1.0 else 0.2)
    )


def late(robot):
    robot.late_s["tool"] = 0.4


def of_another_clock(robot):
    robot.late_s["tool"] = 1000.0


def future(robot):
    robot.late_s["tool"] = -0.3


def of_the_wall(robot):
    robot.late_s["tool"] = -START_S + 10.0


def of_a_simulator(robot):
    robot.late_s["tool"] = START_S - 10.0


def only_recorded(robot):
    robot.subscribers["velocity"], robot.publishers["velocity"] = [Endpoint("recorder", "geometry_msgs/msg/Twist")], []
    robot.rate_hz["velocity"] = 0.0
    robot.graph.others = ["/servo/executed", "/servo/twists"]


def only_executed_is_alike(robot):
    only_recorded(robot)
    robot.graph.others = ["/servo/executed"]


def unstamped(robot):
    robot.make["joints"] = lambda time_s: joints(0.0)


def slow(robot):
    robot.rate_hz["joints"] = 2.0


def slower_than_the_ticks(robot):
    robot.rate_hz["tool"] = 10.0


def two_publishers(robot):
    robot.publishers["velocity"] = [*robot.publishers["velocity"], Endpoint("nav", "geometry_msgs/msg/TwistStamped")]


def nobody_hears(robot):
    robot.subscribers["velocity"] = [Endpoint("recorder", "geometry_msgs/msg/TwistStamped")]


def best_effort_where_reliable_is_asked_for(robot):
    robot.publishers["velocity"] = [replace(robot.publishers["velocity"][0], reliable=False)]


def transient_local(robot):
    robot.subscribers["gripper"] = [replace(robot.subscribers["gripper"][0], durable=True)]


def lossy(robot):
    best_effort_where_reliable_is_asked_for(robot)
    robot.subscribers["velocity"] = [replace(robot.subscribers["velocity"][0], reliable=False)]


def beyond_the_scale(robot):
    robot.make["velocity"] = lambda time_s: twist(time_s, x=0.8)


def seldom(robot):
    robot.rate_hz["velocity"] = 5.0


def idle(robot):
    robot.rate_hz["velocity"] = 0.0


SICK = [
    (no_publisher, "joints", WRONG, "nobody publishes joint_states. Did you mean 'joint_state'", "start its driver"),
    (
        other_type,
        "joints",
        WRONG,
        "joint_states is a std_msgs/msg/Float64 for driver",
        "set `type: std_msgs",
    ),
    (mute, "tool", WRONG, "driver publishes tool/pose, but no message came", "ros2 topic hz tool/pose"),
    (renamed_joint, "joints", WRONG, "no joint elbow", "elbow_joint for elbow?"),
    (another_arms_joints, "joints", WRONG, "no joint shoulder, elbow; there is a1, a2", "mend `names`"),
    (other_frame, "tool", WRONG, "in frame 'camera'; the spec says 'base' (every message)", "transform it"),
    (not_a_number, "joints", WRONG, "of 250 messages)", "ros2 topic echo"),
    (late, "tool", WRONG, "0.40 s old on arrival; max_age_s is 0.2", "raise max_age_s"),
    (of_another_clock, "tool", WRONG, "1e+03 s old: of another clock", "chrony"),
    (future, "tool", WRONG, "0.30 s in the future", "chrony"),
    (of_the_wall, "tool", WRONG, "s in the future", "use_sim_time (--use-sim-time)"),
    (of_a_simulator, "tool", WRONG, "1.7e+09 s old: of another clock", "use_sim_time (--use-sim-time)"),
    (
        only_recorded,
        "velocity",
        WARNING,
        "nobody hears or commands servo/twist yet. Did you mean 'servo/twists'",
        "driver",
    ),
    (only_executed_is_alike, "velocity", WARNING, "nobody hears or commands servo/twist yet", "driver"),
    (unstamped, "joints", WARNING, "stamps are empty", "header.stamp"),
    (slow, "joints", WRONG, "2 Hz: stale between messages; max_age_s is 0.1", "max_age_s to 1.5"),
    (slower_than_the_ticks, "tool", WARNING, "10 Hz, slower than 20 Hz", "lower rate_hz"),
    (two_publishers, "velocity", WARNING, "2 publishers: nav, teleop", "keep one"),
    (nobody_hears, "velocity", WRONG, "teleop commands, but no robot hears servo/twist", "start the driver"),
    (
        best_effort_where_reliable_is_asked_for,
        "velocity",
        WRONG,
        "asks for reliable and gets best effort",
        "let teleop",
    ),
    (transient_local, "gripper", WRONG, "cannot hear teleop", "transient local"),
    (lossy, "velocity", WARNING, "a lost label", "reliable"),
    (beyond_the_scale, "velocity", WARNING, "linear.x went 0.8 to 0.8; its scale: -0.5 to 0.5", "widen the scale"),
    (seldom, "velocity", WARNING, "commands at 5 Hz; each is in force for timeout_s, 0.1 s", "raise timeout_s"),
    (idle, "velocity", WARNING, "teleop commands it, but nothing came", "move"),
]


@pytest.mark.parametrize(("sicken", "field", "state", "found", "to_do"), SICK, ids=[case[0].__name__ for case in SICK])
def test_each_sickness_is_named_with_what_to_do(robot, sicken, field, state, found, to_do):
    sicken(robot)
    rows = robot.rows()
    assert rows[field][0].state == state, rows[field]
    assert found in rows[field][0].found
    assert to_do in rows[field][0].to_do
    assert all(row.state == OK for name in rows if name != field for row in rows[name])


def test_messages_that_differ_in_their_numbers_only_are_refused_as_one(robot):
    not_a_number(robot)
    (row,) = robot.rows()["joints"]
    assert int(re.search(r"\((\d+) of 250", row.found)[1]) in (50, 51)


def test_a_camera_of_another_size_is_wrong(tiny_yaml):
    camera = "  camera: {topic: image, type: sensor_msgs/msg/Image, shape: [48, 64, 3]}\n"
    sick = Robot(spec_from_yaml(tiny_yaml.replace("[joints, tool]", "[joints, tool, camera]") + camera, "tiny.yaml"))
    sick.rate_hz["camera"], sick.late_s["camera"] = 20.0, 0.01
    sick.make["camera"] = lambda time_s: SimpleNamespace(
        header=header(time_s), height=24, width=32, encoding="rgb8", step=96, data=bytes(24 * 96)
    )
    (row,) = sick.rows()["camera"]
    assert row.state == WRONG and "is 24 x 32" in row.found and "(48, 64, 3)" in row.found


def test_a_velocity_that_nobody_would_stop_is_a_warning(tiny_yaml):
    sick = Robot(spec_from_yaml(tiny_yaml.replace("    downstream_timeout_s: 0.1\n", ""), "tiny.yaml"))
    (row,) = sick.rows()["velocity"]
    assert row.state == WARNING and "no downstream_timeout_s" in row.found and "tiny.yaml" in row.to_do


def test_a_required_stamp_that_is_empty_is_wrong(tiny_yaml):
    required = tiny_yaml.replace("joints: {topic", "joints: {stamp: required, topic")
    sick = Robot(spec_from_yaml(required, "tiny.yaml"))
    unstamped(sick)
    assert sick.rows()["joints"][0].state == WRONG


def test_stamps_that_do_not_count_are_not_judged(tiny_yaml):
    received = tiny_yaml.replace("tool: {topic", "tool: {stamp: received, topic")
    sick = Robot(spec_from_yaml(received, "tiny.yaml"))
    future(sick)
    assert [row.state for row in sick.rows()["tool"]] == [OK]


def test_a_graph_with_nobody_in_it_is_one_row(robot):
    for field in robot.spec.fields:
        robot.publishers[field.name], robot.subscribers[field.name], robot.rate_hz[field.name] = [], [], 0.0
    robot.graph.others = ["/battery"]
    rows = robot.rows()
    assert list(rows) == ["graph"]
    assert "none of the setup's 4 topics has anybody; there is /battery" in rows["graph"][0].found


MACHINE = MachineFacts(
    folder=Path("demos"),
    free_bytes=10**11,
    python="3.11",
    packages=dict.fromkeys(("numpy", "PyYAML", "h5py", "onnxruntime", "pillow", "torch", "gymnasium"), "1")
    | dict.fromkeys(("pybullet", "safetensors"), "1"),
    variables={"ROS_DISTRO": "kilted", "ROS_DOMAIN_ID": "7"},
    rclpy="9.1.2",
    load=0.5,
    cores=8,
    gpu="NVIDIA H200",
    driver=True,
)


def machine_row(spec, what, **changes):
    rows = {row.what: row for row in judge_machine(spec, GraphFacts("a test"), replace(MACHINE, **changes))}
    return rows[what]


@pytest.mark.parametrize(
    ("what", "changes", "state", "words"),
    [
        ("disk", {}, OK, "100.0 GB free: over 100 h"),
        ("disk", {"free_bytes": 203_000_000}, WARNING, " min at "),
        ("disk", {"free_bytes": 10**8}, WRONG, "0.1 GB free"),
        ("processor", {}, OK, "load 0.5 on 8"),
        ("processor", {"load": 9.0}, WARNING, "busy"),
        ("GPU", {}, OK, "NVIDIA H200"),
        ("GPU", {"gpu": ""}, WARNING, "does not use it"),
        ("GPU", {"gpu": "", "driver": False}, OK, "trains on the CPU"),
        ("GPU", {"packages": MACHINE.packages | {"torch": None}}, OK, "recording and deploying need none"),
        ("Python", {}, OK, "complete"),
        ("Python", {"packages": MACHINE.packages | {"h5py": None}}, WRONG, "without h5py"),
        ("Python", {"packages": MACHINE.packages | {"pybullet": None}}, OK, "records and deploys"),
        ("ROS", {}, OK, "kilted, rclpy 9.1.2, domain 7"),
        ("ROS", {"variables": {"ROS_LOCALHOST_ONLY": "1"}}, OK, "local only"),
    ],
)
def test_the_machine_is_judged_by_what_it_has(spec, what, changes, state, words):
    row = machine_row(spec, what, **changes)
    assert row.state == state, row
    assert words in row.found


def test_two_simulators_in_one_graph_are_wrong(spec):
    graph = GraphFacts("a test", sim_time=True, clocks=["simulator", "simulator"])
    (row,) = [row for row in judge_machine(spec, graph, MACHINE) if row.what == "clock"]
    assert (row.state, row.found) == (WRONG, "2 nodes publish /clock: simulator, simulator")
    assert "ROS_DOMAIN_ID" in row.to_do


def test_topics_of_what_was_executed_are_nobodys_misspelling(robot):
    only_executed_is_alike(robot)
    (row,) = robot.rows()["velocity"]
    assert "Did you mean" not in row.found


def test_this_machine_can_be_looked_at_also_where_the_folder_is_yet_to_be_made(tmp_path):
    found = look_at_machine(tmp_path / "not" / "there")
    assert found.free_bytes > 0 and found.packages["numpy"] == np.__version__


def test_a_camera_is_most_of_what_a_recording_takes(spec, tiny_yaml):
    camera = "  camera: {topic: image, type: sensor_msgs/msg/Image, shape: [480, 640, 3]}\n"
    seeing = spec_from_yaml(tiny_yaml.replace("[joints, tool]", "[joints, tool, camera]") + camera, "tiny.yaml")
    assert bytes_per_s(seeing, GraphFacts("a test")) > 100 * bytes_per_s(spec, GraphFacts("a test"))


def test_the_exit_code_is_0_only_where_nothing_is_wrong(robot, tmp_path, capsys):
    graph = robot.listen()
    assert examine(robot.spec, graph, tmp_path) == 0
    assert "tiny_wipe" in capsys.readouterr().out
    sick = Robot(robot.spec)
    renamed_joint(sick)
    assert examine(sick.spec, sick.listen(), tmp_path) == 1
    assert "1 wrong" in capsys.readouterr().out


def test_the_table_fits_a_terminal_of_120_columns(robot, monkeypatch, capsys):
    monkeypatch.setattr(console, "width", 120)
    renamed_joint(robot)
    best_effort_where_reliable_is_asked_for(robot)
    rows = judge_topics(robot.spec, robot.listen())
    show(robot.spec, rows, judge_machine(robot.spec, robot.graph, MACHINE))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert len(lines) < 25
