"""Robot specs: what is shipped loads, what is wrong is said in words, what travels comes back equal."""

from __future__ import annotations

import copy
import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_ros.errors import SpecError
from imitation_ros.paths import find_file, names_in, share_folder
from imitation_ros.robot.spec import RobotSpec, load_spec, spec_from_yaml

SETUPS = names_in("config/setups")


def changed(text: str, change: dict[str, object]) -> str:
    """Return a spec's YAML with some words changed, 'fields/joints/unit': value; ... takes a word away."""
    data = yaml.safe_load(text)
    for word, value in change.items():
        *path, last = word.split("/")
        inner = data
        for part in path:
            inner = inner[part]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return yaml.safe_dump(data, sort_keys=False)


def test_the_package_ships_setups():
    assert {"panda_reach", "panda_pick_place"} <= set(SETUPS)


@pytest.mark.parametrize("name", SETUPS)
def test_every_setup_loads(name):
    spec = load_spec(name)
    assert spec.name == name
    assert spec.observation and spec.action


@pytest.mark.parametrize("name", SETUPS)
def test_every_setup_comes_back_equal_from_the_yaml_that_travels_with_the_data(name):
    spec = load_spec(name)
    assert spec_from_yaml(spec.to_yaml(), "a recording") == spec


def test_a_setup_changes_and_adds_fields_of_its_robot(tmp_path, tiny_yaml):
    robot = yaml.safe_load(tiny_yaml)
    for word in ("setup", "task", "observation", "action"):
        del robot[word]
    (tmp_path / "arm.yaml").write_text(yaml.safe_dump(robot))
    setup = tmp_path / "polish.yaml"
    setup.write_text(
        "robot: arm.yaml\nobservation: [joints, force]\naction: [velocity]\nfields:\n"
        "  joints: {max_age_s: 0.5}\n"
        "  velocity: {executed_topic: null}\n"
        "  force: {topic: force, type: std_msgs/msg/Float64, unit: N}\n"
    )
    spec = load_spec(setup)
    assert (spec.name, spec.robot) == ("polish", "tiny")
    assert [field.name for field in spec.observation] == ["joints", "force"]
    assert (spec.field("joints").max_age_s, spec.field("joints").unit) == (0.5, "rad")
    assert spec.field("velocity").executed_topic is None, "null takes a word of the robot's back"
    assert spec.field("joints").file.endswith("polish.yaml")
    assert spec.field("velocity").file.endswith("polish.yaml")


MEANING = [
    ({"rate_hz": 10}, "rate_hz: 20.0 != 10.0"),
    ({"observation": ["tool", "joints"]}, "observation: ['joints', 'tool'] != ['tool', 'joints']"),
    ({"fields/joints/names": ["elbow", "shoulder"]}, "joints.names"),
    ({"fields/joints/quantity": "velocity"}, "joints.quantity: position != velocity"),
    ({"fields/joints/unit": "deg"}, "joints.unit: rad != deg"),
    ({"fields/tool/frame": "world"}, "tool.frame: base != world"),
    ({"fields/tool/rotation": "rotvec"}, "tool.rotation: rotation_6d != rotvec"),
    ({"fields/gripper/kind": "continuous"}, "gripper.kind: binary != continuous"),
    ({"fields/velocity/scale_low": -1.0}, "velocity.scale_low"),
    ({"fields/velocity/scale_high": 1.0}, "velocity.scale_high"),
    ({"fields/velocity/relative": True}, "velocity.relative: False != True"),
]


@pytest.mark.parametrize(("change", "line"), MEANING, ids=[line.split(":")[0] for _, line in MEANING])
def test_a_difference_in_meaning_is_listed(tiny_yaml, spec, change, line):
    other = spec_from_yaml(changed(tiny_yaml, change), "other.yaml")
    assert any(line in difference for difference in spec.differences(other)), spec.differences(other)
    assert other.differences(spec)


