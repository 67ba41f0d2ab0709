"""Robots made of robots: every field of each part, renamed and rewired; two arms are never mixed up."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from imitation_ros.errors import SpecError
from imitation_ros.robot.limits import says_where
from imitation_ros.robot.spec import load_spec, spec_from_yaml

ARM = """
robot: arm
rate_hz: 20
fields:
  joints: {topic: joint_states, type: sensor_msgs/msg/JointState, names: [one, two], unit: rad}
  tool: {topic: tool/pose, type: geometry_msgs/msg/PoseStamped, frame: base, rotation: rotvec}
  flange: {type: tf, parent: base, child: flange}
  told: {topic: controller/commands, type: std_msgs/msg/Float64MultiArray, names: [one, two], executed_topic: told,
         scale_low: -1, scale_high: 1, limits: {velocity: 1.0}}
  speed: {topic: twist, type: geometry_msgs/msg/Twist, scale_low: -1, scale_high: 1}
"""
PAIR = """
robot: pair
rate_hz: 20
parts:
  left: {robot: arm.yaml, namespace: cell/left, joint_prefix: l_, frame_prefix: l_}
  right: {robot: arm.yaml, joint_prefix: r_}
fields:
  torch: {topic: torch, type: std_msgs/msg/Bool, scale_low: 0, scale_high: 1}
"""
SETUP = """
robot: pair.yaml
observation: [left_joints, left_tool, left_flange, right_joints]
action: [left_told, right_told, torch]
fields:
  right_told: {topic: right/commands, limits: {acceleration: 5.0}}
