"""Clean recordings of a leader and a follower arm, and faults to put into them, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from imitation_ros.data.episode import Episode, Timing
from imitation_ros.data.images import EncodedImages
from imitation_ros.robot.messages.images import encoded
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

ARM = """
setup: leader_arm
robot: arm
rate_hz: 30
observation: [joints, tool, camera]
action: [leader]
fields:
  joints: {topic: joint_states, type: sensor_msgs/msg/JointState, names: [a, b, c], unit: rad, max_age_s: 0.1}
  tool: {topic: tool, type: geometry_msgs/msg/PoseStamped, rotation: rotation_6d, max_age_s: 0.2}
  camera: {topic: image/compressed, type: sensor_msgs/msg/CompressedImage, shape: [8, 8, 3], max_age_s: 0.1}
  leader: {topic: leader/joint_states, type: sensor_msgs/msg/JointState, names: [a, b, c], unit: rad, scale_low: -2,
    scale_high: 2}
"""
SPEC = spec_from_yaml(ARM, "arm.yaml")
EPISODES, STEPS, LAG = 16, 150, 2
JPEGS = [
    encoded(np.random.default_rng(n).integers(0, 256, (8, 8, 3), np.uint8), SPEC.field("camera")) for n in range(97)
]


def clean_episodes(spec: RobotSpec = SPEC, steps: int = STEPS) -> list[Episode]:
    """Return what a careful person records: smooth, on time, without a pause, the follower LAG ticks behind."""
    return [clean_episode(spec, steps, index) for index in range(EPISODES)]


def clean_episode(spec: RobotSpec, steps: int, index: int) -> Episode:
    rng = np.random.default_rng(index)
    time_s = (np.arange(steps + 1 + LAG) - LAG)[:, None] * spec.period_s
    speeds, starts = rng.uniform(1.5, 2.5, 3), rng.uniform(0, 6.28, 3)
    path = 0.8 * np.sin(speeds * time_s + starts) + 0.3 * np.sin(3.1 * speeds * time_s + rng.uniform(0, 6.28, 3))
    joints = path[: steps + 1] + rng.normal(0, 2e-4, (steps + 1, 3))  # the noise of an encoder
    leader = path[LAG + 1 :]
    angle = 0.3 * joints[:, 0]
    columns = [np.cos(angle), np.sin(angle), 0 * angle, -np.sin(angle), np.cos(angle), 0.001 * joints[:, 1] * 0]
    tool = np.concatenate([0.3 * np.cos(joints), np.stack(columns, axis=1)], axis=1)
    ticks_s = 1.7e9 + 100.0 * index + np.arange(steps + 1) * spec.period_s
    stamps = {field.name: ticks_s - rng.uniform(0.001, 0.012, steps + 1) for field in spec.observation}
    received = {name: times + 0.003 for name, times in stamps.items()}
    actions = {"leader": leader.astype(np.float32)}
    images = [JPEGS[(7 * index + tick) % len(JPEGS)] for tick in range(steps + 1)]
    return Episode(
        spec,
        {
            "joints": joints.astype(np.float32),
            "tool": tool.astype(np.float32),
            "camera": EncodedImages(images, spec.field("camera")),
        },
        actions,
        actions,
        Timing(ticks_s, stamps, received, {"leader": np.zeros(steps, np.bool_)}),
        success=True,
    )


def observed(episode: Episode, name: str, change: Callable[[np.ndarray], Any]) -> Episode:
    values = change(np.array(episode.observations[name]))
    return replace(episode, observations={**episode.observations, name: values})


def commanded(episode: Episode, change: Callable[[np.ndarray], Any]) -> Episode:
    labels = {"leader": np.asarray(change(np.array(episode.actions["leader"])), np.float32)}
    return replace(episode, actions=labels, executed=labels)


def timed(episode: Episode, **changes: Any) -> Episode:
    return replace(episode, timing=replace(episode.timing, **changes))


def stamped(episode: Episode, name: str, change: Callable[[np.ndarray], Any]) -> Episode:
    return timed(episode, stamps_s={**episode.timing.stamps_s, name: change(episode.timing.stamps_s[name].copy())})


def cut(episode: Episode, steps: int) -> Episode:
    """Return an episode's first steps."""
    timing = episode.timing
    return replace(
        episode,
        observations={name: values[: steps + 1] for name, values in episode.observations.items() if name != "camera"}
        | {"camera": EncodedImages(episode.observations["camera"].jpegs[: steps + 1], SPEC.field("camera"))},
        actions={"leader": episode.actions["leader"][:steps]},
        executed={"leader": episode.executed["leader"][:steps]},
        timing=Timing(
            timing.ticks_s[: steps + 1],
            {name: times[: steps + 1] for name, times in timing.stamps_s.items()},
            {name: times[: steps + 1] for name, times in timing.received_s.items()},
            {"leader": timing.silent["leader"][:steps]},
        ),
    )


