"""The policy node takes its topics from another setup of the same meaning, or refuses it in words."""

from __future__ import annotations

import pytest

from imitation_ros.errors import SpecError
from imitation_ros.robot.spec import load_spec

rclpy = pytest.importorskip("rclpy")

CELL = """
setup: panda_reach
robot: panda
observation: [joint_position, end_effector_pose, goal]
action: [twist]
fields:
  goal: {{topic: goal/pose, type: geometry_msgs/msg/PoseStamped, frame: panda_link0, max_age_s: 0.2}}
  twist: {{topic: cell_2/twist, limits: {{velocity: 0.1}}{more}}}
"""


@pytest.fixture
def node_of(bundle, tmp_path):
    """Return a function that makes a policy node of the test's bundle, wired by a setup file's text."""
    from imitation_ros.ros.policy_node import PolicyNode

    rclpy.init()
    made = []

    def make(text: str, **parameters):
        setup = tmp_path / "cell_2.yaml"
        setup.write_text(text)
        made.append(PolicyNode({"policy": str(bundle), "setup": str(setup), **parameters}))
        return made[-1]

    yield make
    for node in made:
        node.close()
        node.destroy_node()
    rclpy.shutdown()


def test_a_setup_gives_topics_and_tighter_limits(node_of):
    node = node_of(CELL.format(more=""), joint_prefix="b_")
    assert node.on_configure(None).name == "SUCCESS"
    spec = node.runner.spec
    assert spec.field("twist").topic == "cell_2/twist" and spec.field("twist").limits.velocity == (0.1, 0.1, 0.1)
    assert spec.field("joint_position").joint_names[0] == "b_panda_joint1"
    assert not spec.differences(load_spec("panda_reach"))
    assert list(node.commands.by_topic) == ["cell_2/twist"]


def test_the_differences_in_wiring_are_said_when_it_is_configured(node_of, capfd):
    assert node_of(CELL.format(more="")).on_configure(None).name == "SUCCESS"
    said = capfd.readouterr().err
    assert "twist.topic: servo_node/delta_twist_cmds != cell_2/twist" in said
    assert "joint_position." not in said


def test_a_setup_that_means_something_else_is_refused_with_the_difference(node_of):
    with pytest.raises(SpecError, match=r"twist\.frame: panda_link0 != world"):
        node_of(CELL.format(more=", frame: world"))
