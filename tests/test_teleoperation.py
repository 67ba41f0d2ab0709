"""A person's keys, axes and buttons become commands: within the scale, and none where nobody asks for one."""

from __future__ import annotations

import math
import os
import signal
import sys
import time

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pseudo_terminal import PseudoTerminal

from imitation_ros.errors import DeploymentError, MessageError, SpecError
from imitation_ros.paths import share_folder
from imitation_ros.robot.spec import load_spec, spec_from_yaml
from imitation_ros.teleoperation.commands import CHOSEN_JOINT, HAND_EVENTS, SPEEDS, Commands
from imitation_ros.teleoperation.joystick import STALE_S, Axis, Joystick, load_layout
from imitation_ros.teleoperation.keyboard import (
    FIRST_REPEAT_S,
    GENTLE,
    PAUSE_S,
    REPEAT_S,
    Keyboard,
    help_lines,
    split_keys,
)
from imitation_ros.teleoperation.terminal import Terminal

ARM = """
setup: arm
robot: arm
rate_hz: 20
observation: [joints]
action: [{action}]
fields:
  joints: {{topic: joint_states, type: sensor_msgs/msg/JointState, names: [shoulder, elbow], unit: rad}}
  speeds: {{topic: speeds, type: std_msgs/msg/Float64MultiArray, quantity: velocity, names: [shoulder, elbow],
    scale_low: [-1.0, -0.5], scale_high: [2.0, 0.5], limits: {{velocity: [1.5, 0.5]}}}}
  goals: {{topic: goals, type: trajectory_msgs/msg/JointTrajectory, names: [shoulder, elbow],
    scale_low: -2.0, scale_high: 2.0, limits: {{velocity: 1.0, position_high: [1.5, 2.0]}}}}
  steps: {{topic: steps, type: std_msgs/msg/Float64MultiArray, names: [shoulder, elbow], relative: true,
    scale_low: -0.1, scale_high: 0.1}}
  torques: {{topic: torques, type: std_msgs/msg/Float64MultiArray, quantity: effort, names: [shoulder, elbow],
    scale_low: -9.0, scale_high: 9.0}}
  mode: {{topic: mode, type: std_msgs/msg/Float64, kind: category, scale_low: 0, scale_high: 3}}
  width: {{topic: width, type: std_msgs/msg/Float64, scale_low: 0.0, scale_high: 0.1, limits: {{velocity: 0.1}}}}
  forward: {{topic: forward, type: geometry_msgs/msg/Twist, names: [linear.x], scale_low: 0.1, scale_high: 1.0}}
  twist: {{topic: twist, type: geometry_msgs/msg/Twist, names: [linear.x], scale_low: -1.0, scale_high: 1.0}}
  pad: {{topic: joy, type: sensor_msgs/msg/Joy, names: [axes.0], scale_low: -1.0, scale_high: 1.0}}
  other_twist: {{topic: other, type: geometry_msgs/msg/Twist, names: [linear.x], scale_low: -1.0, scale_high: 1.0}}
"""
HERE = {"joints": np.array([0.3, -0.4])}
PANDA = load_spec("panda_pick_place")
AXES = st.dictionaries(
    st.sampled_from(["linear.x", "linear.y", "linear.z", "shoulder", "elbow", CHOSEN_JOINT, "nobody"]),
    st.floats(allow_nan=True, allow_infinity=True),
)
EVENTS = st.lists(st.sampled_from([*HAND_EVENTS, "joint 1", "joint 2", "joint 9"]), max_size=8)


def arm(*actions):
    return spec_from_yaml(ARM.format(action=", ".join(actions)), "arm.yaml")


SPECS = [PANDA, arm("speeds"), arm("goals"), arm("steps"), arm("twist", "speeds")]
SPEC_IDS = ["twist and gripper", "joint velocities", "joint positions", "relative", "base and arm"]


# commands


