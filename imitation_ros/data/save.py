"""Episodes to a dataset on the disk: a folder of files, or one file of many."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import episode_path, prepare_folder
from imitation_ros.data.hdf5 import write_episode, write_episodes


def save_episodes(dataset: str | Path, episodes: Iterable[Episode]) -> Path:
    """Write episodes where load_episodes and robomimic find them.

    Args:
        dataset: a file that ends in .hdf5, which then holds them all; or a folder, with a file for each.

    Raises:
        DataError: the file exists, there is no episode, or two in one file mean different things.
        RecordingError: the folder holds episodes already, or cannot be written to.
    """
    dataset = Path(dataset)
    if dataset.suffix == ".hdf5":
        dataset.parent.mkdir(parents=True, exist_ok=True)
        return write_episodes(dataset, episodes)
    prepare_folder(dataset, append=False)
    for index, episode in enumerate(episodes):
        write_episode(episode_path(dataset, index), episode)
    return dataset
