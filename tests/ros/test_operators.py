"""A person at a keyboard or a joystick, in real time: the robot moves while they ask for it, and an episode is left."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")

from geometry_msgs.msg import TwistStamped
from pseudo_terminal import PseudoTerminal
from ros_graph import FakeRobot, wait_until
from sensor_msgs.msg import JointState, Joy
from std_msgs.msg import Float64MultiArray

from imitation_ros.data.hdf5 import read_episode
from imitation_ros.robot.spec import load_spec

SETUP = "panda_pick_place"
TWIST = "servo_node/delta_twist_cmds"
SPEED = 0.2 * 0.5  # m/s: the share that a keyboard begins with, of the scale
STOPS_WITHIN_S = 1.0  # 0.15 s by itself; the rest is for a busy machine
POSITIONS = """
setup: arm
robot: arm
rate_hz: 20
observation: [joints]
action: [goals]
fields:
  joints: {topic: joint_states, type: sensor_msgs/msg/JointState, names: [shoulder, elbow], unit: rad, max_age_s: 0.5}
  goals: {topic: goals, type: std_msgs/msg/Float64MultiArray, names: [shoulder, elbow], unit: rad,
    scale_low: -2.0, scale_high: 2.0, limits: {velocity: 1.0}}
"""
DEAD_MAN, GRIPPER, SUCCESS, RESET, START = 4, 0, 3, 6, 7  # config/operators/joystick.yaml


def keyboard(setup=SETUP, sim_time=True):
    command = [sys.executable, "-m", "imitation_ros.ros.keyboard_node", "--ros-args", "-p", f"setup:={setup}"]
    return PseudoTerminal([*command, "-p", f"use_sim_time:={str(sim_time).lower()}"])


def start_recording(programs, output):
    simulator = programs.node("simulator_node", "simulator", {"setup": SETUP})
    recorder = programs.node("recorder_node", "recorder", {"setup": SETUP, "output": output, "use_sim_time": True})
    for program in (simulator, recorder):
        logged(program, "ready")


def logged(program, words):
    wait_until(lambda: words in program.log.read_text(), what=repr(words), why=program.log.read_text)


def shown(terminal, words):
    wait_until(lambda: words in terminal.text, what=repr(words), why=lambda: terminal.text[-800:])


def insist(ask, told):
    """Ask until it is done, as a person does while the other nodes are still starting."""

    def asked():
        ask()
        deadline_s = time.monotonic() + 1.5
        while not (done := told()) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        return done

    wait_until(asked, what="what was asked for")


def connected(graph, topic=TWIST):
    """Wait until what is published can be heard: discovery takes longer than a tap on a key."""
    wait_until(lambda: graph.node.count_publishers(topic) > 0, what=f"a publisher of {topic}")
    time.sleep(1.0)


def speeds(heard):
    return [message.twist.linear.x for _, message in heard]


def assert_an_episode_of_motion_then_rest(file, speed):
    episode = read_episode(file)
    assert episode.success is True
    twist, silent = episode.actions["twist"], episode.timing.silent["twist"]
    moving = np.flatnonzero(twist[:, 0])
    assert moving[0] == 0, "an episode begins with the first command"
    assert 10 <= len(moving) < episode.steps
    np.testing.assert_allclose(twist[:, 0].max(), speed, rtol=1e-5)
    assert (twist[:, 0] >= 0.0).all() and not twist[:, 1:].any()
    assert silent[-1] and not silent[moving].any()
    assert not twist[silent].any()
    position = episode.observations["end_effector_pose"][:, 0]
    assert position[-1] > position[0] + 0.01
    assert set(episode.actions["gripper"][:, 0].round(3)) == {0.0, np.float32(0.08)}


def test_a_person_at_the_keyboard_resets_starts_moves_grasps_and_keeps_an_episode(programs, tmp_path):
    start_recording(programs, tmp_path / "episodes")
    with keyboard() as terminal:
        shown(terminal, "recorder idle")
        terminal.press("\r")
        shown(terminal, "not started: nobody has said whether the gripper is open or closed")
        insist(lambda: terminal.press("h"), lambda: "the simulator is reset to start 0" in terminal.text)
        insist(lambda: terminal.press("\r"), lambda: "episode 0 is armed" in terminal.text)
        terminal.hold("w", 1.5)
        shown(terminal, "recording, ")
        terminal.press("g")
        shown(terminal, "gripper closed")
        shown(terminal, "silent")
        time.sleep(1.5)
        terminal.press("h")
        shown(terminal, "not reset: an episode is being recorded")
        terminal.press("y")
        shown(terminal, "is marked a success")
        shown(terminal, "saved ")
        shown(terminal, "recorder idle")
        terminal.press("\x03")
        assert terminal.process.wait(10) == 0
        assert terminal.settings() == terminal.before
        assert max(len(line) for line in terminal.lines if line.startswith("speed")) < 110
    (file,) = (tmp_path / "episodes").iterdir()
    assert_an_episode_of_motion_then_rest(file, SPEED)


def test_a_key_that_is_let_go_stops_the_robot_and_then_there_is_silence(graph):
    heard = graph.listen(TWIST, TwistStamped)
    with keyboard(sim_time=False) as terminal:
        shown(terminal, "speed")
        connected(graph)
        terminal.hold("s", 1.0)
        let_go_s = time.monotonic()
        wait_until(lambda: heard and speeds(heard)[-1] == 0.0, what="rest")
        assert heard[-1][0] - let_go_s < STOPS_WITHIN_S
        wait_until(lambda: time.monotonic() - heard[-1][0] > 0.5, what="silence")
    assert min(speeds(heard)) == pytest.approx(-SPEED)
    assert max(speeds(heard)) <= 0.0
    assert {message.header.frame_id for _, message in heard} == {"panda_link0"}


def test_keys_choose_a_joint_and_move_it(graph):
    field = load_spec("two_link_push").action[0]
    heard = graph.listen(field.topic, JointState)
    with keyboard("two_link_push", sim_time=False) as terminal:
        shown(terminal, "joint 1 shoulder")
        connected(graph, field.topic)
        terminal.press("2")
        shown(terminal, "joint 2 elbow")
        terminal.hold("-", 1.0)
        shown(terminal, "| -elbow")
        wait_until(lambda: heard and not any(heard[-1][1].velocity), what="rest")
    assert {tuple(message.name) for _, message in heard} == {("shoulder", "elbow")}
    moved = np.array([message.velocity for _, message in heard])
    assert not moved[:, 0].any()
    assert moved[:, 1].min() == pytest.approx(-0.2 * field.scale_high[1])
    assert moved[:, 1].max() == 0.0


def test_who_else_commands_the_robot_is_said(graph):
    graph.node.create_publisher(TwistStamped, TWIST, 10)
    with keyboard(sim_time=False) as terminal:
        shown(terminal, "speed")
        wait_until(lambda: graph.node.count_publishers(TWIST) > 1, what="the operator")
        time.sleep(1.0)
        terminal.press("w")
        shown(terminal, f"1 other publisher(s) on /{TWIST}")


@pytest.mark.parametrize("end", ["interrupt", "terminate", "hang up"])
def test_the_last_command_is_rest_however_the_operator_ends(graph, end):
    heard = graph.listen(TWIST, TwistStamped)
    with keyboard(sim_time=False) as terminal:
        shown(terminal, "speed")
        connected(graph)
        terminal.press("w")
        wait_until(lambda: any(speeds(heard)), what="motion")
        if end == "interrupt":
            terminal.press("\x03")
        elif end == "terminate":
            terminal.process.send_signal(signal.SIGTERM)
        else:
            terminal.hang_up()
        ended = terminal.process.wait(10)
        assert end == "hang up" or ended == 0  # with the terminal, what it would say of that is gone too
        assert end == "hang up" or terminal.settings() == terminal.before
        wait_until(lambda: speeds(heard)[-1] == 0.0, 2.0, "rest")


def test_a_keyboard_without_a_terminal_is_refused_in_words():
    command = [sys.executable, "-m", "imitation_ros.ros.keyboard_node", "--ros-args", "-p", f"setup:={SETUP}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "needs a terminal of its own" in done.stderr


class FakeJoystick:
    """Publishes sensor_msgs/Joy as joy_node does: 20 times a second, whether anything changes or not."""

    def __init__(self, graph, axes=8, buttons=11):
        self.publisher = graph.node.create_publisher(Joy, "joy", 10)
        self.axes, self.buttons, self.connected = [0.0] * axes, [0] * buttons, True
        graph.node.create_timer(0.05, self.publish)

    def publish(self):
        if self.connected:
            self.publisher.publish(Joy(axes=self.axes, buttons=self.buttons))

    def tap(self, button):
        self.buttons[button] = 1
        time.sleep(0.2)
        self.buttons[button] = 0
        time.sleep(0.2)


def joystick(programs, setup=SETUP, sim_time=True, **parameters):
    given = {"setup": setup, "use_sim_time": sim_time, **parameters}
    operator = programs.node("joystick_node", "operator", given)
    logged(operator, "ready")
    return operator


def test_a_person_with_a_joystick_records_an_episode(programs, graph, tmp_path):
    heard = graph.listen(TWIST, TwistStamped)
    start_recording(programs, tmp_path / "episodes")
    pad = FakeJoystick(graph)
    operator = joystick(programs)

    def start():  # with a rest before, which shows that everybody hears everybody
        pad.buttons[DEAD_MAN] = 1
        wait_until(lambda: heard, what="the joystick's being heard")
        time.sleep(0.2)
        pad.buttons[DEAD_MAN] = 0
        wait_until(lambda: time.monotonic() - heard[-1][0] > 0.5, what="silence")
        pad.tap(START)

    insist(lambda: pad.tap(RESET), lambda: "the simulator is reset" in operator.log.read_text())
    insist(start, lambda: "episode 0 is armed" in operator.log.read_text())
    assert not any(speeds(heard))
    heard.clear()
    pad.axes[1] = 1.0
    time.sleep(0.5)
    assert heard == [], "the dead-man button is not held"
    pad.buttons[DEAD_MAN] = 1
    wait_until(lambda: len(heard) > 20, what="motion")
    pad.axes[1] = 0.05  # within the dead zone
    pad.tap(GRIPPER)
    logged(operator, "gripper closed")
    pad.buttons[DEAD_MAN] = 0
    wait_until(lambda: time.monotonic() - heard[-1][0] > 0.5, what="silence")
    pad.tap(SUCCESS)
    logged(operator, "saved ")
    (file,) = (tmp_path / "episodes").iterdir()
    assert_an_episode_of_motion_then_rest(file, 0.25)


def test_a_joystick_that_falls_silent_in_a_motion_stops_the_robot(programs, graph):
    heard = graph.listen(TWIST, TwistStamped)
    pad = FakeJoystick(graph)
    operator = joystick(programs, sim_time=False)
    connected(graph)
    pad.axes[1], pad.buttons[DEAD_MAN] = -1.0, 1
    wait_until(lambda: any(speeds(heard)), what="motion")
    pad.connected = False
    silent_s = time.monotonic()
    wait_until(lambda: speeds(heard)[-1] == 0.0, what="rest")
    assert heard[-1][0] - silent_s < STOPS_WITHIN_S
    wait_until(lambda: time.monotonic() - heard[-1][0] > 0.5, what="silence")
    assert speeds(heard).count(0.0) == 1
    logged(operator, "was silent for 0.2 s")


def test_a_joystick_with_too_few_axes_ends_the_operator_in_words(programs, graph):
    FakeJoystick(graph, axes=2)
    operator = programs.node("joystick_node", "operator", {"setup": SETUP})
    assert operator.process.wait(30) == 2
    assert "linear.z is axis 4, but this joystick has 2 axes and 11 buttons" in operator.log.read_text()


def test_positions_are_moved_from_where_the_robot_is_measured(programs, graph, tmp_path):
    setup = tmp_path / "arm.yaml"
    robot = yaml.safe_load(POSITIONS)
    setup.write_text(yaml.safe_dump({**robot, "robot": str(tmp_path / "robot.yaml")}))
    (tmp_path / "robot.yaml").write_text(yaml.safe_dump({"robot": "arm"}))
    here = np.array([0.7, -1.2])
    FakeRobot(graph, load_spec(setup), {"joints": here})
    heard = graph.listen("goals", Float64MultiArray)
    pad = FakeJoystick(graph)
    joystick(programs, setup, sim_time=False)
    connected(graph, "goals")
    pad.axes[1], pad.buttons[DEAD_MAN] = 1.0, 1
    wait_until(lambda: len(heard) > 10, what="motion")
    goals = np.array([message.data for _, message in heard])
    step = 0.5 * 1.0 / 20  # the layout's share of the velocity limit, for a period
    np.testing.assert_allclose(goals[0], here + np.array([step, 0.0]), atol=1e-9)
    np.testing.assert_allclose(np.diff(goals, axis=0)[:, 0], step, atol=1e-9)
    assert (goals[:, 1] == here[1]).all()
