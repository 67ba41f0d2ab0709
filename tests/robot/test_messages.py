"""What every message type promises: what is written is read back; what is not usable is refused by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_kinds import FIELDS, MAKERS, as_from_a_bag, empty, make_field, values_of

from imitation_ros.errors import MessageError
from imitation_ros.robot.field_yaml import field_to_dict, parse_field
from imitation_ros.robot.messages import (
    COMPONENTS,
    IMAGES,
    READERS,
    STAMPED,
    WRITERS,
    header_stamp_s,
    read,
    stamp_s,
    write,
)

NUMERIC = sorted(set(FIELDS) - IMAGES)
FRAMED = sorted(kind for kind, words in FIELDS.items() if "frame" in words)
LOSSLESS = sorted(set(FIELDS) - {"sensor_msgs/msg/CompressedImage"})


def test_every_message_type_has_a_reader_a_writer_its_numbers_and_a_round_trip_here():
    assert set(READERS) == set(WRITERS) == set(COMPONENTS) == set(FIELDS)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", LOSSLESS)
@given(data=st.data())
def test_what_is_written_is_read_back(message_type, maker, data):
    field = make_field(message_type)
    values = values_of(field, data)
    message = empty(message_type, maker)
    write(message, field, values)
    back = read(message, field)
    assert back.shape == field.row_shape
    assert back.dtype == (np.uint8 if field.is_image else np.float64)
    np.testing.assert_allclose(back, values, atol=1e-7)
    if field.rotation is None:
        np.testing.assert_array_equal(back, values)
    np.testing.assert_array_equal(read(as_from_a_bag(message), field), back)


@pytest.mark.parametrize("message_type", FIELDS)
def test_a_field_of_every_type_comes_back_equal_from_its_yaml(message_type):
    field = make_field(message_type)
    assert parse_field("thing", field_to_dict(field), "again.yaml") == field


@pytest.mark.parametrize("message_type", FIELDS)
@given(data=st.data())
@settings(max_examples=30)
def test_every_word_of_a_field_comes_back_equal_from_its_yaml(message_type, data):
    times = st.floats(1e-3, 10.0)
    changes = {
        "quantity": data.draw(st.sampled_from(["position", "velocity", "effort"])),
        "unit": data.draw(st.sampled_from(["", "rad", "m/s"])),
        "relative": data.draw(st.booleans()),
        "reduce": data.draw(st.sampled_from(["last", "mean"])),
        "when_silent": data.draw(st.sampled_from(["hold", "zero"])),
        "stamp": data.draw(st.sampled_from(["header", "received"])),
        "storage": data.draw(st.sampled_from(["jpeg", "raw"])),
        "jpeg_quality": data.draw(st.integers(1, 95)),
        "part": data.draw(st.sampled_from(["", "left"])),
        "frame_prefix": data.draw(st.sampled_from(["", "left_"])),
        "executed_topic": data.draw(st.sampled_from([None, "told"])),
        **{word: data.draw(times) for word in ("max_age_s", "timeout_s", "time_from_start_s")},
    }
    if message_type not in IMAGES:
        low = data.draw(st.floats(-5, 5))
        changes |= {"scale_low": low, "scale_high": low + data.draw(st.floats(0.5, 5))}
        changes["limits"] = {"velocity": data.draw(times), "position_low": low, "position_high": low + 1.0}
    field = make_field(message_type, **changes)
    assert parse_field("thing", field_to_dict(field), "again.yaml") == field


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", sorted(set(NUMERIC) - {"std_msgs/msg/Bool", "sensor_msgs/msg/LaserScan"}))
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(message_type, maker, bad):
    field = make_field(message_type, rotation=None)
    message = empty(message_type, maker)
    values = np.zeros(field.width)
    values[-1] = bad
    write(message, field, values)
    with pytest.raises(MessageError, match=r"'thing' \(a/topic\) holds .*not finite.*ros2 topic echo a/topic"):
        read(message, field)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", FRAMED)
def test_another_frame_is_named_with_the_one_in_the_spec(message_type, maker):
    field = make_field(message_type)
    message = empty(message_type, maker)
    write(message, field, np.zeros(field.row_shape, np.uint8) if field.is_image else upright(field))
    for fine in ("", "base", "/base"):
        message.header.frame_id = fine
        read(message, field)
    message.header.frame_id = "camera"
    with pytest.raises(MessageError, match=r"in frame 'camera'; the spec says 'base'.*cell\.yaml"):
        read(message, field)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", FRAMED)
def test_a_written_message_says_its_frame_with_its_prefix(message_type, maker):
    for prefix in ("", "left_"):
        field = make_field(message_type, frame_prefix=prefix)
        message = empty(message_type, maker)
        write(message, field, np.zeros(field.row_shape, np.uint8) if field.is_image else upright(field))
        assert message.header.frame_id == f"{prefix}base"
        read(message, field)
    message.header.frame_id = "base"
    with pytest.raises(MessageError, match="in frame 'base'; the spec says 'left_base'"):
        read(message, field)


def upright(field) -> np.ndarray:
    values = np.zeros(field.width)
    if field.rotation == "rotation_6d":
        values[-6:] = [1, 0, 0, 0, 1, 0]
    return values


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", sorted(STAMPED))
def test_a_stamp_is_the_headers_unless_the_field_wants_when_it_was_received(message_type, maker):
    message = empty(message_type, maker)
    message.header.stamp.sec, message.header.stamp.nanosec = 12, 500_000_000
    assert header_stamp_s(message) == 12.5
    for stamp, found in (("header", 12.5), ("received", None), ("required", 12.5)):
        assert stamp_s(message, make_field(message_type, stamp=stamp)) == found


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("message_type", FIELDS)
def test_an_empty_stamp_is_none_and_an_error_only_where_one_is_required(message_type, maker):
    message = empty(message_type, maker)
    assert header_stamp_s(message) is None
    for stamp in ("header", "received"):
        assert stamp_s(message, make_field(message_type, stamp=stamp)) is None
    if message_type in STAMPED:
        with pytest.raises(MessageError, match=r"'thing' \(a/topic\) came without a stamp.*cell\.yaml"):
            stamp_s(message, make_field(message_type, stamp="required"))


@pytest.mark.parametrize("message_type", FIELDS)
def test_the_types_with_a_header_are_those_that_are_called_stamped(message_type):
    assert hasattr(empty(message_type), "header") == (message_type in STAMPED)
