"""Serialized messages into one mcap while they come, by a thread: whoever hands them over goes on at once."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imitation_ros.data.bag.writing import BAG_VERSION, Messages
from imitation_ros.errors import DataError

WAITING_BYTES = 256_000_000  # of messages that are not written yet; what comes beyond is left out, and counted
Item = tuple[str, bytes, int]
"""Topic, serialized message and when it was received [ns]."""


class RawBag:
    """Writes messages into `path`, which is a folder `path`.part until it is closed.

    Args:
        path: the mcap to make.
        types: topic to message type, of all that may come.
        messages: the types that can be described; those of other types are left out.

    Attributes:
        left_out: how many messages were left out because the disk did not keep up.
        problem: why nothing is written any more; empty where all is well.

    Raises:
        DataError: it cannot be written.
    """

    def __init__(self, path: Path, types: Mapping[str, str], messages: Messages) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        self.path, self.part = path, path.with_name(path.name + ".part")
        self.left_out, self.problem = 0, ""
        self.waiting: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self.waiting_bytes, self.lock = 0, threading.Lock()
        try:
            self.writer = Writer(self.part, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
            self.writer.open()
            self.connections: dict[str, Any] = {
                topic: self.writer.add_connection(topic, kind, typestore=messages.store)
                for topic, kind in types.items()
                if messages.known(kind)
            }
        except Exception as error:  # rosbags' own, and the disk's
            raise DataError(f"{path} cannot be written: {error}.") from None
        self.thread = threading.Thread(target=self.write, name=path.name)
        self.thread.start()

    def put(self, topic: str, data: bytes, received_ns: int) -> None:
        """Take a message; it is written soon."""
        if topic not in self.connections or self.problem:
            return
        if self.waiting_bytes + len(data) > WAITING_BYTES:
            self.left_out += 1
            return
        with self.lock:
            self.waiting_bytes += len(data)
        self.waiting.put((topic, data, received_ns))

    def write(self) -> None:
        while (item := self.waiting.get()) is not None:
            topic, data, received_ns = item
            with self.lock:
                self.waiting_bytes -= len(data)
            if not self.problem:
                try:
                    self.writer.write(self.connections[topic], received_ns, data)
                except Exception as error:  # the disk is full, or rosbags has a reason of its own
                    self.problem = f"{self.path} is not complete: {error}"

    def end(self) -> None:
        self.waiting.put(None)
        self.thread.join()
        try:
            self.writer.close()
        except Exception as error:
            self.problem = self.problem or f"{self.path} is not complete: {error}"

    def close(self) -> Path:
        """Write what waits and give the bag its name.

        Raises:
            DataError: it could not be written; what was is kept beside it.
        """
        self.end()
        if self.problem:
            raise DataError(f"{self.problem}. What was written is in {self.part}.")
        try:
            (written,) = self.part.glob("*.mcap")
            os.replace(written, self.path)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path} cannot be written: {error}. What was written is in {self.part}.") from None
        shutil.rmtree(self.part, ignore_errors=True)
        return self.path

    def discard(self) -> None:
        """Throw the bag away."""
        self.end()
        with contextlib.suppress(OSError):
            shutil.rmtree(self.part)
