"""What a training measured as it went: for TensorBoard, and as one CSV file."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

CURVE = "training.csv"
COUNTERS = ("steps", "update", "round")  # of a row; everything else in it was measured
Row = Mapping[str, float]


def board_folder(output: Path) -> Path:
    """Return where TensorBoard's files of a bundle are: beside it."""
    return output.parent / "tensorboard" / output.name


def write_board(folder: Path, curve: Sequence[Row]) -> SummaryWriter:
    """Begin TensorBoard's files anew with what was measured so far, so that no point is there twice."""
    for file in folder.glob("events.out.tfevents.*"):
        file.unlink()
    board = SummaryWriter(str(folder))
    for row in curve:
        add_row(board, int(row["steps"]), row)
    return board


def add_row(board: SummaryWriter, steps: int, row: Row) -> None:
    for name, value in row.items():
        if name not in COUNTERS:
            board.add_scalar(name, value, steps)


def write_curve(path: Path, curve: Sequence[Row]) -> None:
    """Write the rows; a name that some of them lack is empty there."""
    names = list(dict.fromkeys(name for row in curve for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(curve)
