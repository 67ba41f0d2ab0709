"""How often policies succeed on 200 fixed starts that training never saw.

For reach and pick_place the same demonstrations that the demo records over ROS (a parity test pins that); three seeds;
beside them the expert, an untrained policy and the mean action.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from imitation_ros.algorithms.recipe import load_recipe
from imitation_ros.data.folder import episode_path
from imitation_ros.data.hdf5 import write_episode
from imitation_ros.demo import PLANS, Plan
from imitation_ros.envs.collect import collect
from imitation_ros.envs.evaluate import evaluate
from imitation_ros.envs.tasks import Expert
from imitation_ros.policies.bundle import OnnxPolicy
from imitation_ros.policies.checkpoint import save_bundle
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig, Policy
from imitation_ros.policies.scripted import ConstantPolicy
from imitation_ros.robot.spec import load_spec
from imitation_ros.training import run_bc
from tests.benchmarks.table import write_table

STARTS = 200
SEEDS = 3
WORKERS = 2
JOBS = {
    **{f"panda_{task}": plan for task, plan in PLANS.items()},
    "panda_push": Plan(demonstrations=100, updates=12_000, episodes=STARTS),
    "panda_peg_insert": Plan(demonstrations=100, updates=12_000, episodes=STARTS),
    "two_link_push": Plan(demonstrations=100, updates=12_000, episodes=STARTS),
}
"""Setup to how it is taught; the first two as the demo does."""


def run() -> None:
    rows = []
    for setup, plan in JOBS.items():
        task = load_spec(setup).task
        episodes = collect(setup, Expert(task), plan.demonstrations, workers=WORKERS, disturbance=True)
        with TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            data.mkdir()
            for index, episode in enumerate(episodes):
                write_episode(episode_path(data, index), episode)
            spec = episodes[0].spec
            mean = {f.name: np.concatenate([e.actions[f.name] for e in episodes]).mean(0) for f in spec.action}
            rows.append(row(task, "expert", setup, Expert(task)))
            rows.append(row(task, "mean action", setup, ConstantPolicy(mean)))
            rows.append(row(task, "untrained", setup, untrained(Path(folder), spec)))
            for seed in range(SEEDS):
                started_s = time.monotonic()
                config = replace(load_recipe("bc"), updates=plan.updates, seed=seed)
                bundle = run_bc(data, Path(folder) / f"policy_{seed}", config, "cpu")
                trained_s = time.monotonic() - started_s
                rows.append(row(task, f"BC, seed {seed}", setup, OnnxPolicy(bundle), trained_s))
    write_table("success", rows)


def untrained(folder: Path, spec) -> Policy:
    torch.manual_seed(0)
    policy = MLPPolicy(spec, NetworkConfig())
    samples = {field.name: np.zeros((1, field.width), np.float32) for field in spec.observation}
    return OnnxPolicy(save_bundle(folder / "untrained", policy, {}, {}, samples))


def row(task: str, name: str, setup: str, policy: Policy, trained_s: float = float("nan")) -> dict:
    result = {"task": task, "policy": name, "training_s": round(trained_s, 1)}
    for disturbance in (False, True):
        evaluation = evaluate(setup, policy, STARTS, workers=WORKERS, disturbance=disturbance)
        low, high = evaluation.interval
        label = "disturbed" if disturbance else "clean"
        result[label] = evaluation.success_rate
        result[f"{label}_interval"] = f"{low:.3f}-{high:.3f}"
    return result
