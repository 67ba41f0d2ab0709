"""What the files of a bag have in common, whichever format they are in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

Raw = tuple[int, str, bytes]
"""The log time [ns], the topic and the bytes of one message."""


@dataclass(frozen=True)
class Channel:
    """One topic in a file.

    Attributes:
        number: its number in the file.
        encoding: of the messages; cdr is what ROS 2 writes.
        language: of the definition: ros2msg, ros2idl, or empty where the file describes no types.
        definition: of the message type.
    """

    number: int
    topic: str
    type: str
    encoding: str
    language: str
    definition: str


class BagFile(Protocol):
    """One mcap or db3 file.

    Attributes:
        start_ns, end_ns: log times of the first and the last message; 0 where there is none.
        losses: what of the file could not be read, in words.
    """

    channels: list[Channel]
    start_ns: int
    end_ns: int
    losses: list[str]

    def messages(self, topics: Mapping[int, str], after_ns: int) -> Iterator[Raw]:
        """Yield what came after a log time on some channels (number to topic), in the order of log times."""

    def close(self) -> None: ...
