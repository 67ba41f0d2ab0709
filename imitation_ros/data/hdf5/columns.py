"""Datasets that grow by rows. Where a chunk lies in the file follows from the rows alone, not from when it is flushed.

HDF5 finds room for a chunk when it leaves the chunk cache: at a flush, or sooner. Here every chunk is given its room
with its first row. So the same rows make the same bytes, recorded live or imported, on a slow machine or a fast one.
"""

from __future__ import annotations

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from imitation_ros.data.hdf5.layout import JPEG_BYTES, Array

CHUNK_ROWS = 256
REFERENCE_BYTES = 16  # to a row of variable length: its length, and where in the file its bytes are


class Column:
    """A dataset of rows of one shape; the chunk that is being filled is kept here, and written as it is."""

    def __init__(
        self, demo: h5py.Group, name: str, row: tuple[int, ...], dtype: DTypeLike, chunk_rows: int = CHUNK_ROWS
    ) -> None:
        chunk = (chunk_rows, *row)
        self.dataset = demo.create_dataset(name, (0, *row), dtype, maxshape=(None, *row), chunks=chunk)
        self.row, self.chunk, self.rows = row, np.zeros(chunk, dtype), 0

    def extend(self, values: Array) -> None:
        """Add rows, (n, *row)."""
        self.dataset.id.set_extent((self.rows + len(values), *self.row))
        size, first = len(self.chunk), 0
        while first < len(values):
            begin = self.rows % size
            count = min(size - begin, len(values) - first)
            if begin == 0:
                self.chunk[count:] = 0
            self.chunk[begin : begin + count] = values[first : first + count]
            self.dataset.id.write_direct_chunk((self.rows - begin, *(0 for _ in self.row)), self.chunk)
            self.rows, first = self.rows + count, first + count


class JpegColumn:
    """A dataset of the bytes of JPEGs."""

    def __init__(self, demo: h5py.Group, name: str) -> None:
        self.dataset = demo.create_dataset(name, (0,), JPEG_BYTES, maxshape=(None,), chunks=(CHUNK_ROWS,))
        self.rows = 0

    def append(self, jpeg: NDArray[np.uint8]) -> None:
        self.dataset.id.set_extent((self.rows + 1,))
        if self.rows % CHUNK_ROWS == 0:
            self.dataset.id.write_direct_chunk((self.rows,), bytes(CHUNK_ROWS * REFERENCE_BYTES))
        self.dataset[self.rows] = jpeg
        self.rows += 1
