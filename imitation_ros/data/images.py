"""The images of episodes: JPEG bytes that are decoded where somebody looks, and encoded in threads of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import takewhile
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import DataError, MessageError
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages.images import decoded, encoded

Array = NDArray[Any]

WORKERS = 2  # Pillow lets go of the interpreter's lock; one encodes some 300 images of 640 x 480 a second
WAITING_BYTES = 64_000_000  # of images that are not encoded yet: a second and a half of one 640 x 480 camera at 50 Hz


class EncodedImages:
    """The images of one field over an episode, as JPEG bytes; indexed and converted like an array of pixels.

    An index decodes one image, a slice or an array of indices those, `numpy.asarray` all.

    Args:
        jpegs: the bytes of each image, (n,) uint8.
        field: whose images they are.
        source: the file and demo they are from, for messages.

    Raises:
        DataError: when an image is decoded and is none, or has another size.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, jpegs: Sequence[Array], field: Field, source: str = "the episode") -> None:
        self.jpegs, self.field, self.source = list(jpegs), field, source

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.jpegs), *self.field.row_shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes the images take as they are, encoded."""
        return sum(jpeg.nbytes for jpeg in self.jpegs)

    def __len__(self) -> int:
        return len(self.jpegs)

    def __getitem__(self, index: Any) -> Array:
        if isinstance(index, tuple):  # into the pixels, too
            return np.asarray(self[:][index])
        chosen = np.arange(len(self))[index]
        if chosen.ndim == 0:
            return self.pixels(int(chosen))
        pixels = np.empty((*chosen.shape, *self.field.row_shape), np.uint8)
        for place, number in np.ndenumerate(chosen):
            pixels[place] = self.pixels(int(number))
        return pixels

    def __iter__(self) -> Iterator[Array]:
        return (self.pixels(index) for index in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("JPEG bytes cannot be seen as pixels without a copy.")
        pixels = self[:]
        return pixels if dtype is None else pixels.astype(dtype)

    def pixels(self, index: int) -> Array:
        try:
            return decoded(self.jpegs[index], self.field)
        except MessageError as error:
            raise DataError(f"{self.source}: image {index} is broken: {error}") from None


Images = Array | EncodedImages


def as_stored(value: Array, field: Field) -> Array:
    """Return an image value as a file holds it: the bytes of a JPEG, or pixels, by the field's `storage`."""
    return encoded(value, field) if field.storage == "jpeg" else decoded(value, field)


def images_of(values: Sequence[Array], field: Field) -> Images:
    """Return image values of a field as an episode holds them: pixels, or JPEG bytes where some came as such.

    Raises:
        DataError: a value is neither bytes nor pixels of the field's size.
    """
    for value in values:
        if value.dtype != np.uint8 or value.shape not in ((value.size,), field.row_shape):
            raise DataError(
                f"an image of {field.name!r} is {value.dtype} of shape {value.shape}; it should be uint8, 0 to 255, "
                f"of shape {field.row_shape}, or the bytes of a JPEG."
            )
    if any(value.ndim == 1 for value in values):
        return EncodedImages([encoded(value, field) for value in values], field)
    pixels = np.empty((len(values), *field.row_shape), np.uint8)
    for index, value in enumerate(values):
        pixels[index] = value
    return pixels


@dataclass(frozen=True)
class Queued:
    """An image on its way into a file: as stored, or still being encoded."""

    image: Array | Future[Array]
    came_bytes: int

    @property
    def done(self) -> bool:
        return not isinstance(self.image, Future) or self.image.done()

    def wait(self) -> None:
        if isinstance(self.image, Future):
            wait([self.image])

    def result(self) -> Array:
        return self.image.result() if isinstance(self.image, Future) else self.image


class ImageQueue:
    """Brings images into the form that a file holds, in threads of its own, and hands them out in their order.

    Whoever puts an image goes on at once, unless WAITING_BYTES of them are not encoded yet; then `put` waits for the
    oldest, and counts how often.

    Attributes:
        held_bytes: of all images that nobody took yet, as they came.
        waits: how often `put` had to wait.
    """

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = {field.name: field for field in fields}
        self.images: dict[str, deque[Queued]] = {name: deque() for name in self.fields}
        self.last: dict[str, tuple[Array, Queued]] = {}
        self.encoding: deque[Queued] = deque()  # those that are not encoded yet, oldest first
        self.encoding_bytes = 0
        self.held_bytes = 0
        self.waits = 0
        self.pool = ThreadPoolExecutor(WORKERS, "images")  # starts a thread when there is something to do

    def put(self, name: str, value: Array) -> None:
        field = self.fields[name]
        last, before = self.last.get(name, (None, None))
        if before is not None and last is value:
            queued = Queued(before.image, 0)  # a camera slower than the ticks: nothing to encode again
        elif (field.storage == "jpeg") == (value.ndim == 1):
            queued = Queued(value, value.nbytes)  # as it came
        else:
            self.make_room(value.nbytes)
            queued = Queued(self.pool.submit(as_stored, value, field), value.nbytes)
            self.encoding.append(queued)
            self.encoding_bytes += queued.came_bytes
        self.last[name] = (value, queued)
        self.images[name].append(queued)
        self.held_bytes += queued.came_bytes

    def make_room(self, more_bytes: int) -> None:
        self.forget_encoded()
        self.waits += bool(self.encoding) and self.encoding_bytes + more_bytes > WAITING_BYTES
        while self.encoding and self.encoding_bytes + more_bytes > WAITING_BYTES:
            self.encoding[0].wait()
            self.forget_encoded()

    def forget_encoded(self) -> None:
        while self.encoding and self.encoding[0].done:
            self.encoding_bytes -= self.encoding.popleft().came_bytes

    def ready(self) -> int:
        """Return for how many ticks, from the oldest on, every image can be taken without waiting."""
        return min(sum(1 for _ in takewhile(attrgetter("done"), images)) for images in self.images.values())

    def take(self, count: int) -> dict[str, list[Array]]:
        """Return the oldest images of each field, as stored; waits for those that are not encoded yet.

        Raises:
            MessageError: an image that came as JPEG and is stored as pixels cannot be decoded.
        """
        taken = {name: [images.popleft() for _ in range(count)] for name, images in self.images.items()}
        self.held_bytes -= sum(queued.came_bytes for images in taken.values() for queued in images)
        return {name: [queued.result() for queued in images] for name, images in taken.items()}

    def close(self) -> None:
        """Let the threads go; what they have not begun is dropped."""
        self.pool.shutdown(wait=True, cancel_futures=True)
