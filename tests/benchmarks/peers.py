"""Other projects, each in an environment of its own and asked for one measurement at a time.

A peer stays up between questions, so that its runs and ours can take turns. Standard library only: the
peer's side runs in the peer's environment.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any


def same(package: str) -> str:
    """Return the requirement of the version that runs here, so that a peer is measured on the same one."""
    return f"{package}=={version(package).split('+')[0]}"  # 2.13.0+cpu is a build of 2.13.0


def packages_of(peer: str) -> list[str]:
    """Return what a peer's environment is made of."""
    if peer == "panda-gym":
        return ["panda-gym==3.0.7", same("pybullet")]
    return ["imitation==1.0.1", same("torch"), same("pybullet"), "setuptools<81"]  # pkg_resources is imported


def python_of(peer: str) -> Path:
    """Return the Python of a peer's environment, bench/env-<peer>, which is made where there is none."""
    folder = Path("bench") / f"env-{peer}"
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    packages = packages_of(peer)
    wanted = "\n".join(packages)
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two benches at once would clear each other's
        if not installed.is_file() or installed.read_text() != wanted:
            print(f"Making {folder} of {', '.join(packages)}: a minute or more, up to some GB ...", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, env=environment())
            subprocess.run([python, "-m", "pip", "install", "-qq", *packages], check=True, env=environment())
            installed.write_text(wanted)
    return python.absolute()


def environment() -> dict[str, str]:
    """Return the variables of a child in another environment: one thread, and nothing of the ROS wheels."""
    foreign = ("LD_LIBRARY_PATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return {**kept, "OMP_NUM_THREADS": "1"}


@dataclass
class Peer:
    """A peer's side of a benchmark, a module of this folder, in a process of the peer's environment."""

    name: str
    module: str

    def __enter__(self) -> Peer:
        command = [python_of(self.name), "-W", "ignore", "-m", f"tests.benchmarks.{self.module}"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )
        return self

    def ask(self, **question: Any) -> float:
        assert self.process.stdin and self.process.stdout
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}; what it said stands above")
        return float(answer)

    def __exit__(self, *error: object) -> None:
        self.process.communicate()


def answer_questions(prepare: Callable[[], Callable[..., float]]) -> None:
    """The peer's side: answer every line of JSON by a number, on a stdout that is kept for answers alone."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # simulators print where they please
    measure = prepare()
    for line in sys.stdin:
        print(measure(**json.loads(line)), file=answers, flush=True)
