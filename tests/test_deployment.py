"""The policy runner: nothing it lets out breaks a limit, and it holds when it cannot know better."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_ros.deployment import BAD_ACTIONS, GRACE_S, PolicyRunner, State
from imitation_ros.errors import DeploymentError
from imitation_ros.policies.bundle import BundleInfo
from imitation_ros.robot.field_yaml import parse_field
from imitation_ros.robot.limits import limited
from imitation_ros.robot.spec import RobotSpec

PERIOD_S, WAIT_S = 0.05, 0.02
SPEED, ACCELERATION = np.array([0.5, 0.25]), 2.0
LOW, HIGH = np.array([-1.0, -0.5]), np.array([1.0, 0.5])
JOINTS = ["shoulder", "elbow"]
TINY = 1e-9


def make(name, **values):
    return parse_field(name, values, "robot.yaml")


JOINT_STATE = "sensor_msgs/msg/JointState"
POSITION = make("joint_position", topic="joint_states", type=JOINT_STATE, names=JOINTS, max_age_s=0.1)
GOAL = make("goal", topic="goal", type="geometry_msgs/msg/PoseStamped", max_age_s=0.1)
VELOCITY = {
    "topic": "velocity",
    "type": JOINT_STATE,
    "names": JOINTS,
    "quantity": "velocity",
    "scale_low": -1.0,
    "scale_high": 1.0,
    "limits": {"velocity": SPEED.tolist(), "acceleration": ACCELERATION},
    "downstream_timeout_s": 0.1,
}
TARGET = {
    "topic": "target",
    "type": JOINT_STATE,
    "names": JOINTS,
    "scale_low": -3.0,
    "scale_high": 3.0,
    "limits": {"position_low": LOW.tolist(), "position_high": HIGH.tolist(), "velocity": SPEED.tolist()},
}
GRIPPER = make("gripper", topic="gripper", type="std_msgs/msg/Float64", kind="binary", scale_low=0.0, scale_high=0.08)


def spec_of(*action):
    return RobotSpec("cell", "arm", 1.0 / PERIOD_S, (POSITION, GOAL), action, wait_s=WAIT_S)


VELOCITY_SPEC = spec_of(make("velocity", **VELOCITY), GRIPPER)
POSITION_SPEC = spec_of(make("target", **TARGET), GRIPPER)
CALM = {"velocity": np.array([0.05, 0.05]), "target": np.array([0.05, 0.05]), "gripper": np.array([0.08])}


class Brain:
    """Answers at once, in this process, with what `policy` computes; or keeps its answers back."""

    def __init__(self, spec, policy, ranges=None):
        self.info = BundleInfo(spec, {}, {}, ranges or {})
        self.policy, self.asked = policy, []
        self.questions: deque = deque()
        self.mute = False
        self.dead = False

    def request(self, tag, observation):
        if self.dead:
            raise DeploymentError("inference of the policy has ended.")
        self.asked.append(observation)
        self.questions.append((tag, observation))

    def result(self, timeout_s=0.0):
        if self.dead:
            raise DeploymentError("inference of the policy has ended.")
        if self.mute or not self.questions:
            return None
        tag, observation = self.questions.popleft()
        with np.errstate(over="ignore"):
            return tag, {name: np.asarray(value, np.float32) for name, value in self.policy(observation).items()}


class Drive:
    """A robot that reports a fixed position, two clocks, and everything that was let out."""

    def __init__(self, spec, policy=lambda _: CALM, measured=(0.0, 0.0), ranges=None, **settings):
        self.brain = Brain(spec, policy, ranges)
        self.runner = PolicyRunner(self.brain, **settings)
        self.measured = np.array(measured)
        self.now_s, self.monotonic_s = 1000.0, 50.0
        self.out = []

    def see(self, names=("joint_position", "goal")):
        values = {"joint_position": self.measured, "goal": np.array([0.4, 0.0, 0.2])}
        stamp_s = self.now_s - (0.0 if self.runner.lockstep else WAIT_S)
        for name in names:
            self.runner.put(name, values[name], stamp_s, self.now_s, self.monotonic_s)

    def activate(self):
        self.see()
        self.runner.activate(self.now_s, self.monotonic_s)
        return self

    def tick(self, names=("joint_position", "goal"), by_s=PERIOD_S, clock_by_s=None):
        self.now_s += by_s if clock_by_s is None else clock_by_s
        self.monotonic_s += by_s
        self.see(names)
        commands = self.runner.step(self.now_s, self.monotonic_s)
        self.out += commands
        return commands


# ---------------------------------------------------------------- limits

ANYTHING = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-2.0, 2.0),
    st.sampled_from([0.5, -0.5, 1e30, -1e30, math.nan, math.inf, -math.inf]),
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["tick", "tick", "tick", "silent", "late", "jump", "back"]),
        st.tuples(ANYTHING, ANYTHING, ANYTHING),
    ),
    max_size=40,
)


def run(spec, events, speed_scale, measured):
    """Return (start, command) pairs: what was let out, and all from where it may have been limited."""
    said = {}
    drive = Drive(spec, lambda _: said, measured, speed_scale=speed_scale, check_start=False).activate()
    pairs, name = [], spec.action[0].name
    last = np.zeros(2) if name == "velocity" else drive.measured
    for event, (first, second, third) in events:
        said = {name: np.array([first, second]), "gripper": np.array([third])}
        drive.brain.mute = event == "late"
        by_s = 7 * PERIOD_S if event == "jump" else PERIOD_S
        commands = drive.tick(
            () if event == "silent" else ("joint_position", "goal"), by_s, -3.0 if event == "back" else None
        )
        for command in commands:
            pairs.append((last, command.values))
            last = command.values[name]
    return pairs, drive


@settings(max_examples=150, deadline=None)
@given(events=EVENTS, speed_scale=st.floats(0.05, 1.0))
def test_no_policy_lets_out_a_velocity_beyond_the_limits(events, speed_scale):
    pairs, _ = run(VELOCITY_SPEC, events, speed_scale, (0.0, 0.0))
    for last, values in pairs:
        velocity = values["velocity"]
        assert np.isfinite(velocity).all()
        assert np.all(np.abs(velocity) <= SPEED * speed_scale + TINY)
        faster = np.where(velocity * last > 0, np.abs(velocity) - np.abs(last), np.abs(velocity))
        assert np.all(faster <= ACCELERATION * PERIOD_S + TINY)  # slowing down may be sudden: that is a hold
        assert "gripper" not in values or values["gripper"] in (0.0, 0.08)


@settings(max_examples=150, deadline=None)
@given(
    events=EVENTS,
    speed_scale=st.floats(0.05, 1.0),
    share=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
)
def test_no_policy_lets_out_a_position_beyond_the_limits_or_faster_than_allowed(events, speed_scale, share):
    measured = LOW + np.array(share) * (HIGH - LOW)
    pairs, _ = run(POSITION_SPEC, events, speed_scale, measured)
    for last, values in pairs:
        target = values["target"]
        assert np.isfinite(target).all()
        assert np.all((target >= LOW - TINY) & (target <= HIGH + TINY))
        step = SPEED * speed_scale * PERIOD_S + TINY
        from_last, from_measured = np.abs(target - last) <= step, np.abs(target - measured) <= step
        assert np.all(from_last) or np.all(from_measured)  # after a jump in time it begins where the robot is


@given(wanted=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2), start=st.tuples(*2 * [st.floats(-1.0, 1.0)]))
def test_limiting_what_is_within_the_limits_changes_nothing(wanted, start):
    field = make("velocity", **VELOCITY)
    start = np.array(start) * SPEED
    once = limited(field, np.array(wanted), start, PERIOD_S, 1.0)
    np.testing.assert_array_equal(limited(field, once, start, PERIOD_S, 1.0), once)


@given(wanted=st.tuples(*2 * [st.floats(-1.0, 1.0)]), start=st.tuples(*2 * [st.floats(-1.0, 1.0)]))
def test_limiting_goes_the_way_that_was_wanted_and_never_past_it(wanted, start):
    field = make("target", **TARGET)
    wanted, start = np.array(wanted) * HIGH, np.array(start) * HIGH
    value = limited(field, wanted, start, PERIOD_S, 1.0)
    assert np.all((value - start) * (wanted - start) >= -TINY)
    assert np.all(np.abs(value - start) <= np.abs(wanted - start) + TINY)


def test_a_lower_speed_scale_is_slower():
    speeds = []
    for speed_scale in (1.0, 0.1):
        drive = Drive(VELOCITY_SPEC, lambda _: {**CALM, "velocity": np.ones(2)}, speed_scale=speed_scale).activate()
        for _ in range(20):
            drive.tick()
        speeds.append(drive.out[-1].values["velocity"])
    np.testing.assert_allclose(speeds, [SPEED, 0.1 * SPEED])


@pytest.mark.parametrize("speed_scale", [0.0, -1.0, 1.01, math.nan, math.inf])
def test_a_speed_scale_that_would_not_slow_down_is_refused(speed_scale):
    with pytest.raises(DeploymentError, match="speed_scale"):
        Drive(VELOCITY_SPEC, speed_scale=speed_scale)


def test_a_speed_scale_without_a_velocity_limit_to_scale_is_refused():
    spec = spec_of(make("velocity", **{**VELOCITY, "limits": {}}))
    with pytest.raises(DeploymentError, match="no velocity limit"):
        Drive(spec, speed_scale=0.5)


# ---------------------------------------------------------------- bad actions


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("field", ["velocity", "gripper"])
def test_an_action_that_is_not_finite_holds_and_five_in_a_row_are_a_fault(number, field):
    actions = deque([CALM] * 3)
    broken = {**CALM, field: np.full_like(CALM[field], number)}
    drive = Drive(VELOCITY_SPEC, lambda _: actions.popleft() if actions else broken).activate()
    for _ in range(3):
        drive.tick()
    for bad in range(1, BAD_ACTIONS + 1):
        (command,) = drive.tick()
        np.testing.assert_array_equal(command.values["velocity"], 0.0)
        assert command.values["gripper"] == 0.08  # a gripper keeps what it holds
        assert drive.runner.state is (State.FAULT if bad == BAD_ACTIONS else State.RUNNING)
    assert "not finite" in drive.runner.reason
    assert drive.runner.counts["refused"] == BAD_ACTIONS


def test_a_pose_whose_numbers_all_reach_the_end_of_their_scale_is_no_rotation_and_holds():
    pose = {"topic": "pose", "type": "geometry_msgs/msg/PoseStamped", "rotation": "rotation_6d"}
    pose = make("pose", **pose, scale_low=-1.0, scale_high=1.0)
    level = np.array([0.1, 0.0, 0.2, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    said = {"pose": level}
    drive = Drive(spec_of(pose), lambda _: said).activate()
    drive.tick()
    said = {"pose": np.full(9, 5.0)}
    for _ in range(BAD_ACTIONS):
        assert drive.runner.state is State.RUNNING
        (command,) = drive.tick()
        np.testing.assert_allclose(command.values["pose"], level, atol=1e-6)
    assert drive.runner.state is State.FAULT
    assert "is no rotation_6d" in drive.runner.reason


def test_one_bad_action_among_good_ones_is_no_fault():
    count = iter(range(100))
    drive = Drive(
        VELOCITY_SPEC, lambda _: CALM if next(count) % 2 else {**CALM, "velocity": np.array([math.nan, 0.0])}
    ).activate()
    for _ in range(40):
        drive.tick()
    assert drive.runner.state is State.RUNNING


# ---------------------------------------------------------------- stale observations


def test_a_stale_observation_stops_a_velocity_at_once_and_is_a_fault_after_the_grace_time():
    drive = Drive(VELOCITY_SPEC).activate()
    for _ in range(5):
        drive.tick()
    assert np.any(drive.out[-1].values["velocity"] != 0.0)
    silent_s = 0.0
    while drive.runner.state is State.RUNNING:
        commands = drive.tick(("joint_position",))
        silent_s += PERIOD_S
    assert silent_s <= GOAL.max_age_s + 2 * PERIOD_S
    np.testing.assert_array_equal(commands[-1].values["velocity"], 0.0)
    assert "'goal'" in drive.runner.reason and "0.10 s" in drive.runner.reason
    held_s = 0.0
    while drive.runner.state is State.HOLDING:
        for command in drive.tick(("joint_position",)):
            np.testing.assert_array_equal(command.values["velocity"], 0.0)
        held_s += PERIOD_S
    assert GRACE_S <= held_s <= GRACE_S + 2 * PERIOD_S
    for _ in range(10):
        for command in drive.tick():  # everything is back, and still nothing moves
            np.testing.assert_array_equal(command.values["velocity"], 0.0)
    assert drive.runner.state is State.FAULT


def test_an_observation_that_comes_back_within_the_grace_time_goes_on():
    drive = Drive(VELOCITY_SPEC).activate()
    for _ in range(5):
        drive.tick()
    for _ in range(5):
        drive.tick(())
    assert drive.runner.state is State.HOLDING
    for _ in range(2):
        drive.tick()
    assert drive.runner.state is State.RUNNING
    assert drive.runner.counts["holds"] == 1


def test_under_position_control_a_hold_is_the_last_position_never_zeros():
    drive = Drive(POSITION_SPEC, lambda _: {**CALM, "target": np.array([0.8, 0.3])}, measured=(0.7, 0.2)).activate()
    for _ in range(5):
        drive.tick()
    last = drive.out[-1].values["target"]
    while drive.runner.state is not State.HOLDING:
        drive.tick(("goal",))
    held = [command.values["target"] for command in drive.tick(())]
    assert held and all(np.array_equal(target, drive.out[-2].values["target"]) for target in held)
    assert np.all(np.abs(last) > 0.1)


def test_under_position_control_a_hold_before_any_command_is_the_measured_position():
    drive = Drive(POSITION_SPEC, measured=(0.7, 0.2)).activate()
    drive.runner.stop()
    (command,) = drive.tick()
    np.testing.assert_array_equal(command.values["target"], [0.7, 0.2])
    assert "gripper" not in command.values  # nobody knows where it is, so it is not told anything


def test_the_first_command_begins_where_the_follower_is_not_where_its_leader_is():
    leader = make("leader", topic="leader/joint_states", type=JOINT_STATE, names=JOINTS, max_age_s=0.1)
    follower = make("follower", topic="follower/joint_states", type=JOINT_STATE, names=JOINTS, max_age_s=0.1)
    target = make("target", **{**TARGET, "topic": "follower/commands"})
    spec = RobotSpec("cell", "arm", 1.0 / PERIOD_S, (leader, follower), (target,), wait_s=WAIT_S)
    runner = PolicyRunner(Brain(spec, lambda _: CALM))
    for name, where in (("leader", -0.9), ("follower", 0.4)):
        runner.put(name, np.full(2, where), 1000.0 - WAIT_S, 1000.0, 50.0)
    runner.activate(1000.0, 50.0)
    np.testing.assert_array_equal(runner.hold(1000.0).values["target"], [0.4, 0.4])


@pytest.mark.parametrize("how", ["deactivated", "rearmed"])
def test_a_stop_after_somebody_else_moved_the_robot_does_not_call_it_back_to_the_last_command(how):
    drive = Drive(POSITION_SPEC, measured=(0.7, 0.2)).activate()
    drive.tick()
    if how == "rearmed":
        drive.runner.stop()
        drive.runner.rearm()
    else:
        drive.runner.deactivate()
    drive.measured = np.array([-0.4, 0.1])
    drive.tick()
    np.testing.assert_array_equal(drive.runner.hold(drive.now_s).values["target"], [-0.4, 0.1])


def test_a_hold_does_not_go_where_the_robot_was_when_its_joints_were_last_heard():
    drive = Drive(POSITION_SPEC, measured=(0.7, 0.2))
    drive.see()
    for _ in range(10):
        drive.tick(())
    assert "target" not in drive.runner.hold(drive.now_s).values


def test_a_robot_that_did_not_follow_is_held_where_it_is_and_led_there_within_the_limits():
    """Blocked, or switched off: the last command is far away, and the robot would leap there as soon as it can."""
    drive = Drive(POSITION_SPEC, lambda _: {**CALM, "target": np.array([1.0, 0.5])}, measured=(-0.6, -0.4)).activate()
    for _ in range(60):
        drive.tick()
    last = drive.out[-1].values["target"]
    assert np.all(last - drive.measured > 0.5 * SPEED)
    drive.runner.stop()
    for _ in range(80):
        (command,) = drive.tick()
        assert np.all(np.abs(command.values["target"] - last) <= SPEED * PERIOD_S + TINY)
        last = command.values["target"]
    np.testing.assert_allclose(last, drive.measured)


def test_a_pose_or_a_number_of_the_same_shape_is_not_taken_for_where_the_robot_is():
    target = make("target", topic="target", type="geometry_msgs/msg/PoseStamped", scale_low=-1.0, scale_high=1.0)
    drive = Drive(spec_of(target), lambda _: {"target": np.array([0.1, 0.0, 0.2])}).activate()
    drive.runner.stop()
    (command,) = drive.tick()
    assert dict(command.values) == {}  # the goal is a PoseStamped as well: holding must not go there


def test_a_frozen_ros_clock_does_not_hide_that_a_sensor_fell_silent():
    drive = Drive(VELOCITY_SPEC).activate()
    for _ in range(5):
        drive.tick()
    commands = []
    for _ in range(10):
        commands += drive.tick((), by_s=0.05, clock_by_s=0.0)
    assert drive.runner.state is State.HOLDING
    assert len(commands) == 1
    np.testing.assert_array_equal(commands[0].values["velocity"], 0.0)
    for _ in range(25):
        drive.tick((), by_s=0.05, clock_by_s=0.0)
    assert drive.runner.state is State.FAULT


def test_a_ros_clock_that_stands_still_is_named():
    drive = Drive(VELOCITY_SPEC).activate()
    drive.tick()
    for _ in range(30):
        drive.tick(by_s=0.05, clock_by_s=0.0)
    assert drive.runner.state in (State.HOLDING, State.FAULT)
    assert "/clock" in drive.runner.reason


def test_a_clock_that_was_set_back_does_not_silence_the_policy():
    drive = Drive(VELOCITY_SPEC).activate()
    for _ in range(5):
        drive.tick()
    drive.tick(clock_by_s=-100.0)
    commands = [command for _ in range(5) for command in drive.tick()]
    assert len(commands) >= 4
    assert drive.runner.state is State.RUNNING


# ---------------------------------------------------------------- late answers, jumps in time


def test_a_late_answer_is_dropped_and_counted():
    drive = Drive(VELOCITY_SPEC).activate()
    drive.tick()
    drive.brain.mute = True
    assert drive.tick() == []
    drive.brain.mute = False
    (command,) = drive.tick()  # answers of two ticks are there
    assert command.tick_s == pytest.approx(drive.runner.last_tick_s)
    assert drive.runner.counts["late"] == 1


def test_an_answer_between_two_ticks_is_still_in_time():
    drive = Drive(VELOCITY_SPEC).activate()
    drive.tick()
    drive.brain.mute = True
    assert drive.tick() == []
    drive.brain.mute = False
    assert len(drive.tick((), by_s=0.01)) == 1
    assert drive.runner.counts["late"] == 0


def test_a_policy_that_hangs_is_held_and_then_a_fault():
    drive = Drive(VELOCITY_SPEC).activate()
    for _ in range(5):
        drive.tick()
    drive.brain.mute = True
    commands = [command for _ in range(3) for command in drive.tick()]
    assert commands, "a robot without answers must be told to hold"
    for _ in range(round(GRACE_S / PERIOD_S) + 3):
        commands += drive.tick()
    assert all(np.all(command.values["velocity"] == 0.0) for command in commands)
    assert drive.runner.state is State.FAULT
    assert "no answer" in drive.runner.reason


def test_inference_that_died_is_a_fault_that_holds_at_every_tick():
    drive = Drive(VELOCITY_SPEC).activate()
    for _ in range(5):
        drive.tick()
    drive.brain.dead = True
    for _ in range(5):
        (command,) = drive.tick()
        np.testing.assert_array_equal(command.values["velocity"], 0.0)
    assert drive.runner.state is State.FAULT
    assert "ended" in drive.runner.reason


def test_ticks_that_were_skipped_are_counted_and_the_robot_is_ramped_in_again():
    drive = Drive(VELOCITY_SPEC, lambda _: {**CALM, "velocity": np.array([0.5, 0.25])}).activate()
    for _ in range(20):
        drive.tick()
    assert drive.runner.counts["late"] == 0
    np.testing.assert_allclose(drive.out[-1].values["velocity"], [0.5, 0.25])
    (command,) = drive.tick(by_s=4 * PERIOD_S)
    assert drive.runner.counts["late"] == 3
    np.testing.assert_allclose(command.values["velocity"], ACCELERATION * PERIOD_S)


@pytest.mark.parametrize(("left_out", "goes_on"), [(3, True), (40, False)])
def test_a_position_goes_on_from_the_last_command_when_a_few_ticks_were_left_out(left_out, goes_on):
    """A robot lags behind: to begin anew where it is measured would throw it back at every tick that was late."""
    drive = Drive(POSITION_SPEC, lambda _: {**CALM, "target": np.array([0.9, 0.4])}, measured=(0.0, 0.0)).activate()
    for _ in range(5):
        drive.tick()
    last = drive.out[-1].values["target"] if goes_on else drive.measured
    (command,) = drive.tick(by_s=(1 + left_out) * PERIOD_S)
    assert drive.runner.counts["late"] == left_out
    np.testing.assert_allclose(command.values["target"], last + SPEED * PERIOD_S)


def test_the_first_command_ramps_in_from_where_the_robot_is():
    drive = Drive(POSITION_SPEC, lambda _: {**CALM, "target": np.array([-1.0, -0.5])}, measured=(0.7, 0.2)).activate()
    drive.tick()
    np.testing.assert_allclose(drive.out[0].values["target"], [0.7, 0.2] - SPEED * PERIOD_S)


def test_an_answer_from_before_an_activation_is_never_used():
    drive = Drive(VELOCITY_SPEC, lambda _: {**CALM, "velocity": np.array([0.5, 0.25])}).activate()
    drive.brain.mute = True
    drive.tick()
    drive.runner.deactivate()
    drive.activate()
    drive.brain.mute = False
    drive.tick((), by_s=0.01)
    assert drive.out == []


# ---------------------------------------------------------------- lock-step


@settings(max_examples=50, deadline=None)
@given(steps=st.lists(st.lists(st.sampled_from(["joint_position", "goal"]), max_size=3), max_size=20))
def test_lockstep_answers_every_complete_observation_once(steps):
    drive = Drive(VELOCITY_SPEC, lockstep=True).activate()
    drive.now_s, expected = 1000.0, set()
    first = drive.tick((), by_s=0.0)  # the observation that it was activated on
    heard = {"joint_position": 1000.0, "goal": 1000.0}
    for names in steps:
        for name in names:
            drive.tick((name,), by_s=0.0)
            heard[name] = drive.now_s
            if min(heard.values()) > 1000.0:
                expected.add(min(heard.values()))
        drive.now_s += PERIOD_S
    answered = [command.tick_s for command in drive.out[len(first) :]]
    assert answered == sorted(expected)
    assert [command.tick_s for command in first] == [1000.0]


def test_lockstep_does_not_mind_how_long_the_simulator_takes():
    drive = Drive(VELOCITY_SPEC, lockstep=True).activate()
    for _ in range(5):
        drive.monotonic_s += 100.0
        drive.tick()
    assert drive.runner.state is State.RUNNING
    assert len(drive.out) == 5


# ---------------------------------------------------------------- stop, rearm, activation


@pytest.mark.parametrize("state", list(State))
def test_stop_works_in_every_state_and_is_latched_until_rearm(state):
    drive = Drive(VELOCITY_SPEC)
    if state is not State.INACTIVE:
        drive.activate()
        drive.tick()
    if state is State.HOLDING:
        for _ in range(5):
            drive.tick(())
    if state is State.FAULT:
        drive.runner.enter(State.FAULT, "something else.")
    assert drive.runner.state is state
    drive.runner.stop()
    assert drive.runner.state is State.FAULT
    for _ in range(5):
        for command in drive.tick():
            np.testing.assert_array_equal(command.values["velocity"], 0.0)
    drive.runner.deactivate()
    with pytest.raises(DeploymentError, match="~/rearm"):
        drive.activate()
    drive.runner.rearm()
    assert drive.runner.state is State.INACTIVE
    assert drive.tick() == []  # rearming moves nothing by itself
    drive.activate()
    drive.tick()
    assert drive.runner.state is State.RUNNING


def test_nothing_is_let_out_before_activation():
    drive = Drive(VELOCITY_SPEC)
    for _ in range(10):
        assert drive.tick() == []
    assert drive.brain.asked == []


def refusal(drive, see=("joint_position", "goal"), after_s=0.0):
    drive.see(see)
    drive.monotonic_s += after_s
    drive.now_s += after_s
    with pytest.raises(DeploymentError) as refused:
        drive.runner.activate(drive.now_s, drive.monotonic_s)
    assert drive.runner.state is not State.RUNNING
    assert drive.tick() == []
    return str(refused.value)


def test_a_field_that_was_never_heard_is_refused_by_name():
    words = refusal(Drive(VELOCITY_SPEC), see=("goal",))
    assert "'joint_position' (joint_states) was never heard" in words
    assert "ros2 topic hz joint_states" in words
    assert "'goal'" not in words


def test_a_field_that_fell_silent_is_refused_with_its_age():
    words = refusal(Drive(VELOCITY_SPEC), after_s=2.5)
    assert "'goal' (goal) was last heard 2.50 s ago" in words


def test_a_velocity_that_nobody_downstream_would_stop_is_refused():
    endless = make("velocity", **{**VELOCITY, "downstream_timeout_s": None})
    words = refusal(Drive(spec_of(endless)))
    assert "downstream_timeout_s" in words and "robot.yaml" in words


def test_a_start_unlike_every_demonstration_is_refused_unless_that_check_is_off():
    ranges = {"joint_position": (np.array([-0.1, -0.1]), np.array([0.1, 0.1]))}
    words = refusal(Drive(VELOCITY_SPEC, measured=(0.0, 0.9), ranges=ranges))
    assert "0.900 (elbow)" in words and "-0.100 to 0.100" in words
    Drive(VELOCITY_SPEC, measured=(0.0, 0.9), ranges=ranges, check_start=False).activate()
    Drive(VELOCITY_SPEC, measured=(0.0, 0.11), ranges=ranges).activate()  # within the margin


def test_everything_that_stands_against_activation_is_said_at_once():
    endless = make("velocity", **{**VELOCITY, "downstream_timeout_s": None})
    words = refusal(Drive(spec_of(endless)), see=())
    assert "downstream_timeout_s" in words and "'joint_position'" in words and "'goal'" in words


@pytest.mark.parametrize("change", [{"relative": True}, {"quantity": "effort"}])
def test_an_action_that_repeating_would_not_hold_is_refused(change):
    words = refusal(Drive(spec_of(make("target", **{**TARGET, **change}))))
    assert "would not hold the robot" in words


def test_a_position_with_a_velocity_limit_that_nothing_measures_is_refused():
    words = refusal(Drive(spec_of(make("target", **{**TARGET, "names": ["shoulder", "wrist"]}))))
    assert "could jump" in words and "wrist" in words
