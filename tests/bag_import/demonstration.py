"""A robot's messages as a recorder receives them: into a bag, or straight into a Recorder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from bag_writer import flag, joint_state, number, pose, twist

from imitation_ros.bag_import import run_import
from imitation_ros.bag_import.cuts import parse_cuts
from imitation_ros.errors import MessageError
from imitation_ros.recording import Recorder, executed_fields
from imitation_ros.robot.messages import read, stamp_s
from imitation_ros.robot.spec import RobotSpec

T0 = 1.7e9
STATE, POSE, TWIST = "sensor_msgs/msg/JointState", "geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/TwistStamped"
NUMBER, FLAG, WORD, JOY = "std_msgs/msg/Float64", "std_msgs/msg/Bool", "std_msgs/msg/String", "sensor_msgs/msg/Joy"
Item = tuple[str, str, Any, float]
"""Topic, type, message and the time at which it was received [s]."""


def nanoseconds(time_s: float) -> float:
    """Return a time as a bag gives it back."""
    return round(time_s * 1e9) * 1e-9


def joints_at(time_s: float, stamp: float | None = None, names: Sequence[str] = ("shoulder", "elbow")) -> Item:
    stamped_s = T0 + (time_s if stamp is None else stamp)
    return "/joint_states", STATE, joint_state(stamped_s, list(names), [time_s, -time_s]), T0 + time_s


def tool_at(time_s: float, stamp: float | None = None) -> Item:
    stamped_s = T0 + (time_s if stamp is None else stamp)
    return "/tool/pose", POSE, pose(stamped_s, (time_s, 0.0, 0.1)), T0 + time_s


def twist_at(time_s: float, stamp: float | None = None, topic: str = "/servo/twist") -> Item:
    stamped_s = T0 + (time_s if stamp is None else stamp)
    return topic, TWIST, twist(stamped_s, (0.1 * np.sin(time_s), 0.05, 0.0), "base"), T0 + time_s


def gripper_at(time_s: float, value: float = 0.08) -> Item:
    return "/gripper/command", NUMBER, number(value), T0 + time_s


def flag_at(time_s: float, value: bool) -> Item:
    return "/episodes", FLAG, flag(value), T0 + time_s


def driven(start_s: float, end_s: float, commands: bool = True) -> list[Item]:
    """Return what a robot at 100 Hz and its operator at 50 Hz send, with a few milliseconds on the way."""
    items = []
    for index in range(round((end_s - start_s) * 100)):
        time_s = start_s + 0.01 * index
        items += [joints_at(time_s + 0.002, time_s), tool_at(time_s + 0.003, time_s)]
        if commands and index % 2 == 0:
            items += [twist_at(time_s + 0.004, time_s), gripper_at(time_s + 0.005)]
    return items


def in_order(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: item[3])


def recorded(
    items: Sequence[Item], spec: RobotSpec, output: Path, ticks_s: Sequence[float], wall_s: Any = None
) -> Recorder:
    """Record items live, in the order in which they came; a timer closes ticks at some times."""
    recorder = Recorder(spec, output, **({} if wall_s is None else {"wall_s": wall_s}))
    fields: dict[str, list[Any]] = {}
    for field in (*spec.observation, *spec.action, *executed_fields(spec)):
        fields.setdefault(f"/{field.topic}", []).append(field)
    timer = sorted(ticks_s)
    for topic, _, message, log_s in items:
        now_s = nanoseconds(log_s)
        while timer and timer[0] <= now_s:
            recorder.close_ticks(timer.pop(0))
        if topic == "/episodes":
            recorder.start(now_s) if message.data else recorder.stop(now_s)
        for field in fields.get(topic, []):
            try:
                recorder.put(field.name, read(message, field), stamp_s(message, field), now_s)
            except MessageError:
                pass  # as a subscription does, which only says so
    return recorder


def imported(bags: Path | Sequence[Path], spec: RobotSpec, output: Path, **options: Any) -> list[Path]:
    cuts = {word: options.pop(word) for word in ("topic", "button", "gap_s", "times") if word in options}
    return run_import([bags] if isinstance(bags, Path) else bags, spec, output, parse_cuts(**cuts), **options)


def contents(path: Path, but: Sequence[str] = ("started_at", "source")) -> dict[str, Any]:
    """Return every attribute and dataset of a file, as bytes."""
    found: dict[str, Any] = {}

    def add(name: str, item: Any) -> None:
        for word, value in item.attrs.items():
            if word not in but:
                found[f"{name}@{word}"] = str(value)
        if isinstance(item, h5py.Dataset):
            rows = [each.tobytes() for each in item[:]] if item.dtype == object else item[()].tobytes()
            found[name] = (str(item.dtype), item.shape, item.chunks, rows)

    with h5py.File(path) as file:
        add("/", file)
        file.visititems(add)
    return found
