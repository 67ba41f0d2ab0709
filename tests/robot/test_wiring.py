"""The same policy on another robot of the same meaning: its wires, the tighter limits, and what differs in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import spec_from_yaml
from imitation_ros.robot.wiring import WIRING, rewired, wiring_differences, with_prefix


def changed(text: str, name: str = "cell", **fields: dict[str, object]):
    data = yaml.safe_load(text)
    data["setup"], data["robot"] = name, f"{name}_robot"
    for field, words in fields.items():
        data["fields"][field].update(words)
    return spec_from_yaml(yaml.safe_dump(data), f"{name}.yaml")


def test_a_policy_takes_over_a_setups_wires_and_times(tiny_yaml, spec):
    setup = changed(
        tiny_yaml,
        joints={"topic": "left/joint_states", "joint_prefix": "left_", "max_age_s": 0.3, "stamp": "received"},
        tool={"topic": "left/tool", "frame_prefix": "left_", "type": "geometry_msgs/msg/PoseStamped"},
        velocity={"topic": "left/twist", "executed_topic": None, "downstream_timeout_s": 0.4},
    )
    mine = rewired(spec, replace(setup, wait_s=0.01))
    joints, velocity = mine.field("joints"), mine.field("velocity")
    assert (joints.topic, joints.joint_names[0], joints.max_age_s) == ("left/joint_states", "left_shoulder", 0.3)
    assert (joints.stamp, mine.field("tool").frame_id) == ("received", "left_base")
    assert (velocity.topic, velocity.executed_topic, velocity.downstream_timeout_s) == ("left/twist", None, 0.4)
    assert joints.file == "cell.yaml", "errors name the file that can be mended"
    assert (mine.name, mine.task, mine.robot, mine.wait_s) == ("tiny_wipe", "wipe", "cell_robot", 0.01)
    assert mine.differences(spec) == [] and wiring_differences(mine, replace(setup, wait_s=0.01)) == []


def test_rewiring_with_itself_changes_nothing(spec):
    assert rewired(spec, spec) == spec


@pytest.mark.parametrize(
    ("field", "words", "line"),
    [
        ("joints", {"names": ["elbow", "shoulder"]}, "joints.names: ('shoulder', 'elbow') != ('elbow', 'shoulder')"),
        ("tool", {"frame": "world"}, "tool.frame: base != world"),
        ("velocity", {"scale_high": [1.0, 1.0]}, "velocity.scale_high"),
    ],
)
def test_another_meaning_is_refused_with_the_differing_lines(tiny_yaml, spec, field, words, line):
    with pytest.raises(SpecError, match="cell means something else than the policy of tiny_wipe") as caught:
        rewired(spec, changed(tiny_yaml, **{field: words}))
    assert line in str(caught.value)


def test_limits_are_the_tighter_of_both(tiny_yaml, spec):
    setup = changed(tiny_yaml, velocity={"limits": {"velocity": [0.2, 0.9], "position_low": -1.0}})
    limits = rewired(spec, setup).field("velocity").limits
    assert limits.velocity == (0.2, 0.5), "number by number"
    assert limits.acceleration == (2.0, 2.0), "a setup that says nothing loosens nothing"
    assert limits.position_low == (-1.0, -1.0)


@pytest.mark.parametrize("ends", [("position_low", -0.1, 0.1), ("position_high", 0.1, -0.1)])
def test_the_higher_lower_end_and_the_lower_higher_end_count(tiny_yaml, ends):
    word, wide, tight = ends
    one = changed(tiny_yaml, velocity={"limits": {word: wide}})
    other = changed(tiny_yaml, velocity={"limits": {word: tight}})
    for mine in (rewired(one, other), rewired(other, one)):
        assert getattr(mine.field("velocity").limits, word) == (tight, tight)


def test_limits_that_leave_nothing_are_refused(tiny_yaml):
    one = changed(tiny_yaml, velocity={"limits": {"position_low": 0.3}})
    other = changed(tiny_yaml, velocity={"limits": {"position_high": 0.2}})
    with pytest.raises(SpecError, match=r"'velocity'.*leave no position for linear\.x: 0\.3 to 0\.2.*cell\.yaml"):
        rewired(one, other)


def test_differences_in_wiring_are_listed_for_people(tiny_yaml, spec):
    setup = changed(tiny_yaml, joints={"topic": "joints", "joint_prefix": "left_"}, velocity={"executed_topic": None})
    assert wiring_differences(spec, replace(setup, wait_s=0.05)) == [
        "wait_s: 0.02 != 0.05",
        "joints.topic: joint_states != joints",
        "joints.joint_prefix: none != left_",
        "velocity.executed_topic: servo/executed != none",
    ]


def test_every_word_of_a_field_is_meaning_or_wiring_or_neither_for_a_reason(spec):
    neither = {"name", "limits", "file", "reduce", "when_silent", "storage", "jpeg_quality"}  # safety, and recording
    words = set(Field.__dataclass_fields__)
    meaning = set(spec.field("joints").meaning())
    assert meaning | set(WIRING) | neither == words
    assert not meaning & set(WIRING) and not neither & (meaning | set(WIRING))


def test_a_prefix_stands_before_joints_and_frames_of_all_fields(spec):
    left = with_prefix(spec, "left_")
    assert left.field("joints").joint_names == ("left_shoulder", "left_elbow")
    assert left.field("tool").frame_id == left.field("velocity").frame_id == "left_base"
    assert left.field("gripper") == spec.field("gripper"), "it names neither"
    assert with_prefix(left, "robot1_").field("joints").joint_names[0] == "robot1_left_shoulder"
    assert left.differences(spec) == [], "a prefix is no meaning"
    assert with_prefix(spec, "") == spec
    assert spec_from_yaml(left.to_yaml(), "a recording") == left
