"""What loading costs: 1000 episodes of 500 steps of 23 + 7 float32, from files to the tensors that training takes.

Packed in one file and as a folder of a thousand; as they come from arrays (one field each, no times) and as a recorder
writes them (four observation fields, a gripper, stamps). Each load is a process of its own, so that its memory can be
read off: the growth of the highest resident size over what it was after the imports.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from imitation_ros.data.dataset import transitions
from imitation_ros.data.episode import Episode, Timing
from imitation_ros.data.load import load_episodes
from imitation_ros.data.save import save_episodes
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml
from tests.benchmarks.peers import environment, python_of
from tests.benchmarks.table import load, write_table

EPISODES, STEPS, OBSERVATION, ACTION = 1000, 500, 23, 7
RAW_MB = EPISODES * STEPS * (OBSERVATION + ACTION) * 4 / 1e6
REPEATS = 5

PLAIN = """
setup: plain
robot: plain
rate_hz: 50
observation: [state]
action: [command]
fields:
  state: {topic: state, type: std_msgs/msg/Float64MultiArray, names: %s}
  command: {topic: command, type: std_msgs/msg/Float64MultiArray, names: %s, scale_low: -4, scale_high: 4}
""" % ([f"s{n}" for n in range(OBSERVATION)], [f"c{n}" for n in range(ACTION)])  # noqa: UP031 braces are YAML's here

RECORDED = """
setup: recorded
robot: arm
rate_hz: 50
observation: [joints, speeds, tool, goal]
action: [twist, gripper]
fields:
  joints: {topic: joint_states, type: sensor_msgs/msg/JointState, names: [a, b, c, d, e, f, g]}
  speeds: {topic: joint_states, type: sensor_msgs/msg/JointState, names: [a, b, c, d, e, f, g], quantity: velocity}
  tool: {topic: tool/pose, type: geometry_msgs/msg/PoseStamped, rotation: rotvec}
  goal: {topic: goal, type: geometry_msgs/msg/PoseStamped}
  twist: {topic: twist, type: geometry_msgs/msg/TwistStamped, scale_low: -4, scale_high: 4}
  gripper: {topic: gripper, type: std_msgs/msg/Float64, kind: binary, scale_low: 0, scale_high: 1}
"""


def run() -> None:
    note = load()
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        for kind, text in (("from arrays", PLAIN), ("as recorded", RECORDED)):
            spec = spec_from_yaml(text, kind)
            for path, bar in ((folder / f"{kind}.hdf5", 0.5), (folder / kind, 4.0)):
                saved_s = timed(lambda path=path, spec=spec: save_episodes(path, episodes(spec)))
                what = f"{kind}, {'packed' if path.is_file() else 'a folder of files'}"
                measured = [measure([sys.executable, "-m", __spec__.name, path]) for _ in range(REPEATS)]
                rows.append(row(what, measured, saved_s, bar_s=bar))
                forget(path)
                rows.append(
                    row(f"{what}, not in the page cache", [measure([sys.executable, "-m", __spec__.name, path])])
                )
        peer = [python_of("imitation"), "-W", "ignore", "-m", "tests.benchmarks.peer_loading"]
        saved = measure([*peer, "save", folder / "peer", str(EPISODES), str(STEPS), str(OBSERVATION), str(ACTION)])
        measured = [measure([*peer, "load", folder / "peer"]) for _ in range(2)]
        rows.append(row("imitation 1.0.1: load and flatten_trajectories", measured, saved["load_s"]))
    write_table("loading", rows, f"{note}; raw data {RAW_MB:.0f} MB; memory bar 2.5 x")


def episodes(spec: RobotSpec) -> Iterator[Episode]:
    rng = np.random.default_rng(0)
    timed = len(spec.observation) > 1
    ticks_s = 1.7e9 + np.arange(STEPS + 1) * spec.period_s
    for _ in range(EPISODES):
        actions = {f.name: rng.standard_normal((STEPS, f.width), np.float32) for f in spec.action}
        stamps_s = {f.name: ticks_s - rng.uniform(0, spec.period_s, STEPS + 1) for f in spec.observation}
        received_s = {name: stamps + 0.001 for name, stamps in stamps_s.items()}
        silent = {f.name: np.zeros(STEPS, np.bool_) for f in spec.action}
        yield Episode(
            spec,
            {f.name: rng.standard_normal((STEPS + 1, f.width), np.float32) for f in spec.observation},
            actions,
            actions,
            Timing(ticks_s, stamps_s, received_s, silent) if timed else None,
            success=True,
        )


def row(what: str, measured: list[dict[str, float]], saved_s: float | None = None, bar_s: float | None = None) -> dict:
    best = {word: median(each[word] for each in measured) for word in ("load_s", "load_cpu_s", "memory_mb")}
    return {
        "what": what,
        **best,
        "memory_of_raw": best["memory_mb"] / RAW_MB,
        "bar_s": "" if bar_s is None else bar_s,
        "save_s": "" if saved_s is None else saved_s,
    }


def timed(call: Any) -> float:
    started_s = time.perf_counter()
    call()
    return time.perf_counter() - started_s


def measure(command: list[Any]) -> dict[str, float]:
    """Return what a process of its own measured."""
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def forget(path: Path) -> None:
    """Take a dataset out of the page cache."""
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def memory_mb(word: str) -> float:
    """Return what this process has in memory (VmRSS), or had at most (VmHWM; ru_maxrss is inherited from a parent)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[word].split()[0]) * 1024 / 1e6


def measure_here(dataset: Path) -> dict[str, float]:
    """Load as training does, and say what it took."""
    before_mb = memory_mb("VmRSS")
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    rows = transitions(load_episodes(dataset))
    took_s, took_cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    grown_mb = memory_mb("VmHWM") - before_mb
    assert len(rows) == EPISODES * STEPS
    return {"load_s": took_s, "load_cpu_s": took_cpu_s, "memory_mb": grown_mb}


if __name__ == "__main__":
    print(json.dumps(measure_here(Path(sys.argv[1]))))
