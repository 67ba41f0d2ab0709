"""What a recorder makes of a graph, and what an import makes of a bag that another process recorded meanwhile."""

from __future__ import annotations

import time

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")
pytest.importorskip("rosbags")

from bag_writer import STORE
from geometry_msgs.msg import TwistStamped
from rclpy.qos import QoSProfile
from ros_graph import FakeRobot, Graph, wait_until
from rosbags.rosbag2 import StoragePlugin, Writer

from imitation_ros.bag_import import run_import
from imitation_ros.bag_import.cuts import Cuts
from imitation_ros.data.hdf5 import read_episode
from imitation_ros.paths import share_folder
from imitation_ros.robot.spec import load_spec
from imitation_ros.ros.topics import message_class, to_stamp

SEEN = {
    "joint_position": np.linspace(-0.3, 0.3, 7),
    "end_effector_pose": np.array([0.4, 0.1, 0.3, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
    "goal": np.array([0.5, -0.1, 0.2]),
}
SECONDS = 10.0
WAIT_S = 0.5  # a busy machine hands a message to one of the two processes a tenth of a second after the other
EQUAL = 0.99  # of ticks; the two processes receive a message at times of their own


def logged(graph, fields):
    """Return a list that fills with topic, type, bytes and when they were received [ns]."""
    heard: list[tuple[str, str, bytes, int]] = []
    for topic, kind in {field.topic: field.type for field in fields}.items():

        def receive(data: bytes, topic: str = topic, kind: str = kind) -> None:
            heard.append((f"/{topic}", kind, bytes(data), time.time_ns()))

        graph.node.create_subscription(message_class(kind), topic, receive, QoSProfile(depth=500), raw=True)
    return heard


def written(path, heard):
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for topic, kind, data, log_ns in heard:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], log_ns, data)
    return path


def test_an_import_of_what_was_logged_meanwhile_equals_the_recording_at_nearly_every_tick(tmp_path, graph, programs):
    setup = yaml.safe_load((share_folder() / "config/setups/panda_reach.yaml").read_text())
    (tmp_path / "setup.yaml").write_text(yaml.safe_dump({**setup, "wait_s": WAIT_S}))
    spec = load_spec(tmp_path / "setup.yaml")
    with Graph() as logger:
        heard = logged(logger, [*spec.observation, *spec.action])
        robot = FakeRobot(graph, spec, {name: values.copy() for name, values in SEEN.items()})
        commands = graph.node.create_publisher(TwistStamped, "servo_node/delta_twist_cmds", 10)

        def drive() -> None:
            message, now_s = TwistStamped(), time.time()
            robot.values["joint_position"][:] = SEEN["joint_position"] + 0.1 * np.sin(now_s)
            message.header.stamp = to_stamp(now_s)
            message.twist.linear.x = 0.2 * np.sin(2.0 * now_s)
            commands.publish(message)

        recorder = programs.node(
            "recorder_node", "recorder", {"setup": tmp_path / "setup.yaml", "output": tmp_path / "live"}
        )
        wait_until(lambda: b"ready" in recorder.log.read_bytes(), what="the recorder's start")
        wait_until(lambda: graph.call("recorder/start").success, what="starting")
        graph.node.create_timer(0.02, drive)
        time.sleep(SECONDS)
        stopped = graph.call("recorder/stop")
        assert stopped.success, stopped.message
        time.sleep(0.5)
        bag = written(tmp_path / "bag", sorted(heard, key=lambda item: item[3]))
    live = read_episode(tmp_path / "live" / "episode_000000.hdf5")
    (path,) = run_import([bag], spec, tmp_path / "imported", Cuts())
    imported = read_episode(path)
    ticks = min(live.steps, imported.steps)
    assert ticks > 0.9 * SECONDS * spec.rate_hz
    np.testing.assert_allclose(imported.timing.ticks_s[:ticks], live.timing.ticks_s[:ticks], atol=1e-6)
    same = np.ones(ticks, bool)
    differences = []
    for kind in ("observations", "actions", "executed"):
        for name, values in getattr(live, kind).items():
            equal = (getattr(imported, kind)[name][:ticks] == values[:ticks]).all(axis=1)
            differences += [f"tick {tick}: {kind} {name}" for tick in np.flatnonzero(~equal)]
            same &= equal
    print(f"{same.sum()} of {ticks} ticks are equal; not: {differences or 'none'}")
    assert same.mean() >= EQUAL, differences
