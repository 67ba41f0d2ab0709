"""What `imitation-ros check` costs: 1000 episodes of 500 steps of 23 + 7 numbers with stamps, and its report.

A folder of a thousand files and one packed file, each in a process of its own, so that its memory can be read off.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from imitation_ros.checking import run_check
from imitation_ros.data.episode import Episode
from imitation_ros.data.save import save_episodes
from imitation_ros.robot.spec import spec_from_yaml
from tests.benchmarks.loading import EPISODES, RECORDED, STEPS, episodes, measure, memory_mb
from tests.benchmarks.table import load, write_table

BAR_S = 10.0
REPEATS = 3


def run() -> None:
    note = load()
    spec = spec_from_yaml(RECORDED.replace("-4", "-40").replace("high: 4", "high: 40"), "recorded")
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as name:
        for path in (Path(name) / "folder", Path(name) / "packed.hdf5"):
            save_episodes(path, moving(episodes(spec)))
            measured = [measure([sys.executable, "-m", __spec__.name, path]) for _ in range(REPEATS)]
            words = ("check_s", "check_cpu_s", "memory_mb", "report_mb")
            best = {word: median(each[word] for each in measured) for word in words}
            what = "a folder of files" if path.is_dir() else "packed"
            rows.append({"what": f"{EPISODES} x {STEPS}, {what}", **best, "bar_s": BAR_S})
    write_table("checking", rows, f"{note}; the report is written too")


def moving(source: Iterator[Episode]) -> Iterator[Episode]:
    """Make of white noise a motion: its sum, smoothed by being summed twice over a window."""
    for episode in source:
        seen = {name: smooth(values) for name, values in episode.observations.items()}
        actions = {name: values if values.shape[1] == 1 else smooth(values) for name, values in episode.actions.items()}
        yield replace(episode, observations=seen, actions=actions, executed=actions)


def smooth(values: Any) -> Any:
    sums = values.cumsum(axis=0)
    for _ in range(2):
        sums[10:] = (sums[10:] + sums[:-10]) / 2
    return sums


def measure_here(dataset: Path) -> dict[str, float]:
    """Check as the command does, and say what it took."""
    before_mb = memory_mb("VmRSS")
    report = dataset.with_suffix(".html")
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    run_check(dataset, report)
    took_s, took_cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    grown_mb = memory_mb("VmHWM") - before_mb
    size_mb = report.stat().st_size / 1e6
    return {"check_s": took_s, "check_cpu_s": took_cpu_s, "memory_mb": grown_mb, "report_mb": size_mb}


if __name__ == "__main__":
    print(json.dumps(measure_here(Path(sys.argv[1]))))
