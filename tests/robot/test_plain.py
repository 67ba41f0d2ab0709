"""Specs for arrays of one's own."""

from __future__ import annotations

import numpy as np
import pytest

from imitation_ros.errors import SpecError
from imitation_ros.robot.plain import array_field, plain_spec, spec_from_arrays
from imitation_ros.robot.spec import spec_from_yaml

STATE = array_field("state", 2)
SPEED = array_field("speed", 1, [-1.0], [1.0])


def test_a_spec_from_arrays_has_their_widths_and_the_range_of_the_actions():
    spec = spec_from_arrays("mine", {"state": np.zeros((4, 3))}, {"speed": np.array([0.0, 2.0, -1.0])}, 10.0)
    assert (spec.observation[0].width, spec.action[0].scale_low, spec.action[0].scale_high) == (3, (-1.0,), (2.0,))
    assert spec_from_yaml(spec.to_yaml(), "mine") == spec


def test_arrays_of_pixels_are_images():
    spec = spec_from_arrays("mine", {"camera": np.zeros((4, 8, 9, 3), np.uint8)}, {"speed": [0.0, 1.0]}, 10.0)
    assert (spec.observation[0].kind, spec.observation[0].row_shape) == ("image", (8, 9, 3))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_action_that_is_no_number_has_no_range(bad):
    with pytest.raises(SpecError, match="'speed' holds nan or inf"):
        spec_from_arrays("mine", {"state": np.zeros((2, 1))}, {"speed": [0.0, bad]}, 10.0)


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused_before_a_file_cannot_be_read_back(rate_hz):
    with pytest.raises(SpecError, match="rate_hz"):
        plain_spec("mine", [STATE], [SPEED], rate_hz)


def test_two_fields_of_one_name_are_refused():
    with pytest.raises(SpecError, match="names 'my_state' twice"):
        plain_spec("mine", [array_field("my state", 1), array_field("my_state", 1)], [SPEED], 10.0)


def test_a_spec_without_an_action_is_refused():
    with pytest.raises(SpecError, match="action is"):
        plain_spec("mine", [STATE], [], 10.0)