@pytest.mark.parametrize(
    "change",
    [
        {"fields/joints/topic": "arm/joint_states"},
        {"fields/joints/max_age_s": 1.0},
        {"fields/joints/stamp": "received"},
        {"fields/velocity/timeout_s": 1.0},
        {"fields/velocity/limits": {"velocity": 0.1}},
        {"fields/velocity/executed_topic": ...},
        {"fields/velocity/downstream_timeout_s": ...},
        {"wait_s": 0.0},
        {"setup": "other", "robot": "other", "task": "other", "scene": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_wiring_and_limits_are_not_meaning(tiny_yaml, spec, change):
    other = spec_from_yaml(changed(tiny_yaml, change), "other.yaml")
    assert other != spec
    assert spec.differences(other) == []


def test_a_field_that_only_one_has_is_a_difference_of_one_line(tiny_yaml, spec):
    other = spec_from_yaml(changed(tiny_yaml, {"observation": ["joints"]}), "other.yaml")
    assert spec.differences(other) == ["only in the first: tool"]
    assert other.differences(spec) == ["only in the second: tool"]


def test_the_order_of_fields_is_a_difference(tiny_yaml, spec):
    other = spec_from_yaml(changed(tiny_yaml, {"observation": ["tool", "joints"]}), "other.yaml")
    assert spec.differences(other) == ["observation: ['joints', 'tool'] != ['tool', 'joints']"]


def test_what_one_does_not_say_is_no_blank_in_a_difference(tiny_yaml, spec):
    other = spec_from_yaml(changed(tiny_yaml, {"fields/joints/unit": ""}), "other.yaml")
    assert spec.differences(other) == ["joints.unit: rad != ''"]


def test_a_robot_file_in_the_place_of_a_setup_is_called_that():
    with pytest.raises(SpecError, match=r"panda\.yaml is a robot file: .*Give a setup of it: .*`robot: panda\.yaml`"):
        load_spec(share_folder() / "config/robots/panda.yaml")


def test_a_field_that_is_not_there_is_answered_with_those_that_are(spec):
    with pytest.raises(SpecError, match=r"no field 'joint'\. Did you mean 'joints'\? It has joints, tool"):
        spec.field("joint")


BAD = [
    # what is changed, and which words the error has beside the file's name
    ({"fields/joints/type": "sensor_msgs/msg/JointStates"}, ["'joints'", "JointStates", "Did you mean", "JointState'"]),
    ({"fields/joints/type": ["a"]}, ["'joints'", "type ['a']", "Known:"]),
    ({"fields/joints/type": ...}, ["'joints'", "no `type`"]),
    ({"fields/joints/topic": ...}, ["'joints'", "no `topic`", "joint_states"]),
    ({"fields/joints/topic": None}, ["'joints'", "no `topic`"]),
    ({"fields/joints/topic": ""}, ["'joints'", "topic is empty"]),
    ({"fields/joints/topic": "/joint_states"}, ["'joints'", "'/joint_states'", "leading /"]),
    ({"fields/velocity/executed_topic": "/told"}, ["'velocity'", "executed_topic", "leading /"]),
    ({"fields/joints/topic": 3}, ["'joints'", "topic is 3", "text"]),
    ({"fields/joints/units": "rad"}, ["'joints'", "'units' is unknown", "Did you mean 'unit'?", "Allowed:"]),
    ({"fields/joints/names": ...}, ["'joints'", "needs `names`"]),
    ({"fields/joints/names": ["elbow", "elbow"]}, ["'joints'", "'elbow' twice"]),
    ({"fields/joints/names": "elbow"}, ["'joints'", "names is 'elbow'", "list of texts"]),
    ({"fields/joints/names": [1, 2]}, ["'joints'", "[1, 2]", "list of texts"]),
    ({"fields/joints/names": []}, ["'joints'", "names is []"]),
    ({"fields/velocity/names": ["linear.x", "linear.w"]}, ["'velocity'", "'linear.w'", "linear.z"]),
    ({"fields/tool/names": ["x"]}, ["'tool'", "whole", "leave out `names`"]),
    ({"fields/joints/quantity": "speed"}, ["'joints'", "quantity is 'speed'", "position, velocity, effort"]),
    ({"fields/joints/kind": ["binary"]}, ["'joints'", "kind is ['binary']", "continuous, binary"]),
    ({"fields/velocity/reduce": "max"}, ["'velocity'", "reduce is 'max'", "last, mean"]),
    ({"fields/velocity/when_silent": True}, ["'velocity'", "when_silent is True", "hold, zero"]),
    ({"fields/tool/rotation": "euler"}, ["'tool'", "'euler'", "rotation_6d, rotvec"]),
    ({"fields/velocity/rotation": "rotvec"}, ["'velocity'", "'rotvec'", "holds no orientation"]),
    ({"fields/joints/stamp": 1}, ["'joints'", "stamp is 1", "header, received"]),
    ({"fields/joints/relative": "yes"}, ["'joints'", "relative is 'yes'", "true, false"]),
    ({"fields/joints/max_age_s": "fast"}, ["'joints'", "max_age_s is 'fast'", "above 0"]),
    ({"fields/joints/max_age_s": 0}, ["'joints'", "max_age_s is 0", "above 0"]),
    ({"fields/joints/max_age_s": float("nan")}, ["'joints'", "max_age_s is nan"]),
    ({"fields/velocity/timeout_s": True}, ["'velocity'", "timeout_s is True"]),
    ({"fields/velocity/timeout_s": 10**400}, ["'velocity'", "timeout_s is 1000"]),
    ({"fields/velocity/downstream_timeout_s": -1}, ["'velocity'", "downstream_timeout_s is -1"]),
    ({"fields/velocity/scale_low": ...}, ["'velocity'", "one end of its scale"]),
    (
        {"fields/velocity/scale_low": ..., "fields/velocity/scale_high": ...},
        ["'velocity' has no scale", "scale_low and scale_high"],
    ),
    ({"fields/velocity/scale_low": [-1, -1, -1]}, ["'velocity'", "scale_low holds 3", "the field has 2"]),
    ({"fields/velocity/scale_low": 0.5}, ["'velocity'", "scale_low is 0.5", "'linear.x'", "below scale_high, 0.5"]),
    ({"fields/velocity/scale_low": ["low", 0]}, ["'velocity'", "scale_low is ['low', 0]", "2 finite"]),
    ({"fields/velocity/scale_low": float("nan")}, ["'velocity'", "scale_low is nan", "finite"]),
    ({"fields/velocity/scale_high": float("inf")}, ["'velocity'", "scale_high is inf", "finite"]),
    ({"fields/velocity/scale_high": 10**400}, ["'velocity'", "scale_high", "finite"]),
    ({"fields/velocity/scale_high": [[1], 1]}, ["'velocity'", "scale_high", "finite"]),
    ({"fields/velocity/limits": 3}, ["'velocity'", "limits is 3", "velocity: 0.5"]),
    ({"fields/velocity/limits": {"speed": 1}}, ["'velocity'", "'speed' is unknown", "Allowed: acceleration"]),
    ({"fields/velocity/limits": {"velocity": 0}}, ["'velocity'", "velocity is 0", "above 0"]),
    (
        {"fields/gripper/limits": {"position_low": 1, "position_high": 0}},
        ["'gripper'", "position_low is 1", "below position_high"],
    ),
    ({"fields/velocity/kind": "binary"}, ["'velocity'", "binary", "2 numbers"]),
    ({"fields/joints": None}, ["'joints'", "None", "`topic:`"]),
    ({"fields/joints": ["topic"]}, ["'joints'", "['topic']", "`topic:`"]),
    ({"fields": [1]}, ["fields holds [1]"]),
    ({"fields/a b": {}}, ["'a b'", "letters, digits"]),
    ({"fields": {True: {"topic": "a", "type": "std_msgs/msg/Bool"}}}, ["True", "letters, digits"]),
    ({"observation": ["joints", "tol"]}, ["observation", "'tol'", "Did you mean 'tool'?", "Fields:"]),
    ({"observation": ["joints", "joints"]}, ["observation", "'joints' twice"]),
    ({"observation": ["joints", "gripper"]}, ["'gripper' is both observation and action"]),
    ({"observation": [["joints"]]}, ["observation", "['joints']"]),
    ({"observation": []}, ["observation is []", "list of fields"]),
    ({"observation": "joints"}, ["observation is 'joints'", "list of fields"]),
    ({"action": ...}, ["action is None", "list of fields"]),
    ({"fields/gripper/topic": "servo/twist"}, ["two actions", "'servo/twist'"]),
    ({"fields/tool/topic": "joint_states"}, ["'joint_states'", "JointState and", "one type"]),
    ({"rate_hz": ...}, ["rate_hz is None", "at least 0.1"]),
    ({"rate_hz": "fast"}, ["rate_hz is 'fast'", "at least 0.1"]),
    ({"rate_hz": 0}, ["rate_hz is 0", "at least 0.1"]),
    ({"rate_hz": True}, ["rate_hz is True"]),
    ({"rate_hz": float("nan")}, ["rate_hz is nan"]),
    ({"rate_hz": 10**400}, ["rate_hz is 1000"]),
    ({"wait_s": -1}, ["wait_s is -1", "at least 0"]),
    ({"rate": 20}, ["'rate' is unknown", "Did you mean 'rate_hz'?"]),
    ({"setup": 5}, ["setup is 5", "text"]),
    ({"task": ["reach"]}, ["task is ['reach']", "text"]),
]


@pytest.mark.parametrize(("change", "words"), BAD, ids=[f"{next(iter(c))}: {w[-1]}" for c, w in BAD])
def test_what_is_wrong_in_a_spec_is_said_with_file_field_and_value(tiny_yaml, change, words):
    with pytest.raises(SpecError) as caught:
        spec_from_yaml(changed(tiny_yaml, change), "cell.yaml")
    for word in ["cell.yaml", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("robot: a\nrate_hz: 1\nrobot: b\n", ["line 3", "'robot' stands there twice"]),
        ("fields:\n  arm: {topic: a, topic: b}\n", ["line 2", "'topic' stands there twice"]),
        ("- robot\n- rate_hz\n", ["holds list", "name: value"]),
        ("", ["holds NoneType"]),
        ("robot: [", ["not valid YAML"]),
        ("robot: \x01", ["not valid YAML"]),
        ("rate_hz: 2001-99-99", ["not valid YAML", "month"]),
        ("rate_hz: !!bool maybe", ["not valid YAML"]),
        ("rate_hz: !!timestamp soon", ["not valid YAML"]),
        ("rate_hz: !!python/object/apply:os.getcwd []", ["not valid YAML"]),
        ("? [a, b]\n: c", ["not valid YAML"]),
        ("fields: " + "[" * 5000, ["not valid YAML"]),
        ("5: robot", ["5 is unknown", "Allowed:"]),
        ("observation: &a [*a]", ["observation"]),
    ],
)
def test_odd_yaml_is_refused_by_name(text, words):
    with pytest.raises(SpecError) as caught:
        spec_from_yaml(text, "odd.yaml")
    for word in ["odd.yaml", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"observation: [a]\naction: [b]\n", ["has no `robot`", "config/robots"]),
        (b"robot:\n", ["has no `robot`"]),
        (b"robot: [panda]\n", ["robot is ['panda']"]),
        (b"robot: pandda\n", ["'pandda' is not in config/robots", "Did you mean 'panda'?"]),
        (b"robot: there/arm.yaml\n", ["there/arm.yaml does not exist"]),
        (b"robot: ~nobody_of_that_name/arm\n", ["~nobody_of_that_name/arm does not exist"]),
        (b'robot: "a\\0b"\n', ["not in config/robots"]),
        (b"robot: " + b"a" * 5000, ["not in config/robots"]),
        (b"\xff\xfe\x00robot", ["not a text file"]),
        (
            b"robot: panda\nobservations: [joint_position]\n",
            ["'observations' is unknown", "Did you mean 'observation'?"],
        ),
    ],
)
def test_what_is_wrong_in_a_setup_file_is_said_with_its_path(tmp_path, content, words):
    file = tmp_path / "setup.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    for word in words:
        assert word in str(caught.value)


