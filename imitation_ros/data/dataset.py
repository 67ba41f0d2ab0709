"""Recordings to tensors: what the algorithms learn from.

Ticks with a stale observation are left out: nobody knows what the expert saw. Silent ticks, where no
command was in force, are kept: the zero or held command they hold is what the robot did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.images import EncodedImages
from imitation_ros.data.memory import check_fits
from imitation_ros.data.splits import SPLITS_JSON
from imitation_ros.errors import DataError
from imitation_ros.robot.field import Field
from imitation_ros.robot.sampler import SAME_TIME_S
from imitation_ros.robot.spec import RobotSpec

HASHED_BYTES = 1 << 20  # at a time: recordings with images do not fit into the memory


@dataclass(frozen=True)
class Transitions:
    """Steps of many episodes, one row each, in contiguous tensors.

    Attributes:
        spec: what the numbers mean.
        observations: field name to (N, width), physical units; of an image (N, height, width, channels), uint8.
        labels: field name to what the expert chose, (N, width), physical units.
        episode: which episode a row is from, (N,).
        mapped: the tensors lie in files (torch.from_file): read a few rows at a time, never all.
    """

    spec: RobotSpec
    observations: Mapping[str, Tensor]
    labels: Mapping[str, Tensor]
    episode: Tensor
    mapped: bool = False

    def __len__(self) -> int:
        return len(self.episode)

    @property
    def present(self) -> list[int]:
        """The episodes that have a row at all: not those of which every tick was stale."""
        return [int(index) for index in np.unique(self.episode.numpy())]

    @property
    def numbers(self) -> Transitions:
        """The same rows without their images, which are large."""
        numbers = {field.name: self.observations[field.name] for field in self.spec.observation if not field.is_image}
        return replace(self, observations=numbers)

    def rows(self, episodes: Sequence[int]) -> Tensor:
        """Return which rows are of some episodes."""
        return torch.isin(self.episode, torch.tensor(list(episodes), dtype=self.episode.dtype)).nonzero().flatten()

    def of(self, episodes: Sequence[int]) -> Transitions:
        """Return the rows of some episodes only, as copies."""
        return self.take(self.rows(episodes))

    def take(self, rows: Tensor) -> Transitions:
        """Return copies of some rows, in memory."""
        return Transitions(
            self.spec,
            {name: value.index_select(0, rows) for name, value in self.observations.items()},
            {name: value.index_select(0, rows) for name, value in self.labels.items()},
            self.episode.index_select(0, rows),
        )


def transitions(episodes: Sequence[Episode]) -> Transitions:
    """Return the steps of episodes as tensors, without those whose observation was stale.

    Images are decoded here, once.

    Raises:
        DataError: no step is left, or the images do not fit into the memory.
    """
    spec = episodes[0].spec
    fresh = [fresh_steps(episode) for episode in episodes]
    if not any(rows.any() for rows in fresh):
        raise DataError("every tick of every episode has a stale observation; `imitation-ros info` shows the ages.")
    steps = [int(rows.sum()) for rows in fresh]
    images = [field for field in spec.observation if field.is_image]
    check_fits(
        sum(steps) * sum(field.width for field in images),
        f"the pixels of {' and '.join(repr(field.name) for field in images)} in {sum(steps)} ticks",
        "Set a smaller `shape`, or learn from fewer episodes.",
    )
    return Transitions(
        spec=spec,
        observations={f.name: rows_of([e.observations[f.name] for e in episodes], fresh, f) for f in spec.observation},
        labels={f.name: rows_of([e.actions[f.name] for e in episodes], fresh, f) for f in spec.action},
        episode=torch.from_numpy(np.repeat(np.arange(len(episodes)), steps)),
    )


def rows_of(arrays: Sequence[np.ndarray | EncodedImages], chosen: Sequence[np.ndarray], field: Field) -> Tensor:
    """Return the chosen steps of many episodes in one tensor, copied once."""
    rows = np.empty((sum(int(fresh.sum()) for fresh in chosen), *field.row_shape), field.dtype)
    end = 0
    for values, fresh in zip(arrays, chosen, strict=True):
        start, end = end, end + int(fresh.sum())
        if isinstance(values, EncodedImages):
            for row, index in enumerate(np.flatnonzero(fresh), start):
                rows[row] = values[index]
        else:
            rows[start:end] = values[: len(fresh)] if fresh.all() else values[: len(fresh)][fresh]
    return torch.from_numpy(rows)


def fresh_steps(episode: Episode) -> np.ndarray:
    """Return which steps have no observation older than its field's max_age_s, shape (T,)."""
    fresh = np.ones(episode.steps, dtype=bool)
    if episode.timing is not None:
        for field in episode.spec.observation:
            fresh &= episode.timing.age_s(field.name)[:-1] <= field.max_age_s + SAME_TIME_S
    return fresh


def silent_steps(episode: Episode) -> np.ndarray:
    """Return in which steps no command was in force for some action field, shape (T,)."""
    silent = np.zeros(episode.steps, dtype=bool)
    if episode.timing is not None:
        for field in episode.spec.action:
            silent |= episode.timing.silent[field.name]
    return silent


def split_episodes(count: int, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Return training and validation episodes; whole ones, because neighbouring ticks are alike."""
    order = np.random.default_rng(np.random.SeedSequence([seed, count])).permutation(count).tolist()
    held_out = min(max(1, round(fraction * count)), count - 1) if count > 1 and fraction > 0 else 0
    return sorted(order[held_out:]), sorted(order[:held_out])


def ranges_of(data: Transitions) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the lowest and highest values of each observation field that is no image, (width,) each."""
    numbers = data.numbers.observations
    return {name: (value.amin(0).numpy(), value.amax(0).numpy()) for name, value in numbers.items()}


def data_hash(dataset: Path) -> str:
    """Return one SHA-256 over a dataset's files, in the order of their names, and over its splits."""
    digest = hashlib.sha256()
    splits = [path for path in (dataset / SPLITS_JSON,) if path.is_file()]
    for path in [*dataset_files(dataset), *splits]:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(HASHED_BYTES):
                digest.update(block)
    return digest.hexdigest()