@pytest.mark.parametrize("spec", SPECS, ids=SPEC_IDS)
@given(wishes=st.lists(st.tuples(EVENTS, AXES), min_size=1, max_size=5), speed=st.sampled_from(SPEEDS))
def test_no_wish_of_any_device_leads_beyond_the_scale_or_the_limits(spec, wishes, speed):
    commands = Commands(spec, speed)
    for events, axes in wishes:
        for event in events:
            commands.handle(event)
        for name, value in commands.command(axes, HERE).items():
            field = spec.field(name)
            low, high = field.scale
            assert value.shape == (field.width,) and np.isfinite(value).all()
            assert (low <= value).all() and (value <= high).all()
            if field.quantity == "velocity" and field.limits.velocity is not None:
                assert (np.abs(value) <= np.array(field.limits.velocity)).all()


@pytest.mark.parametrize("spec", SPECS, ids=SPEC_IDS)
@pytest.mark.parametrize("axes", [{}, {"linear.x": math.nan, CHOSEN_JOINT: math.nan}], ids=["nothing", "NaN"])
def test_where_nothing_is_wished_nothing_moves(spec, axes):
    commands = Commands(spec, 1.0)
    for values in (commands.command(axes, HERE), commands.command(axes, {}), commands.rest()):
        for name, value in values.items():
            still = HERE["joints"] if name == "goals" else np.zeros(spec.field(name).width)
            np.testing.assert_array_equal(value, still)


def test_a_full_wish_at_full_speed_is_the_end_of_the_scale_or_of_the_limit():
    commands = Commands(arm("speeds"), 1.0)
    np.testing.assert_array_equal(commands.command({"shoulder": 1.0, "elbow": -1.0}, {})["speeds"], [1.5, -0.5])
    np.testing.assert_array_equal(commands.command({"shoulder": -1.0}, {})["speeds"], [-1.0, 0.0])


@given(axes=st.lists(AXES, min_size=1, max_size=20), start=st.floats(-2.05, 1.5))
def test_a_position_goes_on_from_where_the_robot_is_and_never_jumps(axes, start):
    spec = arm("goals")
    commands, before = Commands(spec, 1.0), np.array([start, 0.0])
    for wish in axes:
        target = commands.command(wish, {"joints": before})["goals"]
        assert (np.abs(target - before) <= 1.0 * spec.period_s + 1e-9).all()
        before = target


def test_after_rest_a_position_begins_anew_where_the_robot_is_then():
    commands = Commands(arm("goals"), 1.0)
    commands.command({"elbow": 1.0}, HERE)
    commands.rest()
    np.testing.assert_array_equal(commands.command({}, {"joints": np.array([1.0, 1.0])})["goals"], [1.0, 1.0])


def test_a_position_is_not_commanded_while_nobody_says_where_the_robot_is():
    commands = Commands(arm("goals"), 1.0)
    assert commands.command({"elbow": 1.0}, {}) == {}
    assert "'joints' is silent" in commands.problem


def test_a_position_stays_where_it_is_while_nobody_says_any_more_where_the_robot_is():
    commands = Commands(arm("goals"), 1.0)
    last = commands.command({"elbow": 1.0}, HERE)["goals"]
    np.testing.assert_array_equal(commands.command({"elbow": 1.0}, {})["goals"], last)
    assert "'joints' is silent" in commands.problem
    assert commands.command({"elbow": 1.0}, HERE)["goals"][1] > last[1] and not commands.problem


def test_a_position_waits_for_a_robot_that_does_not_follow_and_can_still_be_taken_back():
    commands = Commands(arm("goals"), 1.0)
    for _ in range(100):
        target = commands.command({"elbow": 1.0}, HERE)["goals"]
    np.testing.assert_allclose(target - HERE["joints"], [0.0, 1.0], atol=0.06)  # a second at 1 rad/s
    assert "elbow is at -0.400 and does not follow" in commands.problem
    assert commands.command({"elbow": -1.0}, HERE)["goals"][1] < target[1] and not commands.problem


def test_a_position_outside_the_scale_is_not_commanded():
    commands = Commands(arm("goals"), 1.0)
    assert commands.command({}, {"joints": np.array([2.5, 0.0])}) == {}
    assert "shoulder is at 2.500, outside the scale, -2 to 2" in commands.problem


def test_a_gripper_is_commanded_only_after_somebody_said_whether_it_is_open():
    commands = Commands(PANDA, 1.0)
    seen = []
    for _ in range(3):
        seen.append(commands.command({}, {}).get("gripper"))
        commands.handle("gripper")
    assert seen[0] is None
    np.testing.assert_array_equal(seen[1:], [[0.0], [0.08]])


