"""A drafted robot file: right where messages say it, marked where a person must, and good to record with at once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("rosbags")

from bag_writer import header, image, joint_state, make, number, twist, write_bag

from imitation_ros.console import console
from imitation_ros.drafting.fields import draft_robot
from imitation_ros.drafting.files import flow, new_robot, robot_yaml, setup_yaml
from imitation_ros.drafting.probe import facts_of_bag, probe, relative
from imitation_ros.drafting.words import complete, rounded_up
from imitation_ros.errors import DataError, SpecError
from imitation_ros.recording import Recorder
from imitation_ros.robot.messages import header_stamp_s, read
from imitation_ros.robot.spec import load_spec
from imitation_ros.robot.strict_yaml import parse_yaml
from imitation_ros.topic_facts import Endpoint, GraphFacts, TopicFacts

START_S = 1.7e9
ARM = [f"joint{number}" for number in range(1, 7)]
STATE, TWIST, IMAGE = "sensor_msgs/msg/JointState", "geometry_msgs/msg/TwistStamped", "sensor_msgs/msg/Image"
NUMBER, MODE = "std_msgs/msg/Float64", "vendor_msgs/msg/ArmMode"


def seconds(count: int, stamped: bool = True, late_s: float = 0.004, prefix: str = ""):
    """Yield two seconds (at 50 Hz) of a teleoperated arm: (topic, type, message, log time)."""
    for index in range(count):
        log_s = START_S + 0.02 * index
        stamp_s = log_s - late_s if stamped else 0.0
        wave = float(np.sin(0.1 * index))
        state = joint_state(stamp_s, ARM, [wave] * 6, (0.1 * wave,) * 6)
        yield f"{prefix}/joint_states", STATE, state, log_s
        yield f"{prefix}/servo_node/delta_twist_cmds", TWIST, twist(stamp_s, (0.2 * wave, 0.0, 0.1)), log_s + 0.001
        yield f"{prefix}/gripper/command", NUMBER, number(0.08 if wave > 0 else 0.0), log_s + 0.002
        if index % 2 == 0:
            yield f"{prefix}/wrist/image_raw", IMAGE, image(stamp_s, 48, 64), log_s + 0.003
        if index % 50 == 0:
            yield f"{prefix}/arm/mode", MODE, make(MODE, mode="teach", code=index), log_s + 0.004


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp("bags") / "teleop", seconds(100))


@pytest.fixture
def drafted(bag, tmp_path, capsys):
    """The files, and what was said on the screen."""
    new_robot("my_arm", tmp_path / "arm.yaml", facts_of_bag(bag))
    return tmp_path / "arm.yaml", tmp_path / "arm_setup.yaml", capsys.readouterr().out


def graph_of(items, namespace="", **subscribed):
    """Facts of messages as they are, without a bag."""
    graph = GraphFacts("a test")
    for topic, kind, message, log_s in items:
        if topic not in graph.topics:
            graph.topics[topic] = TopicFacts(topic, kind, probe(relative(topic, namespace), kind))
            graph.topics[topic].publishers = [Endpoint("driver", kind)]
        graph.add(topic, message, log_s, log_s)
    for topic, kind in subscribed.items():
        graph.topics[f"/{topic}"] = TopicFacts(f"/{topic}", kind, probe(topic, kind))
        graph.topics[f"/{topic}"].subscribers = [Endpoint("driver", kind)]
    return graph


def draft_of(graph, namespace=""):
    draft = draft_robot("my_arm", graph, namespace)
    complete(draft)
    return draft


def test_a_draft_loads_as_it_is_and_says_what_was_seen(drafted):
    robot, setup, _ = drafted
    spec = load_spec(setup)
    assert [field.name for field in spec.observation] == ["joint_position", "wrist_image"]
    assert [field.name for field in spec.action] == ["gripper_command", "servo_node_delta_twist_cmds"]
    joints, camera = spec.observation
    assert (joints.topic, joints.quantity, joints.unit, list(joints.names)) == ("joint_states", "position", "rad", ARM)
    assert camera.shape == (48, 64, 3)
    assert joints.max_age_s == pytest.approx(0.06) and camera.max_age_s == pytest.approx(0.12)
    assert "measured: 50 Hz" in robot.read_text() and "joint1 -1..1" in robot.read_text()
    assert "vendor_msgs/msg/ArmMode" in robot.read_text()


def test_commands_get_a_scale_around_what_was_commanded_and_the_axes_that_moved(drafted):
    _, setup, _ = drafted
    gripper, velocity = load_spec(setup).action
    assert velocity.names == ("linear.x", "linear.z")
    assert (velocity.frame, velocity.unit, velocity.reduce, velocity.when_silent) == (
        "base_link",
        "m/s",
        "mean",
        "zero",
    )
    np.testing.assert_allclose(velocity.scale_high, [0.22, 0.12], atol=0.011)
    assert velocity.limits.velocity == velocity.scale_high
    assert (gripper.kind, gripper.scale_low, gripper.scale_high) == ("binary", (0.0,), (0.08,))


def test_no_policy_may_drive_a_draft_before_a_person_has_said_who_stops_the_robot(drafted):
    from imitation_ros.readiness import unstoppable_actions

    assert len(unstoppable_actions(load_spec(drafted[1]))) == 1
    text = drafted[0].read_text().replace("# downstream_timeout_s: 0.1  ", "downstream_timeout_s: 0.1  ")
    drafted[0].write_text(text)
    assert unstoppable_actions(load_spec(drafted[1])) == []


def test_what_a_person_must_decide_is_marked_in_the_file_and_listed_on_the_screen(drafted, bag):
    robot, _, screen = drafted
    marked = [line for line in robot.read_text().splitlines() if "# TODO" in line]
    listed = screen.split("To decide")[1]
    for word in ("scale_low", "limits", "downstream_timeout_s", "unit"):
        assert word in listed
        assert any(word in line for line in marked) or f"{word}:" in robot.read_text()
    draft = draft_of(facts_of_bag(bag))
    assert len(marked) == sum(len(item.todos) for item in draft.fields)


def test_a_draft_records_within_the_hour(drafted, tmp_path):
    """The drafted setup, unchanged, turns the very messages into an episode."""
    spec = load_spec(drafted[1])
    recorder = Recorder(spec, tmp_path / "demos")
    by_topic = {}
    for field in spec.fields:
        by_topic.setdefault(f"/{field.topic}", []).append(field)
    for index, (topic, _, message, log_s) in enumerate(seconds(150)):
        for field in by_topic.get(topic, ()):
            recorder.put(field.name, read(message, field), header_stamp_s(message), log_s)
        recorder.close_ticks(log_s)
        if index == 20:
            recorder.start(log_s)
    path = recorder.stop(START_S + 3.0)
    from imitation_ros.data.load import load_episodes

    (episode,) = load_episodes(path)
    assert episode.steps > 20
    assert np.abs(episode.observations["joint_position"]).max() <= 1.0


def test_nothing_is_ever_overwritten(drafted, bag):
    robot, _, _ = drafted
    before = robot.read_text()
    with pytest.raises(SpecError, match="is not overwritten"):
        new_robot("other", robot, facts_of_bag(bag))
    robot.unlink()
    with pytest.raises(SpecError, match=r"arm_setup\.yaml exists"):
        new_robot("other", robot, facts_of_bag(bag))
    assert not robot.exists() and "my_arm" in before


@pytest.mark.parametrize(
    ("name", "output", "words"),
    [("my arm", "arm.yaml", "letters, digits and _"), ("arm", "arm.txt", "should end in .yaml")],
)
def test_a_name_that_cannot_be_one_is_refused_before_anything_is_written(name, output, words, bag, tmp_path):
    with pytest.raises(SpecError, match=words):
        new_robot(name, tmp_path / output, facts_of_bag(bag))
    assert list(tmp_path.iterdir()) == []


def test_empty_stamps_make_arrival_count_and_are_said():
    draft = draft_of(graph_of(seconds(20, stamped=False)))
    joints = next(item for item in draft.fields if item.name == "joint_position")
    assert joints.words["stamp"] == "received"
    assert "stamp: received  # its stamps are empty" in robot_yaml(draft)


@pytest.mark.parametrize(("late_s", "words"), [(-0.5, "its clock is 0.50 s ahead"), (100.0, "stamps are 100 s old")])
def test_another_clock_is_a_todo(late_s, words):
    draft = draft_of(graph_of(seconds(20, late_s=late_s)))
    joints = next(item for item in draft.fields if item.name == "joint_position")
    assert joints.words["stamp"] == "received"
    assert words in joints.comments["stamp"] and joints.todos


def test_a_topic_that_somebody_waits_for_is_an_action_where_no_command_is_seen():
    state = [item for item in seconds(20) if item[1] == STATE]
    draft = draft_of(graph_of(state, target="geometry_msgs/msg/PoseStamped"))
    assert [item.name for item in draft.of("action")] == ["target"]
    draft = draft_of(graph_of(seconds(20), target="geometry_msgs/msg/PoseStamped"))
    assert [item.name for item in draft.of("candidate")] == ["target"]
    assert "target" not in parse_yaml(setup_yaml(draft, SimpleNamespace(name="arm.yaml")), "setup")["action"]


def test_the_only_joint_states_may_be_those_that_a_simulator_waits_for():
    (action,) = draft_of(graph_of([], joint_command=STATE)).of("action")
    assert action.name == "joint_position" and action.words["topic"] == "joint_command"
    assert any("names" in todo for todo in action.todos)


def test_an_unheard_joint_command_gets_the_joints_of_the_state_and_a_todo():
    state = [item for item in seconds(20) if item[1] == STATE]
    kind = "trajectory_msgs/msg/JointTrajectory"
    draft = draft_of(graph_of(state, **{"arm_controller/joint_trajectory": kind}))
    (action,) = draft.of("action")
    assert action.words["names"] == ARM
    assert any("names" in todo for todo in action.todos)


@pytest.mark.parametrize(
    ("controller", "quantity", "silent"),
    [("forward_position_controller", "position", "hold"), ("forward_velocity_controller", "velocity", "zero")],
)
def test_numbers_without_names_get_those_of_the_joints_and_what_their_topic_says(controller, quantity, silent):
    items = [item for item in seconds(20) if item[1] == STATE]
    kind = "std_msgs/msg/Float64MultiArray"
    layout = make("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
    for index in range(20):
        log_s = START_S + 0.02 * index
        items.append((f"/{controller}/commands", kind, make(kind, layout=layout, data=np.full(6, 0.1 * index)), log_s))
    (action,) = draft_of(graph_of(items)).of("action")
    assert (action.name, action.words["names"], action.words["quantity"]) == (controller, ARM, quantity)
    assert action.words["when_silent"] == silent
    assert 1.9 <= action.words["scale_high"][0] <= 2.2
    assert any("order" in todo for todo in action.todos)


def trajectories(*reaches_s):
    """Yield commands of an arm that say how long the motion to each takes."""
    for index, reach_s in enumerate(reaches_s):
        log_s = START_S + 0.02 * index
        after = SimpleNamespace(sec=int(reach_s), nanosec=round(1e9 * (reach_s % 1.0)))
        point = SimpleNamespace(positions=[0.1 * index] * 6, velocities=[], time_from_start=after)
        message = SimpleNamespace(header=header(log_s), joint_names=ARM, points=[point])
        yield "/arm_controller/joint_trajectory", "trajectory_msgs/msg/JointTrajectory", message, log_s


@pytest.mark.parametrize(
    ("reaches_s", "drafted_s", "todo"),
    [([0.5] * 5, 0.5, False), ([0.2, 0.4, 1.5], 0.4, True), ([0.0] * 5, 0.1, True), ([], 0.1, True)],
)
def test_a_policy_gets_the_time_to_reach_its_commands_that_was_seen(reaches_s, drafted_s, todo):
    kind = "trajectory_msgs/msg/JointTrajectory"
    unheard = {} if reaches_s else {"arm_controller/joint_trajectory": kind}
    (action,) = draft_of(graph_of(trajectories(*reaches_s), **unheard)).of("action")
    assert action.words["time_from_start_s"] == pytest.approx(drafted_s)
    assert any(text.startswith("time_from_start_s") for text in action.todos) is todo


def test_the_picture_that_our_simulator_shows_to_people_is_no_observation():
    slow = [(f"{at}/simulator/view", IMAGE, image(START_S + index, 4, 4), START_S + index) for at in ("", "/left")
            for index in range(5)]  # fmt: skip
    draft = draft_of(graph_of([*seconds(20), *slow]))
    assert [item.name for item in draft.of("observation")] == ["joint_position", "wrist_image"]
    assert draft.rate_hz == 20.0 and "/left/simulator/view" in dict(draft.left_out)


def test_the_rate_says_which_image_it_comes_from():
    slow = [("/top/image_raw", IMAGE, image(START_S + 0.1 * index, 4, 4), START_S + 0.1 * index) for index in range(9)]
    text = robot_yaml(draft_of(graph_of([*seconds(20), *slow])))
    assert "rate_hz: 10  # ticks of recording and policy: set by top_image, which comes at 10 Hz" in text
    assert "# ticks of recording and policy: what people teleoperate at" in robot_yaml(draft_of(graph_of(seconds(20))))


def test_a_draft_of_a_bag_says_that_its_roles_are_guessed(drafted):
    assert "# A bag does not say who listens" in drafted[1].read_text()
    assert "guessed" not in setup_yaml(draft_of(graph_of(seconds(20))), SimpleNamespace(name="arm.yaml"))


def test_the_names_on_the_screen_are_whole_on_a_narrow_terminal(monkeypatch, bag, tmp_path, capsys):
    monkeypatch.setattr(console, "_width", 80)
    new_robot("my_arm", tmp_path / "arm.yaml", facts_of_bag(bag))
    table = capsys.readouterr().out.split("To decide")[0].split()
    assert {"joint_position", "servo_node_delta_twist_cmds", "gripper_command", "wrist/image_raw"} <= set(table)


def test_without_any_action_the_draft_says_so_and_what_to_do(tmp_path, capsys):
    new_robot("arm", tmp_path / "arm.yaml", graph_of([item for item in seconds(20) if item[1] == STATE]))
    screen = capsys.readouterr().out
    assert "start teleoperation and draft again" in screen and "does not load yet" in screen


def test_topics_are_relative_to_the_namespace_and_what_lies_outside_is_left_out():
    graph = graph_of([*seconds(20, prefix="/left"), *seconds(20, prefix="/right")], namespace="left")
    draft = draft_of(graph, "left")
    assert {item.words["topic"] for item in draft.fields} >= {"joint_states", "gripper/command"}
    assert any(topic == "/right/joint_states" and "remap" in why for topic, why in draft.left_out)


def test_two_drivers_on_one_topic_become_a_field_each():
    items = [item for item in seconds(20) if item[1] == STATE]
    for index in range(20):
        log_s = START_S + 0.02 * index + 0.01
        items.append(("/joint_states", STATE, joint_state(log_s, ["left_finger", "right_finger"], [0.0, 0.1]), log_s))
    draft = draft_of(graph_of(items))
    assert {item.name: item.words["names"] for item in draft.of("observation")} == {
        "joint_position": ARM,
        "gripper_position": ["left_finger", "right_finger"],
    }


def test_an_image_that_is_no_picture_is_left_out_with_why():
    depth = image(START_S, 4, 4)
    depth.encoding = "16UC1"
    draft = draft_of(graph_of([("/depth", IMAGE, depth, START_S)]))
    assert "16UC1" in dict(draft.left_out)["/depth"]


def test_a_topic_that_is_published_as_two_types_is_left_out_with_both():
    graph = graph_of(seconds(20))
    facts = graph.topics["/servo_node/delta_twist_cmds"]
    facts.publishers = [Endpoint("a", TWIST), Endpoint("b", "geometry_msgs/msg/Twist")]
    assert "Twist and geometry_msgs/msg/TwistStamped" in dict(draft_of(graph).left_out)[facts.topic]


@pytest.mark.parametrize(
    ("frames", "frame", "todo"), [(("base", ""), "base", False), (("base", "tool"), "base", True), (("",), None, True)]
)
def test_the_frame_is_what_messages_name_and_a_todo_where_they_do_not_agree(frames, frame, todo):
    items = []
    for index in range(20):
        log_s, name = START_S + 0.02 * index, frames[index % len(frames)]
        items.append(("/cmd_vel", TWIST, twist(log_s, (0.1, 0.0, 0.0), name), log_s))
    (item,) = draft_of(graph_of(items)).of("action")
    assert item.words.get("frame") == frame
    assert any(text.startswith("frame") for text in item.todos) is todo


def test_what_tf_knows_is_offered_as_a_comment():
    transform = make(
        "geometry_msgs/msg/TransformStamped",
        header=header(START_S, "base_link"),
        child_frame_id="tool0",
        transform=make(
            "geometry_msgs/msg/Transform",
            translation=make("geometry_msgs/msg/Vector3", x=0.1, y=0.0, z=0.0),
            rotation=make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
        ),
    )
    tf = make("tf2_msgs/msg/TFMessage", transforms=[transform])
    text = robot_yaml(draft_of(graph_of([*seconds(20), ("/tf", "tf2_msgs/msg/TFMessage", tf, START_S)])))
    assert "# tool_pose: {type: tf, parent: base_link, child: tool0" in text


def test_in_a_bag_of_a_simulator_stamps_are_held_against_its_clock(tmp_path):
    items = []
    for index in range(20):
        log_s, sim_s = START_S + 0.02 * index, 5.0 + 0.02 * index
        clock = make("rosgraph_msgs/msg/Clock", clock=header(sim_s).stamp)
        items.append(("/clock", "rosgraph_msgs/msg/Clock", clock, log_s))
        items.append(("/joint_states", STATE, joint_state(sim_s, ARM, [0.1] * 6), log_s + 0.001))
    draft = draft_of(facts_of_bag(write_bag(tmp_path / "bag", items)))
    (joints,) = draft.fields
    assert "stamp" not in joints.words and not joints.todos


def test_a_bag_without_anything_we_know_is_refused(tmp_path):
    bag = write_bag(tmp_path / "bag", [item for item in seconds(60) if item[1] == MODE])
    with pytest.raises(DataError, match="no message of a type that we know: vendor_msgs/msg/ArmMode"):
        facts_of_bag(bag)


@given(names=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5, unique=True))
def test_joints_may_be_called_anything_that_yaml_would_read_as_something_else(names):
    items = [
        ("/joint_states", STATE, joint_state(START_S + 0.02 * index, names, [0.1] * len(names)), START_S + 0.02 * index)
        for index in range(5)
    ]
    draft = draft_of(graph_of(items))
    fields = parse_yaml(robot_yaml(draft), "draft")["fields"]
    (field,) = [fields[item.name] for item in draft.of("observation")]
    assert field["names"] == names


@given(
    st.one_of(st.text(), st.sampled_from(["on", "1", "1e3", "null", "~", "a: b", "[x]", "", " ", "0x1", "2001-01-01"]))
)
def test_a_text_on_one_line_is_read_back_as_it_was(text):
    assert parse_yaml(f"word: {flow(text)}", "test")["word"] == text


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(-9e-10)
@example(1e20)
def test_a_number_on_one_line_is_read_back_as_a_number(value):
    """YAML 1.1 takes 1e-09 for a text; it wants a point."""
    read_back = parse_yaml(f"word: {flow([value])}", "test")["word"][0]
    assert not isinstance(read_back, str) and read_back == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("topic", ["/on", "/null", "/yes/no"])
def test_a_topic_that_yaml_would_read_as_something_else_is_a_field_all_the_same(topic):
    items = [(topic, NUMBER, number(0.1 * index), START_S + 0.02 * index) for index in range(5)]
    draft = draft_of(graph_of(items))
    fields = parse_yaml(robot_yaml(draft), "draft")["fields"]
    assert [item.name for item in draft.fields] == list(fields) and all(isinstance(name, str) for name in fields)


@given(st.floats(1e-6, 1e6))
def test_rounding_up_never_lowers_and_adds_less_than_a_tenth(value):
    assert value <= rounded_up(value) * (1 + 1e-4)
    assert rounded_up(value) <= 1.1 * value
