"""Episodes to a dataset on the disk: a folder of files, or one file of many."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from imitation_ros.data.checks import check_same_meaning
from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import episode_path, prepare_folder
from imitation_ros.data.hdf5 import write_episode, write_episodes
from imitation_ros.errors import DataError


def save_episodes(dataset: str | Path, episodes: Iterable[Episode]) -> Path:
    """Write episodes where load_episodes and robomimic find them.

    Args:
        dataset: a file that ends in .hdf5 or .h5, which then holds them all; or a folder, with a file for each.

    Raises:
        DataError: the file exists, there is no episode, or two mean different things.
        RecordingError: the folder holds episodes already, or cannot be written to.
    """
    dataset = Path(dataset)
    if dataset.suffix in (".hdf5", ".h5"):
        dataset.parent.mkdir(parents=True, exist_ok=True)
        return write_episodes(dataset, episodes)
    remaining = iter(episodes)
    first = next(remaining, None)
    if first is None:
        raise DataError(f"there is no episode to write to {dataset}.")
    prepare_folder(dataset, append=False)
    for index, episode in enumerate(chain([first], remaining)):
        names = f"episodes 0 and {index}"
        check_same_meaning(first.spec, episode.spec, names, "Save them into datasets of their own.")
        write_episode(episode_path(dataset, index), episode)
    return dataset
