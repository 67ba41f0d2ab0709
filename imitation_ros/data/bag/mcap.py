"""mcap files, record by record, so that of a file that was cut off or damaged everything sound is read.

The format: https://mcap.dev/spec. A chunk holds about a second of messages of all topics, compressed together; rosbag2
sorts neither chunks nor what is in them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from imitation_ros.data.bag.storage import Channel, Raw
from imitation_ros.errors import DataError

MAGIC = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK = 2, 3, 4, 5, 6
RECORD = struct.Struct("<BQ")  # kind, length
LOGGED = struct.Struct("<BQHIQQ")  # kind, length, channel, sequence, log time, publish time
CHUNKED = struct.Struct("<QQQI")  # first and last log time, size, checksum
MOST_BYTES = 1 << 28  # in a chunk: rosbag2 makes them of some MB, and whoever claims more has been damaged
LOG_TIME = itemgetter(0)


@dataclass(frozen=True)
class Chunk:
    """Where a chunk lies in its file, and the log times of what it holds [ns]."""

    offset: int
    length: int
    start_ns: int
    end_ns: int


class Mcap:
    """One mcap file; see BagFile.

    Raises:
        DataError: it is no mcap, or nothing in it can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.file: BinaryIO = path.open("rb")
        self.schemas: dict[int, tuple[str, str, str]] = {}
        self.by_number: dict[int, Channel] = {}
        self.chunks: list[Chunk] = []
        self.loose: list[tuple[int, int, int, int]] = []  # outside of chunks: log time, channel, offset, length
        self.losses: list[str] = []
        self.broken = 0
        if self.file.read(len(MAGIC)) != MAGIC:
            raise DataError("it does not begin as an mcap")
        self.scan()
        self.chunks.sort(key=lambda chunk: chunk.start_ns)
        self.loose.sort()
        times = [(chunk.start_ns, chunk.end_ns) for chunk in self.chunks] + [(each[0], each[0]) for each in self.loose]
        self.start_ns = min((start for start, _ in times), default=0)
        self.end_ns = max((end for _, end in times), default=0)

    @property
    def channels(self) -> list[Channel]:
        return list(self.by_number.values())

    def scan(self) -> None:
        """Find the chunks and channels; where the file ends too soon, up to there."""
        at, ended = len(MAGIC), False
        while at + RECORD.size <= self.size:
            self.file.seek(at)
            kind, length = RECORD.unpack(self.file.read(RECORD.size))
            begin, at = at + RECORD.size, at + RECORD.size + length
            if at > self.size or not 0 < kind:
                break
            if kind == FOOTER:
                ended = True
                break
            self.note(kind, begin, length)
        if not ended:
            share = f"{min(at, self.size) / 1e6:.1f} of {self.size / 1e6:.1f} MB"
            self.losses.append(
                f"{self.path.name} has no end: its recorder was ended, or the file was cut ({share} read)"
            )
            for chunk in self.chunks:  # whose topics the end would have named
                self.describe(self.content(chunk))

    def note(self, kind: int, begin: int, length: int) -> None:
        if kind == CHUNK and length >= CHUNKED.size:
            start_ns, end_ns, size, _ = CHUNKED.unpack(self.file.read(CHUNKED.size))
            if size:
                self.chunks.append(Chunk(begin, length, start_ns, end_ns))
        elif kind == MESSAGE and length >= LOGGED.size - RECORD.size:
            number, _, log_ns, _ = struct.unpack("<HIQQ", self.file.read(22))
            self.loose.append((log_ns, number, begin + 22, length - 22))
        elif kind in (SCHEMA, CHANNEL):
            self.describe_one(kind, self.file.read(length))

    def describe(self, data: bytes) -> None:
        """Take the schemas and channels among the records of a chunk."""
        at = 0
        while at + RECORD.size <= len(data):
            kind, length = RECORD.unpack_from(data, at)
            begin, at = at + RECORD.size, at + RECORD.size + length
            if kind in (SCHEMA, CHANNEL):
                self.describe_one(kind, data[begin:at])

    def describe_one(self, kind: int, data: bytes) -> None:
        try:
            if kind == SCHEMA:
                (number,) = struct.unpack_from("<H", data)
                name, language, definition = texts(data[2:], 3)
                self.schemas[number] = (name, language, definition)
            else:
                number, schema = struct.unpack_from("<HH", data)
                topic, encoding = texts(data[4:], 2)
                name, language, definition = self.schemas.get(schema, ("", "", ""))
                self.by_number[number] = Channel(number, topic, name, encoding, language, definition)
        except (struct.error, UnicodeDecodeError):
            self.losses.append(f"{self.path.name} describes a topic in broken bytes")

    def messages(self, topics: Mapping[int, str], after_ns: int) -> Iterator[Raw]:
        yield from self.loose_messages(topics, after_ns)
        held: list[Raw] = []
        for chunk in self.chunks:
            if chunk.end_ns <= after_ns:
                continue
            if held and held[-1][0] < chunk.start_ns:
                yield from held
                held = []
            elif held:  # the chunks overlap
                early = sum(1 for each in held if each[0] < chunk.start_ns)
                yield from held[:early]
                held = held[early:]
            held += logged(self.content(chunk), topics, after_ns)
            held.sort(key=LOG_TIME)
        yield from held

    def loose_messages(self, topics: Mapping[int, str], after_ns: int) -> Iterator[Raw]:
        for log_ns, number, offset, length in self.loose:
            if log_ns > after_ns and number in topics:
                self.file.seek(offset)
                yield log_ns, topics[number], self.file.read(length)

    def content(self, chunk: Chunk) -> bytes:
        """Return the records of a chunk; none of one that is broken, which is counted."""
        self.file.seek(chunk.offset)
        data = self.file.read(chunk.length)
        try:
            _, _, size, checksum = CHUNKED.unpack_from(data)
            (named,) = struct.unpack_from("<I", data, CHUNKED.size)
            begin = CHUNKED.size + 4 + named
            compression = data[CHUNKED.size + 4 : begin].decode()
            (length,) = struct.unpack_from("<Q", data, begin)
            found = decompressed(data[begin + 8 : begin + 8 + length], compression, size)
            if len(found) == size and checksum in (0, crc32(found)):
                return found
        except (struct.error, UnicodeDecodeError, ValueError, RuntimeError, EOFError, zstd_error()):
            pass
        self.broken += 1
        words = f"{self.path.name}: {{}} of {len(self.chunks)} chunks are damaged"
        self.losses = [each for each in self.losses if not each.endswith("chunks are damaged")]
        self.losses.append(words.format(self.broken))
        return b""

    def close(self) -> None:
        self.file.close()


