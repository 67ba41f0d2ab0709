"""What a person sees while something takes time."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from imitation_ros import console


@pytest.fixture
def terminal(monkeypatch):
    """Return a terminal's screen, as text."""
    screen = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=screen, force_terminal=True, width=100))
    return screen


def test_no_bar_is_drawn_before_somebody_says_how_far_it_is(terminal):
    with console.bar("training", 600) as shown:
        console.console.print("going on after round 2")
        assert "training" not in terminal.getvalue()
        shown.begin(200)
        shown.show(300, "return -200")
    words = terminal.getvalue()
    assert "0/600" not in words.replace("200/600", "").replace("300/600", "")
    assert words.index("going on") < words.index("200/600") < words.index("300/600") < words.index("return -200")


def test_a_bar_that_nobody_moved_leaves_nothing(terminal):
    with console.bar("training", 600):
        pass
    assert "training" not in terminal.getvalue()
