"""A person at a recorder in a graph: pedals, undo, /diagnostics of every field, and the terminal's table and keys."""

from __future__ import annotations

import signal
import sys
import time

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from pseudo_terminal import PseudoTerminal
from ros_graph import FakeRobot, wait_until
from sensor_msgs.msg import Joy

from imitation_ros.data.bag import bag_messages
from imitation_ros.data.hdf5 import read_episode
from imitation_ros.paths import share_folder
from imitation_ros.robot.spec import load_spec
from imitation_ros.ros.topics import to_stamp

UPRIGHT = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
SEEN = {
    "joint_position": np.linspace(-0.3, 0.3, 7),
    "end_effector_pose": np.array([0.4, 0.1, 0.3, *UPRIGHT]),
    "goal": np.array([0.5, -0.1, 0.2]),
}
TOGGLE, SUCCESS, DISCARD = [1, 0, 0], [0, 1, 0], [0, 0, 1]
NOT_PRESSED = [0, 0, 0]


@pytest.fixture
def setup(tmp_path):
    """A setup whose fields may be old: a busy machine is not what is tested here."""
    data = yaml.safe_load((share_folder() / "config/setups/panda_reach.yaml").read_text())
    for name in SEEN:
        data["fields"][name] = {**data["fields"].get(name, {}), "max_age_s": 5.0}
    path = tmp_path / "setup.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.fixture
def robot(graph):
    """A robot and somebody who commands it all the time."""
    robot = FakeRobot(graph, load_spec("panda_reach"), SEEN)
    commands = graph.node.create_publisher(TwistStamped, "servo_node/delta_twist_cmds", 10)

    def command() -> None:
        message = TwistStamped()
        message.header.stamp = to_stamp(time.time())
        commands.publish(message)

    graph.node.create_timer(0.02, command)
    return robot


def test_pedals_start_end_and_discard_episodes_and_the_last_can_be_undone(graph, programs, robot, setup, tmp_path):
    output = tmp_path / "episodes"
    recorder = programs.node("recorder_node", "recorder", {"setup": setup, "output": output, "buttons": "pedals"})
    pedals = graph.node.create_publisher(Joy, "joy", 10)
    heard = graph.listen("/diagnostics", DiagnosticArray)
    wait_until(pedals.get_subscription_count, what="listening to the pedals")

    def press(states: list[int]) -> None:
        for each in (NOT_PRESSED, states, NOT_PRESSED):
            pedals.publish(Joy(buttons=each))
            time.sleep(0.05)

    def state() -> str:
        own = [status for _, array in heard for status in array.status if status.name == "/recorder"]
        return next((value.value for value in own[-1].values if value.key == "state"), "") if own else ""

    def episodes() -> list[str]:
        return sorted(path.name for path in output.glob("*"))

    wait_until(lambda: state() == "idle", what="the first diagnostics")
    wait_until(lambda: "joint_position" in str(heard[-1]) and time.sleep(1.0) is None, what="fields")
    press(TOGGLE)
    wait_until(lambda: state() == "recording", what="the start", why=recorder.log.read_text)
    time.sleep(1.0)
    press(SUCCESS)
    wait_until(lambda: "saved" in recorder.log.read_text(), what="the end", why=recorder.log.read_text)
    assert read_episode(output / "episode_000000.hdf5").success is True
    press(TOGGLE)
    wait_until(lambda: state() == "recording", what="the second start", why=recorder.log.read_text)
    press(DISCARD)
    wait_until(lambda: episodes() == ["episode_000000.hdf5"], what="discarding", why=recorder.log.read_text)
    answer = graph.call("recorder/undo")
    assert answer.success and "is put aside as episode_000000.hdf5.undone" in answer.message
    assert episodes() == ["episode_000000.hdf5.undone"]
    answer = graph.call("recorder/undo")
    assert not answer.success and "has saved no episode" in answer.message