def at(place: Any, value: Any) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[place] = value(values) if callable(value) else value
        return values

    return change


def paused(episode: Episode, begin: int) -> Episode:
    """Return an episode in which nothing moves from a tick on; encoders and cameras still have their noise."""
    rng = np.random.default_rng(0)

    def hold(values: np.ndarray) -> np.ndarray:
        values[begin:] = values[begin]
        return values

    still = commanded(observed(observed(episode, "joints", hold), "tool", hold), hold)
    joints = still.observations["joints"]
    joints[begin:] += rng.normal(0, 2e-4, joints[begin:].shape)
    tool = still.observations["tool"]
    tool[begin:, :3] += rng.normal(0, 1e-5, tool[begin:, :3].shape)
    return still


def frozen_camera(episode: Episode) -> Episode:
    jpegs = list(episode.observations["camera"].jpegs)
    jpegs[40:80] = [jpegs[40]] * 40
    return replace(episode, observations={**episode.observations, "camera": EncodedImages(jpegs, SPEC.field("camera"))})


def regular(episode: Episode, rate_hz: float) -> Episode:
    """Return an episode whose ticks, and all its times with them, have another rate."""
    timing, start_s = episode.timing, episode.timing.ticks_s[0]
    ticks = start_s + (timing.ticks_s - start_s) * SPEC.rate_hz / rate_hz
    moved = {name: times + (ticks - timing.ticks_s) for name, times in timing.stamps_s.items()}
    return timed(episode, ticks_s=ticks, stamps_s=moved, received_s={name: t + 0.003 for name, t in moved.items()})


def each(change: Callable[[Episode], Episode]) -> Callable[[list[Episode]], list[Episode]]:
    return lambda episodes: [change(episode) for episode in episodes]


def one(change: Callable[[Episode], Episode]) -> Callable[[list[Episode]], list[Episode]]:
    return lambda episodes: [*episodes[:5], change(episodes[5]), *episodes[6:]]


def noisy(values: np.ndarray) -> np.ndarray:
    return values + np.random.default_rng(1).normal(0, 0.03, values.shape).astype(np.float32)


def drifting(episodes: list[Episode]) -> list[Episode]:
    return [commanded(e, lambda v, n=n: v + np.array([0.0, 0.006 * n, 0.0])) for n, e in enumerate(episodes)]


def delayed(episode: Episode, ticks: int) -> Episode:
    """Return an episode whose labels come earlier by so many ticks: the motion lags by as many more."""
    return commanded(episode, lambda v: v[np.clip(np.arange(len(v)) + ticks, 0, len(v) - 1)])


