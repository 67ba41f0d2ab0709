"""The recorder in a graph: what it says of bad topics, what it keeps however it ends, what it refuses."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")

from geometry_msgs.msg import Pose, TwistStamped
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_graph import FakeRobot, Graph, wait_until
from std_msgs.msg import Float64

from imitation_ros.data.hdf5 import read_episode
from imitation_ros.paths import share_folder
from imitation_ros.processes import Programs
from imitation_ros.robot.spec import load_spec
from imitation_ros.ros.topics import to_stamp

BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
NAMED_WITHIN_S = 2.0  # a second, and as much again for a machine that is busy
UPRIGHT = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
SEEN = {
    "joint_position": np.linspace(-0.3, 0.3, 7),
    "end_effector_pose": np.array([0.4, 0.1, 0.3, *UPRIGHT]),
    "goal": np.array([0.5, -0.1, 0.2]),
}


def setup_file(folder, fields):
    """Write panda_reach with more fields, or changed ones."""
    setup = yaml.safe_load((share_folder() / "config/setups/panda_reach.yaml").read_text())
    for name, values in fields.items():
        setup["fields"][name] = {**setup["fields"].get(name, {}), **values}
        if name not in ("joint_position", "end_effector_pose", "goal"):
            setup["observation"].append(name)
    path = folder / "setup.yaml"
    path.write_text(yaml.safe_dump(setup))
    return path


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """A recorder among faulty publishers: returns how long each fault took to be named, and in which words."""
    folder = tmp_path_factory.mktemp("faulty")
    probe = {"topic": "probe", "type": "std_msgs/msg/Float64", "max_age_s": 0.2}
    mute = {**probe, "topic": "mute"}
    setup = setup_file(folder, {"probe": probe, "mute": mute})
    spec = load_spec("panda_reach")
    with Graph() as graph, Programs(folder / "logs", {}) as programs:
        recorder = programs.node("recorder_node", "recorder", {"setup": setup, "output": folder / "episodes"})
        wait_until(lambda: b"ready" in recorder.log.read_bytes(), what="the recorder's start")
        message = graph.call("recorder/start").message
        robot = FakeRobot(graph, spec, {name: SEEN[name] for name in ("joint_position", "end_effector_pose")})
        joints, pose = robot.fields["joint_position"], robot.fields["end_effector_pose"]
        robot.fields["joint_position"] = replace(joints, names=tuple(f"left_{name}" for name in joints.names))
        robot.fields["end_effector_pose"] = replace(pose, frame="camera")
        other = graph.node.create_publisher(Pose, "goal/pose", 10)
        graph.node.create_timer(0.02, lambda: other.publish(Pose()))
        graph.node.create_publisher(Float64, "mute", 10)  # and never a message
        began_s = time.monotonic()
        words = {
            "joint names": "has no joint panda_joint1",
            "frame": "in frame 'camera'",
            "type": "published as geometry_msgs/msg/Pose",
            "publisher": "(probe) has no publisher",
            "silence": "(mute) has been silent",
        }
        named: dict[str, float] = {}

        def ask() -> bool:
            nonlocal message
            message = graph.call("recorder/start").message
            for fault, part in words.items():
                if part in message:
                    named.setdefault(fault, time.monotonic() - began_s)
            return len(named) == len(words)

        try:
            wait_until(ask, 8.0)
        except AssertionError:
            pass  # the tests say which fault was not named
        time.sleep(0.2)
        log = recorder.log.read_text()
    return named, message, log


@pytest.mark.parametrize(
    ("fault", "look"),
    [
        ("joint names", "ros2 topic echo --once joint_states"),
        ("frame", "ros2 topic echo end_effector/pose --field header.frame_id"),
        ("type", "ros2 topic info -v goal/pose"),
        ("publisher", "ros2 topic list"),
        ("silence", "ros2 topic hz mute"),
    ],
)
def test_a_bad_topic_is_named_within_about_a_second_with_the_command_that_shows_more(faulty, fault, look):
    named, message, log = faulty
    assert fault in named, message
    assert named[fault] < NAMED_WITHIN_S
    assert look in message
    assert look in log


def test_what_was_asked_for_and_what_came_are_both_in_the_words(faulty):
    _, message, _ = faulty
    assert "left_panda_joint1" in message and "panda_joint1" in message
    assert "'camera'" in message and "'panda_link0'" in message
    assert "geometry_msgs/msg/PoseStamped" in message


def test_no_episode_begins_while_a_field_is_silent(faulty):
    _, message, _ = faulty
    assert message.startswith("not started")
    for name in ("joint_position", "end_effector_pose", "goal", "probe", "mute"):
        assert repr(name) in message


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """Two recorders of one best effort robot: in the middle of an episode one gets SIGINT once, the other twice."""
    folder = tmp_path_factory.mktemp("interrupted")
    with Graph() as graph, Programs(folder / "logs", {}) as programs:
        FakeRobot(graph, load_spec("panda_reach"), SEEN, BEST_EFFORT)
        commands = graph.node.create_publisher(TwistStamped, "servo_node/delta_twist_cmds", BEST_EFFORT)

        def command() -> None:
            message = TwistStamped()
            message.header.stamp = to_stamp(time.time())
            message.twist.linear.x = 0.25
            commands.publish(message)

        graph.node.create_timer(0.02, command)
        recorders = {}
        for name in ("once", "twice"):
            line = [sys.executable, "-m", "imitation_ros.ros.recorder_node", "--ros-args"]
            line += ["-r", f"__node:=recorder_{name}", "-p", "setup:=panda_reach", "-p", f"output:={folder / name}"]
            recorders[name] = programs.start(name, line)
        for name in recorders:
            wait_until(
                lambda name=name: graph.call(f"recorder_{name}/start").success,
                what="starting",
                why=lambda name=name: graph.call(f"recorder_{name}/start").message,
            )
        for name in recorders:
            wait_until((folder / name / "episode_000000.hdf5.part").exists, what="the open episode")
        time.sleep(1.5)  # of recording
        for name, times in (("once", 1), ("twice", 2)):
            for _ in range(times):
                recorders[name].process.send_signal(signal.SIGINT)
                time.sleep(0.02)
        codes = {name: recorder.process.wait(10) for name, recorder in recorders.items()}
        logs = {name: recorder.log.read_text() for name, recorder in recorders.items()}
    return folder, codes, logs


@pytest.mark.parametrize("times", ["once", "twice"])
def test_ctrl_c_keeps_the_open_episode(interrupted, times):
    folder, codes, logs = interrupted
    assert [path.name for path in (folder / times).iterdir()] == ["episode_000000.hdf5"]
    episode = read_episode(folder / times / "episode_000000.hdf5")
    assert episode.steps >= 20
    assert episode.attributes["ended_by"] == "shutdown"
    assert "the open episode was kept" in logs[times]
    assert "Traceback" not in logs[times]
    assert codes[times] == 0


def test_best_effort_publishers_are_heard_and_fill_every_tick(interrupted):
    folder, _, _ = interrupted
    episode = read_episode(folder / "once" / "episode_000000.hdf5")
    for name, values in SEEN.items():
        np.testing.assert_allclose(episode.observations[name], np.tile(values, (episode.steps + 1, 1)), atol=1e-6)
    fresh = ~episode.timing.silent["twist"]
    assert fresh.mean() > 0.9  # a busy machine may delay a few commands by more than their timeout
    np.testing.assert_allclose(episode.actions["twist"][fresh][:, 0].max(), 0.25, atol=1e-6)


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """Nodes that cannot start: exit codes and words, all started together."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "full").mkdir()
    (folder / "full" / "episode_000000.hdf5").write_bytes(b"precious")
    given = {
        "existing output": {"setup": "panda_reach", "output": folder / "full"},
        "missing parameter": {"setup": "panda_reach"},
        "unknown setup": {"setup": "panda_rech", "output": folder / "new"},
        "wrong type": {"setup": "panda_reach", "output": folder / "new", "append": "perhaps"},
    }
    with Programs(folder / "logs", {}) as programs:
        nodes = {case: programs.node("recorder_node", case, parameters) for case, parameters in given.items()}
        codes = {case: node.process.wait(60) for case, node in nodes.items()}
        logs = {case: node.log.read_text() for case, node in nodes.items()}
    return folder, codes, logs


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("existing output", ["full already holds 1 episode(s)", "append"]),
        ("missing parameter", ["'output'", "output:="]),
        ("unknown setup", ["'panda_rech'", "Did you mean 'panda_reach'?"]),
        ("wrong type", ["'append'", "'perhaps'", "true or false"]),
    ],
)
def test_a_recorder_that_cannot_work_ends_before_recording_and_says_why(refused, case, words):
    folder, codes, logs = refused
    assert codes[case] == 2
    for part in words:
        assert part in logs[case]
    assert "Traceback" not in logs[case]
    assert (folder / "full" / "episode_000000.hdf5").read_bytes() == b"precious"
    assert not (folder / "new").exists() or not any((folder / "new").iterdir())