"""


def load(folder: Path, pair: str = PAIR, setup: str = SETUP, arm: str = ARM):
    for name, text in (("arm", arm), ("pair", pair), ("setup", setup)):
        (folder / f"{name}.yaml").write_text(text)
    return load_spec(folder / "setup.yaml")


def test_every_field_of_a_part_is_renamed_and_rewired(tmp_path):
    spec = load(tmp_path)
    joints = spec.field("left_joints")
    assert (joints.topic, joints.part, joints.joint_prefix) == ("cell/left/joint_states", "left", "l_")
    assert joints.joint_names == ("l_one", "l_two")
    tool = spec.field("left_tool")
    assert (tool.topic, tool.frame_id, tool.joint_prefix) == ("cell/left/tool/pose", "l_base", "")
    told = spec.field("left_told")
    assert (told.topic, told.executed_topic) == ("cell/left/controller/commands", "cell/left/told")


@pytest.mark.parametrize(("topic", "found"), [("", "tf"), ("topic: tf, ", "tf"), ("topic: my/tf, ", "cell/left/my/tf")])
def test_tf_is_one_tree_for_all_parts_unless_a_robot_has_one_of_its_own(tmp_path, topic, found):
    flange = load(tmp_path, arm=ARM.replace("{type: tf, ", f"{{{topic}type: tf, ")).field("left_flange")
    assert (flange.topic, flange.frame_id, flange.child_frame_id) == (found, "l_base", "l_flange")


def test_a_setup_changes_a_part_and_the_pair_adds_fields_of_its_own(tmp_path):
    spec = load(tmp_path)
    told = spec.field("right_told")
    assert (told.topic, told.part) == ("right/commands", "right")
    assert told.limits.acceleration == (5.0, 5.0) and told.limits.velocity == (1.0, 1.0)
    assert spec.field("torch").part == ""


def test_a_robot_with_parts_comes_back_equal_from_its_yaml(tmp_path):
    spec = load(tmp_path)
    assert spec_from_yaml(spec.to_yaml(), "a recording") == spec


def test_a_part_without_a_namespace_shares_its_topics(tmp_path):
    assert load(tmp_path).field("right_joints").topic == "joint_states"


@pytest.mark.parametrize("quantity", ["position", "velocity"])
def test_each_arm_is_where_its_own_joints_say(tmp_path, quantity):
    spec = load(tmp_path)
    assert says_where(spec.field("left_joints"), spec.field("left_told"))
    assert says_where(spec.field("right_joints"), spec.field("right_told"))
    assert not says_where(spec.field("right_joints"), spec.field("left_told"))
    assert not says_where(spec.field("left_joints"), spec.field("right_told"))


def test_parts_in_namespaces_without_prefixes_are_told_apart_too(tmp_path):
    pair = PAIR.replace(", joint_prefix: l_, frame_prefix: l_", "").replace("joint_prefix: r_", "namespace: right")
    spec = load(tmp_path, pair)
    assert spec.field("left_joints").joint_names == spec.field("right_joints").joint_names
    assert says_where(spec.field("left_joints"), spec.field("left_told"))
    assert not says_where(spec.field("right_joints"), spec.field("left_told"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"parts": {}}, ["parts is {}", "left: {robot: panda"]),
        ({"parts": ["left"]}, ["parts is ['left']"]),
        ({"parts": {"left": "panda"}}, ["part 'left' holds 'panda'"]),
        ({"parts": {"left": {"robot": "arm.yaml", "prefix": "l"}}}, ["'prefix' is unknown", "Allowed: frame_prefix"]),
        ({"parts": {"left": {"namespace": "left"}}}, ["part 'left': robot is None"]),
        ({"parts": {"left": {"robot": ["arm.yaml"]}}}, ["robot is ['arm.yaml']"]),
        ({"parts": {"left": {"robot": "arm.yaml", "joint_prefix": 3}}}, ["joint_prefix is 3"]),
        ({"parts": {"left": {"robot": "arm.yaml", "namespace": "/left"}}}, ["namespace is '/left'", "leading /"]),
        ({"parts": {"le ft": {"robot": "arm.yaml"}}}, ["part 'le ft'", "letters, digits"]),
        ({"parts": {7: {"robot": "arm.yaml"}}}, ["part 7"]),
        ({"parts": {"left": {"robot": "leg"}}}, ["'leg' is not in config/robots"]),
        ({"parts": {"left": {"robot": "pair.yaml"}}}, ["'pair.yaml' has parts itself"]),
        ({"fields": {"left_joints": {"topic": "a"}}}, ["'left_joints' is one of a part's"]),
        ({"fields": [1]}, ["parts is"]),
    ],
)
def test_what_is_wrong_with_parts_is_said(tmp_path, words, said):
    with pytest.raises(SpecError) as caught:
        load(tmp_path, yaml.safe_dump({**yaml.safe_load(PAIR), **words}))
    for part in ["pair.yaml" if "leg" not in str(words) else "config/robots", *said]:
        assert part in str(caught.value)


def test_a_setup_has_no_parts(tmp_path):
    with pytest.raises(SpecError, match="'parts' is unknown"):
        load(tmp_path, setup=SETUP + "parts: {}\n")


def test_one_limit_of_a_setup_leaves_the_others_as_they_are(tmp_path):
    arm = ARM.replace("limits: {velocity: 1.0}", "limits: {velocity: 1.0, position_low: -0.5}")
    setup = SETUP.replace("limits: {acceleration: 5.0}", "limits: {velocity: 0.5, position_low: null}")
    limits = load(tmp_path, arm=arm, setup=setup).field("right_told").limits
    assert (limits.velocity, limits.position_low) == ((0.5, 0.5), None)
    assert load(tmp_path, arm=arm).field("left_told").limits.position_low == (-0.5, -0.5)


@pytest.mark.parametrize("name", ["left_flange", "eye"])
def test_what_commands_nothing_is_no_action(tmp_path, name):
    eye = "\n  eye: {topic: eye, type: sensor_msgs/msg/Image, shape: [2, 2, 3]}\n"
    setup = SETUP.replace("torch]", f"{name}]").replace("left_flange, ", "")
    with pytest.raises(SpecError, match=f"the action '{name}' is a .*, which commands nothing"):
        load(tmp_path, pair=PAIR + eye, setup=setup)