FAULTS: dict[str, tuple[Callable[[list[Episode]], list[Episode]], set[tuple[str, str, str]]]] = {
    "NaN in an observation": (
        one(lambda e: observed(e, "joints", at((9, 1), np.nan))),
        {("error", "not a number", "joints")},
    ),
    "NaN in a label": (one(lambda e: commanded(e, at((9, 1), np.inf))), {("error", "not a number", "leader")}),
    "a glitch": (
        one(lambda e: observed(e, "joints", at((70, 0), lambda v: v[70, 0] + 2.5))),
        {("warning", "spike", "joints")},
    ),
    "a frozen sensor": (
        one(lambda e: observed(e, "joints", at(slice(40, 75), lambda v: v[40]))),
        {("warning", "frozen", "joints")},
    ),
    "a frozen camera": (one(frozen_camera), {("warning", "frozen", "camera")}),
    "a topic that paused": (
        one(lambda e: stamped(e, "tool", at(slice(50, 65), lambda v: v[50]))),
        {("warning", "stale", "tool")},
    ),
    "a topic that died": (
        one(lambda e: stamped(e, "tool", at(slice(50, None), lambda v: v[50]))),
        {("error", "stale", "tool")},
    ),
    "two messages missing": (
        one(lambda e: stamped(e, "tool", at(slice(51, 54), lambda v: v[50]))),
        {("note", "gap", "tool")},
    ),
    "a slow topic": (
        each(lambda e: stamped(e, "tool", lambda v: v[np.arange(len(v)) // 3 * 3])),
        {("note", "slow", "tool")},
    ),
    "a clock ahead": (
        each(lambda e: timed(e, received_s={**e.timing.received_s, "tool": e.timing.stamps_s["tool"] - 0.02})),
        {("warning", "clock", "tool")},
    ),
    "stamps backwards": (
        one(lambda e: stamped(e, "tool", at(60, lambda v: v[59] - 0.005))),
        {("error", "backwards", "tool")},
    ),
    "another rate": (each(lambda e: regular(e, 25.0)), {("error", "rate", "")}),
    "no commands": (
        one(lambda e: timed(e, silent={"leader": np.arange(STEPS) < 60})),
        {("warning", "silent", "leader")},
    ),
    "few silent ticks": (
        one(lambda e: timed(e, silent={"leader": np.arange(STEPS) < 6})),
        {("note", "silent", "leader")},
    ),
    "a forgotten stop": (one(lambda e: paused(e, 20)), {("warning", "idle", "")}),
    "a long end": (one(lambda e: paused(e, 90)), {("note", "idle", "")}),
    "a trembling hand": (one(lambda e: observed(e, "joints", noisy)), {("warning", "jerk", "joints")}),
    "labels beyond the scale": (
        one(lambda e: commanded(e, at((slice(30, 40), 2), 2.5))),
        {("warning", "clipping", "leader")},
    ),
    "a twitch beyond the scale": (one(lambda e: commanded(e, at((30, 2), 2.1))), {("note", "clipping", "leader")}),
    "no rotation": (one(lambda e: observed(e, "tool", at((slice(None), 3), 0.5))), {("warning", "rotation", "tool")}),
    "a slip of the finger": (one(lambda e: cut(e, 4)), {("warning", "short", "")}),
    "a short episode": (one(lambda e: cut(e, 30)), {("warning", "length", "")}),
    "a copy": (lambda es: [*es, replace(es[3], timing=es[3].timing)], {("warning", "duplicate", "")}),
    "not marked": (one(lambda e: replace(e, success=None)), {("warning", "success", "")}),
    "none marked": (each(lambda e: replace(e, success=None)), {("note", "success", "")}),
    "a failure": (one(lambda e: replace(e, success=False)), {("note", "failure", "")}),
    "a dead joint topic": (
        each(lambda e: observed(e, "joints", at(slice(None), 0.0))),
        {("warning", "constant", "joints")},
    ),
    "a joint that is stuck": (
        each(lambda e: observed(e, "tool", at((slice(None), 1), 0.25))),
        {("note", "constant", "tool")},
    ),
    "an offset": (
        each(lambda e: commanded(e, lambda v: v + np.array([0.0, 0.3, 0.0]))),
        {("warning", "offset", "leader")},
    ),
    "a drift": (drifting, {("warning", "drift", "leader")}),
    "a slow network": (each(lambda e: delayed(e, 9)), {("warning", "lag", "")}),
    "labels of the state": (each(lambda e: delayed(e, -6)), {("warning", "early", "")}),
}
"""A fault, how to put it into clean episodes, and the only findings that follow: severity, kind, field."""
