"""A bar over what passes by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from imitation_ros.console import bar
from imitation_ros.data.rewriting import Piece


def watched(title: str, total: int, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield pieces, and show how many of the episodes that they are made of are done."""
    with bar(title, total) as shown:
        done = 0
        for piece in pieces:
            done += piece.first
            yield piece
            shown.show(done)
