"""A small robot and its episodes, for tests of the half that needs no ROS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings

from imitation_ros.data.episode import Episode, Timing
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

# machines are busy, so no deadline; and a test that failed once fails again
settings.register_profile("calm", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("calm")

TINY = """
setup: tiny_wipe
robot: tiny
rate_hz: 20
wait_s: 0.02
task: wipe
observation: [joints, tool]
action: [velocity, gripper]
fields:
  joints: {topic: joint_states, type: sensor_msgs/msg/JointState, names: [shoulder, elbow], unit: rad, max_age_s: 0.1}
  tool: {topic: tool/pose, type: geometry_msgs/msg/PoseStamped, frame: base, rotation: rotation_6d, max_age_s: 0.2}
  velocity:
    topic: servo/twist
    executed_topic: servo/executed
    type: geometry_msgs/msg/TwistStamped
    names: [linear.x, linear.y]
    frame: base
    unit: m/s
    scale_low: [-0.5, -0.25]
    scale_high: [0.5, 0.25]
    limits: {velocity: 0.5, acceleration: 2.0}
    reduce: mean
    timeout_s: 0.1
    when_silent: zero
    downstream_timeout_s: 0.1
  gripper:
    topic: gripper/command
    type: std_msgs/msg/Float64
    kind: binary
    unit: m
    scale_low: 0.0
    scale_high: 0.08
    timeout_s: 1.0
"""


@pytest.fixture(scope="session")
def tiny_yaml() -> str:
    """A robot with two observation and two action fields, as YAML."""
    return TINY


@pytest.fixture(scope="session")
def spec() -> RobotSpec:
    return spec_from_yaml(TINY, "tiny.yaml")


CAMERAS = """
  wrist: {topic: wrist/image/compressed, type: sensor_msgs/msg/CompressedImage, shape: [24, 32, 3]}
  front: {topic: front/image, type: sensor_msgs/msg/Image, shape: [12, 16, 1], storage: raw}
"""


@pytest.fixture(scope="session")
def camera_spec() -> RobotSpec:
    """The small robot with two cameras: colour, stored as JPEG, and grey, stored raw."""
    return spec_from_yaml(TINY.replace("[joints, tool]", "[joints, tool, wrist, front]") + CAMERAS, "cameras.yaml")


@pytest.fixture(scope="session")
def make_episode() -> Callable[..., Episode]:
    return random_episode


def random_episode(spec: RobotSpec, steps: int = 5, seed: int = 0, timed: bool = True, **changes: object) -> Episode:
    """Return an episode of random numbers; `changes` replaces some of its attributes."""
    rng = np.random.default_rng(seed)

    def rows(count: int, width: int) -> np.ndarray:
        return rng.normal(size=(count, width)).astype(np.float32)

    ticks_s = 1.7e9 + np.arange(steps + 1) * spec.period_s
    stamps_s = {field.name: ticks_s - rng.uniform(0.0, 0.05, steps + 1) for field in spec.observation}
    timing = Timing(
        ticks_s=ticks_s,
        stamps_s=stamps_s,
        received_s={name: stamps + rng.uniform(0.0, 0.02, steps + 1) for name, stamps in stamps_s.items()},
        silent={field.name: rng.random(steps) < 0.3 for field in spec.action},
    )
    values = {
        "observations": {
            field.name: rng.integers(0, 256, (steps + 1, *field.row_shape), np.uint8)
            if field.is_image
            else rows(steps + 1, field.width)
            for field in spec.observation
        },
        "actions": {field.name: rows(steps, field.width) for field in spec.action},
        "executed": {field.name: rows(steps, field.width) for field in spec.action},
        "timing": timing if timed else None,
        "is_human": rng.random(steps) < 0.5,
        "attributes": {"operator": "ana", "seed": seed},
    }
    return Episode(spec=spec, **{**values, **changes})
