"""Several programs that belong together: none outlives the others, and the last words of one that dies are heard."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from imitation_ros.errors import ImitationRosError

LAST_WORDS = 12  # lines
LOOK_EVERY_S = 0.1
END_S = 5.0  # for a program to end by itself after it was asked to


class ProcessDied(ImitationRosError):  # noqa: N818 it says what happened
    """A program ended although it should not have."""


@dataclass
class Program:
    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Programs:
    """Programs that run side by side; leaving the block ends them all.

    Args:
        logs: the folder for what each of them prints.
        environment: variables on top of this process's own.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self.logs, self.environment = logs, environment
        self.running: list[Program] = []

    def __enter__(self) -> Programs:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def node(self, module: str, label: str, parameters: Mapping[str, Any], quiet: bool = True) -> Program:
        """Start one of our nodes in a process of its own.

        Args:
            module: in imitation_ros.ros, such as recorder_node.
            label: names its log file.
            parameters: of the node.
            quiet: whether it prints into its log file only.
        """
        command = [sys.executable, "-m", f"imitation_ros.ros.{module}", "--ros-args"]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if text:  # rcl cannot parse an empty one
                command += ["-p", f"{name}:={text}"]
        return self.start(label, command, quiet)

    def start(self, label: str, command: Sequence[str], quiet: bool = True) -> Program:
        log = self.logs / f"{label}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file if quiet else None,
                stderr=file,
                env={**os.environ, **self.environment},
            )
        program = Program(label, process, log)
        self.running.append(program)
        return program

    def wait(self, program: Program, show: Callable[[], None] = lambda: None) -> None:
        """Wait until one program has done its work, while the others live.

        Raises:
            ProcessDied: one of them failed; with its last words.
        """
        while program.process.poll() is None:
            show()
            for other in self.running:
                if other is not program and other.process.poll() is not None:
                    raise self.death_of(other)
            time.sleep(LOOK_EVERY_S)
        if program.process.returncode != 0:
            raise self.death_of(program)
        show()

    def death_of(self, program: Program) -> ProcessDied:
        return ProcessDied(
            f"{program.name} ended with exit code {program.process.returncode}. {self.last_words(program)}"
        )

    def last_words(self, program: Program) -> str:
        lines = program.log.read_text(errors="replace").splitlines()
        if not lines:
            return "It said nothing."
        return "Its last words:\n  " + "\n  ".join(lines[-LAST_WORDS:]) + f"\nAll of them are in {program.log}."

    def end(self) -> None:
        """Ask every program to end, newest first, and make those end that do not; at once on another Ctrl-C."""
        try:
            for program in reversed(self.running):
                if program.process.poll() is None:
                    program.process.send_signal(signal.SIGINT)
            deadline_s = time.monotonic() + END_S
            for program in reversed(self.running):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.process.wait(timeout=max(deadline_s - time.monotonic(), 0.1))
        finally:
            for program in self.running:
                program.process.kill()
                program.process.wait()
            self.running.clear()


@contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """Let being told to end (SIGTERM) be like Ctrl-C while the block runs, so that nothing half-made is left."""
    if threading.current_thread() is not threading.main_thread():  # only that one may say what signals do
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
