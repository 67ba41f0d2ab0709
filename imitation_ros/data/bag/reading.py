"""A rosbag2, sqlite3 or mcap, as it was recorded: split, compressed, cut off or a single file of one."""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from imitation_ros.data.bag.mcap import LOG_TIME, Mcap, zstd, zstd_error
from imitation_ros.data.bag.sqlite import Sqlite
from imitation_ros.data.bag.storage import BagFile, Raw
from imitation_ros.data.bag.types import BagTypes
from imitation_ros.errors import DataError

READERS: dict[str, Any] = {".mcap": Mcap, ".db3": Sqlite}
COMPRESSED = ".zstd"
ZSTD = b"\x28\xb5\x2f\xfd"  # where each message is compressed; CDR begins with 0
PER_S = 1e-9
ALL_NS = -1  # no message was logged before 1970


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


class Bag:
    """A bag that is open.

    Attributes:
        types: topic to its type; several, with ' and ' between them, where publishers did not agree.
        start_s, end_s: log times of the first and the last message [s].
        losses: what of its files cannot be read, in words; grows while messages are read.
    """

    def __init__(self, path: Path, files: list[BagFile], losses: list[str]) -> None:
        self.path, self.files, self.own_losses = path, sorted(files, key=lambda file: file.start_ns), losses
        channels = [channel for file in files for channel in file.channels]
        kinds: dict[str, list[str]] = {}
        for channel in sorted(channels, key=lambda channel: channel.topic):
            kind = channel.type if channel.encoding == "cdr" else f"{channel.type} encoded as {channel.encoding!r}"
            if kind not in kinds.setdefault(channel.topic, []):
                kinds[channel.topic].append(kind)
        self.types = {topic: " and ".join(found) for topic, found in kinds.items()}
        self.channels = channels
        filled = [file for file in self.files if file.end_ns]
        self.start_s = filled[0].start_ns * PER_S if filled else 0.0
        self.end_s = max((file.end_ns for file in filled), default=0) * PER_S

    @cached_property
    def decoder(self) -> BagTypes:
        return BagTypes(self.channels)

    @property
    def losses(self) -> list[str]:
        return [*self.own_losses, *(loss for file in self.files for loss in file.losses)]

    def raw(self, topics: Collection[str], after_ns: int = ALL_NS) -> Iterator[Raw]:
        """Yield log time [ns], topic and bytes of the messages after a time, in the order of log times.

        Raises:
            DataError: it cannot be read, not even in part.
        """
        for files in overlapping(self.files):
            parts = [file.messages(numbers(file, topics), after_ns) for file in files if numbers(file, topics)]
            items = parts[0] if len(parts) == 1 else heapq.merge(*parts, key=LOG_TIME)
            while True:
                try:
                    item = next(items, None)
                except Exception as error:
                    raise unreadable(self.path, words_of(error)) from None
                if item is None:
                    break
                yield item if item[2][:4] != ZSTD else (item[0], item[1], unpacked(item[2]))


def numbers(file: BagFile, topics: Collection[str]) -> Mapping[int, str]:
    return {channel.number: channel.topic for channel in file.channels if channel.topic in topics}


def overlapping(files: list[BagFile]) -> Iterator[list[BagFile]]:
    """Yield the files of a split bag in groups whose times overlap; they are sorted by their first message."""
    group: list[BagFile] = []
    for file in files:
        if group and file.start_ns > max(each.end_ns for each in group):
            yield group
            group = []
        group.append(file)
    if group:
        yield group


def bag_topics(path: Path) -> dict[str, str]:
    """Return the topics of a bag and their types, in the order of their names.

    Raises:
        DataError: the bag is missing or broken, or rosbags is not installed.
    """
    with opened(path) as bag:
        return bag.types


