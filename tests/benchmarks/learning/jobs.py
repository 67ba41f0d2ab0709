"""Jobs: one method on one problem with one seed, each a process of its own; what is done is not run again."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from imitation_ros.console import console
from tests.benchmarks.learning.demonstrations import PROBLEMS, demonstrations_of, save_for_peers
from tests.benchmarks.learning.measure import Found, read_result
from tests.benchmarks.peers import environment, python_of

SPEED = "steps per second"
FOLDER = Path("bench") / "learning"


@dataclass(frozen=True)
class Job:
    """One training to run.

    Attributes:
        method: what learns; "imitation ..." runs in imitation's environment.
        steps: of the environment (updates, for BC); every: so many there is an evaluation.
        minutes: of CPU time of the whole process, as measured when this was written.
        alone: measures wall time, so nothing may run beside it.
        alongside: the method whose result the same job writes: one that takes turns with it, or goes on from it.
        label: what it is called, where that is not its method.
    """

    problem: str
    method: str
    seed: int
    steps: int
    every: int
    minutes: float
    alone: bool = False
    alongside: str = ""
    label: str = ""

    @property
    def called(self) -> str:
        """What the table calls it."""
        return self.label or self.method

    @property
    def path(self) -> Path:
        return FOLDER / "jobs" / self.problem / f"{self.method.replace(',', '').replace(' ', '_')}-{self.seed}.json"

    @property
    def module(self) -> str:
        if self.method == SPEED:
            return "speed"
        if self.method.startswith("imitation"):
            return "peer_adversarial"
        return "side_by_side" if self.alongside.startswith("sb3") else "ours"

    @property
    def other(self) -> Job | None:
        """The job whose result this one writes, beside its own."""
        return replace(self, method=self.alongside, alongside="", label="", minutes=0.0) if self.alongside else None

    def question(self) -> dict[str, Any]:
        """Return what its process is told: what was asked for, and of the problem what a peer cannot import."""
        problem = PROBLEMS[self.problem]
        known = ("setup", "terminate_on_success", "gamma", "validation_starts", "test_starts")
        about = {name: getattr(problem, name) for name in known}
        if self.other is not None:
            about["alongside_path"] = str(self.other.path)
        return {**asdict(self), **about, "demonstrations": str(self.shown), "commit": commit(), "code": code()}

    @property
    def shown(self) -> Path:
        """Where a peer finds the demonstrations."""
        seed = self.seed if PROBLEMS[self.problem].windows else 0
        return FOLDER / "demonstrations" / f"{self.problem}-{seed}.npz"

    def found(self, any_code: bool = True) -> Found | None:
        """Return the result, if there is one of this code (or of any) that was asked for the same."""
        if not self.path.is_file():
            return None
        found = read_result(self.path)
        same = all(found.job[name] == getattr(self, name) for name in ("steps", "every"))
        return found if same and (any_code or found.job.get("code") == code()) else None

    def is_done(self, any_code: bool) -> bool:
        """Return whether all results that this job writes are there."""
        return all(job.found(any_code) is not None for job in (self, self.other) if job is not None)


@cache
def commit() -> str:
    """Return which code runs here, in words."""
    try:
        words = ["git", "--no-optional-locks", "describe", "--always", "--dirty=, changed", "--exclude=*"]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def code() -> str:
    """Return a hash of all that a training is made of, committed or not."""
    known = hashlib.sha256()
    for folder, ending in (("imitation_ros", "py"), ("config", "yaml"), ("sim", "yaml")):
        for path in sorted(Path(folder).rglob(f"*.{ending}")):
            if "ros" not in path.parts:  # nodes train nothing
                known.update(f"{path}\n".encode() + path.read_bytes())
    return known.hexdigest()[:12]


def groups(jobs: Sequence[Job], at_once: int) -> tuple[tuple[int, list[Job]], ...]:
    """Return how many of which jobs run at once: those that must be alone, one by one, before all others."""
    alone, others = ([job for job in jobs if job.alone is which] for which in (True, False))
    return (1, alone), (at_once, others)


def minutes_of(jobs: Sequence[Job], at_once: int) -> float:
    """Return how long jobs take on as many free cores."""
    return sum(job.minutes / count for count, group in groups(jobs, at_once) for job in group)


def run_jobs(jobs: Sequence[Job], at_once: int) -> None:
    """Run jobs in their order, but those that must be alone before all others."""
    if any(job.module == "peer_adversarial" or job.method == SPEED for job in jobs):
        python_of("imitation")  # made here, lest two jobs make it at once
    for job in jobs:
        if job.module == "peer_adversarial" and not job.shown.is_file():
            save_for_peers(job.shown, demonstrations_of(PROBLEMS[job.problem], job.seed))
    progress = Progress(jobs, at_once)
    for count, group in groups(jobs, at_once):
        with ThreadPoolExecutor(count) as pool:
            try:
                list(pool.map(progress.run, group))
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise


class Progress:
    """Runs jobs, and tells of each that ends how long the rest will take."""

    def __init__(self, jobs: Sequence[Job], at_once: int) -> None:
        self.open, self.at_once = list(jobs), at_once
        self.total, self.expected, self.took = len(jobs), 0.0, 0.0
        self.lock = threading.Lock()
        console.print(f"{len(jobs)} jobs, about {self.left():.0f} minutes, {at_once} at once.", highlight=False)

    def left(self) -> float:
        slower = self.took / self.expected if self.expected else 1.0
        return slower * minutes_of(self.open, self.at_once)

    def run(self, job: Job) -> None:
        began_s = time.monotonic()
        error = run_job(job)
        with self.lock:
            self.open.remove(job)
            if not error:
                self.expected += job.minutes
                self.took += (time.monotonic() - began_s) / 60
            said = f"FAILED: {error}" if error else outcome(job)
            number = f"[{self.total - len(self.open)}/{self.total}]"
            text = (
                f"{number} {job.problem}, {job.called}, seed {job.seed}: {said}; about {self.left():.0f} minutes left"
            )
            console.print(text, highlight=False, markup=False, soft_wrap=True)


def run_job(job: Job) -> str:
    """Run one job in a process, and return what went wrong; its output is beside its result."""
    job.path.parent.mkdir(parents=True, exist_ok=True)
    log = job.path.with_suffix(".log")
    python = python_of("imitation") if job.module == "peer_adversarial" else Path(sys.executable)
    module = f"tests.benchmarks.learning.{job.module}"
    with log.open("w") as file:
        done = subprocess.run(
            [python, "-W", "ignore", "-m", module, json.dumps(job.question()), job.path],
            env=environment(), stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    if done.returncode == 0:
        log.unlink()
        return ""
    lines = log.read_text().strip().splitlines()
    return f"{lines[-1] if lines else 'it said nothing'} (all of it: {log})"


def outcome(job: Job) -> str:
    found = job.found()
    assert found is not None, f"{job.path} was not written"
    measured = found.measured
    minutes = f"{measured.process_cpu_minutes:.1f} CPU min ({job.minutes:g} expected)"
    if measured.last is None:
        return minutes
    success = "" if measured.last.success is None else f", {100 * measured.last.success:.0f} % success"
    return f"return {measured.last.mean_return:.4g}{success} at the end, {minutes}"