def test_a_robot_file_is_named_where_the_mistake_is_there(tmp_path):
    (tmp_path / "arm.yaml").write_text("robot: arm\nobservation: [a]\n")
    (tmp_path / "setup.yaml").write_text("robot: arm.yaml\n")
    with pytest.raises(SpecError, match=r"arm\.yaml: 'observation' is unknown"):
        load_spec(tmp_path / "setup.yaml")


def test_a_setup_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(SpecError, match=r"'panda_reech' is not in config/setups: .*Did you mean 'panda_reach'\?"):
        load_spec("panda_reech")
    with pytest.raises(SpecError, match=r"nowhere/setup.yaml does not exist.*panda_reach"):
        find_file("config/setups", "nowhere/setup.yaml")


ODD = st.recursive(
    st.sampled_from([None, True, False, 0, -1, 10**400, 0.5, float("nan"), float("inf"), "", "/", "position", "joints"])
    | st.text(max_size=3)
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=2),
    max_leaves=4,
)


def places(data: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the path of everything in nested mappings and lists."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for word, value in inner for place in places(value, (*path, word)))]


@settings(max_examples=300)
@given(data=st.data())
def test_a_spec_with_anything_odd_in_it_loads_or_is_a_spec_error(tiny_yaml, data):
    mapping = yaml.safe_load(tiny_yaml)
    for _ in range(data.draw(st.integers(1, 2))):
        *path, last = data.draw(st.sampled_from(places(mapping)[1:]))
        inner = mapping
        for part in path:
            inner = inner[part]
        odd = data.draw(ODD)
        match data.draw(st.sampled_from(["replace", "remove", "rename", "add"])):
            case "replace":
                inner[last] = odd
            case "remove":
                del inner[last]
            case "rename" if isinstance(inner, dict) and not isinstance(odd, list | dict):
                inner[odd] = inner.pop(last)
            case _:
                inner[last] = [copy.deepcopy(inner[last]), odd]
    loads_or_says_why(yaml.safe_dump(mapping, sort_keys=False))


@settings(max_examples=200)
@given(
    at=st.floats(0, 1),
    cut=st.integers(0, 12),
    put=st.text(string.printable + "&*!|>%@`é\x00\x85\ud800", max_size=4),
)
def test_a_spec_with_damaged_text_loads_or_is_a_spec_error(tiny_yaml, at, cut, put):
    start = int(at * len(tiny_yaml))
    loads_or_says_why(tiny_yaml[:start] + put + tiny_yaml[start + cut :])


def loads_or_says_why(text: str) -> None:
    try:
        spec = spec_from_yaml(text, "odd.yaml")
    except SpecError as error:
        assert "odd.yaml" in str(error)
        return
    assert isinstance(spec, RobotSpec)
    assert spec_from_yaml(spec.to_yaml(), "again.yaml") == spec


@pytest.mark.parametrize("word", ["topic", "executed_topic"])
@pytest.mark.parametrize(
    "topic", ["joint states", "7dof/joints", "arm/7dof", "arm//joints", "arm/", "joints?", "~/j", "ö"]
)
def test_a_topic_that_ros_would_refuse_is_named(tiny_yaml, word, topic):
    with pytest.raises(SpecError, match=rf"{word} is .* letters, digits and _") as caught:
        spec_from_yaml(changed(tiny_yaml, {f"fields/velocity/{word}": topic}), "tiny.yaml")
    assert repr(topic) in str(caught.value)


def test_topics_may_be_nested_and_hold_digits(tiny_yaml):
    text = changed(tiny_yaml, {"fields/velocity/topic": "arm_2/servo/_twist7"})
    assert spec_from_yaml(text, "tiny.yaml").field("velocity").topic == "arm_2/servo/_twist7"


def test_a_setup_without_a_robot_may_say_everything_itself(tmp_path):
    path = tmp_path / "gantry.yaml"
    path.write_text(
        "rate_hz: 10\nobservation: [place]\naction: [speed]\nfields:\n"
        "  place: {topic: place, type: std_msgs/msg/Float64}\n"
        "  speed: {topic: speed, type: std_msgs/msg/Float64, scale_low: -1.0, scale_high: 1.0}\n"
    )
    spec = load_spec(path)
    assert (spec.name, spec.robot, spec.rate_hz) == ("gantry", "gantry", 10.0)
