"""Camera messages: every encoding comes out as the same pixels; a JPEG stays what it is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_kinds import MAKERS, empty, make_field
from PIL import Image

from imitation_ros.errors import MessageError, SpecError
from imitation_ros.robot.messages import IMAGES, read, write
from imitation_ros.robot.messages.images import decoded, encoded

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (3, 5, 3), dtype=np.uint8)
SMOOTH = np.stack(np.meshgrid(np.arange(24) * 10, np.arange(16) * 15), axis=-1).sum(-1)
PICTURE = np.stack([SMOOTH // 3, SMOOTH // 4, 255 - SMOOTH // 3], axis=-1).astype(np.uint8)


def raw(encoding: str, pixels: np.ndarray, padding: int, maker: str):
    """Return an Image of RGB pixels in an encoding, each row followed by padding."""
    order = {"rgb8": [0, 1, 2], "bgr8": [2, 1, 0], "rgba8": [0, 1, 2, 3], "bgra8": [2, 1, 0, 3], "mono8": [0]}
    opaque = np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 7, np.uint8)], axis=-1)
    rows = opaque[:, :, order[encoding]].reshape(len(pixels), -1)
    message = empty("sensor_msgs/msg/Image", maker)
    message.height, message.width, message.encoding = pixels.shape[0], pixels.shape[1], encoding
    message.step = rows.shape[1] + padding
    message.data = np.pad(rows, ((0, 0), (0, padding)), constant_values=99).tobytes()
    return message


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
@pytest.mark.parametrize("padding", [0, 3])
def test_every_encoding_of_colour_is_read_as_rgb(maker, encoding, padding):
    np.testing.assert_array_equal(read(raw(encoding, PIXELS, padding, maker), make_field(IMAGE)), PIXELS)


IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("padding", [0, 3])
def test_grey_has_one_channel(maker, padding):
    field = make_field(IMAGE, shape=[3, 5, 1])
    pixels = read(raw("mono8", PIXELS, padding, maker), field)
    np.testing.assert_array_equal(pixels, PIXELS[:, :, :1])
    message = empty(IMAGE, maker)
    write(message, field, pixels)
    assert (message.encoding, message.step, message.height, message.width) == ("mono8", 5, 3, 5)
    np.testing.assert_array_equal(read(message, field), pixels)


def test_an_unknown_encoding_is_named():
    message = raw("mono8", PIXELS, 0, "plain")
    message.encoding = "16UC1"
    with pytest.raises(MessageError, match=r"encoded as '16UC1'; known: rgb8, bgr8, .*image_proc"):
        read(message, make_field(IMAGE))


@pytest.mark.parametrize("maker", MAKERS)
def test_another_size_is_named_with_the_one_in_the_spec(maker):
    with pytest.raises(MessageError, match=r"is 3 x 5 with 3 channel\(s\).*the spec says \(4, 5, 3\)"):
        read(raw("rgb8", PIXELS, 0, maker), make_field(IMAGE, shape=[4, 5, 3]))
    with pytest.raises(MessageError, match=r"is 3 x 5 with 1 channel"):
        read(raw("mono8", PIXELS, 0, maker), make_field(IMAGE))


@pytest.mark.parametrize("change", [{"data": b"\x00" * 44}, {"step": 14}, {"data": b""}])
def test_an_image_with_too_few_bytes_is_named(change):
    message = raw("rgb8", PIXELS, 0, "plain")
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(MessageError, match=r"5 x 3 pixels of rgb8 need 45\. Its publisher is broken"):
        read(message, make_field(IMAGE))


def file_of(pixels: np.ndarray, kind: str, mode: str | None = None) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, kind)
    return buffer.getvalue()


def compressed(data: bytes, maker: str = "plain", words: str = "jpeg"):
    message = empty(COMPRESSED, maker)
    message.format, message.data = words, data
    return message


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("after", [b"", b"\x00" * 20])
def test_a_jpeg_of_the_right_size_passes_unchanged(maker, after):
    data = file_of(PICTURE, "JPEG") + after
    field = make_field(COMPRESSED)
    value = read(compressed(data, maker), field)
    assert value.dtype == np.uint8 and value.tobytes() == data
    again = empty(COMPRESSED, maker)
    write(again, field, value)
    assert bytes(again.data) == data and again.format == "jpeg"
    assert np.abs(decoded(value, field).astype(int) - PICTURE).mean() < 5


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("mode", [None, "RGBA", "P"])
def test_a_png_is_decoded(maker, mode):
    value = read(compressed(file_of(PICTURE, "PNG", mode), maker, "png"), make_field(COMPRESSED))
    assert value.shape == (16, 24, 3) and value.dtype == np.uint8
    assert np.abs(value.astype(int) - PICTURE).mean() < (60 if mode == "P" else 1e-9)


def test_depth_in_sixteen_bits_is_refused():
    depth = np.zeros((16, 24), np.uint16)
    with pytest.raises(MessageError, match=r"pixels of mode 'I;16'.*8 bits"):
        read(compressed(file_of(depth, "PNG"), words="png"), make_field(COMPRESSED))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_compressed_image_of_another_size_is_named(kind):
    data = file_of(PICTURE, kind)
    with pytest.raises(MessageError, match=r"is 16 x 24 with 3 channel\(s\).*\(48, 64, 3\)"):
        read(compressed(data), make_field(COMPRESSED, shape=[48, 64, 3]))
    with pytest.raises(MessageError, match=r"the spec says \(16, 24, 1\)"):
        read(compressed(data), make_field(COMPRESSED, shape=[16, 24, 1]))


def test_grey_jpegs_are_one_channel():
    field = make_field(COMPRESSED, shape=[16, 24, 1])
    value = read(compressed(file_of(PICTURE[:, :, 0], "JPEG")), field)
    assert decoded(value, field).shape == (16, 24, 1)
    assert decoded(encoded(PICTURE[:, :, :1], field), field).shape == (16, 24, 1)


def test_a_jpeg_that_was_cut_off_is_refused():
    data = file_of(PICTURE, "JPEG")
    for length in (len(data) // 2, len(data) - 2):
        with pytest.raises(MessageError, match=f"a JPEG that is cut off after {length} bytes"):
            read(compressed(data[:length]), make_field(COMPRESSED))


def test_what_is_neither_jpeg_nor_png_is_refused():
    for data in (b"", b"GIF89a", b"\x00" * 12 + file_of(PICTURE, "PNG")):
        with pytest.raises(MessageError, match="is neither JPEG nor PNG, but 'compressedDepth'"):
            read(compressed(data, words="compressedDepth"), make_field(COMPRESSED))


def test_the_same_pixels_give_the_same_bytes_and_quality_costs_bytes():
    field = make_field(COMPRESSED)
    assert encoded(PICTURE, field).tobytes() == encoded(PICTURE.copy(), field).tobytes()
    assert len(encoded(PICTURE, make_field(COMPRESSED, jpeg_quality=30))) < len(encoded(PICTURE, field))
    assert encoded(encoded(PICTURE, field), field).tobytes() == encoded(PICTURE, field).tobytes()


@settings(max_examples=300)
@given(kind=st.sampled_from(["JPEG", "PNG"]), at=st.floats(0, 1), put=st.binary(min_size=1, max_size=6))
def test_a_damaged_image_is_pixels_or_a_message_error(kind, at, put):
    data, field = bytearray(file_of(PICTURE, kind)), make_field(COMPRESSED)
    start = int(at * (len(data) - len(put)))
    data[start : start + len(put)] = put
    try:
        pixels = decoded(read(compressed(bytes(data)), field), field)
    except MessageError:
        return
    assert pixels.shape == (16, 24, 3)


@pytest.mark.parametrize("kind", sorted(IMAGES))
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": None}, r"shape is None; an image needs `shape: \[height, width, channels\]`"),
        ({"shape": [480, 640]}, r"shape is \[480, 640\]"),
        ({"shape": [480, 640, 4]}, "with 3 channels"),
        ({"shape": [0, 640, 3]}, r"shape is \[0, 640, 3\]"),
        ({"shape": 3}, "shape is 3"),
        ({"jpeg_quality": 100}, "jpeg_quality is 100; it should be a whole number from 1 to 95"),
        ({"storage": "png"}, "storage is 'png'; allowed: jpeg, raw"),
        ({"names": ["red"]}, "names holds 'red'"),
        ({"names": 0}, "names is 0"),
    ],
)
def test_what_an_image_needs_is_said(kind, changes, words):
    with pytest.raises(SpecError, match=words):
        make_field(kind, **changes)


def test_what_is_no_image_has_no_shape():
    for changes in ({"shape": [1, 2, 3]}, {"kind": "image"}):
        with pytest.raises(SpecError, match="a std_msgs/msg/Float64 is no image"):
            make_field("std_msgs/msg/Float64", **changes)
