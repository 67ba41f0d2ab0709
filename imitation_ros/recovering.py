"""Say what a crash left, and make episodes of it."""

from __future__ import annotations

from pathlib import Path

from imitation_ros.console import console
from imitation_ros.data.folder import unfinished
from imitation_ros.data.hdf5.recovery import Recovery, look_at, recover
from imitation_ros.data.hdf5.streaming import FLUSH_S
from imitation_ros.errors import DataError


def run_recovery(path: Path, only_look: bool = False) -> bool:
    """Recover every `*.part` in a folder, or one; print what became of each, and return whether all went well.

    Args:
        only_look: print what would become of them, and change nothing.

    Raises:
        DataError: there is no such folder, and no such `*.part`.
    """
    if not path.is_dir() and not (path.is_file() and path.suffix == ".part"):
        raise DataError(f"{path} is no folder and no *.part. Give the folder of a dataset, or one file of it: *.part.")
    parts = unfinished(path) if path.is_dir() else [path]
    if not parts:
        say(f"{path} holds no *.part: there is nothing to recover.")
    well = True
    for part in parts:
        try:
            say(would_be(look_at(part), part) if only_look else was(recover(part), part))
        except (DataError, OSError) as error:
            say(
                str(error) if isinstance(error, DataError) else f"{part} is not recovered, and stays as it is: {error}."
            )
            well = False
    return well


def length(found: Recovery) -> str:
    return f"{found.steps} ticks ({found.seconds:.1f} s)"


def would_be(found: Recovery, part: Path) -> str:
    if found.complete:
        return f"{part}: complete, {length(found)}; it lacks only its name."
    if found.steps == 0:
        return f"{part}: nothing to recover; no two ticks of it were flushed."
    return f"{part}: {length(found)} can be recovered, as {found.path.name}."


def was(found: Recovery, part: Path) -> str:
    if found.complete:
        return f"{found.path}: complete, {length(found)}; it lacked only its name."
    if found.steps == 0:
        name = found.kept.name if found.kept else part.name
        return f"{part}: nothing to recover; no two ticks of it were flushed. It is called {name} now."
    more = f", and {found.left_out} ticks that could not be read" if found.left_out else ""
    return (
        f"{found.path}: {length(found)} recovered. Lost: what came after the last flush, about {FLUSH_S:g} s at "
        f"most{more}. The part is kept as {found.kept and found.kept.name}; delete it when the episode is as it "
        f"should be."
    )


def say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
