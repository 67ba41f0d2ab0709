"""Every robot that is shipped without a simulator is recorded as its driver's topics would be, over DDS."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy")

from ros_graph import Graph, wait_until

from imitation_ros.data.hdf5 import read_episode
from imitation_ros.processes import Programs
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import write
from imitation_ros.robot.spec import load_spec
from imitation_ros.ros.topics import new_message, to_stamp

SETUPS = ("ur5e_insert", "so101_pick", "so101_leader", "turtlebot_drive", "joystick_drive")
RECORDED_S = 1.0


def values_of(field: Field) -> np.ndarray:
    """Return something that a field could be, and that is not zero."""
    if field.is_image:
        return np.full(field.row_shape, 128, np.uint8)
    if field.scale_low is not None:
        return np.array(field.scale_high)
    values = np.linspace(0.2, 0.8, field.width)
    if field.rotation == "rotation_6d":
        values[-6:] = [1, 0, 0, 0, 1, 0]
    return values


def drive(graph: Graph, field: Field) -> None:
    """Publish a field as its driver would."""
    kind = type(new_message(field.type))
    publisher = graph.node.create_publisher(kind, field.topic, 10)
    message = new_message(field.type)
    write(message, field, values_of(field))

    def publish() -> None:
        if hasattr(message, "header"):
            message.header.stamp = to_stamp(time.time())
        publisher.publish(message)

    graph.node.create_timer(0.04, publish)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """One recorder for each setup, each in a namespace of its own; setup to what it wrote."""
    folder = tmp_path_factory.mktemp("robots")
    with Graph() as graph, Programs(folder / "logs", {}) as programs:
        for name in SETUPS:
            line = [sys.executable, "-m", "imitation_ros.ros.recorder_node", "--ros-args", "-r", f"__ns:=/{name}"]
            programs.start(name, [*line, "-p", f"setup:={name}", "-p", f"output:={folder / name}"])
            for field in load_spec(name).fields:
                drive(graph, replace(field, topic=f"{name}/{field.topic}"))
        for name in SETUPS:
            wait_until(
                lambda name=name: graph.call(f"{name}/recorder/start").success,
                what=f"starting {name}",
                why=lambda name=name: graph.call(f"{name}/recorder/start").message,
            )
        time.sleep(RECORDED_S)
        for name in SETUPS:
            answer = graph.call(f"{name}/recorder/stop")
            assert answer.success, answer.message
    return {name: read_episode(folder / name / "episode_000000.hdf5") for name in SETUPS}


@pytest.mark.parametrize("name", SETUPS)
def test_a_shipped_robot_is_recorded_from_the_messages_of_its_driver(recorded, name):
    episode, spec = recorded[name], load_spec(name)
    assert episode.spec == spec
    assert episode.steps >= 0.5 * RECORDED_S * spec.rate_hz
    for field in spec.observation:
        assert len(episode.observations[field.name]) == episode.steps + 1
        if not field.is_image:
            np.testing.assert_allclose(episode.observations[field.name][-1], values_of(field), atol=1e-5)
    for field in spec.action:
        fresh = ~episode.timing.silent[field.name]
        assert fresh.any()
        np.testing.assert_allclose(np.median(episode.actions[field.name][fresh], axis=0), values_of(field), atol=1e-5)
