"""Messages that are just numbers: joysticks and laser scanners."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_kinds import MAKERS, empty, make_field

from imitation_ros.errors import MessageError, SpecError
from imitation_ros.robot.messages import read, write


@pytest.mark.parametrize("maker", MAKERS)
def test_a_joystick_with_too_few_axes_or_buttons_is_named(maker):
    message = empty("sensor_msgs/msg/Joy", maker)
    message.axes, message.buttons = [0.0] * 4, [1]
    with pytest.raises(MessageError, match=r"has no buttons\.1: this joystick has 4 axes and 1 buttons.*cell\.yaml"):
        read(message, make_field("sensor_msgs/msg/Joy"))


@pytest.mark.parametrize("maker", MAKERS)
def test_axes_and_buttons_that_nobody_names_are_zero(maker):
    field = make_field("sensor_msgs/msg/Joy")
    message = empty(field.type, maker)
    write(message, field, np.array([0.5, 0.9, -1.0]))
    assert list(message.axes) == [-1.0, 0.0, 0.0, 0.5]
    assert list(message.buttons) == [0, 1], "a button is pressed or not"


@pytest.mark.parametrize("name", ["axis.0", "axes", "axes.-1", "buttons.x", "axes.01", "axes.1000000000"])
def test_what_is_no_axis_is_refused(name):
    with pytest.raises(SpecError, match=rf"names holds '{name}'; a sensor_msgs/msg/Joy has names such as"):
        make_field("sensor_msgs/msg/Joy", names=[name])


def scan(ranges, maker: str = "plain", low: float = 0.1, high: float = 10.0):
    message = empty("sensor_msgs/msg/LaserScan", maker)
    message.range_min, message.range_max, message.ranges = low, high, [float(number) for number in ranges]
    return message


@pytest.mark.parametrize("maker", MAKERS)
@given(ranges=st.lists(st.floats(0.125, 9.5, width=32), min_size=4, max_size=50))
def test_a_beam_is_the_nearest_obstacle_of_its_sector(maker, ranges):
    beams = read(scan(ranges, maker), make_field("sensor_msgs/msg/LaserScan"))
    assert beams.shape == (4,) and beams.min() == min(ranges)
    for beam, sector in zip(beams, np.array_split(np.array(ranges), 4), strict=True):
        assert beam == sector.min()


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(
    ("ray", "meaning"),
    [
        (math.inf, 10.0),  # nothing within range
        (-math.inf, 0.1),  # too near to measure
        (10.0, 10.0),
        (0.1, 0.1),
    ],
)
def test_a_ray_without_a_number_means_what_rep_117_says(maker, ray, meaning):
    beams = read(scan([5.0, 5.0, 5.0, ray], maker), make_field("sensor_msgs/msg/LaserScan"))
    np.testing.assert_allclose(beams, [5.0, 5.0, 5.0, meaning], rtol=1e-6)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("ray", [math.nan, 0.0, 0.05, 11.0, -1.0])
def test_a_ray_that_measured_nothing_is_left_out_and_a_sector_of_nothing_else_is_refused(maker, ray):
    field = make_field("sensor_msgs/msg/LaserScan")
    beams = read(scan([5.0, ray, 4.0, ray, ray, 3.0, 2.0, ray], maker), field)
    np.testing.assert_array_equal(beams, [5.0, 4.0, 3.0, 2.0])
    with pytest.raises(MessageError, match=r"measured nothing in beam1 and 1 more: .*REP-117"):
        read(scan([5.0, ray, ray, 2.0], maker), field)


def test_a_scanner_without_a_longest_range_that_sees_nothing_is_refused():
    with pytest.raises(MessageError, match="not finite"):
        read(scan([1.0, math.inf, 1.0, 1.0], high=math.inf), make_field("sensor_msgs/msg/LaserScan"))


def test_fewer_rays_than_beams_are_named():
    with pytest.raises(MessageError, match="has 3 rays; the spec asks for 4 beams"):
        read(scan([1.0] * 3), make_field("sensor_msgs/msg/LaserScan"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"beams": 0}, "beams is 0; it should be a whole number from 1 to 4096"),
        ({"beams": 36.0}, "beams is 36.0"),
        ({"beams": 10**6}, "from 1 to 4096"),
        ({"names": ["beam0"]}, "has names and beams"),
        ({"beams": None, "names": ["beam1", "beam0"]}, "Write `beams: 2`"),
        ({"beams": None, "names": ["ray0"]}, r"names such as \[beam0, beam1\]"),
        ({"beams": None}, "needs `names`, such as .*`beams: 36`"),
    ],
)
def test_beams_are_a_count(changes, words):
    with pytest.raises(SpecError, match=words):
        make_field("sensor_msgs/msg/LaserScan", **changes)


def test_beams_of_what_has_none_are_refused():
    with pytest.raises(SpecError, match="beams is 3, but a sensor_msgs/msg/JointState has none"):
        make_field("sensor_msgs/msg/JointState", names=None, beams=3)
