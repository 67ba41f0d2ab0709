"""Camera messages: Image and CompressedImage; pixels, and the JPEG bytes that stand for them.

An image value is uint8: pixels of shape (height, width, channels), or the bytes of a JPEG, (n,), as a
camera sent them. What arrives as JPEG is stored as it came; it is decoded only where somebody looks.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from imitation_ros.errors import MessageError
from imitation_ros.robot.messages.registry import Array, reads, writes

if TYPE_CHECKING:
    from imitation_ros.robot.field import Field

ENCODINGS = {"rgb8": (3, 3), "bgr8": (3, 3), "rgba8": (4, 3), "bgra8": (4, 3), "mono8": (1, 1)}
"""Encoding (sensor_msgs/image_encodings.hpp) to bytes a pixel, and channels that are kept."""
MODES = {1: "L", 3: "RGB"}  # Pillow's words for channels
CHANNELS = {"L": 1, "RGB": 3, "RGBA": 3, "P": 3, "CMYK": 3}  # of what is kept, by the mode of a file
JPEG_START, JPEG_END, PNG_START = b"\xff\xd8", b"\xff\xd9", b"\x89PNG"
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError)  # what Pillow raises for damaged files
FRAME = struct.Struct(">BHHB")  # of a JPEG: bits a channel, height, width, channels
PADDING = 64  # bytes that a camera may add after the end of a JPEG


@reads("sensor_msgs/msg/Image")
def read_image(message: Any, field: Field) -> Array:
    """Return the pixels, RGB or grey, without a copy where the encoding allows."""
    if message.encoding not in ENCODINGS:
        raise MessageError(
            f"{field.name!r} ({field.topic}) is encoded as {message.encoding!r}; known: {', '.join(ENCODINGS)}. "
            f"Convert it, for instance with image_proc, or take its compressed topic."
        )
    stored, channels = ENCODINGS[message.encoding]
    check_size((message.height, message.width, channels), field)
    data = np.frombuffer(message.data, dtype=np.uint8)
    if message.step < message.width * stored or len(data) < message.height * message.step:
        raise MessageError(
            f"{field.name!r} ({field.topic}) has {len(data)} bytes, {message.step} in a row; {message.width} x "
            f"{message.height} pixels of {message.encoding} need {message.height * message.width * stored}. Its "
            f"publisher is broken."
        )
    rows = data[: message.height * message.step].reshape(message.height, message.step)
    pixels = rows[:, : message.width * stored].reshape(message.height, message.width, stored)
    if message.encoding.startswith("bgr"):
        pixels = pixels[:, :, [2, 1, 0]]
    return pixels[:, :, :channels]


@writes("sensor_msgs/msg/Image")
def write_image(message: Any, field: Field, values: Array) -> None:
    pixels = decoded(values, field)
    message.height, message.width, channels = pixels.shape
    message.encoding = "rgb8" if channels == 3 else "mono8"
    message.step, message.is_bigendian = message.width * channels, 0
    message.data = pixels.tobytes()


@reads("sensor_msgs/msg/CompressedImage")
def read_compressed_image(message: Any, field: Field) -> Array:
    """Return the bytes of a JPEG as they came, or the pixels of a PNG."""
    data = np.frombuffer(message.data, dtype=np.uint8)
    head = data[:4].tobytes()
    if not head.startswith((JPEG_START, PNG_START)):
        raise MessageError(
            f"{field.name!r} ({field.topic}) is neither JPEG nor PNG, but {message.format!r}. Set the camera's "
            f"compressed_image_transport to jpeg or png."
        )
    if head.startswith(JPEG_START) and JPEG_END not in data[-PADDING:].tobytes():
        raise MessageError(f"{field.name!r} ({field.topic}) is a JPEG that is cut off after {len(data)} bytes.")
    if head.startswith(JPEG_START) and jpeg_shape(data) == field.shape:
        return data
    with opened(data, field) as image:  # reads no more than the header
        if image.mode not in CHANNELS:  # such as depth in 16 bits
            raise MessageError(
                f"{field.name!r} ({field.topic}) has pixels of mode {image.mode!r}; known: {', '.join(CHANNELS)}. "
                f"Publish it with 8 bits a channel."
            )
        check_size((image.height, image.width, CHANNELS[image.mode]), field)
        return decoded(data, field) if head == PNG_START else data


def jpeg_shape(data: Array) -> tuple[int, int, int] | None:
    """Return the shape that a JPEG's header says, without Pillow, which takes twenty times as long; None if unsure."""
    at, size = 2, len(data)
    while at + 10 < size and data[at] == 0xFF:
        marker, length = int(data[at + 1]), int(data[at + 2]) << 8 | int(data[at + 3])
        if marker in (0xC0, 0xC1, 0xC2):  # a frame of the usual kinds
            precision, height, width, channels = FRAME.unpack(data[at + 4 : at + 10].tobytes())
            return (height, width, channels) if precision == 8 and channels in (1, 3) else None
        at += 2 + length
    return None


@writes("sensor_msgs/msg/CompressedImage")
def write_compressed_image(message: Any, field: Field, values: Array) -> None:
    message.format = "jpeg"
    message.data = encoded(values, field).tobytes()


def decoded(value: Array, field: Field) -> Array:
    """Return the pixels of an image value, uint8 of shape field.shape.

    Raises:
        MessageError: the bytes are no image, or one of another size.
    """
    if value.ndim == 3:
        return value
    with opened(value, field) as image:
        check_size((image.height, image.width, field.row_shape[-1]), field)
        try:
            pixels = np.asarray(image.convert(MODES[field.row_shape[-1]]))
        except BROKEN as error:
            raise MessageError(f"{field.name!r} ({field.topic}) cannot be decoded: {error}.") from None
    return pixels.reshape(field.row_shape)


def encoded(value: Array, field: Field) -> Array:
    """Return the bytes of an image value as a JPEG, (n,) uint8; the same pixels give the same bytes."""
    if value.ndim == 1:
        return value
    from PIL import Image

    buffer = io.BytesIO()
    pixels = value[:, :, 0] if value.shape[2] == 1 else value
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=field.jpeg_quality)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


def opened(data: Array, field: Field) -> Any:
    """Return Pillow's image, of which nothing but the header is read yet."""
    from PIL import Image

    try:
        return Image.open(io.BytesIO(data.tobytes()))
    except (*BROKEN, Image.DecompressionBombError) as error:  # a header may claim any size
        raise MessageError(f"{field.name!r} ({field.topic}) cannot be decoded: {error}.") from None


def check_size(found: tuple[int, int, int], field: Field) -> None:
    if found != field.shape:
        raise MessageError(
            f"{field.name!r} ({field.topic}) is {found[0]} x {found[1]} with {found[2]} channel(s) (height x width); "
            f"the spec says {field.shape}. Set the camera to that size, or mend `shape` in {field.file}."
        )
