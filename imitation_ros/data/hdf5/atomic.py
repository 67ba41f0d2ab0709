"""A file that changes as a whole: whenever its process dies, it holds what was committed last.

HDF5 writes the index of a file in place and in an order of its own, so a process that dies among those writes leaves
a file that nobody can read. Here bytes that were committed are never overwritten: what HDF5 writes over them is held
back, and what is new goes to the end of the file at once, where nothing points to it yet. A commit first appends what
was held back to the file, with a checksum and a footer, then puts it in its places, then cuts the file to its size.
Who finds such a footer has all of the last commit; who finds none has all of the one before.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imitation_ros.data.folder import lock

PAGE = 4096
MOST_PAGES = 1 << 16  # 256 MB; a commit holds the newest rows of every column, some MB at most
MAGIC = b"commit\r\n"
FIELDS = struct.Struct("<QQQ")  # where the pages lie, how many there are, how large the file is without them
NUMBER = struct.Struct("<Q")  # stands before a page: which one it is
FOOTER = struct.Struct(f"<{FIELDS.size}sI8s")  # the fields, the checksum, MAGIC


class AtomicFile(io.RawIOBase):
    """What HDF5 takes for a file; between two commits nothing changes on the disk but its end.

    It is locked: no other process can open it while this one writes.

    Args:
        path: the file; "x" makes it, "r" reads it as its last commit left it, and leaves it as it is.

    Raises:
        FileExistsError: it is to be made, and is there.
        DataError: another process writes it now.
    """

    def __init__(self, path: Path, mode: str) -> None:
        super().__init__()
        flags = {"x": os.O_RDWR | os.O_CREAT | os.O_EXCL, "r": os.O_RDONLY}[mode]
        self.descriptor = os.open(path, flags, 0o666)
        try:
            lock_part(self.descriptor, path)
            self.pages: dict[int, bytearray] = {}  # what is written over committed bytes
            self.size = os.fstat(self.descriptor).st_size
            self.committed = max(self.size, 1)  # the first page of a new file waits too: until then it is no HDF5 file
            if (commit := read_commit(self.descriptor)) is not None:
                self.size, self.pages = commit
        except BaseException:
            os.close(self.descriptor)
            raise
        self.position = 0
        self.ended = False
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.size}[whence]
        return self.position

    def check(self) -> None:
        """Raise what went wrong while HDF5 read or wrote: it could not have, in the midst of HDF5's own code."""
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = max(min(len(view), self.size - self.position), 0)
        try:
            self.read_pages(view[:count])
        except BaseException as error:
            self.failure = error
        self.position += count
        return count

    def read_pages(self, view: memoryview) -> None:
        count = len(view)
        found = read_at(self.descriptor, view, self.position)
        view[found:] = bytes(count - found)  # HDF5 made room there, and has written nothing yet
        for number in self.touched(count):
            if number in self.pages:
                begin, end = max(number * PAGE, self.position), min((number + 1) * PAGE, self.position + count)
                page = self.pages[number][begin - number * PAGE : end - number * PAGE]
                view[begin - self.position : end - self.position] = page

    def touched(self, count: int) -> range:
        """Return the numbers of the pages that so many bytes from here on lie in."""
        return range(self.position // PAGE, (self.position + count - 1) // PAGE + 1) if count else range(0)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        try:
            if not self.ended:
                self.write_pages(view)
        except BaseException as error:
            self.failure, self.ended = error, True
        self.position += len(view)
        self.size = max(self.size, self.position)
        return len(view)

    def write_pages(self, view: memoryview) -> None:
        count = len(view)
        held = min(max(-(-self.committed // PAGE) * PAGE - self.position, 0), count)
        for number in self.touched(held):
            begin, end = max(number * PAGE, self.position), min((number + 1) * PAGE, self.position + held)
            page = self.page(number)
            page[begin - number * PAGE : end - number * PAGE] = view[begin - self.position : end - self.position]
        if held < count:
            write_at(self.descriptor, view[held:], self.position + held)

    def page(self, number: int) -> bytearray:
        if number not in self.pages:
            self.pages[number] = bytearray(PAGE)
            read_at(self.descriptor, memoryview(self.pages[number]), number * PAGE)
        return self.pages[number]

    def truncate(self, size: int | None = None) -> int:
        self.size = self.position if size is None else size
        return self.size

    def commit(self) -> None:
        """Make what was written so far what a crash leaves.

        Raises:
            OSError: the disk takes no more; the last commit holds.
        """
        self.check()
        if self.pages:
            place = max(self.size, os.fstat(self.descriptor).st_size)
            body = b"".join(NUMBER.pack(number) + page for number, page in sorted(self.pages.items()))
            write_at(self.descriptor, memoryview(body + footer(body, place, len(self.pages), self.size)), place)
            put_pages(self.descriptor, self.pages)
            self.pages = {}
        os.ftruncate(self.descriptor, self.size)
        self.committed = self.size

    def end(self) -> None:
        """Take no more: what HDF5 still writes is forgotten, and the file keeps its last commit."""
        self.ended = True

    def close(self) -> None:
        if not self.closed:
            os.close(self.descriptor)
        super().close()


def finish_commit(path: Path) -> None:
    """Put in their places what the last commit of a file left at its end; a file without is as it should be."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        lock_part(descriptor, path)
        if (commit := read_commit(descriptor)) is not None:
            size, pages = commit
            put_pages(descriptor, pages)
            os.fsync(descriptor)
            os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


def lock_part(descriptor: int, path: Path) -> None:
    lock(descriptor, f"{path} is being written right now. Wait until its recorder has stopped.")


def footer(body: bytes, place: int, count: int, size: int) -> bytes:
    fields = FIELDS.pack(place, count, size)
    return FOOTER.pack(fields, zlib.crc32(fields, zlib.crc32(body)), MAGIC)


def read_commit(descriptor: int) -> tuple[int, dict[int, bytearray]] | None:
    """Return a file's size and the pages that are not in their places yet; None if it ends with no whole commit."""
    end = os.fstat(descriptor).st_size
    last = os.pread(descriptor, FOOTER.size, max(end - FOOTER.size, 0))
    if len(last) < FOOTER.size or not last.endswith(MAGIC):
        return None
    place, count, size = FIELDS.unpack_from(last)
    room = NUMBER.size + PAGE
    if place + count * room + FOOTER.size != end or size > place or count > MOST_PAGES:
        return None
    body = os.pread(descriptor, count * room, place)
    if footer(body, place, count, size) != last:
        return None
    found = (body[begin : begin + room] for begin in range(0, len(body), room))
    pages = {NUMBER.unpack_from(page)[0]: bytearray(page[NUMBER.size :]) for page in found}
    return (size, pages) if max(pages, default=0) * PAGE <= size else None


def put_pages(descriptor: int, pages: Mapping[int, bytearray]) -> None:
    for number, page in sorted(pages.items()):
        write_at(descriptor, memoryview(page), number * PAGE)


def read_at(descriptor: int, view: memoryview, place: int) -> int:
    """Fill a view from a place in a file; return how much there was."""
    found = 0
    while found < len(view) and (more := os.preadv(descriptor, [view[found:]], place + found)):
        found += more
    return found


def write_at(descriptor: int, view: memoryview, place: int) -> None:
    written = 0
    while written < len(view):
        written += os.pwrite(descriptor, view[written:], place + written)
