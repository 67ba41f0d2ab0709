"""A robot whose fields are of every kind, its episodes of random numbers, and rows made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from imitation_ros.algorithms.rollouts import Steps
from imitation_ros.data.episode import Episode
from imitation_ros.policies.driving import Choice
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

SPEC = """
setup: mixed
robot: mixed
rate_hz: 10
task: mix
observation: [joints, mode]
action: [push, gear, grip]
fields:
  joints: {topic: joints, type: sensor_msgs/msg/JointState, names: [shoulder, elbow], unit: rad, max_age_s: 0.1}
  mode: {topic: mode, type: std_msgs/msg/Float64, kind: category, scale_low: -1, scale_high: 1, max_age_s: 0.1}
  push:
    topic: push
    type: std_msgs/msg/Float64MultiArray
    names: [x, y]
    scale_low: [-2.0, 0.0]
    scale_high: [2.0, 1.0]
    timeout_s: 0.5
  gear: {topic: gear, type: std_msgs/msg/Float64, kind: category, scale_low: 3, scale_high: 6, timeout_s: 0.5}
  grip: {topic: grip, type: std_msgs/msg/Float64, kind: binary, scale_low: 0.0, scale_high: 0.08, timeout_s: 0.5}
"""


def mixed_spec() -> RobotSpec:
    return spec_from_yaml(SPEC, "mixed.yaml")


def random_actions(spec: RobotSpec, steps: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return actions that a robot takes, some of them beyond their scale, as a Gaussian draws them."""
    actions = {}
    for field in spec.action:
        low, high = field.scale
        rows = {
            "continuous": low + (high - low) * rng.uniform(-0.2, 1.2, (steps, field.width)),
            "binary": rng.choice([low[0], high[0]], (steps, 1)),
            "category": rng.integers(low[0], high[0] + 1, (steps, 1)),
        }
        actions[field.name] = rows[field.kind].astype(np.float32)
    return actions


def mixed_episode(steps: int, seed: int, terminated: bool = False, rewarded: bool = True) -> Episode:
    """Return an episode whose labels and executed actions have nothing to do with each other."""
    spec, rng = mixed_spec(), np.random.default_rng([seed, steps])
    observations = {
        "joints": rng.normal(0.5, 2.0, (steps + 1, 2)).astype(np.float32),
        "mode": rng.integers(-1, 2, (steps + 1, 1)).astype(np.float32),
    }
    labels, executed = random_actions(spec, steps, rng), random_actions(spec, steps, rng)
    rewards = rng.normal(size=steps).astype(np.float32) if rewarded else None
    return Episode(spec, observations, labels, executed, rewards=rewards, terminated=terminated)


def mixed_policy(seed: int = 0) -> MLPPolicy:
    """Return a policy whose normalisers are not the identity."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = MLPPolicy(mixed_spec(), NetworkConfig(hidden=(8,), head="gaussian", activation="tanh"))
    policy.fit({"joints": torch.tensor([[0.0, -1.0], [1.0, 3.0]]), "mode": torch.zeros(2, 1)})
    return policy


class Careless:
    """Does anything at all."""

    def __init__(self, spec: RobotSpec) -> None:
        self.spec = spec

    def begin(self, generator: np.random.Generator) -> Any:
        def choose(observation: Any) -> Choice:
            action = {field.name: field.from_unit(generator.uniform(-1, 1, field.width)) for field in self.spec.action}
            return Choice(action, action)

        return choose


def same_steps(one: Steps, other: Steps) -> bool:
    """Return whether two are equal to the bit."""
    left, right = one.to_tensors(), other.to_tensors()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


EPISODES = st.lists(
    st.builds(mixed_episode, st.integers(1, 6), st.integers(0, 999), st.booleans(), st.booleans()),
    min_size=1,
    max_size=5,
)


def rows_of(
    observations: Any,
    next_observations: Any = None,
    executed: Any = None,
    rewards: Any = None,
    terminated: Sequence[bool] | None = None,
    last: Sequence[bool] | None = None,
    absorbing: Sequence[bool] | None = None,
    targets: dict[str, Any] | None = None,
) -> Steps:
    """Return steps made by hand; what is not given is zero."""
    seen = torch.as_tensor(observations, dtype=torch.float32)
    count = len(seen)
    fields = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in (targets or {}).items()}

    def numbers(value: Any, *shape: int) -> torch.Tensor:
        return torch.zeros(shape) if value is None else torch.as_tensor(value, dtype=torch.float32)

    def marks(value: Any) -> torch.Tensor:
        return torch.zeros(count, dtype=torch.bool) if value is None else torch.as_tensor(value, dtype=torch.bool)

    return Steps(
        observations=seen,
        next_observations=numbers(next_observations, *seen.shape),
        actions=fields,
        executed=numbers(executed, count, 1),
        executed_targets=fields,
        rewards=numbers(rewards, count),
        terminated=marks(terminated),
        last=marks(last),
        absorbing=marks(absorbing),
    )
