"""Messages into one mcap file, as ROS 2 records them: Foxglove shows it, and bags of it are read again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from imitation_ros.errors import DataError

JOG = "control_msgs/msg/JointJog"
JOG_TEXT = (
    "std_msgs/Header header\nstring[] joint_names\nfloat64[] displacements\nfloat64[] velocities\nfloat64 duration"
)
TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
BAG_VERSION: Final = 9  # of rosbag2, the newest: types are described in the file
EMPTY = {"string": "", "bool": False, "float32": 0.0, "float64": 0.0}


class Messages:
    """Makes empty messages that `robot.messages.write` fills, and the bytes of what was filled.

    Raises:
        DataError: rosbags is not installed.
    """

    def __init__(self) -> None:
        try:
            from rosbags.typesys import Stores, get_types_from_msg, get_typestore
        except ModuleNotFoundError as error:
            package = (error.name or "rosbags").split(".")[0]
            raise DataError(
                f"an mcap is written with {package!r}, which is not installed: `pip install 'imitation_ros[bags]'`."
            ) from None
        self.store = get_typestore(Stores.ROS2_HUMBLE)
        self.store.register(get_types_from_msg(JOG_TEXT, JOG))

    def known(self, kind: str) -> bool:
        return kind in self.store.fielddefs

    def empty(self, kind: str) -> Any:
        """Return an empty message; a trajectory comes with the one point of a command."""
        fields = self.store.fielddefs[kind][1]
        message: Any = self.store.types[kind](**{name: self.nothing(described) for name, described in fields})
        if kind == TRAJECTORY:
            message.points = [self.empty("trajectory_msgs/msg/JointTrajectoryPoint")]
        return message

    def nothing(self, described: Any) -> Any:
        """Return what an empty message has at a field, which rosbags describes as (node, what)."""
        from rosbags.interfaces import Nodetype

        node, what = described
        if node == Nodetype.NAME:
            return self.empty(str(what))
        if node == Nodetype.BASE:
            return EMPTY.get(str(what[0]), 0)
        (inner, of), length = what
        if inner == Nodetype.BASE and of[0] not in ("string", "wstring"):
            return np.zeros(length if node == Nodetype.ARRAY else 0, number_type(str(of[0])))
        return []

    def serialized(self, message: Any, kind: str) -> bytes:
        return bytes(self.store.serialize_cdr(self.tidied(message, kind), kind))

    def tidied(self, message: Any, kind: str) -> Any:
        """Return a message whose lists of numbers are arrays, as rosbags wants them and ROS does not."""
        from rosbags.interfaces import Nodetype

        fields: Any = self.store.fielddefs[kind][1]
        for name, (node, what) in fields:
            value = getattr(message, name)
            if node == Nodetype.NAME:
                self.tidied(value, str(what))
            elif node in (Nodetype.ARRAY, Nodetype.SEQUENCE):
                inner, of = what[0]
                if inner == Nodetype.NAME:
                    for each in value:
                        self.tidied(each, str(of))
                elif of[0] not in ("string", "wstring"):
                    setattr(message, name, as_array(value, str(of[0])))
        return message


def number_type(word: str) -> np.dtype[Any]:
    return np.dtype({"byte": "uint8", "char": "uint8"}.get(word, word))


def as_array(value: Any, word: str) -> Any:
    dtype = number_type(word)
    return np.frombuffer(value, dtype) if isinstance(value, bytes) else np.asarray(value, dtype)


def write_mcap(path: Path, messages: Messages, items: Iterable[tuple[str, str, Any, int]]) -> None:
    """Write topic, type, message and log time [ns], in the order of log times, into a new mcap file.

    Raises:
        DataError: it cannot be written.
    """
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    try:
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:  # rosbags writes a whole bag
            bag = Path(folder) / path.stem
            writer = Writer(bag, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
            writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            with writer:
                connections: dict[str, Any] = {}
                for topic, kind, message, log_ns in items:
                    if topic not in connections:
                        connections[topic] = writer.add_connection(topic, kind, typestore=messages.store)
                    writer.write(connections[topic], log_ns, messages.serialized(message, kind))
            (written,) = bag.glob("*.mcap")
            os.replace(written, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}. Choose another file.") from None
