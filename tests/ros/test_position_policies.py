"""Policies that see pictures and command joint positions, served over DDS: from where the robot is, and held there."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from ros_graph import PATIENCE_S, FakeRobot, wait_until
from std_msgs.msg import String

from imitation_ros.deployment import GRACE_S
from imitation_ros.policies.checkpoint import save_bundle
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.messages import read
from imitation_ros.robot.messages.images import encoded
from imitation_ros.robot.spec import RobotSpec, load_spec
from imitation_ros.ros.topics import LATCHED, message_class

SHAPE = (48, 64, 3)
SPEED_SCALE = 0.5
HERE = np.array([0.8, -0.7, 0.9, -0.8, 0.6, 0.7])  # the untrained policies want to be near zero


def with_cameras(setup: str) -> RobotSpec:
    """Return a shipped setup that sees its joints and two small cameras, one raw and one that sends JPEG."""
    spec = load_spec(setup)
    jpeg = replace(spec.field("wrist_camera"), shape=SHAPE)
    raw = replace(jpeg, name="side_camera", topic="side_camera/image_raw", type="sensor_msgs/msg/Image")
    return replace(spec, observation=(spec.field("joint_position"), jpeg, raw))


class Served:
    """A policy node, the robot that it sees, and what it commands: (monotonic time, (width,))."""

    def __init__(self, graph, programs, folder, setup: str) -> None:
        self.graph, self.spec = graph, with_cameras(setup)
        torch.manual_seed(0)
        policy = MLPPolicy(self.spec, NetworkConfig(hidden=(16,)))
        rng = np.random.default_rng(0)
        picture = rng.integers(0, 255, SHAPE, np.uint8)
        values = {field.name: picture if field.is_image else HERE for field in self.spec.observation}
        bundle = save_bundle(folder / "policy", policy, {}, {}, {name: rows[None] for name, rows in values.items()})
        (self.action,) = self.spec.action
        self.heard = graph.listen(self.action.topic, message_class(self.action.type))
        self.says = graph.listen("policy/state", String, LATCHED)
        self.robot = FakeRobot(graph, self.spec, values)
        programs.node("policy_node", "policy", {"policy": bundle, "speed_scale": SPEED_SCALE})

    def change(self, transition: int, seconds: float = PATIENCE_S) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self.graph.call("policy/change_state", ChangeState, request, seconds).success)

    def configured(self) -> bool:
        """Ask anew where nobody answers: DDS may not have forgotten a dead node of an earlier test, and ask that."""
        try:
            if self.change(Transition.TRANSITION_CONFIGURE, seconds=5.0):
                return True
            return self.graph.call("policy/get_state", GetState, seconds=5.0).current_state.label == "inactive"
        except AssertionError:
            return False

    def commands(self, since_s: float = 0.0) -> np.ndarray:
        return np.array([read(message, self.action) for when_s, message in list(self.heard) if when_s > since_s])

    def words(self) -> str:
        return self.says[-1][1].data if self.says else "nothing"


@pytest.mark.parametrize("setup", ["ur5e_insert", "so101_pick"])
def test_a_policy_that_sees_begins_where_the_arm_is_and_a_cut_off_picture_holds_the_last_command(
    graph, programs, tmp_path, setup
):
    """A JointTrajectory and a Float64MultiArray, at half of their velocity limits."""
    served = Served(graph, programs, tmp_path, setup)
    step = SPEED_SCALE * np.array(served.action.limits.velocity) * served.spec.period_s + 1e-9
    wait_until(served.configured, what="configuring", why=served.words)
    wait_until(lambda: served.change(Transition.TRANSITION_ACTIVATE), what="activation", why=served.words)
    wait_until(lambda: len(served.heard) > 5, what="being driven", why=served.words)
    driven = served.commands()
    assert (np.abs(driven[0] - HERE) <= step).all(), "the first command"
    assert (np.abs(np.diff(driven, axis=0)) <= step).all()
    assert np.abs(driven[-1] - HERE).max() > np.abs(driven[0] - HERE).max(), "it goes somewhere"

    whole = served.robot.values["wrist_camera"]
    jpeg = encoded(whole, served.spec.field("wrist_camera"))
    served.robot.values["wrist_camera"] = jpeg[: len(jpeg) // 2]
    wait_until(lambda: served.words().startswith(("holding", "fault")), what="a hold", why=served.words)
    began_s = time.monotonic()
    assert "wrist_camera" in served.words()
    wait_until(lambda: served.words().startswith("fault"), what="a fault", why=served.words)
    assert time.monotonic() - began_s < GRACE_S + 5.0
    wait_until(lambda: len(served.commands(time.monotonic() - 0.5)) > 3, what="a hold that is repeated")
    held = served.commands(time.monotonic() - 0.4)
    assert (held == held[0]).all() and (np.abs(held[0] - HERE) > 0).any()
    served.robot.close()
