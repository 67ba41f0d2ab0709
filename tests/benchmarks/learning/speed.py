"""Environment steps per second of GAIL and AIRL on Pendulum-v1, beside imitation 1.0.1, in turns.

In CPU time with the same networks, rollouts and updates (so without our gradient penalty, and without its
normalisation of inputs and its statistics); in wall time as ours is tuned for it: by the quick recipe, and with two
processes that collect. Starting up and the first round are left out; there is no evaluation.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from types import ModuleType
from typing import Any

import torch

from imitation_ros.algorithms import airl, gail, ppo
from imitation_ros.algorithms.recipe import load_recipe
from imitation_ros.algorithms.run import Run
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from tests.benchmarks.learning.demonstrations import PROBLEMS, demonstrations_of
from tests.benchmarks.learning.measure import Measurement, question, write_result
from tests.benchmarks.peers import Peer
from tests.benchmarks.table import load

SAME: Mapping[str, Any] = {  # as peer_adversarial.py has it; the counts are compared, too
    "steps_per_round": 1600,
    "ppo": ppo.Settings(epochs=10, batch_size=200),
    "reward_updates": 30,
    "batch_size": 256,
    "replayed_rounds": 10,
    "gradient_penalty": 0.0,
    "last_updates": 0,
}
REPEATS = 3


def run(job: Mapping[str, Any]) -> Measurement:
    torch.set_num_threads(1)
    measured = Measurement(steps=job["steps"], network="policy, value, reward: 64x64 tanh", settings=load())
    episodes = demonstrations_of(PROBLEMS[job["problem"]], 0)
    rates: dict[str, list[float]] = {}
    with Peer("imitation", "learning.peer_speed") as peer, measured.timed():
        for _ in range(REPEATS):
            for name, module in (("GAIL", gail), ("AIRL", airl)):
                asked = {**job, "method": f"imitation {name}", "normalised": False}
                peer.ask(job=json.dumps(asked))
                theirs_cpu, theirs_wall = peer.ask(read="cpu"), peer.ask(read="wall")
                rounds = peer.ask(read="rounds")
                counts = {what: peer.ask(read=what) / rounds for what in ("policy", "discriminator")}
                if counts != {"policy": 80, "discriminator": 30}:
                    raise RuntimeError(f"imitation made other updates a round than ours: {counts}")
                cpu, _ = rates_of(module, episodes, job, tuned=False, rounds=rounds)
                _, wall = rates_of(module, episodes, job, tuned=True, rounds=rounds)
                for what, ours, other in (("cpu", cpu, theirs_cpu), ("wall", wall, theirs_wall)):
                    rates.setdefault(f"{name} {what} ours", []).append(ours)
                    rates.setdefault(f"{name} {what} imitation", []).append(other)
                    rates.setdefault(f"{name} {what} ratio", []).append(ours / other)
    measured.figures = {what: median(values) for what, values in rates.items()}
    measured.updates = {"policy per round": 80, "reward per round": 30}
    return measured


def rates_of(
    module: ModuleType, episodes: list[Episode], job: Mapping[str, Any], tuned: bool, rounds: float
) -> tuple[float, float]:
    """Return environment steps per second of CPU time of this process, and of wall time."""
    looks: list[tuple[int, float, float]] = []
    total = job["steps"]

    def look(steps: int, row: Mapping[str, float]) -> bool:
        looks.append((steps, time.process_time(), time.monotonic()))
        return steps < total

    name = module.__name__.rpartition(".")[2]
    config = replace(load_recipe(f"{name}_quick" if tuned else name), steps=total)
    if not tuned:
        config = replace(config, **SAME)
    with Workers(job["setup"], count=2 if tuned else 1) as workers:
        module.train(episodes, workers, config, Run(None, {}, total, None, total, look))
    if not tuned and len(looks) != rounds:
        raise RuntimeError(f"ours made {len(looks)} rounds, imitation {rounds:g}: they are not to be compared")
    (first, *began), (last, *ended) = looks[0], looks[-1]
    cpu_s, wall_s = (after - before for before, after in zip(began, ended, strict=True))
    return (last - first) / cpu_s, (last - first) / wall_s


if __name__ == "__main__":
    asked, path = question()
    write_result(path, asked, run(asked))
