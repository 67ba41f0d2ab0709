"""How many steps the simulated Panda does at pick_place, beside panda-gym 3.0.7's PandaPickAndPlace-v3.

Steps per second of CPU time, resets included, through gymnasium in both; random actions are drawn beforehand. A step
is not the same physics: ours is 6 substeps of 1/120 s with 20 solver iterations (50 ms), panda-gym's 20 of 1/500 s
with 50 (40 ms). "Physics alone" is stepSimulation on an arm at rest: what no Python around it can beat.

Workers are measured in wall time, and by what each further episode costs: starting processes is told apart.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import gymnasium
import numpy as np

import imitation_ros.envs  # noqa: F401 registers the environments
from imitation_ros.envs.collect import collect
from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.envs.tasks import Expert
from imitation_ros.envs.world import World
from tests.benchmarks.peers import Peer
from tests.benchmarks.table import load, write_table

SETUP, TASK = "panda_pick_place", "pick_place"
ROUNDS = 7
STEPS = 2000  # of ours in one run
PEER_STEPS = 1000
FEW, MANY = 20, 140  # episodes of the two runs between which workers are compared
WORKER_ROUNDS = 3


def run() -> None:
    before = load()
    env = gymnasium.make("imitation_ros/PandaPickPlace-v0")
    env.reset(seed=0)
    env.action_space.seed(0)
    rows = []
    with Peer("panda-gym", "peer_panda_gym") as peer:
        for what, bar in (("random", "1300, and 3.5 x"), ("physics", "")):
            measured = [(steps_per_s(env, what), peer.ask(what=what, steps=PEER_STEPS)) for _ in range(ROUNDS)]
            ours, theirs = (median(column) for column in zip(*measured, strict=True))
            ratio = median(one / other for one, other in measured)
            name = "random actions: steps per CPU s" if what == "random" else "physics alone: steps per CPU s"
            rows.append({"what": name, "ours": ours, "peer": theirs, "ratio": ratio, "bar": bar})
    expert = median(steps_per_s(env, "expert") for _ in range(ROUNDS))
    rows.insert(1, {"what": "expert's actions: steps per CPU s", "ours": expert, "peer": "", "ratio": "", "bar": ""})
    env.close()
    rows += workers()
    note = (
        "peer: panda-gym 3.0.7, whose step is 20 x 1/500 s with 50 iterations; ours is 6 x 1/120 s with 20; "
        f"medians of {ROUNDS} alternating runs ({WORKER_ROUNDS} of workers); {before}"
    )
    write_table("simulator", rows, note)


def steps_per_s(env: gymnasium.Env, what: str) -> float:
    robot: RobotEnv = env.unwrapped
    expert = Expert(TASK)
    actions = [env.action_space.sample() for _ in range(STEPS)]
    observation, _ = env.reset()
    if what == "physics":
        return physics_per_s(robot.world)
    started_s = time.process_time()
    for action in actions:
        chosen = action if what == "random" else robot.to_unit(expert.act(observation))
        observation, _, terminated, truncated, _ = env.step(chosen)
        if terminated or truncated:
            observation, _ = env.reset()
    return STEPS / (time.process_time() - started_s)


def physics_per_s(world: World) -> float:
    world.step(np.zeros(len(world.robot.arm)))  # or the arm would fall
    started_s = time.process_time()
    for _ in range(STEPS * world.substeps):
        world.bullet.stepSimulation()
    return STEPS / (time.process_time() - started_s)


def workers() -> list[dict[str, object]]:
    """Return the rows that compare two workers with one, in wall time."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    starts, free = [], []
    for _ in range(WORKER_ROUNDS):
        for count in rates:
            free.append(free_cores())
            few_s, many_s = (collecting_s(episodes, count) for episodes in (FEW, MANY))
            per_episode_s = (many_s - few_s) / (MANY - FEW)
            rates[count].append(1.0 / per_episode_s)
            if count == 2:
                starts.append(few_s - FEW * per_episode_s)
    one, two = (median(values) for values in rates.values())
    ratio = median(many / single for single, many in zip(*rates.values(), strict=True))
    what = f"2 workers, beside 1: episodes per s ({min(free):.1f} to {max(free):.1f} cores were free)"
    return [
        {"what": what, "ours": two, "peer": one, "ratio": ratio, "bar": "1.8 x"},
        {"what": "starting 2 workers: s, once per collect", "ours": median(starts), "peer": "", "ratio": "", "bar": ""},
    ]


def collecting_s(episodes: int, workers: int) -> float:
    started_s = time.monotonic()
    collect(SETUP, Expert(TASK), episodes, workers=workers)
    return time.monotonic() - started_s


def free_cores() -> float:
    """Return how many cores did nothing over a second in which this process slept."""

    def idle_and_all() -> tuple[int, int]:
        numbers = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return numbers[3] + numbers[4], sum(numbers)  # idle and waiting for disks

    cores = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
    idle, total = idle_and_all()
    time.sleep(1.0)
    later_idle, later_total = idle_and_all()
    return cores * (later_idle - idle) / max(1, later_total - total)
