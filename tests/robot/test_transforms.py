"""tf: composing along any tree equals multiplying matrices, whatever is heard first; what is missing is said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_kinds import Shaped, empty, make_field

from imitation_ros.robot.messages import read
from imitation_ros.robot.rotations import matrix_to_quaternion, quaternion_to_matrix
from imitation_ros.robot.transforms import FieldTransforms, TransformTree


def matrix_of(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = quaternion_to_matrix(rng.normal(size=4))
    matrix[:3, 3] = rng.uniform(-2, 2, 3)
    return matrix


def transform(parent: str, child: str, matrix: np.ndarray, stamp_s: float = 0.0):
    message = empty("tf")
    message.header.frame_id, message.child_frame_id = parent, child
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(round(stamp_s * 1e9), 10**9)
    place, q = message.transform.translation, message.transform.rotation
    place.x, place.y, place.z = matrix[:3, 3].tolist()
    q.x, q.y, q.z, q.w = matrix_to_quaternion(matrix[:3, :3]).tolist()
    return message


def heard(*transforms):
    return Shaped(transforms=list(transforms))


@st.composite
def trees(draw):
    """Return parents (frame i's, or None for the root), which are static, and an order of arrival."""
    count = draw(st.integers(2, 8))
    parents = [None] + [draw(st.integers(0, index - 1)) for index in range(1, count)]
    static = [draw(st.booleans()) for _ in range(count)]
    return parents, static, draw(st.permutations(range(1, count)))


@given(tree=trees(), seed=st.integers(0, 1000))
def test_composition_along_a_random_tree_is_the_product_of_its_matrices(tree, seed):
    parents, static, order = tree
    in_parent = [matrix_of(seed + index) for index in range(len(parents))]
    in_root = [np.eye(4)]
    for index in range(1, len(parents)):
        in_root.append(in_root[parents[index]] @ in_parent[index])
    found = TransformTree()
    for index in order:
        edge = transform(f"f{parents[index]}", f"f{index}", in_parent[index], stamp_s=10.0 + index)
        found.put(heard(edge), static=static[index])
    for parent in range(len(parents)):
        for child in range(len(parents)):
            placed = found.look_up(f"f{parent}", f"f{child}")
            expected = np.linalg.inv(in_root[parent]) @ in_root[child]
            np.testing.assert_allclose(placed.matrix, expected, atol=1e-9)
            way = set(up(parents, parent)) ^ set(up(parents, child))
            stamps = [10.0 + index for index in way if not static[index]]
            assert placed.stamp_s == min(stamps, default=None)


def up(parents: list[int | None], frame: int) -> list[int]:
    way = [frame]
    while parents[way[-1]] is not None:
        way.append(parents[way[-1]])
    return way


MOVES = [(edge, stamp_s) for edge in ("arm", "hand") for stamp_s in (1.0, 2.0, 3.0)]


@given(order=st.permutations(MOVES))
def test_the_newest_of_each_pair_counts_whatever_is_heard_first(order):
    parent_of = {"arm": "base", "hand": "arm"}
    tree = TransformTree()
    for child, stamp_s in order:
        tree.put(heard(transform(parent_of[child], child, matrix_of(int(stamp_s)), stamp_s)))
    placed = tree.look_up("base", "hand")
    np.testing.assert_allclose(placed.matrix, matrix_of(3) @ matrix_of(3), atol=1e-9)
    assert placed.stamp_s == 3.0


def test_a_chain_is_as_old_as_its_oldest_dynamic_transform():
    tree = TransformTree()
    tree.put(heard(transform("world", "base", np.eye(4), 1.0)), static=True)
    tree.put(heard(transform("base", "arm", np.eye(4), 20.0), transform("arm", "hand", np.eye(4), 15.0)))
    assert tree.look_up("world", "hand").stamp_s == 15.0
    assert tree.look_up("world", "arm").stamp_s == 20.0
    assert tree.look_up("world", "base").stamp_s is None, "what stands still does not age"
    assert tree.look_up("base", "base").stamp_s is None


def test_a_frame_that_changes_its_parent_is_where_the_newest_says():
    tree = TransformTree()
    tree.put(heard(transform("table", "cup", matrix_of(1), 1.0), transform("world", "table", np.eye(4), 1.0)))
    tree.put(heard(transform("hand", "cup", matrix_of(2), 2.0), transform("world", "hand", np.eye(4), 2.0)))
    tree.put(heard(transform("table", "cup", matrix_of(1), 1.5)))
    np.testing.assert_allclose(tree.look_up("world", "cup").matrix, matrix_of(2), atol=1e-9)


def test_frames_with_a_slash_in_front_are_the_same():
    tree = TransformTree()
    tree.put(heard(transform("/base", "/tool", matrix_of(1), 1.0)))
    np.testing.assert_allclose(tree.look_up("base", "/tool").matrix, matrix_of(1), atol=1e-9)


def test_what_is_not_connected_is_none_and_said_with_the_frames_that_are_known():
    tree = TransformTree()
    assert tree.look_up("base", "tool") is None
    assert tree.look_up("base", "base") is None, "nobody ever spoke of it"
    assert "no frame 'base' and no frame 'tool'; known frames: none" in tree.why_not("base", "tool")
    tree.put(heard(transform("base", "arm", np.eye(4), 1.0), transform("camera", "tool", np.eye(4), 1.0)))
    assert tree.look_up("base", "tool") is None
    words = tree.why_not("base", "tool")
    assert "'base' (below 'base') and 'tool' (below 'camera'), but nothing connects them" in words
    assert "known frames: arm, base, camera, tool" in words
    assert "no frame 'hand'; known" in tree.why_not("base", "hand")


@pytest.mark.parametrize("bad", ["zero", "nan", "itself"])
def test_a_broken_transform_is_left_out_and_named(bad):
    tree = TransformTree()
    edge = transform("base", "base" if bad == "itself" else "tool", np.eye(4), 1.0)
    if bad == "zero":
        edge.transform.rotation.w = 0.0
    elif bad == "nan":
        edge.transform.translation.x = math.nan
    tree.put(heard(edge, transform("base", "arm", np.eye(4), 1.0)))
    assert tree.look_up("base", "arm") is not None, "others of the same message are taken"
    assert tree.look_up("base", "tool") is None
    said = {"zero": "tool: the quaternion", "nan": "tool: its translation is [nan", "itself": "no frame 'tool'"}
    assert said[bad] in tree.why_not("base", "tool")


def test_a_tree_that_goes_in_a_circle_ends():
    tree = TransformTree()
    tree.put(heard(*(transform(parent, child, np.eye(4), 1.0) for parent, child in ("ab", "bc", "ca"))))
    tree.look_up("a", "c")
    assert tree.look_up("a", "z") is None


FIELD = make_field("tf", parent="base", child="hand")


def test_a_field_has_a_value_as_soon_as_its_chain_is_whole_and_then_when_the_oldest_moved():
    fields = FieldTransforms([FIELD])
    assert fields.put(heard(transform("arm", "hand", matrix_of(1), 1.0))) == []
    assert "nothing connects" not in fields.missing(FIELD) and "no frame 'base'" in fields.missing(FIELD)
    [(field, values, stamp_s)] = fields.put(heard(transform("base", "arm", np.eye(4), 1.0)))
    assert (field, stamp_s) == (FIELD, 1.0) and fields.missing(FIELD) is None
    np.testing.assert_allclose(values, read(transform("base", "hand", matrix_of(1)), FIELD), atol=1e-9)
    assert fields.put(heard(transform("base", "arm", np.eye(4), 2.0))) == [], "the hand is still of 1.0"
    assert [stamp_s for _, _, stamp_s in fields.put(heard(transform("arm", "hand", matrix_of(2), 2.0)))] == [2.0]
    assert fields.put(heard(transform("other", "thing", np.eye(4), 9.0))) == []


@given(order=st.permutations([("base", "arm", 1.0), ("arm", "hand", 1.0), ("base", "arm", 2.0), ("arm", "hand", 2.0)]))
def test_the_last_value_of_a_field_does_not_depend_on_who_is_heard_first(order):
    fields = FieldTransforms([FIELD])
    told = [value for p, c, s in order for value in fields.put(heard(transform(p, c, matrix_of(int(s)), s)))]
    assert told[-1][2] == 2.0 and [stamp_s for *_, stamp_s in told] in ([1.0, 2.0], [2.0])
    np.testing.assert_allclose(told[-1][1][:3], (matrix_of(2) @ matrix_of(2))[:3, 3], atol=1e-9)


def test_a_prefix_stands_before_both_frames():
    field = make_field("tf", parent="base", child="hand", frame_prefix="left_")
    fields = FieldTransforms([field, FIELD])
    moved = fields.put(heard(transform("left_base", "left_hand", matrix_of(1), 1.0)))
    assert [each.frame_prefix for each, *_ in moved] == ["left_"]


def test_what_stands_still_has_a_value_at_any_time_and_no_stamp():
    fields = FieldTransforms([FIELD])
    assert fields.put(heard(transform("base", "hand", matrix_of(1), 5.0)), static=True) == []
    [(field, values)] = fields.standing()
    assert field is FIELD
    np.testing.assert_allclose(values[:3], matrix_of(1)[:3, 3], atol=1e-9)
    fields.put(heard(transform("base", "hand", matrix_of(1), 6.0)))
    assert fields.standing() == [], "somebody moves it after all"


@pytest.mark.parametrize(("stamp", "found"), [("header", 3.0), ("required", 3.0), ("received", None)])
def test_a_field_says_which_stamp_it_wants(stamp, found):
    field = make_field("tf", parent="base", child="hand", stamp=stamp)
    fields = FieldTransforms([field])
    assert [s for *_, s in fields.put(heard(transform("base", "hand", np.eye(4), 3.0)))] == [found]


def test_transforms_without_a_stamp_are_of_when_they_were_received_unless_one_is_required():
    field, strict = FIELD, make_field("tf", parent="base", child="hand", stamp="required")
    fields = FieldTransforms([field, strict])
    for _ in range(2):
        assert [(f, s) for f, _, s in fields.put(heard(transform("base", "hand", np.eye(4))))] == [(field, None)]
    assert fields.missing(field) is None
    assert "comes without a stamp" in fields.missing(strict) and "cell.yaml" in fields.missing(strict)


@pytest.mark.parametrize(("stamp", "at_s"), [("header", 0.0), ("received", 3.0)])
def test_where_stamps_do_not_count_others_who_talk_on_tf_do_not_keep_a_dead_broadcaster_alive(stamp, at_s):
    fields = FieldTransforms([make_field("tf", parent="base", child="hand", stamp=stamp)])
    fields.put(heard(transform("base", "arm", np.eye(4), at_s)))
    assert len(fields.put(heard(transform("arm", "hand", matrix_of(1), at_s)))) == 1
    for _ in range(3):
        assert fields.put(heard(transform("other", "thing", np.eye(4), at_s))) == [], "of no concern"
    moved = [len(fields.put(heard(transform("base", "arm", np.eye(4), at_s)))) for _ in range(3)]
    assert moved == [1, 0, 0], "the hand has not been heard since"
    assert len(fields.put(heard(transform("arm", "hand", matrix_of(2), at_s)))) == 1
