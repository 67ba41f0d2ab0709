"""What a training learns from, on the disk: it grows from round to round, and what is held in memory does not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from imitation_ros.data.checks import check_same_meaning
from imitation_ros.data.dataset import Transitions, fresh_steps
from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import episode_path
from imitation_ros.data.hdf5 import write_episode
from imitation_ros.data.images import EncodedImages
from imitation_ros.errors import DataError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

EPISODES, ROWS = "episodes", "rows"
NUMBERS = "episode"  # the file of the episodes' numbers
DECODED_ROWS = 64  # images at once, on their way to the file


class GrowingData:
    """Episodes to which others are added: their labelled ticks in flat files, which are mapped to be read.

    A tick is labelled where a person (or an expert) chose, or where nobody says who did; what a learner chose is no
    label. Ticks with a stale observation are left out too. In memory stays nothing of all that.

    What was added since the last `counts` that somebody kept is forgotten by `cut`: that is how a killed run goes on.

    Args:
        folder: for `episodes/`, a dataset of what is collected, and `rows/`, a file for each field. Made when needed.
        spec: what all episodes mean.

    Attributes:
        saved: how many episodes are in `episodes/`.
        episodes: how many were added, those from elsewhere too.
        rows: how many ticks there are to learn from.
    """

    def __init__(self, folder: Path, spec: RobotSpec) -> None:
        self.dataset, self.folder, self.spec = folder / EPISODES, folder / ROWS, spec
        self.saved = self.episodes = self.rows = 0

    @property
    def counts(self) -> list[int]:
        """How far it has grown, as `cut` takes it."""
        return [self.saved, self.episodes, self.rows]

    def cut(self, counts: list[int]) -> None:
        """Go back to what it was at some counts of this folder; [0, 0, 0]: empty.

        Raises:
            DataError: there is less than that.
        """
        self.saved, self.episodes, self.rows = counts
        for path in [*self.dataset.glob("*.hdf5"), *self.dataset.glob("*.part")]:
            if path >= episode_path(self.dataset, self.saved):
                path.unlink()
        there = len(list(self.dataset.glob("*.hdf5")))
        if there != self.saved:
            raise DataError(
                f"{self.dataset} should hold {self.saved} episodes; it holds {there}. Begin anew elsewhere."
            )
        for name, width in self.sizes():
            path = self.path(name)
            found = path.stat().st_size if path.exists() else 0
            if found < self.rows * width:
                raise DataError(f"{path} has lost {self.rows * width - found} bytes. Begin anew elsewhere.")
            if found:
                os.truncate(path, self.rows * width)

    def save(self, episodes: Iterable[Episode], **attributes: int) -> None:
        """Write episodes into the dataset, where people find them; `attributes` go into each of their files.

        Raises:
            DataError: the disk takes no more.
        """
        self.dataset.mkdir(parents=True, exist_ok=True)
        for episode in episodes:
            path = episode_path(self.dataset, self.saved)
            try:
                write_episode(path, replace(episode, attributes={**episode.attributes, **attributes}))
            except OSError as error:
                raise full(path, error) from None
            self.saved += 1

    def add(self, episodes: Iterable[Episode]) -> int:
        """Add the labelled ticks of episodes, one episode at a time, and return how many there are.

        Raises:
            DataError: one means something else, or the disk takes no more.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self.rows
        try:
            files = {name: self.path(name).open("ab") for name, _ in self.sizes()}
            try:
                for episode in episodes:
                    names = "the episodes so far and one to be added"
                    check_same_meaning(self.spec, episode.spec, names, "Learn a policy from each kind.")
                    self.rows += append(files, episode, self.episodes)
                    self.episodes += 1
            finally:
                for file in files.values():
                    file.close()
        except OSError as error:
            raise full(self.folder, error) from None
        return self.rows - before

    def transitions(self) -> Transitions:
        """Return all rows as they are now, in tensors that are the files themselves.

        Raises:
            DataError: there is none.
        """
        if not self.rows:
            raise DataError(
                "there is no labelled tick to learn from: in every episode the learner chose (is_human is false "
                "throughout), or the observations are stale. Give demonstrations too."
            )
        return Transitions(
            self.spec,
            {field.name: self.mapped(f"observation.{field.name}", field) for field in self.spec.observation},
            {field.name: self.mapped(f"action.{field.name}", field) for field in self.spec.action},
            torch.from_file(str(self.path(NUMBERS)), shared=False, size=self.rows, dtype=torch.int64),
            mapped=True,
        )

    def mapped(self, name: str, field: Field) -> Tensor:
        size = self.rows * int(np.prod(field.row_shape))
        dtype = torch.uint8 if field.is_image else torch.float32
        flat = torch.from_file(str(self.path(name)), shared=False, size=size, dtype=dtype)
        return flat.view(self.rows, *field.row_shape)

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield each file's name, and how many bytes a row has in it."""
        yield NUMBERS, 8
        for kind, fields in (("observation", self.spec.observation), ("action", self.spec.action)):
            for field in fields:
                yield f"{kind}.{field.name}", int(np.prod(field.row_shape)) * np.dtype(field.dtype).itemsize

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.bin"


def labelled_steps(episode: Episode) -> np.ndarray:
    """Return at which steps a person or an expert chose, and knew what was to be seen, shape (T,)."""
    fresh = fresh_steps(episode)
    return fresh if episode.is_human is None else fresh & np.asarray(episode.is_human, bool)


def append(files: Mapping[str, BinaryIO], episode: Episode, number: int) -> int:
    """Write an episode's labelled ticks to the ends of the files, and return how many there are."""
    chosen = np.flatnonzero(labelled_steps(episode))
    np.full(len(chosen), number, np.int64).tofile(files[NUMBERS])
    for field in episode.spec.observation:
        values, file = episode.observations[field.name], files[f"observation.{field.name}"]
        at_once = DECODED_ROWS if isinstance(values, EncodedImages) else max(len(chosen), 1)
        for first in range(0, len(chosen), at_once):
            np.ascontiguousarray(values[chosen[first : first + at_once]], field.dtype).tofile(file)
    for field in episode.spec.action:
        labels = episode.actions[field.name][chosen]
        np.ascontiguousarray(labels, np.float32).tofile(files[f"action.{field.name}"])
    return len(chosen)


def full(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be written: {error.strerror or error}. Make room, and start the same training again: it goes "
        f"on from what was saved before, if anything was."
    )
