"""Show an episode of a dataset, or write it as a file that can be shown."""

from __future__ import annotations

from pathlib import Path

from imitation_ros.console import console
from imitation_ros.data.catalogue import Entry, catalogue, choose, read_entries
from imitation_ros.data.episode import Episode
from imitation_ros.errors import DataError

RERUN, FOXGLOVE = ".rrd", ".mcap"


def run_view(data: Path, episode: str, save: Path | None) -> None:
    """Open an episode in Rerun, or write it as a file: .rrd for Rerun, .mcap for Foxglove.

    Args:
        data: one HDF5 file, or a folder of them.
        episode: which one, as `choose` understands it.

    Raises:
        DataError: there is no such episode, the file exists or is of another kind, or a package is not installed.
    """
    if save is not None:
        check_file(save)
    entry, shown = read_one(data, episode)
    if save is None or save.suffix == RERUN:
        show_in_rerun(shown, f"{data}, {entry.name}", save)
    else:
        from imitation_ros.viewing.bag import save_mcap

        for left_out in save_mcap(save, shown):
            say(f"{left_out} is left out: nobody describes that type.")
    if save is not None:
        how = f"with `rerun {save}`" if save.suffix == RERUN else "in Foxglove"
        say(f"{entry.name} is in {save} ({save.stat().st_size / 1e6:.1f} MB): look at it {how}.")


def check_file(save: Path) -> None:
    if save.suffix not in (RERUN, FOXGLOVE):
        raise DataError(f"--save is {save}; it should end in {RERUN} (Rerun) or {FOXGLOVE} (Foxglove, ROS).")
    if save.exists():
        raise DataError(f"{save} exists already, and is not overwritten. Choose another file, or delete it.")
    if not save.parent.is_dir():
        raise DataError(f"the folder {save.parent} of --save does not exist. Make it, or choose another.")


def read_one(data: Path, word: str) -> tuple[Entry, Episode]:
    """Return the one episode that somebody means.

    Raises:
        DataError: there is none, or there are several.
    """
    chosen = choose(catalogue(data), [word], "--episode")
    if len(chosen) != 1:
        raise DataError(f"--episode {word} means {len(chosen)} episodes; one is shown at a time. Give a number.")
    ((entry, episode),) = read_entries(chosen)
    return entry, episode


def show_in_rerun(episode: Episode, title: str, save: Path | None) -> None:
    from imitation_ros.viewing.rerun_log import RerunLog

    RerunLog(episode, title, save).write()


def say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