def test_one_joint_at_a_time_is_chosen_and_moved():
    commands = Commands(arm("speeds"), 1.0)
    for event, moved in (("joint 2", 1), ("next_joint", 0), ("previous_joint", 1), ("joint 9", 1), ("joint 1", 0)):
        if event != "joint 9":  # there is none
            commands.handle(event)
        assert np.flatnonzero(commands.command({CHOSEN_JOINT: 1.0}, {})["speeds"]).tolist() == [moved]


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        (["torques"], "'torques' is an effort"),
        (["mode"], "'mode' is of kind category"),
        (["width"], "'width' is an absolute position"),
        (["forward"], "'forward' has a scale without 0"),
        (["pad"], "'pad' is what a joystick says itself"),
        (["twist", "other_twist"], "linear.x more than once"),
    ],
)
def test_what_keys_and_sticks_cannot_give_is_refused_in_words(actions, words):
    with pytest.raises(SpecError, match=words):
        Commands(arm(*actions), 1.0)


# keyboard


def panda_keyboard():
    return Keyboard(Commands(PANDA, 1.0).names, has_joints=False)


@given(
    delay_s=st.floats(0.2, 0.68),
    repeat_s=st.floats(0.02, 0.12),
    repeats=st.integers(0, 40),
    tick_s=st.floats(0.005, 0.05),
)
def test_a_key_that_is_held_moves_without_a_hole_and_stops_soon_after_it_is_let_go(delay_s, repeat_s, repeats, tick_s):
    keyboard = panda_keyboard()
    presses = [0.0, *(delay_s + repeat_s * index for index in range(repeats))]
    end_s = presses[-1] + (REPEAT_S if repeats else FIRST_REPEAT_S)
    now_s = 0.0
    while now_s < end_s + 2.0 * PAUSE_S:
        while presses and presses[0] <= now_s:
            keyboard.press("w", presses.pop(0))
        wish = keyboard.wish(now_s)
        if now_s <= end_s - 1e-9:
            assert wish is not None and wish["linear.x"] > 0.0, now_s
        elif now_s > end_s + 1e-9:
            assert not wish, now_s
        now_s += tick_s
    assert keyboard.wish(now_s) is None


def test_a_tap_is_a_small_step_and_a_held_key_goes_on_at_full_speed():
    keyboard = panda_keyboard()
    keyboard.press("w", 0.0)
    assert keyboard.wish(0.4) == {"linear.x": GENTLE}
    keyboard.press("w", 0.5)  # the first repeat, or a second tap: not to be told apart
    assert keyboard.wish(0.5) == {"linear.x": GENTLE}
    keyboard.press("w", 0.53)
    assert keyboard.wish(0.53) == {"linear.x": 1.0}


@pytest.mark.parametrize("other", ["s", "d", "\x1b", "W", "3"])
def test_any_other_key_ends_a_motion_at_once(other):
    keyboard = panda_keyboard()
    keyboard.press("w", 0.0)
    keyboard.press(other, 0.01)
    assert "linear.x" not in (keyboard.wish(0.02) or {}) or keyboard.wish(0.02)["linear.x"] < 0.0


@given(keys=st.text(max_size=30))
def test_nothing_moves_two_seconds_after_whatever_was_typed(keys):
    keyboard = panda_keyboard()
    for index, key in enumerate(split_keys(keys)):
        keyboard.press(key, 0.01 * index)
    assert keyboard.wish(0.3 + FIRST_REPEAT_S + PAUSE_S + 0.01) is None


def test_a_key_that_asks_for_something_asks_once_however_long_it_is_held():
    keyboard = panda_keyboard()
    times_s = [0.0, *np.arange(0.6, 2.0, 0.04)]
    assert [keyboard.press("g", now_s) for now_s in times_s] == ["gripper", *[""] * (len(times_s) - 1)]
    assert keyboard.press("g", 3.0) == "gripper"
    assert [keyboard.press("+", 4.0 + 0.04 * index) for index in range(3)] == ["faster"] * 3


