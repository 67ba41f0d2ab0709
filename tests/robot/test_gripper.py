"""A stream of gripper commands becomes few goals, and the last of them is the newest command."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_kinds import Shaped

from imitation_ros.errors import MessageError, SpecError
from imitation_ros.robot.gripper import GripperRelay, fill_goal


class Server:
    """An action client that answers when the test says so."""

    def __init__(self) -> None:
        self.ready, self.goals, self.futures = True, [], []

    def server_is_ready(self) -> bool:
        return self.ready

    def send_goal_async(self, goal):
        self.goals.append(goal)
        self.futures.append(Future())
        return self.futures[-1]

    def answer(self, accepted: bool = True, which: int = -1) -> None:
        self.futures[which].finish(Shaped(accepted=accepted))


class Future:
    def __init__(self) -> None:
        self.callback, self.answer = None, None

    def add_done_callback(self, callback) -> None:
        self.callback = callback

    def result(self):
        return self.answer

    def finish(self, answer) -> None:
        self.answer, callback, self.callback = answer, self.callback, None
        if callback is not None:
            callback(self)


def relay(tolerance: float = 0.01, scale: float = 1.0) -> tuple[GripperRelay, Server]:
    server = Server()
    return GripperRelay(server, lambda position: position, tolerance, scale), server


def test_a_command_that_repeats_is_one_goal():
    gripper, server = relay()
    for value in (0.08, 0.08, 0.079, 0.085):
        gripper.command(value)
        server.answer()
    assert server.goals == [0.08]
    gripper.command(0.0)
    assert server.goals == [0.08, 0.0]


def test_small_steps_add_up_to_a_goal():
    gripper, server = relay(tolerance=0.0105)
    for index in range(30):
        gripper.command(0.001 * index)
        server.answer()
    assert server.goals == pytest.approx([0.0, 0.011, 0.022])


def test_while_a_goal_is_unanswered_only_the_newest_command_waits():
    gripper, server = relay()
    for value in (0.0, 0.02, 0.04, 0.06):
        gripper.command(value)
    assert server.goals == [0.0]
    server.answer()
    assert server.goals == [0.0, 0.06]
    gripper.command(0.0)
    gripper.command(0.06)
    server.answer()
    assert server.goals == [0.0, 0.06], "it came back to what was told last"


@given(
    values=st.lists(st.tuples(st.floats(0, 0.1), st.booleans(), st.booleans()), min_size=1),
    tolerance=st.floats(0, 0.05),
)
def test_in_the_end_the_gripper_was_told_the_newest_command_within_the_tolerance(values, tolerance):
    gripper, server = relay(tolerance)
    for value, answered, accepted in values:
        gripper.command(value)
        if answered and server.futures:
            server.answer(accepted)
    for _ in range(2):
        server.answer()
    assert abs(server.goals[-1] - values[-1][0]) <= tolerance
    assert len(server.goals) <= len(values)


def test_a_server_that_starts_late_hears_the_newest_command():
    gripper, server = relay()
    server.ready = False
    gripper.command(0.08)
    gripper.command(0.04)
    assert server.goals == []
    server.ready = True
    gripper.send()
    assert server.goals == [0.04]


def test_a_server_that_comes_back_is_told_again():
    gripper, server = relay()
    gripper.command(0.08)
    server.ready = False
    gripper.send()
    server.ready = True
    gripper.send()
    assert server.goals == [0.08, 0.08]
    server.answer(which=0)
    assert gripper.waiting is server.futures[1], "the answer of the one that went away counts no more"


def test_a_goal_that_is_refused_is_counted_and_sent_again_only_when_the_command_moves():
    gripper, server = relay()
    gripper.command(0.08)
    server.answer(accepted=False)
    gripper.command(0.08)
    assert (server.goals, gripper.refused) == ([0.08], 1)
    gripper.command(0.0)
    server.answer()
    assert (server.goals, gripper.refused) == ([0.08, 0.0], 1)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_command_that_is_no_number_is_left_out(bad):
    gripper, server = relay()
    gripper.command(0.08)
    with pytest.raises(MessageError, match=r"the gripper's command is .*left out"):
        gripper.command(bad)
    assert server.goals == [0.08] and gripper.wanted == 0.08


def test_a_scale_turns_the_distance_of_two_fingers_into_the_place_of_one():
    gripper, server = relay(scale=0.5)
    gripper.command(0.08)
    assert server.goals == [0.04]


@pytest.mark.parametrize("words", [{"tolerance": -1.0}, {"tolerance": math.nan}, {"scale": 0.0}, {"scale": math.inf}])
def test_a_relay_that_cannot_work_is_refused(words):
    with pytest.raises(SpecError, match=f"{next(iter(words))} is"):
        relay(**words)


def test_goals_of_both_kinds_are_filled():
    single = Shaped(command=Shaped(position=0.0, max_effort=0.0))
    assert fill_goal(single, 0.04, 20.0, "").command.__dict__ == {"position": 0.04, "max_effort": 20.0}
    state = Shaped(command=Shaped(name=[], position=[], velocity=[], effort=[]))
    filled = fill_goal(state, 0.04, 20.0, "finger").command
    assert (filled.name, filled.position, filled.effort) == (["finger"], [0.04], [20.0])
