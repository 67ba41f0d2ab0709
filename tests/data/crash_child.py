"""A process that records and is killed; it forks one for every kill, so that Python starts but once.

`python crash_child.py spec.yaml`, then on its standard input a line for each child: what it is to do, in JSON. The
answer is what the child said before it died: lines such as `flushed 24` and `closed 0`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from imitation_ros.data import folder as folder_module
from imitation_ros.data.folder import episode_path
from imitation_ros.data.hdf5 import EpisodeWriter, atomic, recovery
from imitation_ros.data.row import Row
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

STEPS = 60  # of an episode: more than one buffer, so that rows reach the file between two flushes
EPISODES = 3
DIFFERS = 37  # the first step whose executed action is not the label: a dataset is added to the file


def row(spec: RobotSpec, index: int, step: int) -> Row:
    """Return a step whose every number says which one it is."""
    value = 1000.0 * index + step
    return Row(
        tick_s=value,
        observation={
            field.name: np.full(
                field.row_shape, step if field.is_image else value, np.uint8 if field.is_image else float
            )
            for field in spec.observation
        },
        action={field.name: np.full(field.width, value) for field in spec.action},
        executed={field.name: np.full(field.width, value + (step >= DIFFERS)) for field in spec.action},
        stamps_s={field.name: value for field in spec.observation},
        received_s={field.name: value for field in spec.observation},
        silent={field.name: False for field in spec.action},
    )


def record(path: Path, spec: RobotSpec, index: int, flush_every: int = 0, say=lambda _: None) -> Path:
    writer = EpisodeWriter(path, spec, {"seed": index}, timed=True)
    for step in range(STEPS):
        writer.append(row(spec, index, step))
        if flush_every and step % flush_every == flush_every - 1:
            say("flushing")
            writer.flush()
            say(f"flushed {writer.steps}")
        say("row")
    say("closing")
    return writer.close(row(spec, index, STEPS), {"ended_by": "operator"})


def record_all(spec: RobotSpec, folder: Path, flush_every: int, say) -> None:
    for index in range(EPISODES):
        record(episode_path(folder, index), spec, index, flush_every, say)
        say(f"closed {index}")


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_at(window: str) -> None:
    """Make this process die at a point of the program; most often the second time that it comes there."""
    calls = {"left": 2}

    def before(original):
        def call(*arguments):
            calls["left"] -= 1
            if calls["left"] == 0:
                die()
            return original(*arguments)

        return call

    def half(original):
        def call(descriptor, view, place):
            calls["left"] -= 1
            if calls["left"] == 0:
                original(descriptor, view[: len(view) // 2], place)
                die()
            return original(descriptor, view, place)

        return call

    def some_pages(original):
        def call(descriptor, pages):
            calls["left"] -= 1
            if calls["left"] == 0:
                original(descriptor, dict(sorted(pages.items())[:2]))
                die()
            return original(descriptor, pages)

        return call

    def after(original):
        def call(*arguments):
            result = original(*arguments)
            calls["left"] -= 1
            if calls["left"] == 0:
                die()
            return result

        return call

    def before_late(original):
        def call(writer, *arguments, **options):
            if writer.steps > 0:
                die()
            return original(writer, *arguments, **options)

        return call

    owner, name, how = {
        "in a write": (atomic, "write_at", half),
        "before a commit": (atomic.AtomicFile, "commit", before),
        "while a commit is appended": (atomic, "footer", before),
        "while pages are put in their places": (atomic, "put_pages", some_pages),
        "after a commit": (atomic.AtomicFile, "commit", after),
        "while a dataset is added": (EpisodeWriter, "create", before_late),
        "before the file is synced": (folder_module, "sync", before),
        "before it is renamed": (folder_module.os, "replace", before),
        "after it is renamed": (folder_module.os, "replace", after),
        "before the part is put aside": (recovery.os, "rename", before),
        "while the recovered episode is written": (atomic.AtomicFile, "commit", before),
    }[window]
    setattr(owner, name, how(getattr(owner, name)))


def child(spec: RobotSpec, job: dict, pipe: int) -> None:
    def say(text: str) -> None:
        os.write(pipe, f"{text}\n".encode())

    folder = Path(job["folder"])
    if window := job.get("window"):
        dying_at(window)
    if part := job.get("recover"):
        recovery.recover(Path(part))
    else:
        record_all(spec, folder, job["flush_every"], say)
    say("ended")


def serve(spec: RobotSpec) -> None:
    for line in sys.stdin:
        job = json.loads(line)
        reads, writes = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(reads)
            child(spec, job, writes)
            die()
        os.close(writes)
        said = b""
        with os.fdopen(reads, "rb") as pipe:
            while data := pipe.read1():  # until the child is dead
                said += data
                if "kill_at" in job and said.count(b"\n") >= job["kill_at"]:
                    time.sleep(job["wait_s"])
                    os.kill(process, signal.SIGKILL)
                    job.pop("kill_at")
        os.waitpid(process, 0)
        print(json.dumps(said.decode().splitlines()), flush=True)


if __name__ == "__main__":
    serve(spec_from_yaml(Path(sys.argv[1]).read_text(), sys.argv[1]))
