"""A person at a recorder: pedals, keys, the pause between episodes, and what is heard and seen."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from imitation_ros.data.hdf5 import read_episode
from imitation_ros.errors import MessageError, RecordingError, SpecError
from imitation_ros.recording import Recorder
from imitation_ros.recording.controls import EVENTS, KEYS, Keys, Presses, load_buttons
from imitation_ros.recording.screen import Screen, view
from imitation_ros.recording.session import DONE, TROUBLE, Session
from imitation_ros.recording.watching import Watch
from imitation_ros.teleoperation.keyboard import FIRST_REPEAT_S

T0 = 1.7e9
PERIOD_S = 0.05


# pedals and keys


def test_the_pedals_that_come_with_it_start_and_end_episodes():
    presses = Presses(load_buttons("pedals"))
    heard = [presses.hear(states) for states in ([0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1])]
    assert heard == [[], ["toggle"], [], [], ["success"], ["discard"]]


def test_a_pedal_that_was_down_before_anybody_listened_asks_for_nothing():
    presses = Presses(load_buttons("pedals"))
    assert presses.hear([1, 0, 0]) == []
    assert presses.hear([1, 1, 0]) == ["success"]


def test_a_device_with_fewer_buttons_is_named():
    with pytest.raises(MessageError, match=r"pedals\.yaml: success is button 1, but this device has 1"):
        Presses(load_buttons("pedals")).hear([0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("buttons: {begin: 0}", r"'begin' is unknown.*Allowed: discard, failure"),
        ("buttons: {start: 0, stop: 0}", "button 0 is used twice"),
        ("buttons: {start: -1}", "start is -1; it should be a number from 0 on"),
        ("topic: joy", r"buttons is None; it should hold lines such as `toggle: 0`"),
        ("topic: /joy\nbuttons: {start: 0}", "leave out the leading /"),
        ("topics: joy\nbuttons: {start: 0}", "Did you mean 'topic'"),
    ],
)
def test_buttons_that_make_no_sense_are_refused_with_the_file(tmp_path, text, words):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SpecError, match=words) as refusal:
        load_buttons(tmp_path / "mine.yaml")
    assert "mine.yaml" in str(refusal.value)


def test_keys_ask_once_however_long_they_are_held():
    keys = Keys()
    asked = [keys.typed(" ", at_s) for at_s in (0.0, 0.5, 0.53, 0.56)]
    assert asked == [["toggle"], [], [], []]
    assert keys.typed(" ", 0.6 + FIRST_REPEAT_S) == ["toggle"]
    assert keys.typed("\x1b[Ayq", 5.0) == ["success"]
    assert set(KEYS.values()) <= set(EVENTS)


# the session


class Cell:
    """A recorder, its robot and a person, on a clock of their own."""

    def __init__(self, spec, output: Path, reset_s: float = 0.0, **options):
        self.recorder = Recorder(spec, output, watch=Watch(spec.observation, spec.action), **options)
        self.rung: list[int] = []
        self.problems: list[str] = []
        self.session = Session(self.recorder, lambda: self.problems, reset_s, self.rung.append)
        self.time_s = 0.0
        self.said: list[str] = []
        self.quiet: set[str] = set()
        self.run(0.1, commanding=False)

    def run(self, seconds: float, commanding: bool = True) -> None:
        for _ in range(round(seconds / PERIOD_S)):
            self.time_s += PERIOD_S
            now_s = T0 + self.time_s
            for field in self.recorder.spec.observation:
                if field.name not in self.quiet:
                    self.recorder.put(field.name, np.zeros(field.width), now_s, now_s)
            if commanding:
                self.recorder.put("velocity", np.zeros(2), now_s, now_s)
                self.recorder.put("gripper", np.zeros(1), None, now_s)
            self.recorder.close_ticks(now_s)
            self.said += self.session.tick(now_s, self.time_s)

    def do(self, event: str) -> str:
        return self.session.do(event, T0 + self.time_s, self.time_s)


def test_one_pedal_starts_and_ends_an_episode(tmp_path, spec):
    cell = Cell(spec, tmp_path)
    assert "is armed" in cell.do("toggle")
    cell.run(0.5)
    assert cell.do("toggle").startswith(f"saved {tmp_path / 'episode_000000.hdf5'}: ")
    assert cell.rung == [DONE, DONE]
    cell.do("toggle")
    assert "nothing was recorded yet" in cell.do("toggle"), "before the first command"


@pytest.mark.parametrize(("event", "success"), [("success", True), ("failure", False), ("stop", None)])
def test_success_and_failure_end_the_episode_with_their_verdict(tmp_path, spec, event, success):
    cell = Cell(spec, tmp_path)
    cell.do("start")
    cell.run(0.5)
    cell.do(event)
    assert read_episode(tmp_path / "episode_000000.hdf5").success is success


def test_marking_by_the_service_lets_the_episode_go_on(tmp_path, spec):
    cell = Cell(spec, tmp_path)
    cell.do("start")
    cell.run(0.5)
    cell.do("mark_success")
    assert cell.recorder.state == "recording"


def test_nothing_starts_while_something_stands_against_it(tmp_path, spec):
    cell = Cell(spec, tmp_path)
    cell.problems = ["'joints' (joint_states) has no publisher yet"]
    with pytest.raises(RecordingError, match=r"not started: 'joints' .* has no publisher yet"):
        cell.do("start")


def test_after_the_pause_the_next_episode_starts_by_itself(tmp_path, spec):
    cell = Cell(spec, tmp_path, reset_s=2.0)
    cell.run(5.0)
    assert cell.recorder.state == "idle", "the first is started by hand"
    cell.do("start")
    cell.run(0.5)
    assert cell.do("success").endswith("; the next starts in 2 s")
    cell.run(1.9, commanding=False)
    assert cell.recorder.state == "idle" and cell.session.pause_left_s(cell.time_s) < 0.2
    cell.run(0.2, commanding=False)
    assert cell.recorder.state == "armed" and "episode 1 is armed" in cell.said[-1]
    cell.run(0.5)
    assert cell.recorder.state == "recording"


def test_with_a_pause_an_episode_ends_by_itself_at_its_time_limit(tmp_path, spec):
    cell = Cell(spec, tmp_path, reset_s=1.0, episode_s=0.5)
    cell.do("start")
    cell.run(6.0)
    episodes = sorted(tmp_path.glob("*.hdf5"))
    assert len(episodes) >= 3
    for path in episodes:
        episode = read_episode(path)
        assert (episode.steps, episode.attributes["ended_by"]) == (10, "time limit")


def test_stop_during_the_pause_ends_the_series(tmp_path, spec):
    cell = Cell(spec, tmp_path, reset_s=1.0)
    cell.do("start")
    cell.run(0.5)
    cell.do("stop")
    assert "does not start by itself any more" in cell.do("stop")
    cell.run(3.0)
    assert cell.recorder.state == "idle"


def test_a_pause_waits_for_a_silent_field_and_says_so_once(tmp_path, spec):
    cell = Cell(spec, tmp_path, reset_s=1.0)
    cell.do("start")
    cell.run(0.5)
    cell.do("stop")
    cell.quiet = {"tool"}
    cell.run(5.0, commanding=False)
    assert sum("these fields are silent: 'tool'" in line for line in cell.said) == 1
    assert cell.rung[-1] == TROUBLE
    cell.quiet = set()
    cell.run(2.0, commanding=False)
    assert cell.recorder.state == "armed"


def test_an_episode_that_a_gap_ends_is_followed_by_the_next_and_one_that_the_disk_ends_is_not(
    tmp_path, spec, monkeypatch
):
    cell = Cell(spec, tmp_path, reset_s=1.0, on_gap="discard")
    cell.do("start")
    cell.run(0.5)
    cell.quiet = {"tool"}
    cell.run(0.5)
    cell.quiet = set()
    cell.run(2.0)
    assert cell.recorder.state == "recording"
    monkeypatch.setattr("imitation_ros.recording.guarding.LOOK_EVERY_S", -1.0)
    monkeypatch.setattr("imitation_ros.recording.guarding.FULL_BYTES", 10**18)
    cell.run(4.0)
    assert cell.recorder.state == "idle"


@pytest.mark.parametrize("reset_s", [-1.0, float("nan"), float("inf")])
def test_a_pause_that_is_no_time_is_refused(tmp_path, spec, reset_s):
    with pytest.raises(RecordingError, match="reset_s is"):
        Cell(spec, tmp_path, reset_s=reset_s)


# the screen


def drawn(cell: Cell, columns: int = 110) -> str:
    console = Console(file=io.StringIO(), width=columns)
    console.print(view(cell.session, cell.recorder.watch, T0 + cell.time_s, cell.time_s))
    return console.file.getvalue()


def test_the_table_shows_the_episode_every_field_the_disk_and_the_keys(tmp_path, spec):
    cell = Cell(spec, tmp_path, reset_s=30.0)
    assert "idle, 0 episode(s) saved" in drawn(cell)
    cell.do("start")
    assert "armed: waits for the first command, for episode 0" in drawn(cell)
    cell.run(3.0)
    shown = drawn(cell)
    assert "recording episode 0: 58 ticks, 2.9 s" in shown or "recording episode 0: 59 ticks" in shown
    for field in ("joints", "tool", "velocity", "gripper"):
        [line] = [line for line in shown.splitlines() if line.startswith(f" {field} ")]
        assert "20.0" in line
    assert "GB free" in shown and "u undo the last" in shown
    cell.do("success")
    assert "idle, 1 episode(s) saved; the next starts in 30 s" in drawn(cell)
    assert max(map(len, drawn(cell, 80).splitlines())) <= 80


def test_a_field_that_is_stale_is_shown_so(tmp_path, spec):
    cell = Cell(spec, tmp_path)
    cell.run(2.0)
    cell.quiet = {"tool"}
    cell.run(1.0)
    [line] = [line for line in drawn(cell).splitlines() if line.startswith(" tool ")]
    assert line.rstrip().endswith("stale")


class SlowFile(io.StringIO):
    """A terminal that takes its time."""

    def write(self, text: str) -> int:
        time.sleep(0.05)
        return super().write(text)


def test_a_slow_terminal_holds_up_nobody_and_what_is_said_stays_above_the_table():
    file = SlowFile()
    screen = Screen(Console(file=file, force_terminal=True, width=60, height=20))
    began_s = time.monotonic()
    for number in range(50):
        screen.show(f"table {number}")
    screen.say("a line")
    screen.ring(2)
    assert time.monotonic() - began_s < 0.05
    screen.close()
    screen.thread.join(10.0)
    text = file.getvalue()
    assert "\a\a" in text and text.index("a line") < text.rindex("table")
