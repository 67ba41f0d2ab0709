"""A terminal without a person: what a program prints into it, and keys that are pressed, held and let go."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Sequence

COLUMNS = 110


def control() -> None:
    """Make standard input the terminal that sends Ctrl-C, in the child."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class PseudoTerminal:
    """A program at a terminal of its own; what it printed is in `text`."""

    def __init__(self, command: Sequence[str]) -> None:
        self.keys, self.screen = pty.openpty()
        fcntl.ioctl(self.screen, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
        self.before = termios.tcgetattr(self.screen)
        self.text = ""
        self.reading = True
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        self.process = subprocess.Popen(
            command,
            stdin=self.screen,
            stdout=self.screen,
            stderr=self.screen,
            start_new_session=True,
            preexec_fn=control,
        )

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.reading:
            self.hang_up()
        os.close(self.screen)

    def hang_up(self) -> None:
        """Close the window."""
        self.reading = False
        self.thread.join()
        os.close(self.keys)

    def read(self) -> None:
        while self.reading:
            if select.select([self.keys], [], [], 0.05)[0]:
                self.text += os.read(self.keys, 4096).decode(errors="replace")

    def press(self, key: str) -> None:
        os.write(self.keys, key.encode())

    def hold(self, key: str, seconds: float, delay_s: float = 0.5, repeat_s: float = 0.033) -> None:
        """Press a key as a terminal's autorepeat does: once, and again and again after a delay."""
        until_s = time.monotonic() + seconds
        self.press(key)
        time.sleep(min(delay_s, seconds))
        while time.monotonic() < until_s:
            self.press(key)
            time.sleep(repeat_s)

    def settings(self) -> list:
        return termios.tcgetattr(self.screen)

    @property
    def lines(self) -> list[str]:
        """What stood in each line when it was left or redrawn."""
        return self.text.replace("\r\x1b[K", "\n").replace("\r", "").split("\n")