def logged(data: bytes, topics: Mapping[int, str], after_ns: int) -> list[Raw]:
    """Return the messages of a chunk on some channels, in the order of the file."""
    found: list[Raw] = []
    at, last, unpack, header = 0, len(data) - LOGGED.size, LOGGED.unpack_from, LOGGED.size
    while at <= last:
        kind, length, number, _, log_ns, _ = unpack(data, at)
        end = at + 9 + length
        if kind == MESSAGE and number in topics and log_ns > after_ns:
            found.append((log_ns, topics[number], data[at + header : end]))
        at = end
    return found


def decompressed(data: bytes, compression: str, size: int) -> bytes:
    """Return the content of a chunk, at most `size` bytes of it.

    Raises:
        ValueError: it is too big to be one, or its compression is unknown.
    """
    if size > MOST_BYTES:
        raise ValueError(f"a chunk of {size} bytes")
    if compression == "":
        return data
    if compression == "zstd":
        return bytes(zstd().ZstdDecompressor().decompress(data, max_length=size + 1))
    if compression == "lz4":
        import lz4.frame  # type: ignore[import-untyped, unused-ignore]

        return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=size + 1))
    raise ValueError(f"compression {compression!r}")


def zstd() -> Any:
    """Return the module that reads zstd: Python's own from 3.14 on."""
    try:
        from compression import zstd as module  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError:
        from backports import zstd as module
    return module


def zstd_error() -> type[Exception]:
    error: type[Exception] = zstd().ZstdError
    return error


def texts(data: bytes, count: int) -> list[str]:
    """Return texts that follow one another, each behind its length."""
    found, at = [], 0
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return found
