"""imitation's side of the loading benchmark: save trajectories, or load and flatten them. Runs where imitation is."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from imitation.data import rollout, serialize
from imitation.data.types import TrajectoryWithRew


def save(path: str, episodes: int, steps: int, observation: int, action: int) -> None:
    rng = np.random.default_rng(0)
    serialize.save(
        path,
        [
            TrajectoryWithRew(
                obs=rng.standard_normal((steps + 1, observation), np.float32),
                acts=rng.standard_normal((steps, action), np.float32),
                infos=None,
                terminal=False,
                rews=np.zeros(steps, np.float32),
            )
            for _ in range(episodes)
        ],
    )


def load(path: str) -> None:
    rollout.flatten_trajectories(serialize.load(path))


def memory_mb(word: str) -> float:
    """Return what this process has in memory (VmRSS), or had at most (VmHWM)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[word].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    what, path, *sizes = sys.argv[1:]
    before_mb = memory_mb("VmRSS")
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    if what == "save":
        save(path, *map(int, sizes))
    else:
        load(path)
    took_s, took_cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    grown_mb = memory_mb("VmHWM") - before_mb
    print(json.dumps({"load_s": took_s, "load_cpu_s": took_cpu_s, "memory_mb": grown_mb}))
