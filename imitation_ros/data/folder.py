"""A dataset on the disk: one file per episode, numbered, and whole as soon as it has its name."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from itertools import count
from pathlib import Path

from imitation_ros.errors import DataError, RecordingError

LEAST_FREE_BYTES = 200_000_000  # on the disk, for an episode to begin
ASIDE = ".undone"  # what an episode that was undone is called beside its name


def episode_path(folder: Path, index: int) -> Path:
    return folder / f"episode_{index:06d}.hdf5"


def dataset_files(dataset: Path) -> list[Path]:
    """Return the files of a dataset: one HDF5 file, or a folder of them.

    Raises:
        DataError: it does not exist, holds no episode, or is an unfinished one.
    """
    if dataset.suffix == ".part" and not dataset.is_dir():
        raise DataError(
            f"{dataset} is an unfinished episode: it is being recorded, or its recorder was ended. Only a file without "
            f".part is whole; `imitation-ros recover {dataset}` makes one of it."
        )
    if dataset.is_file():
        return [dataset]
    if not dataset.is_dir():
        raise DataError(f"the dataset {dataset} does not exist. Record one with `imitation-ros record`.")
    files = sorted(dataset.glob("*.hdf5"))
    if not files:
        parts = len(list(dataset.glob("*.part")))
        left = f" It holds {parts} unfinished episode(s), *.part: `imitation-ros recover {dataset}`." if parts else ""
        others = len(list(dataset.glob("*.h5")))
        left += f" Its {others} *.h5 file(s) are left out: call them *.hdf5." if others else ""
        raise DataError(f"{dataset} holds no episode (*.hdf5).{left} Record some with `imitation-ros record`.")
    return files


def prepare_folder(output: Path, append: bool) -> int:
    """Make the folder and return the number of its next episode; refuse before anything is recorded.

    Raises:
        RecordingError: it holds episodes and `append` is off, or it cannot be written to.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(f"the folder {output} cannot be made: {error.strerror}. Choose another output.") from None
    try:
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise RecordingError(
            f"the folder {output} is not writable: {error.strerror}. Choose another output, or `chmod u+w {output}`."
        ) from None
    names = [path.name.split(".")[0].removeprefix("episode_") for path in output.glob("episode_*.hdf5*")]
    numbers = {int(name) for name in names if name.isdecimal()}
    if numbers and not append:
        raise RecordingError(
            f"{output} already holds {len(numbers)} episode(s). Choose another output, or set append to add to them."
            f"{how_to_recover(output)}"
        )
    return max(numbers, default=-1) + 1


def how_to_recover(folder: Path) -> str:
    """Return ' It also holds ... *.part ...', with what to do about them, or nothing."""
    parts = unfinished(folder)
    if not parts:
        return ""
    names = parts[0].name if len(parts) == 1 else f"{parts[0].name} and {len(parts) - 1} more *.part"
    return (
        f" {folder} holds an episode that was never finished ({names}), as a crash leaves it: "
        f"`imitation-ros recover {folder}` saves what was recorded."
    )


def check_room(output: Path) -> None:
    """Check that the disk has room for an episode.

    Raises:
        RecordingError: it is nearly full.
    """
    free = shutil.disk_usage(output).free
    if free < LEAST_FREE_BYTES:
        raise RecordingError(
            f"not started: {free / 1e6:.0f} MB are free in {output}; {LEAST_FREE_BYTES / 1e6:.0f} MB are needed. "
            f"Make room."
        )


def unfinished(folder: Path) -> list[Path]:
    """Return what was being written when its program ended, or is being written now, in the order of names."""
    return sorted(path for path in folder.glob("*.part") if path.is_file())


def put_aside(path: Path) -> Path:
    """Rename an episode, and the bag beside it, so that it is no part of the dataset; return its new name.

    Raises:
        RecordingError: it cannot be renamed.
    """
    aside = path.with_name(path.name + ASIDE)
    for number in count(2):
        if not aside.exists():
            break
        aside = path.with_name(f"{path.name}{ASIDE}{number}")
    try:
        os.rename(path, aside)
        if (bag := path.with_suffix(".mcap")).exists():
            os.rename(bag, aside.with_name(aside.name.replace(path.suffix, bag.suffix, 1)))
    except OSError as error:
        raise RecordingError(f"{path} cannot be put aside: {error.strerror}. Is its folder writable?") from None
    return aside


def publish(part: Path, path: Path) -> None:
    """Rename a complete file to its name, so that it survives a power cut from then on.

    Raises:
        DataError: there is a file of that name by now.
    """
    if path.exists():
        raise DataError(f"{path} exists already, and recordings are not overwritten. {part} is complete: rename it.")
    sync(part)
    os.replace(part, path)
    sync(path.parent)


def lock(descriptor: int, busy: str) -> None:
    """Let no other program of ours work on an open file or folder until it is closed; where there are locks.

    Raises:
        DataError: another does: `busy`.
    """
    with contextlib.suppress(OSError):  # a network disk without locks
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(busy) from None


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
