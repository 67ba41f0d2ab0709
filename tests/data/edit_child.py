"""A process that edits a dataset and is killed at one of its system's events; it forks one for every kill.

`python edit_child.py`, then on its standard input a line for each child, in JSON: `data`, and `die_at`, the number of
the event (an opened file, a rename, ...) before which it dies. The answer is how many events there were; -1: it died.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from imitation_ros.console import console
from imitation_ros.editing.changes import Changes
from imitation_ros.editing.edit import run_edit

CHANGES = Changes(delete=("1",), split=("2@3",), success=("0",))
WATCHED = ("open", "os.", "shutil.", "ctypes.", "fcntl.")


def child(data: Path, die_at: int, answer: int) -> None:
    events = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal events
        if event.startswith(WATCHED):
            events += 1
            if events == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    run_edit(data, CHANGES)
    os.write(answer, str(events).encode())


def serve() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        reads, writes = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(reads)
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                console.file = nowhere
                child(Path(job["data"]), job["die_at"], writes)
            os.kill(os.getpid(), signal.SIGKILL)
        os.close(writes)
        with os.fdopen(reads, "rb") as pipe:
            said = pipe.read()
        os.waitpid(process, 0)
        print(int(said or -1), flush=True)


if __name__ == "__main__":
    serve()
