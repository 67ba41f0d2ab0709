"""A simulator's time: none has come, or two simulators take turns in saying it."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("rclpy")

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_graph import wait_until
from rosgraph_msgs.msg import Clock

from imitation_ros.errors import DeploymentError
from imitation_ros.ros import services
from imitation_ros.ros.clock import ClockWatch
from imitation_ros.ros.services import Services
from imitation_ros.ros.topics import to_stamp

SETUP = "panda_reach"


@pytest.fixture
def timed(graph):
    """A node of the graph that takes a simulator's time."""
    node = Node("timed", context=graph.context, parameter_overrides=[Parameter("use_sim_time", value=True)])
    graph.executor.add_node(node)
    yield node
    graph.executor.remove_node(node)
    node.destroy_node()


def tell(publisher, time_s):
    publisher.publish(Clock(clock=to_stamp(time_s)))


def test_a_recorder_under_use_sim_time_refuses_to_start_before_the_first_clock(graph, programs, tmp_path):
    given = {"setup": SETUP, "output": tmp_path / "episodes", "use_sim_time": True}
    recorder = programs.node("recorder_node", "recorder", given)
    answer = graph.call("recorder/start")
    assert not answer.success
    assert "use_sim_time is set, and no /clock has come: start the simulator" in answer.message
    assert "ros2 topic hz /clock" in answer.message
    assert "in the future" not in recorder.log.read_text()


def test_a_policy_under_use_sim_time_refuses_to_activate_before_the_first_clock(graph, programs, bundle):
    program = programs.node("policy_node", "policy", {"policy": bundle, "use_sim_time": True})
    for transition, agreed in ((Transition.TRANSITION_CONFIGURE, True), (Transition.TRANSITION_ACTIVATE, False)):
        request = ChangeState.Request(transition=Transition(id=transition))
        assert graph.call("policy/change_state", ChangeState, request).success == agreed
    wait_until(lambda: "not activated: use_sim_time is set, and no /clock has come" in program.log.read_text())


def test_a_wall_clock_is_never_missing(graph):
    assert ClockWatch(graph.node).problems() == []


def test_two_simulators_that_are_heard_are_named_and_one_that_starts_again_is_none_of_them(graph, timed):
    watch = ClockWatch(timed)
    assert "no /clock has come" in watch.problems()[0]
    clocks = [graph.node.create_publisher(Clock, "/clock", 10) for _ in range(2)]
    wait_until(lambda: all(each.get_subscription_count() >= 2 for each in clocks), what="both being heard")
    for publisher, time_s in ((clocks[0], 100.0), (clocks[0], 100.1), (clocks[1], 1.0)):
        tell(publisher, time_s)
        wait_until(lambda time_s=time_s: watch.newest == (int(time_s), round(time_s % 1 * 1e9)), what="the time")
    wait_until(lambda: not watch.problems(), what="taking the new simulator's time")
    for publisher, time_s in ((clocks[0], 100.2), (clocks[1], 1.1)):
        tell(publisher, time_s)
        time.sleep(0.1)
    wait_until(watch.problems, what="noticing two")
    assert watch.problems()[0].startswith("2 nodes publish /clock: observer, observer. End all but one")
    graph.node.destroy_publisher(clocks[1])
    wait_until(lambda: not watch.problems(), what="forgetting who has gone")


def test_a_simulator_beside_another_ends_soon_and_says_why(graph, programs):
    """The other is heard; that it is in the graph would not be enough, as one that was killed still is."""
    clock = graph.node.create_publisher(Clock, "/clock", 10)
    first = programs.node("simulator_node", "alone", {"setup": SETUP})
    assert graph.call("simulator/reset").success
    assert first.process.poll() is None
    programs.end()
    timer = graph.node.create_timer(0.05, lambda: tell(clock, 77.0))
    second = programs.node("simulator_node", "second", {"setup": SETUP})
    assert second.process.wait(30) == 2
    graph.node.destroy_timer(timer)
    log = second.log.read_text()
    assert "another simulator runs in this ROS_DOMAIN_ID" in log and "/clock says 77.00 s" in log
    assert "Traceback" not in log


def test_the_first_simulator_goes_on_when_a_second_one_is_started(graph, programs):
    first = programs.node("simulator_node", "first", {"setup": SETUP, "lockstep": True})
    assert graph.call("simulator/reset").success
    time.sleep(5.5)
    second = programs.node("simulator_node", "second", {"setup": SETUP, "lockstep": True})
    assert second.process.wait(30) == 2
    assert first.process.poll() is None
    assert "~/reset begins an episode" in first.log.read_text()


def test_a_call_that_has_to_wait_says_why_before_it_gives_up(monkeypatch):
    monkeypatch.setattr(services, "HINT_S", 0.2)
    rclpy.init()
    node, said = Node("caller"), []
    monkeypatch.setattr(node, "get_logger", lambda: type("Log", (), {"warning": staticmethod(said.append)}))
    try:
        with pytest.raises(DeploymentError, match="nobody offers the service nowhere/reset"):
            Services(node, 1.0).call("nowhere", "reset")
    finally:
        node.destroy_node()
        rclpy.shutdown()
    assert len(said) == 1
    assert said[0].startswith("nobody offers the service nowhere/reset yet: is that node running?")


def test_a_joystick_that_nobody_publishes_is_said(programs):
    operator = programs.node("joystick_node", "operator", {"setup": SETUP})
    wait_until(lambda: "joy has no publisher yet: `ros2 run joy joy_node`" in operator.log.read_text(), what="the hint")
