"""Programs that belong together: none is left behind, and one that dies is heard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from imitation_ros.errors import ImitationRosError
from imitation_ros.processes import ProcessDied, Programs

SLEEP = [sys.executable, "-c", "import time\nprint('ready', flush=True)\ntime.sleep(60)"]
STUBBORN = [*SLEEP[:2], f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{SLEEP[2]}"]


def python(code):
    return [sys.executable, "-c", code]


def wait_until(condition, seconds=20.0):
    deadline_s = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.02)
    return found


def alive(session):
    """Return the processes of a session that have not ended."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat") as file:
                state, _, _, of_session = file.read().rsplit(")", 1)[1].split()[:4]
        except (OSError, ValueError):
            continue
        if int(of_session) == session and state != "Z":
            found.append(int(entry))
    return found


def test_a_program_that_fails_is_an_error_with_its_last_words(tmp_path):
    with Programs(tmp_path, {}) as programs:
        program = programs.start(
            "worker", python("import sys; print('the disk is full', file=sys.stderr); sys.exit(7)")
        )
        with pytest.raises(ProcessDied) as died:
            programs.wait(program)
    for words in ("worker", "exit code 7", "the disk is full", "worker.log"):
        assert words in str(died.value)
    assert isinstance(died.value, ImitationRosError)


def test_another_program_that_ends_while_one_works_is_an_error_even_if_it_ends_well(tmp_path):
    with Programs(tmp_path, {}) as programs:
        worker = programs.start("worker", SLEEP)
        programs.start("helper", python("print('good bye')"))
        with pytest.raises(ProcessDied, match=r"(?s)helper ended with exit code 0.*good bye"):
            programs.wait(worker)
    assert worker.process.poll() is not None


def test_a_program_without_words_is_said_to_have_said_nothing(tmp_path):
    with Programs(tmp_path, {}) as programs, pytest.raises(ProcessDied, match="said nothing"):
        programs.wait(programs.start("mute", python("raise SystemExit(1)")))


def test_waiting_shows_progress_until_the_work_is_done(tmp_path):
    shown = []
    with Programs(tmp_path, {}) as programs:
        programs.wait(programs.start("worker", python("pass")), lambda: shown.append(1))
    assert shown


def test_leaving_the_block_ends_them_all_also_those_that_do_not_listen(tmp_path, monkeypatch):
    monkeypatch.setattr("imitation_ros.processes.END_S", 0.5)
    with Programs(tmp_path, {}) as programs:
        stubborn = programs.start("stubborn", STUBBORN)
        started = [stubborn, programs.start("sleeper", SLEEP)]
        wait_until(lambda: all(program.log.read_bytes() for program in started))
    assert [program.process.poll() for program in started] == [-signal.SIGKILL, -signal.SIGINT]


def test_an_error_inside_the_block_ends_them_too(tmp_path):
    with pytest.raises(ZeroDivisionError), Programs(tmp_path, {}) as programs:
        sleeper = programs.start("sleeper", SLEEP)
        1 / 0  # noqa: B018
    assert sleeper.process.poll() is not None


def test_programs_see_the_environment_on_top_of_this_processs_own(tmp_path, monkeypatch):
    monkeypatch.setenv("OURS", "kept")
    with Programs(tmp_path, {"THEIRS": "given"}) as programs:
        show = python("import os; print(os.environ['OURS'], os.environ['THEIRS'])")
        program = programs.start("show", show)
        programs.wait(program)
    assert program.log.read_text() == "kept given\n"


PARENT = f"""
import sys
from pathlib import Path
from imitation_ros.processes import Programs, terminated_as_interrupt
with terminated_as_interrupt(), Programs(Path(sys.argv[1]), {{}}) as programs:
    first = programs.start("first", {STUBBORN!r} if sys.argv[2] == "stubborn" else {SLEEP!r})
    second = programs.start("second", {SLEEP!r})
    while not (first.log.read_bytes() and second.log.read_bytes()):
        pass
    print("ready", flush=True)
    programs.wait(second)
"""


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_nothing_is_orphaned_when_the_parent_is_told_to_end(tmp_path, signals):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), "stubborn" if len(signals) > 1 else "willing"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert parent.stdout.readline() == b"ready\n"
    assert len(alive(parent.pid)) == 3
    began_s = time.monotonic()
    for number in signals:
        parent.send_signal(number)
        time.sleep(0.3)
    parent.wait(20)
    parent.stdout.close()
    assert parent.returncode != 0
    assert alive(parent.pid) == []
    if len(signals) > 1:
        assert time.monotonic() - began_s < 3.0  # somebody impatient does not wait for what does not listen