def bag_messages(path: Path, topics: Collection[str] | None = None) -> Iterator[BagMessage]:
    """Yield the messages of a bag in the order of their log times.

    Args:
        path: the bag's folder, or an mcap or db3 file.
        topics: only these, by full name; all of them if None.

    Raises:
        DataError: the bag is missing or broken, holds a type that nobody described, or rosbags is not installed.
    """
    with opened(path) as bag:
        for log_ns, topic, data in bag.raw(bag.types if topics is None else topics):
            kind = bag.types[topic]
            try:
                message = bag.decoder.decode(data, kind)
            except DataError as error:
                raise DataError(f"{path}: {topic} is {error}") from None
            except Exception as error:
                raise unreadable(path, f"a message of {topic} is broken ({words_of(error)})") from None
            yield BagMessage(topic, kind, message, log_ns * PER_S)


@contextmanager
def opened(path: Path) -> Iterator[Bag]:
    """Open a bag; what goes wrong in it comes out as DataError."""
    try:
        import rosbags.rosbag2  # noqa: F401 it brings apsw, lz4 and zstd, which are used here
    except ModuleNotFoundError as error:
        package = (error.name or "rosbags").split(".")[0]
        raise DataError(
            f"bags are read with {package!r}, which is not installed: `pip install 'imitation_ros[bags]'`."
        ) from None
    if not path.exists():
        raise DataError(f"{path} does not exist. Give a bag's folder, or its mcap or db3 file.")
    with ExitStack() as stack:
        try:
            bag = open_files(path, stack)
        except DataError:
            raise
        except Exception as error:  # broken bytes raise anything: struct.error, apsw.Error, UnicodeDecodeError
            raise unreadable(path, words_of(error)) from None
        yield bag


def words_of(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def unpacked(data: bytes) -> bytes:
    """Return a message that was compressed on its own; one that is damaged as it is: decoding it says so."""
    try:
        return bytes(zstd().decompress(data))
    except zstd_error():
        return data


def open_files(path: Path, stack: ExitStack) -> Bag:
    losses: list[str] = []
    files: list[BagFile] = []
    why = ""
    for file in storage_files(path, losses):
        if file.suffix == COMPRESSED:
            file = decompressed(file, Path(stack.enter_context(TemporaryDirectory())), losses)
        try:
            found = READERS[file.suffix](file)
        except Exception as error:
            why = words_of(error)
            losses.append(f"{file.name} cannot be read: {why}")
            continue
        stack.callback(found.close)
        files.append(found)
    if not files:
        raise unreadable(path, why or "it holds no mcap or db3 file")
    return Bag(path, files, losses)


def unreadable(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} cannot be read as a rosbag2: {why}. A bag's folder holds metadata.yaml and mcap or db3 files; "
        f"`ros2 bag reindex {path}` mends one that was cut off."
    )


def storage_files(path: Path, losses: list[str]) -> list[Path]:
    """Return the files of a bag; those that metadata.yaml names and that are gone are losses."""
    if path.is_file():
        if not is_storage(path):
            raise unreadable(path, f"its name ends in {path.suffix or 'nothing'!r}")
        return [path]
    found = sorted(file for file in path.iterdir() if is_storage(file))
    named: Any = None
    with suppress(OSError, yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError):
        text = (path / "metadata.yaml").read_text(encoding="utf-8")
        named = yaml.safe_load(text)["rosbag2_bagfile_information"]["relative_file_paths"]
    if isinstance(named, list):
        there = {file.name for file in found}
        losses += [f"{name} is missing" for name in (Path(str(each)).name for each in named) if name not in there]
    return found


def is_storage(file: Path) -> bool:
    return Path(file.stem if file.suffix == COMPRESSED else file.name).suffix in READERS


def decompressed(file: Path, folder: Path, losses: list[str]) -> Path:
    """Return a file of which the whole was compressed, as it was, in a folder of its own."""
    whole = folder / file.stem
    try:
        with zstd().open(file, "rb") as source, whole.open("wb") as target:
            shutil.copyfileobj(source, target)
    except (EOFError, zstd_error()):
        losses.append(f"{file.name} is damaged or was cut off: {whole.stat().st_size / 1e6:.1f} MB of it can be read")
    return whole