def test_every_field_has_a_status_of_its_own(graph, programs, robot, setup, tmp_path):
    programs.node("recorder_node", "recorder", {"setup": setup, "output": tmp_path / "episodes"})
    heard = graph.listen("/diagnostics", DiagnosticArray)

    def values_of(name: str) -> dict[str, str]:
        found = [status for _, array in heard for status in array.status if status.name == f"/recorder: {name}"]
        return {value.key: value.value for value in found[-1].values} if found else {}

    def settled() -> bool:
        return all(float(values_of(name).get("rate_hz", "0")) > 5.0 for name in (*SEEN, "twist"))

    wait_until(settled, what="rates", why=lambda: str({name: values_of(name) for name in SEEN}))
    for name in SEEN:
        values = values_of(name)
        assert {"rate_hz", "age_s", "stamp_to_arrival_s", "messages", "drops", "lost", "duplicates", "late"} <= set(
            values
        )
        assert float(values["rate_hz"]) < 80.0 and float(values["age_s"]) < 5.0


def test_a_terminal_shows_the_fields_and_its_keys_record(graph, robot, setup, tmp_path):
    output = tmp_path / "episodes"
    command = [sys.executable, "-m", "imitation_ros", "record", str(setup), "--output", str(output)]
    with PseudoTerminal(command) as terminal:

        def shown(words: str) -> None:
            wait_until(lambda: words in terminal.text, what=repr(words), why=lambda: terminal.text[-1500:])

        before = terminal.settings()
        shown("idle, 0 episode(s) saved")
        shown("joint_position")
        shown("space start or end")
        wait_until(lambda: terminal.press("\r") or time.sleep(1.0) or "is armed" in terminal.text, what="the start")
        shown("recording episode 0")
        assert "\a" in terminal.text
        time.sleep(1.0)
        terminal.press("y")
        shown("saved ")
        shown("idle, 1 episode(s) saved")
        terminal.press("u")
        shown("is put aside")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(10.0) == 0
        assert terminal.settings() == before
        assert "Traceback" not in terminal.text
    assert [path.name for path in output.iterdir()] == ["episode_000000.hdf5.undone"]
    assert read_episode(output / "episode_000000.hdf5.undone").success is True


def test_a_terminal_that_closes_keeps_the_open_episode(graph, robot, setup, tmp_path):
    output = tmp_path / "episodes"
    command = [sys.executable, "-m", "imitation_ros", "record", str(setup), "--output", str(output)]
    with PseudoTerminal(command) as terminal:
        wait_until(lambda: "idle, 0 episode" in terminal.text, what="the table", why=lambda: terminal.text[-1500:])
        wait_until(lambda: terminal.press("\r") or time.sleep(1.0) or "recording" in terminal.text, what="the start")
        time.sleep(1.5)
        terminal.hang_up()
        terminal.process.wait(15.0)
    [path] = output.iterdir()
    assert read_episode(path).attributes["ended_by"] == "shutdown"


def test_an_episodes_raw_messages_are_in_a_bag_beside_it(graph, programs, robot, setup, tmp_path):
    pytest.importorskip("rosbags")
    output = tmp_path / "episodes"
    recorder = programs.node("recorder_node", "recorder", {"setup": setup, "output": output, "record_bag": True})
    wait_until(lambda: graph.call("recorder/start").success, what="the start", why=recorder.log.read_text)
    wait_until((output / "episode_000000.hdf5.part").exists, what="the open episode", why=recorder.log.read_text)
    time.sleep(2.0)
    wait_until(lambda: graph.call("recorder/stop").success, what="the end", why=recorder.log.read_text)
    bag = output / "episode_000000.mcap"
    wait_until(bag.exists, what="the bag", why=recorder.log.read_text)
    episode = read_episode(output / "episode_000000.hdf5")
    heard: dict[str, set[float]] = {}
    for message in bag_messages(bag):
        heard.setdefault(message.topic, set()).add(message.received_s)
    topics = {"joint_position": "/joint_states", "end_effector_pose": "/end_effector/pose", "goal": "/goal/pose"}
    assert set(heard) == {*topics.values(), "/servo_node/delta_twist_cmds"}
    for name, topic in topics.items():
        assert set(episode.timing.received_s[name]) <= heard[topic], "the bag has every value of the episode"
    graph.call("recorder/start")
    wait_until((output / "episode_000001.hdf5.part").exists, what="the second episode", why=recorder.log.read_text)
    wait_until(lambda: graph.call("recorder/discard").success, what="discarding")
    wait_until(lambda: len(list(output.iterdir())) == 2, what="its bag going too")
