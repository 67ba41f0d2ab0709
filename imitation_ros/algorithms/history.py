"""The rollouts of every round, to be learned from again: on the disk, so that memory stays flat and a run can go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from imitation_ros.algorithms.tensor_file import alone, read_tensors, sync, write_tensors

Rollouts = dict[str, Tensor]


class History:
    """What was collected in each round, in a file of its own that is written once.

    A round is added before the state that counts it is saved. So a file beyond the state's round is what a killed
    run left; it is overwritten when that round is collected again.

    Args:
        folder: for the files, which is made when the first is added; None keeps all in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.kept: dict[int, Rollouts] = {}
        self.unsynced: list[Path] = []

    def add(self, number: int, tensors: Mapping[str, Tensor]) -> None:
        """Keep the rollouts of a round as they are now.

        Raises:
            TrainingError: they cannot be written.
        """
        if self.folder is None:
            self.kept[number] = {name: tensor.clone() for name, tensor in alone(tensors).items()}
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(self.folder, number)
        write_tensors(path, tensors, durable=False)
        self.unsynced.append(path)

    def read(self, first: int, last: int) -> Iterator[Rollouts]:
        """Yield the rollouts of rounds first to last, both included, one after the other, on the CPU.

        Rounds before the first one that there is are left out: the last ten of three are three.

        Raises:
            TrainingError: a file is missing or broken.
        """
        for number in range(max(first, min(self.rounds(), default=last + 1)), last + 1):
            if self.folder is None:
                yield dict(self.kept[number])
            else:
                yield read_tensors(self.path(self.folder, number))[0]

    def rounds(self) -> list[int]:
        """Return the rounds that there are, in order."""
        if self.folder is None:
            return sorted(self.kept)
        return sorted(int(path.stem.removeprefix("round_")) for path in self.folder.glob("round_*.safetensors"))

    def forget_after(self, last: int) -> None:
        """Remove what a run that was killed left beyond the rounds that its state counts."""
        for number in self.rounds():
            if number > last:
                self.kept.pop(number, None)
                if self.folder is not None:
                    self.path(self.folder, number).unlink()

    def sync(self) -> None:
        """Wait until the disk has every round: before a state that counts them."""
        for path in self.unsynced:
            sync(path)
        if self.unsynced:
            sync(self.unsynced[0].parent)
        self.unsynced.clear()

    @staticmethod
    def path(folder: Path, number: int) -> Path:
        return folder / f"round_{number:06d}.safetensors"
