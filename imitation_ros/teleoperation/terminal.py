"""The terminal that a keyboard operator sits at: single keys in, a status line that stays at the bottom."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from typing import Any

from imitation_ros.errors import DeploymentError

CLEAR = "\r\x1b[K"


class Terminal:
    """Takes over a terminal until `close`, which gives it back as it was.

    Ctrl-C still interrupts. What would freeze this program in the middle of a motion (Ctrl-Z, Ctrl-S,
    Ctrl-\\) does nothing.

    Raises:
        DeploymentError: standard input is no terminal, or not this program's to read from.
    """

    def __init__(self) -> None:
        self.fd, self.out = sys.stdin.fileno(), sys.stdout.fileno()
        if not (os.isatty(self.fd) and os.isatty(self.out)):
            raise DeploymentError(
                "the keyboard operator needs a terminal of its own: start it in one (`imitation-ros operate SETUP --by "
                "keyboard`), not from a launch file or through a pipe."
            )
        if os.tcgetpgrp(self.fd) != os.getpgrp():
            raise DeploymentError("the keyboard operator runs in the background: start it without &, or call it `fg`.")
        self.before: list[Any] | None = termios.tcgetattr(self.fd)
        self.line = ""
        tty.setcbreak(self.fd, termios.TCSANOW)
        mode = termios.tcgetattr(self.fd)
        mode[tty.IFLAG] &= ~termios.IXON
        for character in (termios.VSUSP, termios.VQUIT):
            mode[tty.CC][character] = b"\0"
        termios.tcsetattr(self.fd, termios.TCSANOW, mode)

    def read(self) -> str:
        """Return what was typed since the last call, without waiting.

        Raises:
            DeploymentError: the terminal is gone.
        """
        typed = b""
        while select.select([self.fd], [], [], 0.0)[0]:
            try:
                some = os.read(self.fd, 1024)
            except OSError:  # a pseudo-terminal whose other end is closed
                some = b""
            if not some:
                raise DeploymentError("the terminal was closed, so nobody can press a key.")
            typed += some
        return typed.decode("utf-8", errors="replace")

    def say(self, text: str) -> None:
        """Print lines above the status line."""
        self.write(CLEAR + text + "\n" + self.line)

    def show(self, status: str) -> None:
        """Replace the status line."""
        columns = os.get_terminal_size(self.out).columns or 80  # 0: a pseudo-terminal that nobody gave a size
        line = status[: columns - 1]
        if line != self.line:
            self.line = line
            self.write(CLEAR + line)

    def write(self, text: str) -> None:
        """Write, unless the terminal takes nothing now: a slow one must not hold up the robot's commands."""
        if not select.select([], [self.out], [], 0.0)[1]:
            return
        data = text.encode("utf-8", errors="replace")
        try:
            os.write(self.out, data)
        except OSError:
            return  # it is gone, which `read` will say

    def close(self) -> None:
        """Give the terminal back as it was."""
        if self.before is not None:
            self.write("\n")
            try:
                termios.tcsetattr(self.fd, termios.TCSADRAIN, self.before)
            except termios.error:
                pass  # it is gone
            self.before = None
