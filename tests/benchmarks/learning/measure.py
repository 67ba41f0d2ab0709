"""What a job measures and writes; standard library only, since peers' sides run in environments of their own."""

from __future__ import annotations

import json
import platform
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Score:
    """How a policy did on some starts: means over episodes.

    Attributes:
        success: the share of successes; None where the environment does not say.
        steps: of an episode; steps_to_success: of those that succeeded, None where none did.
    """

    mean_return: float
    success: float | None = None
    steps: float | None = None
    steps_to_success: float | None = None
    episodes: int = 0


@dataclass
class Measurement:
    """What one job found; times are of training alone, evaluations and imports left out.

    Attributes:
        curve: of each evaluation: environment steps, mean return, success or None.
        updates: what was updated, to how often.
        last, best: the last policy, and the one that did best in the curve, on test starts.
        expert: on the test starts; expert_shown: on those of the curve.
        labels: what experts were asked for, where anybody counted.
        process_cpu_minutes: of all that the job's process did, its start, demonstrations, evaluations and tests too.
    """

    curve: list[tuple[int, float, float | None]] = field(default_factory=list)
    last: Score | None = None
    best: Score | None = None
    demonstrations: Score | None = None
    expert: Score | None = None
    expert_shown: Score | None = None
    steps: int = 0
    updates: dict[str, int] = field(default_factory=dict)
    network: str = ""
    settings: str = ""
    labels: int | None = None
    figures: dict[str, float] = field(default_factory=dict)
    cpu_minutes: float = 0.0
    wall_minutes: float = 0.0
    evaluation_cpu_minutes: float = 0.0
    process_cpu_minutes: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count what happens within as training."""
        cpu_s, wall_s = time.process_time(), time.monotonic()
        try:
            yield
        finally:
            self.cpu_minutes += (time.process_time() - cpu_s) / 60
            self.wall_minutes += (time.monotonic() - wall_s) / 60

    @contextmanager
    def left_out(self, as_evaluation: bool = True) -> Iterator[None]:
        """Do not count what happens within, inside `timed`: it is an evaluation, or another's training."""
        cpu_s, wall_s = time.process_time(), time.monotonic()
        try:
            yield
        finally:
            cpu_minutes = (time.process_time() - cpu_s) / 60
            self.cpu_minutes -= cpu_minutes
            self.evaluation_cpu_minutes += cpu_minutes if as_evaluation else 0.0
            self.wall_minutes -= (time.monotonic() - wall_s) / 60

    def note(self, steps: int, score: Score) -> bool:
        """Add an evaluation to the curve, and return whether it is the best so far."""
        better = all(score.mean_return > earlier for _, earlier, _ in self.curve)
        self.curve.append((steps, score.mean_return, score.success))
        return better


def write_result(path: Path, job: Mapping[str, Any], measured: Measurement) -> None:
    """Write a job's result, whole or not at all."""
    spent = (resource.getrusage(which) for which in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    measured.process_cpu_minutes = sum(each.ru_utime + each.ru_stime for each in spent) / 60
    part = path.with_suffix(".part")
    text = json.dumps({"job": dict(job), "versions": versions(), **asdict(measured)}, indent=1)
    part.write_text(text + "\n")
    part.replace(path)


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("torch", "numpy", "gymnasium", "pybullet", "mujoco", "stable-baselines3", "imitation"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def question() -> tuple[dict[str, Any], Path]:
    """Return what a job's process is asked, and where its answer goes."""
    return json.loads(sys.argv[1]), Path(sys.argv[2])


@dataclass(frozen=True)
class Found:
    """A job's result, as it was written."""

    job: dict[str, Any]
    versions: dict[str, str]
    measured: Measurement


def read_result(path: Path) -> Found:
    data = json.loads(path.read_text())
    job, versions_then = data.pop("job"), data.pop("versions")
    for name in ("last", "best", "demonstrations", "expert", "expert_shown"):
        data[name] = Score(**data[name]) if data.get(name) is not None else None
    return Found(job, versions_then, Measurement(**data))
