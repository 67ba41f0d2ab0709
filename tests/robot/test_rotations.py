"""Rotations: laws that hold for every one of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imitation_ros.robot.rotations import (
    ROTATIONS,
    matrix_to_quaternion,
    matrix_to_rotvec,
    quaternion_to_matrix,
    rotation_6d_to_matrix,
    rotvec_to_matrix,
)

COMPONENT = st.floats(-1, 1, allow_subnormal=False)
AXES = st.tuples(COMPONENT, COMPONENT, COMPONENT).map(np.array).filter(lambda axis: np.linalg.norm(axis) > 1e-3)
QUATERNIONS = (
    st.tuples(COMPONENT, COMPONENT, COMPONENT, COMPONENT).map(np.array).filter(lambda q: np.linalg.norm(q) > 1e-3)
)


@given(quaternion=QUATERNIONS, length=st.floats(1e-2, 1e3))
def test_a_matrix_is_a_rotation_whatever_the_quaternions_length(quaternion, length):
    matrix = quaternion_to_matrix(quaternion * length)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    np.testing.assert_allclose(matrix, quaternion_to_matrix(quaternion), atol=1e-12)


@given(quaternion=QUATERNIONS)
def test_q_and_minus_q_are_bitwise_the_same_rotation(quaternion):
    np.testing.assert_array_equal(quaternion_to_matrix(quaternion), quaternion_to_matrix(-quaternion))


@given(quaternion=QUATERNIONS)
def test_a_quaternion_comes_back_with_w_not_negative(quaternion):
    back = matrix_to_quaternion(quaternion_to_matrix(quaternion))
    assert back[3] >= 0
    unit = quaternion / np.linalg.norm(quaternion)
    assert abs(back @ unit) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ROTATIONS)
@given(quaternion=QUATERNIONS)
def test_every_form_gives_the_same_matrix_back(name, quaternion):
    from_matrix, to_matrix, names = ROTATIONS[name]
    matrix = quaternion_to_matrix(quaternion)
    numbers = from_matrix(matrix)
    assert numbers.shape == (len(names),)
    np.testing.assert_allclose(to_matrix(numbers), matrix, atol=1e-7)


@pytest.mark.parametrize("name", ROTATIONS)
@given(axis=AXES)
def test_half_a_turn_about_any_axis_survives(name, axis):
    from_matrix, to_matrix, _ = ROTATIONS[name]
    matrix = rotvec_to_matrix(np.pi * axis / np.linalg.norm(axis))
    np.testing.assert_allclose(to_matrix(from_matrix(matrix)), matrix, atol=1e-7)


@given(axis=AXES, angle=st.floats(0, np.pi - 1e-3))
def test_a_rotvec_below_half_a_turn_comes_back(axis, angle):
    rotvec = angle * axis / np.linalg.norm(axis)
    np.testing.assert_allclose(matrix_to_rotvec(rotvec_to_matrix(rotvec)), rotvec, atol=1e-7)


@given(axis=AXES, angle=st.floats(0, 1e-9))
def test_a_tiny_rotvec_comes_back_without_a_division_by_zero(axis, angle):
    rotvec = angle * axis
    np.testing.assert_allclose(matrix_to_rotvec(rotvec_to_matrix(rotvec)), rotvec, atol=1e-15)


@given(axis=AXES, angle=st.floats(-7, 7), small=st.floats(-1e-4, 1e-4))
def test_rotation_6d_is_continuous_even_across_half_a_turn(axis, angle, small):
    from_matrix = ROTATIONS["rotation_6d"][0]
    axis = axis / np.linalg.norm(axis)
    here, there = (from_matrix(rotvec_to_matrix(axis * turn)) for turn in (angle, angle + small))
    assert np.abs(here - there).max() <= 1.5 * abs(small) + 1e-12


@given(numbers=st.lists(st.floats(-2, 2), min_size=6, max_size=6).map(np.array))
def test_any_two_columns_that_are_not_parallel_make_a_rotation(numbers):
    assume(np.linalg.norm(np.cross(numbers[:3], numbers[3:])) > 1e-3)
    matrix = rotation_6d_to_matrix(numbers)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    np.testing.assert_allclose(np.cross(matrix[:, 0], numbers[:3]), 0, atol=1e-9, err_msg="the first column is kept")


@pytest.mark.parametrize("columns", [[0, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0], [1, 2, 3, -2, -4, -6]])
def test_columns_that_say_no_rotation_are_refused(columns):
    with pytest.raises(ValueError, match="no rotation_6d"):
        rotation_6d_to_matrix(np.array(columns, dtype=float))


@pytest.mark.parametrize("quaternion", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [np.inf, 0, 0, 1], [1e-9, 0, 0, 0]])
def test_a_quaternion_that_nobody_filled_is_refused(quaternion):
    with pytest.raises(ValueError, match="no rotation"):
        quaternion_to_matrix(np.array(quaternion, dtype=float))
