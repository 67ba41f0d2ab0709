"""Writes small rosbag2 recordings for tests, without ROS."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

STORE = get_typestore(Stores.ROS2_HUMBLE)
STORE.register(get_types_from_msg("string mode\nint32 code", "vendor_msgs/msg/ArmMode"))
STORAGES = {"sqlite3": StoragePlugin.SQLITE3, "mcap": StoragePlugin.MCAP}


def write_bag(path: Path, items: Iterable[tuple[str, str, Any, float]], storage: str = "mcap") -> Path:
    """Write (topic, type, message or its CDR bytes, log time [s]) in the order given; return the bag's folder."""
    with Writer(path, version=9, storage_plugin=STORAGES[storage]) as writer:
        connections: dict[str, Any] = {}
        for topic, kind, message, log_s in items:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            data = message if isinstance(message, bytes) else bytes(STORE.serialize_cdr(message, kind))
            writer.write(connections[topic], round(log_s * 1e9), data)
    return path


def make(kind: str, **values: Any) -> Any:
    return STORE.types[kind](**values)


def header(stamp_s: float, frame: str = "") -> Any:
    nanoseconds = round(stamp_s * 1e9)
    time = make("builtin_interfaces/msg/Time", sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
    return make("std_msgs/msg/Header", stamp=time, frame_id=frame)


def joint_state(stamp_s: float, names: list[str], position: list[float], velocity: tuple[float, ...] = ()) -> Any:
    return make(
        "sensor_msgs/msg/JointState",
        header=header(stamp_s),
        name=names,
        position=np.array(position, dtype=np.float64),
        velocity=np.array(velocity, dtype=np.float64),
        effort=np.zeros(0),
    )


def twist(stamp_s: float, linear: tuple[float, float, float], frame: str = "base_link") -> Any:
    def vector(values: tuple[float, float, float]) -> Any:
        return make("geometry_msgs/msg/Vector3", x=values[0], y=values[1], z=values[2])

    both = make("geometry_msgs/msg/Twist", linear=vector(linear), angular=vector((0.0, 0.0, 0.0)))
    return make("geometry_msgs/msg/TwistStamped", header=header(stamp_s, frame), twist=both)


def image(stamp_s: float, height: int, width: int) -> Any:
    return make(
        "sensor_msgs/msg/Image",
        header=header(stamp_s, "camera"),
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=np.zeros(3 * height * width, dtype=np.uint8),
    )


def number(value: float) -> Any:
    return make("std_msgs/msg/Float64", data=value)
