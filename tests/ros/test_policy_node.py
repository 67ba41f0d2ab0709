"""The deployed policy in a graph: it never starts itself, and whatever happens it ends in a hold."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_graph import FakeRobot, Graph, wait_until
from std_msgs.msg import String

from imitation_ros.data.hdf5 import read_episode
from imitation_ros.deployment import GRACE_S
from imitation_ros.processes import Programs
from imitation_ros.robot.messages import header_stamp_s

COMMANDS = "servo_node/delta_twist_cmds"
LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE


class Deployed:
    """A policy node in real time, a robot that stands still where a demonstration began, and everything it is told."""

    def __init__(self, graph, programs, bundle, demonstrations):
        episode = read_episode(sorted(demonstrations.glob("*.hdf5"))[0])
        self.graph = graph
        self.twists = graph.listen(COMMANDS, TwistStamped)
        self.says = graph.listen("policy/state", String, LATCHED)
        self.robot = FakeRobot(graph, episode.spec, {name: rows[0] for name, rows in episode.observations.items()})
        self.start = lambda: programs.node("policy_node", "policy", {"policy": bundle, "speed_scale": 1})
        self.program = self.start()

    def change(self, transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.graph.call("policy/change_state", ChangeState, request).success

    def state(self):
        return self.graph.call("policy/get_state", GetState).current_state.label

    def words(self):
        return self.says[-1][1].data if self.says else ""

    def said_since(self, began_s):
        return " ".join(message.data for when_s, message in self.says if when_s > began_s)

    def heard_since(self, began_s):
        return [message.twist.linear for when_s, message in self.twists if when_s > began_s]

    def drive(self):
        """Activate, and wait for the robot to be driven."""
        wait_until(lambda: self.change(ACTIVATE), what="activation")
        began_s = time.monotonic()
        wait_until(lambda: any(speed(twist) > 0 for twist in self.heard_since(began_s)), what="being driven")

    def rest(self):
        """Bring the node to inactive, whatever a test did to it."""
        if self.program.process.poll() is not None:
            self.program = self.start()
        self.robot.quiet.clear()
        self.graph.call("policy/rearm")
        if self.state() == "active":
            assert self.change(DEACTIVATE)
        if self.state() == "unconfigured":
            assert self.change(CONFIGURE)


def speed(twist):
    return float(np.linalg.norm([twist.x, twist.y, twist.z]))


def child_of(pid):
    """Return the process that computes the actions."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


