"""Message types as a bag describes them, and the messages that bytes hold; the only module that imports rosbags."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from imitation_ros.data.bag.storage import Channel
from imitation_ros.errors import DataError

if TYPE_CHECKING:
    from rosbags.interfaces import Msgdef
    from rosbags.typesys.store import Typestore

HEADER, TIME = "std_msgs/msg/Header", "builtin_interfaces/msg/Time"
ENCAPSULATION = 4  # bytes before the message, which say how it is encoded
STAMP_END = ENCAPSULATION + 8


class BagTypes:
    """The types of a bag, and the usual ones: bags before ROS 2 Iron describe none."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        from rosbags.typesys import Stores, get_typestore

        types = dict(get_typestore(Stores.ROS2_HUMBLE).fielddefs)
        for channel in {each.type: each for each in channels}.values():
            types.update(described(channel))
        self.store: Typestore = get_typestore(Stores.EMPTY)
        self.store.register(types)
        self.definitions: dict[str, Msgdef[Any]] = {}

    def definition(self, message_type: str) -> Msgdef[Any]:
        """Return how a type is read.

        Raises:
            DataError: nobody describes it, or a type that it consists of.
        """
        if message_type not in self.definitions:
            try:
                self.definitions[message_type] = self.store.get_msgdef(message_type)
            except KeyError as error:
                within = "" if error.args == (message_type,) else f" with a {error.args[0]}"
                raise DataError(
                    f"a {message_type}{within}, which neither the bag nor rosbags describes. Leave the topic out, or "
                    f"record it again with ROS 2 Iron or newer, as mcap."
                ) from None
        return self.definitions[message_type]

    def decode(self, data: bytes, message_type: str) -> Any:
        """Return the message that CDR bytes hold, duck-typed, with numpy arrays for sequences of numbers.

        Not by Typestore.deserialize_cdr, which refuses bytes after the last field: rclpy's serialize_message leaves
        some behind, and so do the bags of everybody who records with a Python script.

        Raises:
            DataError: nobody describes the type.
            Exception: broken bytes raise anything: struct.error, ValueError, UnicodeDecodeError.
        """
        definition = self.definition(message_type)
        if data[:2] == b"\0\1":
            read = definition.deserialize_cdr_le
        elif data[:2] == b"\0\0":
            read = definition.deserialize_cdr_be
        else:
            raise ValueError(f"a {message_type} is encoded as {data[:2].hex()}, which is no plain CDR")
        message, _ = read(data[ENCAPSULATION:], 0, definition.cls, self.store)
        return message

    def begins_with_stamp(self, message_type: str) -> bool:
        """Whether the first thing in a message is the stamp of its header, so that it can be read on its own."""
        definitions = self.store.fielddefs
        first = [definitions[kind][1][0][1][1] for kind in (message_type, HEADER) if kind in definitions]
        return first == [HEADER, TIME]


def described(channel: Channel) -> dict[str, Any]:
    """Return the types that a channel describes; none where its words are odd: they are missed when they are read."""
    from rosbags.typesys import TypesysError, get_types_from_idl, get_types_from_msg

    with contextlib.suppress(TypesysError):
        if channel.language == "ros2msg":
            return dict(get_types_from_msg(channel.definition, channel.type))
        if channel.language in ("ros2idl", "omgidl"):
            return dict(get_types_from_idl(channel.definition))
    return {}


def stamp_at_start(data: bytes) -> float | None:
    """Return the stamp of a message that begins with it, as header_stamp_s would [s]."""
    order = "little" if data[1] else "big"
    seconds = int.from_bytes(data[ENCAPSULATION : ENCAPSULATION + 4], order, signed=True)  # type: ignore[arg-type]
    nanoseconds = int.from_bytes(data[ENCAPSULATION + 4 : STAMP_END], order)  # type: ignore[arg-type]
    return None if seconds == nanoseconds == 0 else float(seconds) + 1e-9 * float(nanoseconds)
