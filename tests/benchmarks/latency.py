"""What serving costs: one inference in-process, and asked of the inference process over its pipes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from imitation_ros.policies.bundle import OnnxPolicy
from imitation_ros.policies.checkpoint import load_policy, save_bundle
from imitation_ros.policies.inference import InferenceProcess
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.spec import load_spec
from tests.benchmarks.table import write_table

CALLS = 3000


def run() -> None:
    spec = load_spec("panda_pick_place")
    observation = {field.name: np.zeros(field.width, np.float32) for field in spec.observation}
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        samples = {name: value[None] for name, value in observation.items()}
        bundle = save_bundle(Path(folder) / "policy", MLPPolicy(spec, NetworkConfig()), {}, {}, samples)
        eager, onnx, process = load_policy(bundle), OnnxPolicy(bundle), InferenceProcess(bundle)

        def over_pipes() -> None:
            process.request(1, observation)
            assert process.result(1.0) is not None

        rows = [
            {"runtime": "torch eager, in process", **timed(lambda: eager.act(observation))},
            {"runtime": "onnxruntime, in process", **timed(lambda: onnx.act(observation))},
            {"runtime": "onnxruntime, own process", **timed(over_pipes)},
        ]
        process.close()
    write_table("latency", rows)


def timed(call: Callable[[], object]) -> dict[str, float]:
    for _ in range(100):
        call()
    times_s = []
    for _ in range(CALLS):
        started_s = time.perf_counter()
        call()
        times_s.append(time.perf_counter() - started_s)
    return {f"p{p}_ms": 1e3 * float(np.percentile(times_s, p)) for p in (50, 99)}
