"""Edited episodes: every column is cut alike, nothing is encoded anew, and attributes stay true."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_ros.data.catalogue import Catalogue, Entry, choose
from imitation_ros.data.editing import EDITED, cut, relabelled, renamed, renamed_spec, split_at
from imitation_ros.data.hdf5 import read_episode, write_episode
from imitation_ros.data.idle import KEPT_S, IdleEnds
from imitation_ros.data.images import images_of
from imitation_ros.data.splits import TEST, TRAIN, VALID, apportioned, draw_splits
from imitation_ros.errors import DataError, SpecError
from imitation_ros.robot.messages.images import encoded


def columns(episode) -> dict[str, object]:
    """Return every column of an episode: those of T + 1 rows, and those of T."""
    timing = episode.timing
    found = {f"obs/{name}": getattr(values, "jpegs", values) for name, values in episode.observations.items()}
    found |= {f"actions/{name}": values for name, values in episode.actions.items()}
    found |= {f"executed/{name}": values for name, values in episode.executed.items()}
    found |= {"rewards": episode.rewards, "is_human": episode.is_human}
    if timing is not None:
        found |= {"ticks": timing.ticks_s}
        for kind in ("stamps_s", "received_s", "silent"):
            found |= {f"{kind}/{name}": values for name, values in getattr(timing, kind).items()}
    return found


def equal(one, other) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def jpegs(spec, steps: int) -> object:
    field = spec.field("wrist")
    pixels = np.random.default_rng(steps).integers(0, 256, (steps + 1, *field.row_shape), np.uint8)
    return images_of([encoded(image, field) for image in pixels], field)


@pytest.fixture(scope="module")
def filmed(camera_spec, make_episode):
    """An episode with JPEGs, and numbers in every column."""

    def make(steps: int, seed: int = 0, timed: bool = True, **changes):
        episode = make_episode(camera_spec, steps, seed, timed, rewards=np.arange(steps, dtype=np.float32), **changes)
        return dataclasses.replace(episode, observations={**episode.observations, "wrist": jpegs(camera_spec, steps)})

    return make


# cutting


@settings(max_examples=20)
@given(data=st.data(), steps=st.integers(1, 12), timed=st.booleans())
def test_every_column_is_cut_alike_and_the_last_observation_is_that_after_the_last_action(
    tmp_path_factory, filmed, data, steps, timed
):
    episode = filmed(steps, timed=timed)
    start = data.draw(st.integers(0, steps - 1))
    stop = data.draw(st.integers(start + 1, steps))
    part = cut(episode, start, stop, "test")
    before, after = columns(episode), columns(part)
    assert before.keys() == after.keys()
    for name, values in before.items():
        rows = 1 if name.split("/")[0] in ("obs", "ticks", "stamps_s", "received_s") else 0
        assert equal(after[name], None if values is None else values[start : stop + rows]), name
    path = write_episode(tmp_path_factory.mktemp("cut") / "part.hdf5", part)
    back = columns(read_episode(path))
    assert all(equal(back[name], values) for name, values in after.items()), "not a byte of a JPEG is another"


@settings(max_examples=20)
@given(steps=st.integers(2, 12), data=st.data())
def test_the_parts_of_an_episode_have_its_ticks_in_their_order(filmed, steps, data):
    episode = filmed(steps, success=True, terminated=True)
    ticks = data.draw(st.lists(st.integers(1, steps - 1), min_size=1, max_size=3))
    parts = list(split_at(episode, ticks))
    assert len(parts) == len({*ticks}) + 1 and sum(part.steps for part in parts) == steps
    for name, values in columns(episode).items():
        if name.split("/")[0] not in ("obs", "ticks", "stamps_s", "received_s"):
            joined = [row for part in parts for row in columns(part)[name]]
        else:
            joined = [row for part in parts for row in columns(part)[name][:-1]] + [columns(parts[-1])[name][-1]]
        assert equal(joined, values), name
    assert [part.terminated for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [part.success for part in parts] == [None] * (len(parts) - 1) + [True]


def test_what_is_not_cut_is_the_same_episode(filmed):
    episode = filmed(4)
    assert cut(episode, 0, 4, "nothing") is episode
    assert relabelled(episode, episode.success) is episode


def test_attributes_stay_true(spec, make_episode):
    episode = make_episode(spec, steps=40, terminated=True, success=True)
    episode.timing.stamps_s["joints"][35] -= 1.0
    episode = dataclasses.replace(
        episode,
        attributes={"ended_by": "task", "stale_ticks": 1, "executed_assumed_ticks": 2, "operator": "ana"}
        | {"started_at": "2026-11-22T23:59:59+00:00"},
    )
    part = cut(episode, 20, 30, "idle")
    assert not part.terminated and part.success is True
    assert part.attributes["ended_by"] == "edit" and part.attributes["operator"] == "ana"
    assert part.attributes["stale_ticks"] == 0 and "executed_assumed_ticks" not in part.attributes
    assert part.attributes["started_at"] == "2026-11-23T00:00:00+00:00", "20 ticks at 20 Hz later"
    end = cut(episode, 20, 40, "idle")
    assert end.terminated and end.attributes["ended_by"] == "task" and end.attributes["stale_ticks"] == 1
    twice = relabelled(part, False)
    assert twice.attributes[EDITED].split("; ")[0].endswith(": idle")
    assert twice.attributes[EDITED].endswith("marked a failure, was a success")


@pytest.mark.parametrize("tick", [0, 5, 6, -1])
def test_an_episode_is_not_split_outside_of_it(spec, make_episode, tick):
    with pytest.raises(DataError, match=rf"5 ticks, and cannot be split at {tick}: 1 to 4"):
        list(split_at(make_episode(spec, steps=5), [tick]))


# other names


def test_a_renamed_field_is_renamed_in_observations_actions_and_the_spec_alike(tmp_path, filmed):
    episode, names = filmed(3), {"wrist": "hand", "velocity": "speed", "tool": "joints", "joints": "tool"}
    spec = renamed_spec(episode.spec, names)
    back = read_episode(write_episode(tmp_path / "one.hdf5", renamed(episode, spec, names)))
    assert [field.name for field in back.spec.observation] == ["tool", "joints", "hand", "front"]
    assert [field.name for field in back.spec.action] == ["speed", "gripper"]
    before, after = columns(episode), columns(back)
    for name, values in before.items():
        kind, _, field = name.partition("/")
        assert equal(after[f"{kind}/{names.get(field, field)}" if field else name], values), name
    assert back.spec.field("hand").topic == episode.spec.field("wrist").topic
    np.testing.assert_array_equal(back.observations["hand"][1], episode.observations["wrist"][1])


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        ({"toool": "hand"}, DataError, "no field 'toool' to rename. Did you mean 'tool'"),
        ({"tool": "joints"}, DataError, "two fields would be called 'joints'"),
        ({"tool": "gripper"}, DataError, "two fields would be called 'gripper'"),
        ({"tool": "../tool"}, SpecError, "letters, digits and _"),
    ],
)
def test_names_that_cannot_be_are_refused(spec, names, error, words):
    with pytest.raises(error, match=words):
        renamed_spec(spec, names)


# idle ends


def still_then_moving(spec, make_episode, before: int, moving: int, after: int):
    steps = before + moving + after
    path = np.concatenate([np.zeros(before), np.linspace(0.0, 1.0, moving + 1), np.ones(after)]).astype(np.float32)
    episode = make_episode(spec, steps=steps)
    zeros = {f.name: np.zeros((steps, f.width), np.float32) for f in spec.action}
    seen = {f.name: np.repeat(path[:, None], f.width, axis=1) for f in spec.observation}
    return dataclasses.replace(episode, observations=seen, actions=zeros, executed=zeros)


@settings(max_examples=20)
@given(before=st.integers(0, 80), moving=st.integers(30, 60), after=st.integers(0, 80))
def test_idle_ends_go_but_for_half_a_second_and_no_motion_does(spec, make_episode, before, moving, after):
    episode = still_then_moving(spec, make_episode, before, moving, after)
    idle = IdleEnds(spec)
    idle.add(episode)
    start, stop = idle.moving(episode)
    kept = round(KEPT_S * spec.rate_hz)
    assert start <= before and stop >= before + moving - 1, "nothing that moves is left out"
    assert start >= before - kept - 1 and stop <= before + moving + kept + 1
    assert idle.moving(cut(episode, start, stop, "idle")) == (0, stop - start), "once is enough"


def test_an_episode_in_which_nothing_moves_is_known(spec, make_episode):
    idle = IdleEnds(spec)
    idle.add(still_then_moving(spec, make_episode, 5, 30, 5))
    still = cut(still_then_moving(spec, make_episode, 60, 30, 0), 0, 40, "still")
    idle.add(still)
    assert idle.moving(still) is None


# which episodes are meant


def found(tmp_path, marks, names=None) -> Catalogue:
    names = names or [f"episode_{number:06d}" for number in range(len(marks))]
    entries = [
        Entry(number, name, tmp_path / f"{name}.hdf5", 0, True, 5, mark)
        for number, (name, mark) in enumerate(zip(names, marks, strict=True))
    ]
    return Catalogue(tmp_path, tuple(entries), {})


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["3,7-9"], [3, 7, 8, 9]),
        (["3", "7-9", "3"], [3, 7, 8, 9]),
        (["episode_000002", "episode_000004.hdf5"], [2, 4]),
        (["success"], [0, 1, 2]),
        (["failure, unmarked"], [3, 4, 5, 6, 7, 8, 9]),
        (["all"], [*range(10)]),
        ([""], []),
    ],
)
def test_episodes_are_meant_by_number_range_name_and_mark(tmp_path, words, meant):
    dataset = found(tmp_path, [True] * 3 + [False] * 3 + [None] * 4)
    assert [entry.number for entry in choose(dataset, words, "--keep")] == meant


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("10", "has no episode 10. There are 0 to 9"),
        ("7-12", "has no episode 12"),
        ("9-7", "a range goes up. Did you mean 7-9"),
        ("sucess", "Did you mean 'success'"),
        ("-1", "no such episode"),
        ("1e3", "no such episode"),
    ],
)
def test_episodes_that_are_not_there_are_refused_with_those_that_are(tmp_path, word, said):
    with pytest.raises(DataError, match=said):
        choose(found(tmp_path, [None] * 10), [word], "--delete")


def test_a_number_that_can_mean_two_episodes_is_refused(tmp_path):
    dataset = found(tmp_path, [None] * 3, ["episode_000000", "episode_000002", "episode_000003"])
    with pytest.raises(DataError, match="2 can mean two episodes: counted from 0 it is episode_000003"):
        choose(dataset, ["2"], "--delete")
    assert [entry.name for entry in choose(dataset, ["0"], "--delete")] == ["episode_000000"]
    assert [entry.name for entry in choose(dataset, ["1"], "--delete")] == ["episode_000002"]
    assert [entry.name for entry in choose(dataset, ["episode_000002"], "--delete")] == ["episode_000002"]


# splits


@settings(max_examples=40)
@given(
    marks=st.lists(st.sampled_from([True, False, None]), min_size=3, max_size=60),
    validation=st.floats(0.01, 0.3),
    test=st.sampled_from([0.0, 0.1, 0.3]),
    seed=st.integers(0, 5),
)
def test_every_episode_is_in_one_part_and_each_mark_is_as_frequent_in_each(
    tmp_path_factory, marks, validation, test, seed
):
    entries = found(tmp_path_factory.mktemp("splits"), marks).entries
    splits = draw_splits(entries, {VALID: validation, TEST: test}, seed)
    assert sorted(number for part in splits.values() for number in part) == [*range(len(marks))]
    assert len(splits[VALID]) == max(1, round(validation * len(marks))) and splits[TRAIN]
    assert draw_splits(entries, {VALID: validation, TEST: test}, seed) == splits
    for mark in (True, False, None):
        exact = len(splits[VALID]) * marks.count(mark) / len(marks)
        assert abs(sum(marks[number] is mark for number in splits[VALID]) - exact) < 1.0


def test_a_part_gets_whole_numbers_that_add_up():
    assert apportioned(3, [10, 10, 10], [10, 10, 10]) == [1, 1, 1]
    assert apportioned(1, [5, 3, 2], [5, 3, 2]) == [1, 0, 0]
    assert apportioned(4, [5, 1], [1, 3]) == [1, 3], "only as many as are left"


def test_splits_that_leave_nothing_to_learn_from_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"1 for valid and 1 for test of 2 episode\(s\) leaves none to learn from"):
        draw_splits(found(tmp_path, [None] * 2).entries, {VALID: 0.1, TEST: 0.1}, 0)
