"""Writes small rosbag2 recordings for tests, without ROS."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

STORE = get_typestore(Stores.ROS2_HUMBLE)
STORE.register(get_types_from_msg("string mode\nint32 code", "vendor_msgs/msg/ArmMode"))
STORAGES = {"sqlite3": StoragePlugin.SQLITE3, "mcap": StoragePlugin.MCAP}


def write_bag(
    path: Path, items: Iterable[tuple[str, str, Any, float]], storage: str = "mcap", compression: str = ""
) -> Path:
    """Write (topic, type, message or its CDR bytes, log time [s]) in the order given; return the bag's folder.

    Args:
        compression: of each message, of the whole file, or of the chunks (storage) of an mcap; none if empty.
    """
    writer = Writer(path, version=9, storage_plugin=STORAGES[storage])
    if compression:
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
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


def jpeg(stamp_s: float, data: bytes) -> Any:
    values = np.frombuffer(data, np.uint8)
    return make("sensor_msgs/msg/CompressedImage", header=header(stamp_s, "camera"), format="jpeg", data=values)


def image(stamp_s: float, height: int, width: int, encoding: str = "rgb8") -> Any:
    channels = 3 if encoding == "rgb8" else 1
    return make(
        "sensor_msgs/msg/Image",
        header=header(stamp_s, "camera"),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=channels * width,
        data=np.zeros(channels * height * width, dtype=np.uint8),
    )


def number(value: float) -> Any:
    return make("std_msgs/msg/Float64", data=value)


def flag(value: bool) -> Any:
    return make("std_msgs/msg/Bool", data=value)


def word(value: str) -> Any:
    return make("std_msgs/msg/String", data=value)


def joy(stamp_s: float, buttons: list[int]) -> Any:
    values = {"axes": np.zeros(2, np.float32), "buttons": np.array(buttons, np.int32)}
    return make("sensor_msgs/msg/Joy", header=header(stamp_s), **values)


def pose(stamp_s: float, position: tuple[float, float, float], frame: str = "base") -> Any:
    place = make("geometry_msgs/msg/Point", x=position[0], y=position[1], z=position[2])
    turn = make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
    both = make("geometry_msgs/msg/Pose", position=place, orientation=turn)
    return make("geometry_msgs/msg/PoseStamped", header=header(stamp_s, frame), pose=both)
