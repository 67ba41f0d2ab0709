"""Fields of every type from YAML: anything odd is a field or an error with the file's name, never a crash."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_kinds import FIELDS, make_field

from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.field_yaml import field_to_dict, parse_field

WORDS = sorted({*Field.__dataclass_fields__, "parent", "beams"} - {"name", "file"})
ODD = st.recursive(
    st.sampled_from([None, True, False, 0, -1, 2, 10**400, 0.5, math.nan, math.inf, "", "/", "base", "rotvec", "tf"])
    | st.sampled_from(["position", "category", "binary", "image", "shoulder", "axes.0", "required", *FIELDS])
    | st.text(max_size=3)
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize("message_type", FIELDS)
@settings(max_examples=150)
@given(changes=st.dictionaries(st.sampled_from(WORDS), ODD, min_size=1, max_size=3))
def test_a_field_with_anything_odd_in_it_is_a_field_or_a_spec_error(message_type, changes):
    try:
        field = make_field(message_type, **{word: value for word, value in changes.items() if word != "type"})
    except SpecError as error:
        assert "cell.yaml" in str(error)
        return
    assert parse_field("thing", field_to_dict(field), "again.yaml") == field


@pytest.mark.parametrize("message_type", ["std_msgs/msg/Float64", "geometry_msgs/msg/Twist"])
def test_a_stamp_is_not_required_of_what_has_no_header(message_type):
    with pytest.raises(SpecError, match=f"stamp is 'required', but a {message_type} has no header"):
        make_field(message_type, stamp="required")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "category", "scale_low": 0, "scale_high": 2.5}, "give whole numbers"),
        ({"kind": "category"}, "give whole numbers"),
        ({"kind": "category", "scale_low": 0, "scale_high": 3, "reduce": "mean"}, "no mean"),
        ({"kind": "binary", "scale_low": 0, "scale_high": 3, "reduce": "mean"}, "no mean"),
        ({"scale_low": 0}, "one end of its scale only"),
    ],
)
def test_a_kind_says_what_it_needs(changes, words):
    with pytest.raises(SpecError, match=words):
        make_field("std_msgs/msg/Float64", **changes)


@given(low=st.integers(-5, 5), count=st.integers(1, 6), value=st.floats(-1, 1))
def test_a_category_takes_the_nearest_whole_number(low, count, value):
    field = make_field("std_msgs/msg/Float64", kind="category", scale_low=low, scale_high=low + count)
    assert field.categories == count + 1
    taken = float(field.from_unit(np.array([value]))[0])
    assert taken == round(taken) and low <= taken <= low + count
    assert abs(field.to_unit(np.array([taken]))[0] - value) <= 1.0 / count + 1e-9