def test_an_arrow_key_is_one_key_that_does_nothing():
    assert split_keys("w\x1b[Aa\x1bOP\x1b[1;5Cs\x1b") == ["w", "\x1b", "a", "\x1b", "\x1b", "s", "\x1b"]


def test_only_keys_of_the_setup_move():
    keyboard = Keyboard(("linear.x", "angular.z"), has_joints=False)
    assert set(keyboard.motions) == set("wsjl")
    joints = Keyboard(("shoulder", "elbow"), has_joints=True)
    assert set(joints.motions) == set("+=-")
    assert joints.press("2", 0.0) == "joint 2"


@pytest.mark.parametrize("spec", SPECS, ids=SPEC_IDS)
def test_the_help_names_every_key_that_moves(spec):
    commands = Commands(spec, 1.0)
    keyboard = Keyboard(commands.names, bool(commands.joints))
    text = "\n".join(help_lines(keyboard, bool(commands.grippers)))
    assert all(key in text for key in keyboard.motions if key != "=")  # + without shift
    assert ("gripper" in text) == bool(commands.grippers)
    assert max(map(len, text.split("\n"))) < 120


# joystick


LAYOUT = {"dead_man": 4, "axes": {"linear.x": {"axis": 1}}, "buttons": {"gripper": 0, "start": 7}}


@pytest.fixture
def layout_file(tmp_path):
    def write(**changes):
        path = tmp_path / "layout.yaml"
        path.write_text(yaml.safe_dump({**LAYOUT, **changes}))
        return path

    return write


@pytest.fixture
def joystick(layout_file):
    return Joystick(load_layout(layout_file(), ("linear.x",)))


def buttons(*pressed):
    return [int(index in pressed) for index in range(8)]


def test_the_shipped_layout_moves_everything_of_a_twist_and_any_joint():
    for spec in SPECS:
        commands = Commands(spec, 1.0)
        layout = load_layout("joystick", commands.names)
        assert {name for name in commands.names if name not in commands.joints} <= set(layout.axes)
        assert CHOSEN_JOINT in layout.axes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"deadman": 1}, "'deadman' is unknown. Did you mean 'dead_man'"),
        ({"dead_man": None}, "dead_man is None; it should be a number from 0 on"),
        ({"dead_man": 7}, "button 7 is used twice"),
        ({"axes": {"linar.x": {"axis": 1}}}, "'linar.x' is unknown. Did you mean 'linear.x'"),
        ({"axes": {"linear.x": 1}}, "write {axis: 1"),
        ({"axes": {"linear.x": {"axis": -1}}}, "axes: linear.x: axis is -1"),
        ({"axes": {"linear.x": {"axis": True}}}, "axis is True"),
        ({"axes": {"linear.x": {"axis": 1, "scale": 2.0}}}, "scale is 2.0; it should be from -1 to 1 and not 0"),
        ({"axes": {"linear.x": {"axis": 1, "scale": math.nan}}}, "scale is nan"),
        ({"axes": {"linear.x": {"axis": 1, "dead_zone": 1.0}}}, "dead_zone is 1.0"),
        ({"axes": {"linear.x": {"axis": 1, "zone": 1.0}}}, "'zone' is unknown"),
        ({"axes": {"angular.z": {"axis": 1}}}, "no axis moves anything of this setup, which has linear.x"),
        ({"axes": []}, "axes is \\[\\]"),
        ({"buttons": {"stat": 7}}, "'stat' is unknown. Did you mean 'start'"),
        ({"buttons": {"start": "A"}}, "buttons: start is 'A'"),
    ],
)
def test_a_layout_is_read_strictly(layout_file, changes, words):
    with pytest.raises(SpecError, match=words.replace("{", "\\{")):
        load_layout(layout_file(**changes), ("linear.x",))


@given(value=st.floats(allow_nan=True), scale=st.floats(0.01, 1.0), dead_zone=st.floats(0.0, 0.99))
def test_an_axis_wishes_no_more_than_its_scale_and_nothing_in_its_dead_zone(value, scale, dead_zone):
    wish = Axis(0, scale, dead_zone).wish(value)
    assert abs(wish) <= scale
    assert wish == 0.0 or wish * value > 0.0
    if math.isnan(value) or abs(value) <= dead_zone:
        assert wish == 0.0
    if abs(value) >= 1.0:
        assert abs(wish) == pytest.approx(scale)


