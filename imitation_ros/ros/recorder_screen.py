"""A recorder at a terminal: a live table, and single keys."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import Any

from rich.console import Console

from imitation_ros.recording.controls import Keys
from imitation_ros.recording.screen import CapturedErrors, Screen, view
from imitation_ros.ros.message_types import now_s
from imitation_ros.ros.recorder_node import RecorderNode
from imitation_ros.ros.topics import steady_timer
from imitation_ros.teleoperation.terminal import Terminal

KEYS_EVERY_S, DRAW_EVERY_S = 0.05, 0.25


class RecorderScreen:
    """Shows a recorder in the terminal that this runs in, and does what its keys ask for."""

    def __init__(self, node: RecorderNode) -> None:
        self.node, self.keys = node, Keys()
        self.terminal = Terminal()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes is noticed when it is read
        self.errors = CapturedErrors()
        self.screen = Screen(Console(file=sys.stdout))
        steady_timer(node, KEYS_EVERY_S, self.read)
        steady_timer(node, DRAW_EVERY_S, self.draw)

    def ring(self, times: int) -> None:
        self.screen.ring(times)

    def read(self) -> None:
        for event in self.keys.typed(self.terminal.read(), time.monotonic()):
            self.node.ask(event)

    def draw(self) -> None:
        if logged := self.errors.take():
            self.screen.say(logged)
        self.screen.show(view(self.node.session, self.node.watch, now_s(self.node), time.monotonic()))

    def close(self) -> None:
        self.draw()
        self.screen.close()
        self.terminal.close()
        left = self.errors.close()
        with contextlib.suppress(OSError):  # the terminal is gone, and an episode may still be open
            print(left, end="", file=sys.stderr, flush=True)


def recorder(parameters: dict[str, Any]) -> RecorderNode:
    """Make a recorder, with a screen where there is a terminal."""
    node = RecorderNode(parameters)
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    if at_terminal:
        node.screen = RecorderScreen(node)
    return node
