"""What stands against deploying, where a spec holds images, stamps of every kind, or two arms of one kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imitation_ros.readiness import unheld_actions, unlike_demonstrations, unramped_actions, unstamped_fields
from imitation_ros.robot.field_yaml import parse_field
from imitation_ros.robot.limits import measuring
from imitation_ros.robot.sampler import Sample
from imitation_ros.robot.spec import RobotSpec

JOINTS = {"topic": "joint_states", "type": "sensor_msgs/msg/JointState", "names": ["one", "two"]}
COMMANDS = {**JOINTS, "topic": "commands", "scale_low": -1, "scale_high": 1, "limits": {"velocity": 1.0}}
CAMERA = {"topic": "camera", "type": "sensor_msgs/msg/Image", "shape": [4, 4, 3]}


def make(observation: dict, action: dict) -> RobotSpec:
    parsed = [
        tuple(parse_field(name, words, "cell.yaml") for name, words in fields.items())
        for fields in (observation, action)
    ]
    return RobotSpec("cell", "arms", 20.0, *parsed)


@pytest.mark.parametrize("told", [{"part": "left"}, {"joint_prefix": "left_"}])
def test_the_joints_of_the_other_arm_do_not_say_where_an_arm_is(told):
    other = {word: value.replace("left", "right") for word, value in told.items()}
    own, wrong = {**JOINTS, **told}, {**JOINTS, **other}
    assert unheld_actions(make({"joints": own}, {"told": {**COMMANDS, **told}})) == []
    [line] = unheld_actions(make({"joints": wrong}, {"told": {**COMMANDS, **told}}))
    prefix = told.get("joint_prefix", "")
    assert f"Observe {prefix}one, {prefix}two too (cell.yaml)" in line


def test_a_leader_whose_joints_have_the_followers_names_does_not_say_where_the_follower_is():
    leader = {**JOINTS, "topic": "leader/joint_states"}
    follower = {**JOINTS, "topic": "follower/joint_states"}
    told = {**COMMANDS, "topic": "follower/forward_position_controller/commands"}
    spec = make({"leader": leader, "follower": follower}, {"told": told})
    assert [field.name for field in measuring(spec.observation, spec.action[0])] == ["follower"]
    assert unheld_actions(spec) == []
    elsewhere = make({"leader": leader, "follower": follower}, {"told": COMMANDS})
    [line] = unheld_actions(elsewhere)
    assert "'leader' and 'follower' name alike" in line and "`part` or `joint_prefix`" in line


def test_a_position_that_nothing_keeps_from_a_jump_is_named():
    free = {word: value for word, value in COMMANDS.items() if word != "limits"}
    assert unramped_actions(make({"joints": JOINTS}, {"told": COMMANDS})) == []
    [line] = unramped_actions(make({"joints": JOINTS}, {"told": free}))
    assert "'told' is a position without a velocity limit" in line and "cell.yaml" in line
    assert unramped_actions(make({"joints": JOINTS}, {"told": {**free, "quantity": "velocity"}})) == []


@pytest.mark.parametrize(("stamp", "lines"), [("header", 0), ("required", 0), ("received", 1)])
def test_lock_step_needs_stamps_however_strictly_they_are_asked_for(stamp, lines):
    spec = make({"joints": {**JOINTS, "stamp": stamp}}, {"told": COMMANDS})
    assert len(unstamped_fields(spec.observation)) == lines


def test_a_start_is_compared_by_its_numbers_not_by_its_pixels():
    spec = make({"joints": JOINTS, "camera": CAMERA}, {"told": COMMANDS})
    values = {"joints": np.array([0.0, 5.0]), "camera": np.zeros(300, np.uint8)}  # a JPEG is a row of bytes
    sample = Sample(0.0, values, {}, {}, ())
    ranges = {"joints": (np.zeros(2), np.ones(2)), "camera": (np.ones((4, 4, 3)), np.ones((4, 4, 3)))}
    [line] = unlike_demonstrations(spec, sample, ranges)
    assert line.startswith("'joints' starts at 5.000 (two)")
    near = replace(sample, values={**values, "joints": np.array([0.0, 1.05])})
    assert unlike_demonstrations(spec, near, ranges) == []
