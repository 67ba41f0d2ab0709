"""The simulator without lock-step keeps the wall's time; in lock-step it says when nobody answers."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped, TwistStamped
from ros_graph import Graph, wait_until
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.processes import Programs
from imitation_ros.robot.messages import images, read

SETUP = "panda_reach"


def x_of(messages):
    return np.array([message.twist.linear.x for _, message in messages])


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """A simulator in real time: pushed to one side for a second, then left alone, then reset."""
    folder = tmp_path_factory.mktemp("simulator")
    with Graph() as graph, Programs(folder, {}) as programs:
        executed = graph.listen("servo_node/executed_twist", TwistStamped)
        clock = graph.listen("/clock", Clock)
        poses = graph.listen("end_effector/pose", PoseStamped)
        programs.node("simulator_node", "simulator", {"setup": SETUP, "real_time_factor": 1})
        wait_until(lambda: clock and poses and executed, what="the simulator's start")
        commands = graph.node.create_publisher(TwistStamped, "servo_node/delta_twist_cmds", 10)
        wait_until(lambda: commands.get_subscription_count() == 1, what="being heard")
        message = TwistStamped()
        message.header.frame_id = "panda_link0"
        message.twist.linear.x = 0.2
        timer = graph.node.create_timer(0.02, lambda: commands.publish(message))
        began_s = time.monotonic()
        time.sleep(1.0)
        graph.node.destroy_timer(timer)
        left_s = time.monotonic()
        time.sleep(1.0)
        reset_s = time.monotonic()
        assert graph.call("simulator/reset").success
        time.sleep(0.5)
    return executed, clock, poses, (began_s, left_s, reset_s)


def between(heard, low_s, high_s):
    return [(when_s, message) for when_s, message in heard if low_s < when_s <= high_s]


def test_without_lockstep_it_keeps_the_walls_time(pushed):
    _, clock, _, (began_s, _, reset_s) = pushed
    walls_s, times_s = zip(
        *[(when_s, m.clock.sec + 1e-9 * m.clock.nanosec) for when_s, m in between(clock, began_s, reset_s)], strict=True
    )
    rate = (times_s[-1] - times_s[0]) / (walls_s[-1] - walls_s[0])
    assert 0.85 < rate < 1.05  # a busy machine may make it skip ticks, nothing may make it hurry
    np.testing.assert_allclose(np.diff(times_s), 0.05, atol=1e-9)


def test_without_lockstep_a_command_moves_the_robot_and_times_out_to_zero(pushed):
    executed, _, poses, (began_s, left_s, reset_s) = pushed
    assert np.median(x_of(between(executed, began_s + 0.3, left_s))) == pytest.approx(0.2)
    positions = [message.pose.position.x for _, message in between(poses, began_s, left_s)]
    assert positions[-1] - positions[0] > 0.1
    after = x_of(between(executed, left_s + 0.5, reset_s))  # timeout_s is 0.1 s
    assert len(after) > 3 and np.all(after == 0.0)


def test_without_lockstep_a_reset_leaps_forward_in_time_and_goes_on(pushed):
    _, clock, poses, (_, _, reset_s) = pushed
    times_s = np.array([m.clock.sec + 1e-9 * m.clock.nanosec for _, m in clock])
    assert np.all(np.diff(times_s) > 0)
    assert np.diff(times_s).max() == pytest.approx(1.0, abs=0.06)
    assert len(between(poses, reset_s + 0.1, reset_s + 0.5)) > 3


def test_a_lockstep_without_answers_ends_with_a_clear_message(graph, programs):
    simulator = programs.node("simulator_node", "simulator", {"setup": SETUP, "lockstep": True, "stall_s": 2})
    assert graph.call("simulator/reset").success
    began_s = time.monotonic()
    assert simulator.process.wait(20) == 2
    assert 1.5 < time.monotonic() - began_s < 6.0
    log = simulator.log.read_text()
    assert "simulator: no complete command for time" in log
    assert "within 2 s (arrived: none)" in log
    assert "one message per tick, stamped like the observation" in log
    assert "Traceback" not in log


def test_a_parameter_that_makes_no_sense_is_named(programs):
    wrong = {"real_time_factor": -1, "purpose": "tset"}
    nodes = {
        name: programs.node("simulator_node", name, {"setup": SETUP, name: value}) for name, value in wrong.items()
    }
    for name, node in nodes.items():
        assert node.process.wait(20) == 2
        assert f"simulator: {name} is" in node.log.read_text() or f"node: {name} is" in node.log.read_text()
        assert "Traceback" not in node.log.read_text()
    assert "Did you mean 'test'?" in nodes["purpose"].log.read_text()


def after_reset(messages) -> bool:
    """Whether the newest message is of the first reset: it may come before the service's answer."""
    return bool(messages) and messages[-1][1].header.stamp.sec >= 2