@pytest.fixture(scope="module")
def node(bundle, demonstrations, tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy_node")
    with Graph() as graph, Programs(folder, {}) as programs:
        yield Deployed(graph, programs, bundle, demonstrations)


@pytest.fixture
def deployed(node):
    node.rest()
    return node


def test_it_never_activates_itself(deployed):
    began_s = time.monotonic()
    time.sleep(0.7)  # of fresh observations, in which it could have begun
    assert deployed.state() == "inactive"
    assert deployed.words().startswith("inactive")
    assert deployed.heard_since(began_s) == []


def test_it_refuses_a_silent_field_by_name_and_stays_inactive(deployed):
    deployed.robot.quiet = {"goal"}
    began_s = time.monotonic()
    time.sleep(0.5)  # longer than goal's max_age_s
    assert not deployed.change(ACTIVATE)
    assert deployed.state() == "inactive"
    wait_until(lambda: "'goal' (goal/pose) was" in deployed.words(), 2.0, "the reason")
    assert "ros2 topic hz goal/pose" in deployed.words()
    assert deployed.heard_since(began_s) == []


def test_it_refuses_when_somebody_else_publishes_on_an_action_topic(deployed):
    other = deployed.graph.node.create_publisher(TwistStamped, COMMANDS, 10)
    wait_until(lambda: deployed.graph.node.count_publishers(COMMANDS) == 2)
    time.sleep(0.3)  # for the policy node to see it too
    assert not deployed.change(ACTIVATE)
    wait_until(lambda: "two cannot drive one robot" in deployed.words(), 2.0, "the reason")
    assert f"ros2 topic info -v {COMMANDS}" in deployed.words()
    deployed.graph.node.destroy_publisher(other)
    wait_until(lambda: deployed.change(ACTIVATE), what="activation once it is alone")


def test_it_drives_at_the_specs_rate_within_the_limits_stamped_with_its_ticks(deployed):
    deployed.drive()
    began_s = time.monotonic()
    time.sleep(1.0)
    messages = [message for when_s, message in deployed.twists if when_s > began_s]
    assert 12 <= len(messages) <= 22  # 20 Hz, less what a busy machine makes it skip
    assert all(np.abs([m.twist.linear.x, m.twist.linear.y, m.twist.linear.z]).max() <= 0.5 for m in messages)
    assert all(message.header.frame_id == "panda_link0" for message in messages)
    gaps_s = np.diff([header_stamp_s(message) for message in messages])
    np.testing.assert_allclose(gaps_s / 0.05, np.round(gaps_s / 0.05), atol=1e-3)
    assert gaps_s.min() > 0.04


def test_it_holds_when_observations_stop_and_a_fault_after_the_grace_time_is_latched(deployed):
    deployed.drive()
    deployed.robot.quiet = set(deployed.robot.values)
    began_s = time.monotonic()
    wait_until(lambda: "holding" in deployed.words(), 2.0, "holding")
    held_s = time.monotonic()
    assert held_s - began_s < 1.0
    assert "joint_position" in deployed.words() or "goal" in deployed.words()
    wait_until(lambda: "fault" in deployed.words(), GRACE_S + 3.0, "the fault")
    assert time.monotonic() - held_s > 0.8 * GRACE_S
    twists = deployed.heard_since(held_s + 0.1)
    assert twists and max(map(speed, twists)) == 0.0
    deployed.robot.quiet = set()
    back_s = time.monotonic()
    time.sleep(0.5)
    assert max(map(speed, deployed.heard_since(back_s)), default=0.0) == 0.0
    assert "fault" in deployed.words()
    assert deployed.change(DEACTIVATE)
    asked_s = time.monotonic()
    assert not deployed.change(ACTIVATE)
    wait_until(lambda: "~/rearm" in deployed.said_since(asked_s), 2.0, "the way out")
    assert deployed.graph.call("policy/rearm").success
    deployed.drive()


def test_stop_holds_until_it_is_rearmed_and_activated_again(deployed):
    deployed.drive()
    assert deployed.graph.call("policy/stop").success
    stopped_s = time.monotonic()
    time.sleep(0.5)
    twists = deployed.heard_since(stopped_s + 0.05)
    assert twists and max(map(speed, twists)) == 0.0
    assert "stopped by ~/stop" in deployed.words()
    assert deployed.graph.call("policy/rearm").success
    rearmed_s = time.monotonic()
    time.sleep(0.4)
    assert max(map(speed, deployed.heard_since(rearmed_s)), default=0.0) == 0.0
    assert deployed.change(DEACTIVATE)
    deployed.drive()


def test_stop_before_the_first_activation_is_latched_too(deployed):
    assert deployed.change(CLEANUP)
    assert deployed.graph.call("policy/stop").success  # unconfigured: nothing to stop, and no harm
    assert deployed.change(CONFIGURE)
    assert deployed.graph.call("policy/stop").success
    time.sleep(0.3)
    assert not deployed.change(ACTIVATE)
    assert "fault" in deployed.words()


def test_deactivating_ends_in_zero(deployed):
    deployed.drive()
    assert deployed.change(DEACTIVATE)
    time.sleep(0.2)
    assert speed(deployed.twists[-1][1].twist.linear) == 0.0


def test_it_can_be_cleaned_up_and_configured_again_and_drives_as_before(deployed):
    before = child_of(deployed.program.process.pid)
    assert deployed.change(CLEANUP)
    wait_until(lambda: not Path(f"/proc/{before}").exists(), what="the end of the old inference")
    time.sleep(0.3)  # observations go on
    assert deployed.change(CONFIGURE)
    deployed.drive()
    assert "Traceback" not in deployed.program.log.read_text()


def test_a_killed_inference_is_a_fault_in_words_and_the_robot_is_told_to_hold(deployed):
    deployed.drive()
    os.kill(child_of(deployed.program.process.pid), signal.SIGKILL)
    wait_until(lambda: "fault" in deployed.words(), 3.0, "the fault")
    fault_s = time.monotonic()
    assert "inference of the policy" in deployed.words()
    time.sleep(0.4)
    twists = deployed.heard_since(fault_s + 0.05)
    assert twists and max(map(speed, twists)) == 0.0
    deployed.rest()
    assert deployed.change(CLEANUP)
    assert deployed.change(CONFIGURE)  # which starts another
    deployed.drive()


def test_an_inference_that_hangs_stops_neither_the_services_nor_the_hold(deployed):
    deployed.drive()
    child = child_of(deployed.program.process.pid)
    os.kill(child, signal.SIGSTOP)
    try:
        hung_s = time.monotonic()
        wait_until(lambda: "gave no answer in time" in deployed.words(), GRACE_S + 3.0, "the fault")
        twists = deployed.heard_since(hung_s + 0.3)
        assert twists and max(map(speed, twists)) == 0.0
        asked_s = time.monotonic()
        assert deployed.graph.call("policy/stop").success
        assert time.monotonic() - asked_s < 2.0
    finally:
        os.kill(child, signal.SIGCONT)


def test_ctrl_c_while_driving_ends_in_zero(deployed):
    deployed.drive()
    child = child_of(deployed.program.process.pid)
    deployed.program.process.send_signal(signal.SIGINT)
    assert deployed.program.process.wait(10) == 0
    time.sleep(0.2)
    assert speed(deployed.twists[-1][1].twist.linear) == 0.0
    assert not Path(f"/proc/{child}").exists()
    assert "Traceback" not in deployed.program.log.read_text()


def test_an_inactive_node_says_nothing_also_after_a_stop(deployed):
    deployed.drive()
    deployed.graph.call("policy/stop")
    assert deployed.change(DEACTIVATE)
    time.sleep(0.3)  # for what was on its way
    began_s = time.monotonic()
    time.sleep(0.7)
    assert deployed.heard_since(began_s) == []  # somebody else may teleoperate the robot away
    assert "fault" in deployed.words()


def test_shutting_the_node_down_while_it_drives_ends_in_a_hold(deployed):
    deployed.drive()
    assert deployed.change(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    time.sleep(0.3)
    began_s = time.monotonic()
    time.sleep(0.7)
    assert deployed.heard_since(began_s) == []
    assert speed(deployed.twists[-1][1].twist.linear) == 0.0
    deployed.program.process.send_signal(signal.SIGINT)  # finalized: the next test starts another
    deployed.program.process.wait(timeout=10)
