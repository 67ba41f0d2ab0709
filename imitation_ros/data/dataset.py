"""Recordings to tensors: what the algorithms learn from.

Ticks with a stale observation are left out: nobody knows what the expert saw. Silent ticks, where no
command was in force, are kept: the zero or held command they hold is what the robot did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files
from imitation_ros.errors import DataError
from imitation_ros.robot.sampler import SAME_TIME_S
from imitation_ros.robot.spec import RobotSpec


@dataclass(frozen=True)
class Transitions:
    """Steps of many episodes, one row each, in contiguous tensors.

    Attributes:
        spec: what the numbers mean.
        observations: field name to (N, width), physical units.
        labels: field name to what the expert chose, (N, width), physical units.
        episode: which episode a row is from, (N,).
    """

    spec: RobotSpec
    observations: Mapping[str, Tensor]
    labels: Mapping[str, Tensor]
    episode: Tensor

    def __len__(self) -> int:
        return len(self.episode)

    @property
    def present(self) -> list[int]:
        """The episodes that have a row at all: not those of which every tick was stale."""
        return [int(index) for index in np.unique(self.episode.numpy())]

    def of(self, episodes: Sequence[int]) -> Transitions:
        """Return the rows of some episodes only."""
        rows = torch.isin(self.episode, torch.tensor(list(episodes), dtype=self.episode.dtype))
        return Transitions(
            self.spec,
            {name: value[rows] for name, value in self.observations.items()},
            {name: value[rows] for name, value in self.labels.items()},
            self.episode[rows],
        )


def transitions(episodes: Sequence[Episode]) -> Transitions:
    """Return the steps of episodes as tensors, without those whose observation was stale.

    Raises:
        DataError: no step is left.
    """
    spec = episodes[0].spec
    fresh = [fresh_steps(episode) for episode in episodes]
    if not any(rows.any() for rows in fresh):
        raise DataError("every tick of every episode has a stale observation; `imitation-ros info` shows the ages.")
    return Transitions(
        spec=spec,
        observations={
            field.name: rows_of((e.observations[field.name][:-1] for e in episodes), fresh)
            for field in spec.observation
        },
        labels={field.name: rows_of((e.actions[field.name] for e in episodes), fresh) for field in spec.action},
        episode=torch.from_numpy(np.repeat(np.arange(len(episodes)), [int(rows.sum()) for rows in fresh])),
    )


def rows_of(arrays: Iterable[np.ndarray], chosen: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(
        np.concatenate([a[rows] for a, rows in zip(arrays, chosen, strict=True)]).astype(np.float32)
    )


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
    """Return each observation field's lowest and highest values, (width,) each."""
    return {name: (value.amin(0).numpy(), value.amax(0).numpy()) for name, value in data.observations.items()}


def data_hash(dataset: Path) -> str:
    """Return one SHA-256 over a dataset's files, in the order of their names."""
    digest = hashlib.sha256()
    for path in dataset_files(dataset):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