def test_cameras_are_topics_and_show_what_the_environment_does(graph, programs):
    setup = "panda_pick_place_cameras"
    wrist = graph.listen("wrist/image/compressed", CompressedImage)
    scene = graph.listen("scene/image_raw", Image)
    programs.node("simulator_node", "simulator", {"setup": setup, "lockstep": True})
    assert graph.call("simulator/reset").success  # /clock leaps from 1 to 2 s, and stands still there
    wait_until(lambda: all(after_reset(messages) for messages in (wrist, scene)), what="pictures")
    env = RobotEnv(setup)
    expected = env.begin(0, "train", 0)
    for name, messages in (("wrist_camera", wrist), ("scene_camera", scene)):
        message, field = messages[-1][1], env.robot_spec.field(name)
        assert message.header.frame_id == field.frame and message.header.stamp.sec > 0
        shown = images.decoded(read(message, field), field)
        if name == "scene_camera":
            np.testing.assert_array_equal(shown, expected[name])
        assert np.abs(shown.astype(float) - expected[name]).mean() < 3.0  # a JPEG
    env.close()


def test_who_subscribes_sees_the_robot_as_it_is_and_in_time(graph, programs):
    clock = graph.listen("/clock", Clock)
    programs.node("simulator_node", "simulator", {"setup": SETUP, "real_time_factor": 1})
    wait_until(lambda: clock, what="the simulator's start")
    view = graph.listen("simulator/view", Image)
    wait_until(lambda: len(view) > 3, what="a view")
    pictures = [np.frombuffer(message.data, np.uint8).reshape(480, 640, 3) for _, message in view]
    env = RobotEnv(SETUP)
    np.testing.assert_allclose(pictures[-1].mean(), env.picture(640, 480).mean(), atol=5.0)
    env.close()
    clock.clear()
    began_s = time.monotonic()
    time.sleep(2.0)
    assert len(clock) / (time.monotonic() - began_s) > 15.0  # of 20, on a busy machine


def test_a_window_without_a_display_is_refused_in_words(programs, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    node = programs.node("simulator_node", "simulator", {"setup": SETUP, "gui": True})
    assert node.process.wait(20) == 2
    assert "DISPLAY is not set" in node.log.read_text() and "Traceback" not in node.log.read_text()


def test_episodes_are_randomised_where_asked(graph, programs):
    poses = graph.listen("object/pose", PoseStamped)
    programs.node("simulator_node", "simulator", {"setup": "panda_pick_place", "lockstep": True, "randomisation": True})
    assert graph.call("simulator/reset").success
    poses.clear()
    wait_until(lambda: poses, what="a pose")
    env = RobotEnv("panda_pick_place", randomisation=True)
    expected = env.begin(0, "train", 0)["object_pose"]
    place = poses[-1][1].pose.position
    np.testing.assert_allclose([place.x, place.y, place.z], expected[:3], atol=1e-6)
    env.close()
