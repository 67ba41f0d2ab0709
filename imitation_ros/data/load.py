"""A dataset to its episodes; what does not belong together or is not a number is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from imitation_ros.data.checks import check_same_meaning, check_values
from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.hdf5 import read_episodes
from imitation_ros.data.memory import check_fits
from imitation_ros.errors import DataError


def load_episodes(dataset: str | Path) -> list[Episode]:
    """Return every episode of a dataset: one HDF5 file, or a folder of them.

    Raises:
        DataError: there is none, one is broken or holds NaN or no category, two mean different things, or they do
            not fit into the memory.
    """
    dataset = Path(dataset)
    size = sum(path.stat().st_size for path in dataset_files(dataset))
    check_fits(size, f"{dataset}", "Load a part of it, or store images as JPEG (`storage: jpeg`).")
    return list(iterate_episodes(dataset))


def iterate_episodes(dataset: Path) -> Iterator[Episode]:
    """Yield every episode of a dataset, one at a time; errors as in load_episodes."""
    first, source = None, dataset
    for path in dataset_files(dataset):
        for episode in read_episodes(path):
            check_values(episode, str(path))
            if first is None:
                first, source = episode, path
            names = f"{source.name} and {path.name} in {dataset}"
            check_same_meaning(first.spec, episode.spec, names, "Put them into folders of their own.")
            yield episode
    if first is None:
        raise DataError(f"{dataset} holds no episode. Record some with `imitation-ros record`.")
