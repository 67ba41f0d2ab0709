"""What a person at the recorder's terminal sees: the episode, every field's health, the disk and the keys."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from imitation_ros.recording.controls import HELP
from imitation_ros.recording.session import Session
from imitation_ros.recording.watching import Watch

HEADS = ("field", "Hz", "age", "jitter", "delay", "missing", "late", "twice", "")
STYLES = {"recording": "bold red", "armed": "bold yellow", "idle": "bold"}
MOST_BYTES = 1 << 16  # of what a log says at once
CLOSES_WITHIN_S = 1.0


def head(session: Session, now_s: float, monotonic_s: float) -> str:
    """Return the state of the recorder in a line."""
    recorder = session.recorder
    if recorder.open is None:
        left_s = session.pause_left_s(monotonic_s)
        waits = f"; the next starts in {left_s:.0f} s" if left_s < float("inf") else ""
        return (
            f"armed: waits for the first command, for episode {recorder.next_index}"
            if recorder.armed
            else (f"idle, {len(recorder.closed)} episode(s) saved{waits}")
        )
    verdict = {None: "", True: ", a success", False: ", a failure"}[recorder.open.success]
    full = ", at its time limit: end it" if recorder.full else ""
    seconds = recorder.steps * recorder.spec.period_s
    return f"recording episode {recorder.next_index}: {recorder.steps} ticks, {seconds:.1f} s{verdict}{full}"


def rows(watch: Watch, now_s: float) -> list[tuple[str, ...]]:
    """Return a line of the table per field; the last text is what stands against it."""

    def milliseconds(seconds: float | None) -> str:
        if seconds is None or not abs(seconds) < 1e4:
            return "-"
        return f"{seconds:.1f} s" if abs(seconds) >= 10.0 else f"{1e3 * seconds:.0f} ms"

    found = []
    for name, health in watch.health.items():
        counts = (max(health.drops, health.lost), health.late, health.duplicates)
        found.append(
            (
                name,
                f"{health.rate_hz(now_s):.1f}",
                milliseconds(health.age_s(now_s)),
                milliseconds(health.jitter_s),
                milliseconds(health.way_s),
                *(str(count) if count else "" for count in counts),
                watch.state(name, now_s),
            )
        )
    return found


def view(session: Session, watch: Watch, now_s: float, monotonic_s: float) -> RenderableType:
    """Return what is shown now."""
    summary: Mapping[str, str] = session.recorder.summary()
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for place, title in enumerate(HEADS):
        table.add_column(title, justify="left" if place in (0, len(HEADS) - 1) else "right", no_wrap=True)
    for row in rows(watch, now_s):
        table.add_row(*map(escape, row), style="red" if row[-1] else "")
    below = f"{summary['output']}, {summary.get('disk_free_gb', '0')} GB free"
    below += f"   {summary['images']}" if "images" in summary else ""
    return Group(
        Text(head(session, now_s, monotonic_s), style=STYLES.get(summary["state"], "")),
        table,
        Text(below, style="dim"),
        Text(HELP, style="dim"),
    )


class Screen:
    """Draws in a thread of its own, so that a slow terminal does not hold up what is recorded.

    Use it as `show`, `say`, ..., `close`.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.newest: RenderableType = ""
        self.changed, self.closing = threading.Event(), False
        self.thread = threading.Thread(target=self.draw, name="screen", daemon=True)  # a dead terminal may hold it
        self.thread.start()

    def show(self, newest: RenderableType) -> None:
        """Replace what is shown at the bottom."""
        self.newest = newest
        self.changed.set()

    def say(self, text: str) -> None:
        """Print lines above it."""
        self.said.put(text)
        self.changed.set()

    def ring(self, times: int) -> None:
        self.said.put("\a" * times)
        self.changed.set()

    def draw(self) -> None:
        with contextlib.suppress(OSError), self.live:  # the terminal is gone, which whoever reads its keys will say
            while not self.closing:
                self.changed.wait()
                self.changed.clear()
                self.draw_once()
            self.draw_once()

    def draw_once(self) -> None:
        while not self.said.empty():
            text = self.said.get()
            if text.strip("\a"):
                self.console.print(Text.from_ansi(text.rstrip("\n")))
            else:
                self.console.file.write(text)
        self.live.update(self.newest, refresh=True)

    def close(self) -> None:
        self.closing = True
        self.changed.set()
        self.thread.join(CLOSES_WITHIN_S)


class CapturedErrors:
    """Takes what this program prints to standard error, also behind Python's back, to say it above the table."""

    def __init__(self) -> None:
        sys.stderr.flush()
        self.kept = os.dup(2)
        self.out, into = os.pipe()
        for end in (self.out, into):
            os.set_blocking(end, False)  # who logs must not wait for whoever draws
        os.dup2(into, 2)
        os.close(into)

    def take(self) -> str:
        """Return what was printed since the last call."""
        with contextlib.suppress(BlockingIOError):
            return os.read(self.out, MOST_BYTES).decode(errors="replace")
        return ""

    def close(self) -> str:
        """Give standard error back; return what nobody took."""
        sys.stderr.flush()
        os.dup2(self.kept, 2)
        os.close(self.kept)
        left = self.take()
        os.close(self.out)
        return left


def ring_terminal(times: int) -> None:
    """Ring the bell of the terminal that this runs in, if it does."""
    if sys.stderr.isatty():
        sys.stderr.write("\a" * times)
        sys.stderr.flush()
