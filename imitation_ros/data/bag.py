"""The messages of a rosbag2, sqlite3 or mcap, as they were recorded; the only module that imports rosbags. No ROS."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imitation_ros.errors import DataError

if TYPE_CHECKING:
    from rosbags.rosbag2 import Reader
    from rosbags.typesys.store import Typestore


@dataclass(frozen=True)
class BagMessage:
    """One message of a bag.

    Attributes:
        topic: its full name.
        type: such as sensor_msgs/msg/JointState.
        message: duck-typed, with numpy arrays for sequences of numbers.
        received_s: when the recorder received it, its log time [s].
    """

    topic: str
    type: str
    message: Any
    received_s: float


def bag_topics(path: Path) -> dict[str, str]:
    """Return the topics of a bag and their types, in the order of their names.

    Raises:
        DataError: the bag is missing or broken, or rosbags is not installed.
    """
    with opened(path) as reader:
        return {each.topic: each.msgtype for each in sorted(reader.connections, key=lambda each: each.topic)}


def bag_messages(path: Path, topics: Collection[str] | None = None) -> Iterator[BagMessage]:
    """Yield the messages of a bag in the order of their log times.

    Args:
        path: the bag's folder, or an mcap or db3 file.
        topics: only these, by full name; all of them if None.

    Raises:
        DataError: the bag is missing or broken, holds a type that nobody described, or rosbags is not installed.
    """
    with opened(path) as reader:
        wanted = [each for each in reader.connections if topics is None or each.topic in topics]
        if not wanted:
            return
        store = described_types(reader)
        for connection, log_ns, data in reader.messages(connections=wanted):
            try:
                message = decode(data, connection.msgtype, store)
            except KeyError:
                raise DataError(
                    f"{path}: {connection.topic} is a {connection.msgtype}, which neither the bag nor rosbags "
                    f"describes. Leave the topic out, or record it again with ROS 2 Iron or newer, as mcap."
                ) from None
            yield BagMessage(connection.topic, connection.msgtype, message, log_ns * 1e-9)


def decode(data: bytes | memoryview, message_type: str, store: Typestore) -> Any:
    """Return the message that CDR bytes hold.

    Not by Typestore.deserialize_cdr, which refuses bytes after the last field: rclpy's serialize_message leaves some
    behind, and so do the bags of everybody who records with a Python script.
    """
    definition = store.get_msgdef(message_type)
    readers = {b"\0\0": definition.deserialize_cdr_be, b"\0\1": definition.deserialize_cdr_le}
    read = readers.get(bytes(data[:2]))
    if read is None:
        raise ValueError(f"a {message_type} is encoded as {bytes(data[:2]).hex()}, which is no plain CDR")
    message, _ = read(data[4:], 0, definition.cls, store)
    return message


@contextmanager
def opened(path: Path) -> Iterator[Reader]:
    """Open a bag; what goes wrong in it comes out as DataError."""
    try:
        from rosbags.rosbag2 import Reader
    except ModuleNotFoundError as error:
        package = (error.name or "rosbags").split(".")[0]
        raise DataError(
            f"bags are read with {package!r}, which is not installed: `pip install 'imitation_ros[bags]'`."
        ) from None
    if not path.exists():
        raise DataError(f"{path} does not exist. Give a bag's folder, or its mcap or db3 file.")
    try:
        with Reader(path) as reader:
            yield reader
    except DataError:
        raise
    except Exception as error:  # broken bytes raise anything: struct.error, sqlite3.Error, UnicodeDecodeError
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise DataError(
            f"{path} cannot be read as a rosbag2: {why}. A bag's folder holds metadata.yaml; "
            f"`ros2 bag reindex {path}` mends one that was cut off."
        ) from None


def described_types(reader: Reader) -> Typestore:
    """Return the types as the bag describes them, and the usual ones: bags before ROS 2 Iron describe none."""
    from rosbags.interfaces import MessageDefinitionFormat
    from rosbags.typesys import Stores, TypesysError, get_types_from_idl, get_types_from_msg, get_typestore

    types = dict(get_typestore(Stores.ROS2_HUMBLE).fielddefs)
    for connection in reader.connections:
        text = connection.msgdef.data
        with contextlib.suppress(TypesysError):  # one odd type must not close the bag; it is missed when it is read
            if connection.msgdef.format == MessageDefinitionFormat.MSG:
                types.update(get_types_from_msg(text, connection.msgtype))
            elif connection.msgdef.format == MessageDefinitionFormat.IDL:
                types.update(get_types_from_idl(text))
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    return store
