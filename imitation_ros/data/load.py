"""A dataset to its episodes; what does not belong together or is not a number is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.hdf5 import read_episodes
from imitation_ros.data.memory import check_fits
from imitation_ros.errors import DataError


def load_episodes(dataset: Path) -> list[Episode]:
    """Return every episode of a dataset: one HDF5 file, or a folder of them.

    Raises:
        DataError: there is none, one is broken or holds NaN, two mean different things, or they do not fit into
            the memory.
    """
    size = sum(path.stat().st_size for path in dataset_files(dataset))
    check_fits(size, f"{dataset}", "Load a part of it, or store images as JPEG (`storage: jpeg`).")
    return list(iterate_episodes(dataset))


def iterate_episodes(dataset: Path) -> Iterator[Episode]:
    """Yield every episode of a dataset, one at a time; errors as in load_episodes."""
    first, source = None, dataset
    for path in dataset_files(dataset):
        for episode in read_episodes(path):
            check_finite(episode, path)
            if first is None:
                first, source = episode, path
            differences = [] if episode.spec is first.spec else first.spec.differences(episode.spec)
            if differences:
                raise DataError(
                    f"{source.name} and {path.name} in {dataset} mean different things: "
                    f"{'; '.join(differences[:5])}. Put them into folders of their own."
                )
            yield episode
    if first is None:
        raise DataError(f"{dataset} holds no episode. Record some with `imitation-ros record`.")


def check_finite(episode: Episode, path: Path) -> None:
    numbers = {field.name: episode.observations[field.name] for field in episode.spec.observation if not field.is_image}
    for kind, arrays in (("obs", numbers), ("actions", episode.actions), ("executed", episode.executed)):
        for name, values in arrays.items():
            if np.isfinite(values).all():
                continue
            bad = np.argwhere(~np.isfinite(values))
            raise DataError(
                f"{path}: {kind} {name!r} holds {values[tuple(bad[0])]} at tick {bad[0][0]} "
                f"({len(bad)} such numbers). Leave the episode out, or record it again."
            )
