"""A dataset to its episodes; what does not belong together or is not a number is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.hdf5 import read_episodes
from imitation_ros.errors import DataError


def load_episodes(dataset: Path) -> list[Episode]:
    """Return every episode of a dataset: one HDF5 file, or a folder of them.

    Raises:
        DataError: there is none, one is broken or holds NaN, or two mean different things.
    """
    episodes: list[Episode] = []
    sources: list[Path] = []
    for path in dataset_files(dataset):
        for episode in read_episodes(path):
            check_finite(episode, path)
            if episodes:
                differences = episodes[0].spec.differences(episode.spec)
                if differences:
                    raise DataError(
                        f"{sources[0].name} and {path.name} in {dataset} mean different things: "
                        f"{'; '.join(differences[:5])}. Put them into folders of their own."
                    )
            episodes.append(episode)
            sources.append(path)
    if not episodes:
        raise DataError(f"{dataset} holds no episode. Record some with `imitation-ros record`.")
    return episodes


def check_finite(episode: Episode, path: Path) -> None:
    for kind, arrays in (("obs", episode.observations), ("actions", episode.actions), ("executed", episode.executed)):
        for name, values in arrays.items():
            bad = np.argwhere(~np.isfinite(values))
            if len(bad):
                raise DataError(
                    f"{path}: {kind} {name!r} holds {values[tuple(bad[0])]} at tick {bad[0][0]} "
                    f"({len(bad)} such numbers). Leave the episode out, or record it again."
                )
