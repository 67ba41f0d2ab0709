"""Put a changed dataset in the place of the old one, at once: whoever dies on the way leaves one of the two whole.

The work is done in `DATA.editing`, which is nobody's until it is complete. Then it is called `DATA.swapping`, and the
kernel exchanges the two names in one step; what was DATA becomes `DATA.previous`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imitation_ros.data.folder import lock, sync
from imitation_ros.errors import DataError

RENAME_EXCHANGE = 2  # renameat2(2)
AT_FDCWD = -100
MARKER = ".imitation_ros_edit"


@dataclass
class Work:
    """A dataset that is being made.

    Attributes:
        path: where to write it; final: where it will be.
        unchanged: set it where there is nothing to keep of it.
        previous: what the original is called afterwards; None where there was none.
    """

    path: Path
    final: Path
    unchanged: bool = False
    previous: Path | None = None


@contextlib.contextmanager
def replacing(data: Path, backup: bool = True) -> Iterator[Work]:
    """Make a dataset that takes the place of `data` when the block ends well.

    Args:
        backup: keep the original as `*.previous`; without, `data` is a file of which no episode changes.

    Raises:
        DataError: there is an earlier `*.previous`, somebody else edits it, or the disk takes no more.
    """
    final = data.resolve()
    previous, swapping = beside(final, ".previous"), beside(final, ".swapping")
    if Path.cwd().is_relative_to(final) and backup:
        raise DataError(
            f"this shell is in {final}, which would become {previous.name}. `cd ..`, and edit it from there."
        )
    if backup and previous.exists():
        raise DataError(
            f"{beside(data, '.previous') if data.name else previous} exists: it is what an earlier edit kept of the "
            f"original. Delete it or move it away, or give "
            f"--output and leave {data} as it is."
        )
    if swapping.exists():
        raise DataError(
            f"{swapping} is left of an edit that was cut short at its very end: it and {data} are the original and the "
            f"edited recordings, both whole. Look at them with `imitation-ros info`, and move one away."
        )
    shown = final if data.is_symlink() or not data.name else data
    work = Work(Path(), final, previous=beside(shown, ".previous") if backup else None)
    with making(work):
        yield work
        if work.unchanged:
            return
        sync_all(work.path)
        if backup:
            os.rename(work.path, swapping)
            sync(final.parent)
            swap(swapping, final, previous)
        else:
            os.replace(work.path, final)
        sync(final.parent)


@contextlib.contextmanager
def creating(output: Path) -> Iterator[Work]:
    """Make a dataset that is called `output` when the block ends well.

    Raises:
        DataError: `output` exists, or the disk takes no more.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise DataError(f"{output} exists already, and is not overwritten. Choose another output, or move it away.")
    work = Work(Path(), output.absolute())
    with making(work):
        yield work
        sync_all(work.path)
        if output.is_dir():  # an empty one
            output.rmdir()
        os.rename(work.path, work.final)
        sync(work.final.parent)


@contextlib.contextmanager
def making(work: Work) -> Iterator[None]:
    """Give a work its folder, which is gone afterwards, whatever happens."""
    folder = beside(work.final, ".editing")
    work.path = folder / work.final.name
    try:
        work.final.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and not (folder / MARKER).is_file() and any(folder.iterdir()):
            raise DataError(f"{folder} is in the way: it was not made by an edit. Move it away.")
        folder.mkdir(exist_ok=True)
        with locked(folder, work.final):
            (folder / MARKER).touch()
            if work.path.exists():  # of an edit that was cut short
                shutil.rmtree(work.path) if work.path.is_dir() else work.path.unlink()
            beside(work.path, ".part").unlink(missing_ok=True)
            try:
                yield
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except (OSError, RuntimeError) as error:  # h5py has two for a disk that takes no more
        raise DataError(
            f"{work.final} is not written, and what was there before is as it was: {error}. Look at the disk "
            f"(`df -h {work.final.parent}`), or choose another output."
        ) from error


@contextlib.contextmanager
def locked(folder: Path, final: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        lock(descriptor, f"{final} is being edited by another program right now. Wait until it is done.")
        yield
    finally:
        os.close(descriptor)


def swap(new: Path, final: Path, previous: Path) -> None:
    """Let `new` be called `final`, and what was called so `previous`."""
    if exchange(new, final):
        os.rename(new, previous)
        return
    os.rename(final, previous)  # a disk that cannot exchange names: for an instant there is no `final`
    os.rename(new, final)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; return False where system or disk cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def sync_all(path: Path) -> None:
    """Let a file, or a folder with all that is in it, survive a power cut."""
    for each in sorted(path.rglob("*")) if path.is_dir() else ():
        sync(each)
    sync(path)


def check_room(data: Path, final: Path) -> None:
    """Check that the disk has room for a copy of a dataset.

    Raises:
        DataError: it has not.
    """
    files = [data] if data.is_file() else [path for path in data.rglob("*") if path.is_file()]
    needed = sum(path.stat().st_size for path in files)
    there = next(folder for folder in (final, *final.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise DataError(
            f"{data} takes {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free in {there.parent}: the original is "
            f"kept until its copy is whole. Make room, or give an --output on another disk."
        )