def test_nothing_is_wished_without_the_dead_man_button(joystick):
    joystick.hear([0.0, 1.0], buttons(), 0.0)
    assert joystick.wish(0.0) is None
    joystick.hear([0.0, 1.0], buttons(4), 0.1)
    assert joystick.wish(0.1) == {"linear.x": 1.0}


def test_a_joystick_that_falls_silent_is_not_believed_any_more(joystick):
    joystick.hear([0.0, 1.0], buttons(4), 10.0)
    assert joystick.wish(10.0 + 0.99 * STALE_S) == {"linear.x": 1.0}
    assert joystick.wish(10.0 + 1.01 * STALE_S) is None


def test_a_button_asks_once_per_press_and_not_when_it_is_held_from_the_start(joystick):
    assert joystick.hear([0.0, 0.0], buttons(7), 0.0) == []
    assert joystick.hear([0.0, 0.0], buttons(), 0.1) == []
    assert [joystick.hear([0.0, 0.0], buttons(7), 0.2) for _ in range(3)] == [["start"], [], []]


def test_the_gripper_needs_the_dead_man_button(joystick):
    assert joystick.hear([0.0, 0.0], buttons(), 0.0) == []
    assert joystick.hear([0.0, 0.0], buttons(0), 0.1) == []
    assert joystick.hear([0.0, 0.0], buttons(4), 0.2) == []
    assert joystick.hear([0.0, 0.0], buttons(0, 4), 0.3) == ["gripper"]


def test_a_joystick_with_too_few_axes_or_buttons_is_refused_in_words(joystick):
    with pytest.raises(MessageError, match=r"axes: linear.x is axis 1, but this joystick has 1 axes and 8 buttons"):
        joystick.hear([0.0], buttons(), 0.0)
    with pytest.raises(MessageError, match=r"buttons: start is button 7"):
        joystick.hear([0.0, 0.0], [0] * 7, 0.0)


# the terminal

AT_TERMINAL = """
import time
from imitation_ros.teleoperation.terminal import Terminal
terminal = Terminal()
try:
    terminal.say("ready")
    {body}
finally:
    terminal.close()
"""


def at_terminal(body):
    terminal = PseudoTerminal([sys.executable, "-c", AT_TERMINAL.format(body=body)])
    deadline_s = time.monotonic() + 30.0
    while "ready" not in terminal.text and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert "ready" in terminal.text
    return terminal


@pytest.mark.parametrize("body", ["pass", "raise RuntimeError('broken')"])
def test_the_terminal_is_given_back_as_it_was(body):
    with at_terminal(body) as terminal:
        terminal.process.wait(10)
        assert terminal.settings() == terminal.before


def test_control_c_interrupts_and_gives_the_terminal_back():
    with at_terminal("time.sleep(30)") as terminal:
        assert terminal.settings() != terminal.before
        terminal.press("\x03")
        assert terminal.process.wait(10) == -signal.SIGINT
        assert terminal.settings() == terminal.before


def test_control_z_and_control_s_do_not_freeze_a_motion():
    body = "\n    ".join(["end = time.monotonic() + 1.0", "while time.monotonic() < end: time.sleep(0.05)"])
    body += "\n    terminal.say(repr(terminal.read()))"
    with at_terminal(body) as terminal:
        terminal.press("\x1a\x13\x1cw")
        assert terminal.process.wait(10) == 0
        assert repr("\x1a\x13\x1cw") in terminal.text.replace("\\\\", "\\")


def test_without_a_terminal_there_is_an_error_in_words(monkeypatch):
    reading, writing = os.pipe()
    monkeypatch.setattr("sys.stdin", os.fdopen(reading))
    with pytest.raises(DeploymentError, match="needs a terminal of its own"):
        Terminal()
    os.close(writing)


def test_the_shipped_layouts_name_no_robot():
    for path in (share_folder() / "config" / "operators").glob("*.yaml"):
        assert not any(name.startswith("panda") for name in yaml.safe_load(path.read_text()).get("axes", ()))
