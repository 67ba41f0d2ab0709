"""db3 files (rosbag2's sqlite3); of one that was cut off, the rows that are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from imitation_ros.data.bag.storage import Channel, Raw
from imitation_ros.errors import DataError

Row = tuple[int, int, int]
"""Log time [ns], number of the topic, number of the row."""


class Sqlite:
    """One db3 file; see BagFile.

    Raises:
        DataError: it is none, or nothing in it can be read.
    """

    def __init__(self, path: Path) -> None:
        import apsw

        self.path, self.error = path, apsw.Error
        self.losses: list[str] = []
        self.rows: list[Row] | None = None  # of a damaged file: those that can be read
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        self.database = apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags)
        self.query("PRAGMA writable_schema=ON")  # or a file that was cut off is refused as a whole
        try:
            self.channels = self.described()
            try:
                ((self.start_ns, self.end_ns),) = self.query("SELECT MIN(timestamp), MAX(timestamp) FROM messages")
                self.query("SELECT COUNT(*) FROM messages")
            except apsw.Error:
                self.salvage()
        except apsw.Error as error:
            raise DataError(str(error)) from None
        self.start_ns, self.end_ns = self.start_ns or 0, self.end_ns or 0
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            self.losses.append(
                f"{log.name} holds messages that never reached {path.name}; merge it first: "
                f"`sqlite3 {path} 'PRAGMA wal_checkpoint'`"
            )

    def query(self, words: str, values: tuple[int, ...] = ()) -> list[Any]:
        return list(self.database.execute(words, values))

    def described(self) -> list[Channel]:
        tables = {name for (name,) in self.query("SELECT name FROM sqlite_master")}
        if not {"topics", "messages"} <= tables:
            raise DataError("it holds no tables of rosbag2's")
        types: dict[str, tuple[str, str]] = {}
        if "message_definitions" in tables:
            columns = "topic_type, encoding, encoded_message_definition"
            types = {
                kind: (language, text)
                for kind, language, text in self.query(f"SELECT {columns} FROM message_definitions")
            }
        topics = self.query("SELECT id, name, type, serialization_format FROM topics ORDER BY id")
        return [
            Channel(number, topic, kind, encoding, *types.get(kind, ("", "")))
            for number, topic, kind, encoding in topics
        ]

    def salvage(self) -> None:
        """Find the rows that can be read: from the first on, and from the last back."""
        found: dict[int, Row] = {}
        for order in ("ASC", "DESC"):
            try:
                for row in self.database.execute(f"SELECT timestamp, topic_id, id FROM messages ORDER BY id {order}"):
                    if row[2] in found:
                        break
                    found[row[2]] = row
            except self.error:
                pass
        self.rows = sorted(found.values())
        self.start_ns, self.end_ns = (self.rows[0][0], self.rows[-1][0]) if self.rows else (0, 0)
        self.losses.append(f"{self.path.name} is damaged or was cut off: {len(self.rows)} messages of it can be read")

    def messages(self, topics: Mapping[int, str], after_ns: int) -> Iterator[Raw]:
        if self.rows is not None:
            yield from self.salvaged(self.rows, topics, after_ns)
            return
        numbers = tuple(topics)
        words = (
            f"SELECT timestamp, topic_id, data FROM messages WHERE topic_id IN ({','.join('?' * len(numbers))}) "
            f"AND timestamp > ? ORDER BY timestamp"
        )
        last_ns = after_ns
        try:
            for log_ns, number, data in self.database.execute(words, (*numbers, after_ns)):
                yield log_ns, topics[number], data
                last_ns = log_ns
        except self.error:  # found only now
            self.salvage()
            yield from self.salvaged(self.rows or [], topics, last_ns)

    def salvaged(self, rows: list[Row], topics: Mapping[int, str], after_ns: int) -> Iterator[Raw]:
        for log_ns, number, row in rows:
            if log_ns <= after_ns or number not in topics:
                continue
            try:
                ((data,),) = self.query("SELECT data FROM messages WHERE id = ?", (row,))
            except (self.error, ValueError):
                continue
            yield log_ns, topics[number], data

    def close(self) -> None:
        self.database.close()
