"""From files to tensors: what does not belong together or is not a number is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from imitation_ros.data.dataset import (
    data_hash,
    fresh_steps,
    ranges_of,
    silent_steps,
    split_episodes,
    transitions,
)
from imitation_ros.data.folder import episode_path
from imitation_ros.data.hdf5 import write_episode
from imitation_ros.data.load import load_episodes
from imitation_ros.data.memory import free_bytes
from imitation_ros.errors import DataError
from imitation_ros.robot.plain import category_field, plain_spec
from imitation_ros.robot.spec import spec_from_yaml


def with_ages(episode, name: str, ages_s: list[float]):
    """Return the episode with other ages for one observation field."""
    stamps_s = {**episode.timing.stamps_s, name: episode.timing.ticks_s - np.array(ages_s)}
    return replace(episode, timing=replace(episode.timing, stamps_s=stamps_s))


def test_a_dataset_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere does not exist.*imitation-ros record"):
        load_episodes(tmp_path / "nowhere")


def test_an_empty_dataset_is_named_with_its_unfinished_episodes(tmp_path):
    with pytest.raises(DataError, match=r"holds no episode \(\*\.hdf5\)\. Record some"):
        load_episodes(tmp_path)
    (tmp_path / "episode_000000.hdf5.part").touch()
    with pytest.raises(DataError, match="1 unfinished episode"):
        load_episodes(tmp_path)
    with pytest.raises(DataError, match=r"000000\.hdf5\.part is an unfinished episode"):
        load_episodes(tmp_path / "episode_000000.hdf5.part")
    (tmp_path / "theirs.h5").touch()
    with pytest.raises(DataError, match=r"1 \*\.h5 file\(s\) are left out: call them \*\.hdf5"):
        load_episodes(tmp_path)


def test_episodes_come_in_the_order_of_their_files(tmp_path, spec, make_episode):
    for index in (3, 1, 2):
        write_episode(episode_path(tmp_path, index), make_episode(spec, seed=index))
    assert [episode.attributes["seed"] for episode in load_episodes(tmp_path)] == [1, 2, 3]


def test_two_meanings_in_one_dataset_are_refused_with_the_difference(tmp_path, spec, tiny_yaml, make_episode):
    other = spec_from_yaml(tiny_yaml.replace("unit: rad", "unit: deg"), "other.yaml")
    write_episode(tmp_path / "a.hdf5", make_episode(spec))
    write_episode(tmp_path / "b.hdf5", make_episode(other))
    with pytest.raises(DataError, match=r"a\.hdf5 and b\.hdf5 .* mean different things: joints\.unit: rad != deg"):
        load_episodes(tmp_path)


def test_two_wirings_in_one_dataset_are_fine(tmp_path, spec, tiny_yaml, make_episode):
    other = spec_from_yaml(tiny_yaml.replace("topic: joint_states", "topic: arm/joint_states"), "other.yaml")
    write_episode(tmp_path / "a.hdf5", make_episode(spec))
    write_episode(tmp_path / "b.hdf5", make_episode(other))
    assert len(load_episodes(tmp_path)) == 2


@pytest.mark.parametrize(("kind", "word", "name"), [("observations", "obs", "tool"), ("actions", "actions", "gripper")])
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_a_number_that_is_none_is_named_with_file_field_and_tick(tmp_path, spec, make_episode, kind, word, name, bad):
    episode = make_episode(spec)
    getattr(episode, kind)[name][3:, 0] = bad
    write_episode(tmp_path / "odd.hdf5", episode)
    with pytest.raises(DataError, match=rf"odd\.hdf5: {word} '{name}' holds {bad} at tick 3 \([23] such numbers\)"):
        load_episodes(tmp_path)


@pytest.mark.parametrize("kind", ["observations", "actions"])
def test_a_category_that_its_field_does_not_have_is_named_with_file_field_and_tick(tmp_path, make_episode, kind):
    spec = plain_spec("choice", [category_field("mode", 0, 3)], [category_field("gear", 0, 3)], 10.0)
    same = {name: np.ones((5, 1), np.float32) for name in ("mode", "gear")}
    observations, actions = {"mode": same["mode"]}, {"gear": same["gear"][:4].copy()}
    episode = make_episode(
        spec, steps=4, observations=observations, actions=actions, executed={"gear": same["gear"][:4]}
    )
    next(iter(getattr(episode, kind).values()))[3] = 7
    write_episode(tmp_path / "odd.hdf5", episode)
    with pytest.raises(DataError, match=r"odd\.hdf5: (obs 'mode'|actions 'gear') holds 7 at tick 3 .* from 0 to 2"):
        load_episodes(str(tmp_path))


def test_steps_become_rows_of_what_was_seen_and_what_the_expert_chose(spec, make_episode):
    episodes = [make_episode(spec, steps=4, seed=1), make_episode(spec, steps=6, seed=2)]
    data = transitions(episodes)
    assert len(data) == 10
    assert data.episode.tolist() == [0] * 4 + [1] * 6
    for field in spec.observation:
        expected = np.concatenate([episode.observations[field.name][:-1] for episode in episodes])
        np.testing.assert_array_equal(data.observations[field.name].numpy(), expected)
    for field in spec.action:
        expected = np.concatenate([episode.actions[field.name] for episode in episodes])
        np.testing.assert_array_equal(data.labels[field.name].numpy(), expected)


def test_steps_whose_observation_was_stale_are_left_out(spec, make_episode):
    first, second = (make_episode(spec, steps=4, seed=seed) for seed in (1, 2))
    first = with_ages(first, "joints", [0.0, 0.1, 0.11, 0.0, 9.0])  # at most 0.1; the last is no step's observation
    first = with_ages(first, "tool", [0.3, 0.2, 0.0, 0.0, 0.0])  # at most 0.2
    assert fresh_steps(first).tolist() == [False, True, False, True]
    data = transitions([first, second])
    assert data.episode.tolist() == [0, 0, 1, 1, 1, 1]
    np.testing.assert_array_equal(data.labels["velocity"][:2].numpy(), first.actions["velocity"][[1, 3]])


def test_episodes_that_were_not_timed_are_fresh(spec, make_episode):
    assert fresh_steps(make_episode(spec, steps=3, timed=False)).tolist() == [True] * 3


def test_a_dataset_with_no_fresh_step_is_refused(spec, make_episode):
    with pytest.raises(DataError, match="every tick of every episode has a stale observation"):
        transitions([with_ages(make_episode(spec, steps=2), "joints", [1.0, 1.0, 0.0])])


def test_an_episode_of_which_every_tick_was_stale_is_not_present(spec, make_episode):
    first, second, third = (make_episode(spec, steps=2, seed=seed) for seed in range(3))
    stale = with_ages(second, "joints", [1.0, 1.0, 0.0])
    assert transitions([first, stale, third]).present == [0, 2]


def test_silent_ticks_are_kept_and_counted(spec, make_episode):
    episode = make_episode(spec, steps=4)
    silent = {"velocity": np.array([True, False, False, False]), "gripper": np.array([True, True, False, False])}
    episode = replace(episode, timing=replace(episode.timing, silent=silent))
    assert silent_steps(episode).tolist() == [True, True, False, False]
    assert len(transitions([episode])) == 4
    assert not silent_steps(make_episode(spec, steps=4, timed=False)).any()


def test_the_rows_of_some_episodes_are_those_of_no_other(spec, make_episode):
    data = transitions([make_episode(spec, steps=3, seed=seed) for seed in range(4)])
    some = data.of([1, 3])
    assert some.episode.tolist() == [1] * 3 + [3] * 3
    np.testing.assert_array_equal(some.labels["gripper"].numpy(), data.labels["gripper"].numpy()[[3, 4, 5, 9, 10, 11]])


def test_ranges_are_the_lowest_and_highest_of_each_number(spec, make_episode):
    data = transitions([make_episode(spec, steps=30)])
    low, high = ranges_of(data)["joints"]
    np.testing.assert_array_equal(low, data.observations["joints"].numpy().min(axis=0))
    np.testing.assert_array_equal(high, data.observations["joints"].numpy().max(axis=0))


def test_images_become_rows_of_pixels_in_memory_and_from_files(tmp_path, camera_spec, make_episode):
    episodes = [make_episode(camera_spec, steps=steps, seed=steps) for steps in (3, 2)]
    episodes[0] = with_ages(episodes[0], "joints", [0.0, 9.0, 0.0, 0.0])
    data = transitions(episodes)
    assert data.observations["wrist"].dtype == data.observations["front"].dtype == torch.uint8
    expected = np.concatenate([episodes[0].observations["wrist"][[0, 2]], episodes[1].observations["wrist"][:-1]])
    np.testing.assert_array_equal(data.observations["wrist"].numpy(), expected)
    assert data.observations["front"].shape == (4, 12, 16, 1)
    for index, episode in enumerate(episodes):
        write_episode(episode_path(tmp_path, index), episode)
    loaded = load_episodes(tmp_path)
    pixels = transitions(loaded).observations["wrist"].numpy()
    expected = np.concatenate([loaded[0].observations["wrist"][[0, 2]], loaded[1].observations["wrist"][:-1]])
    np.testing.assert_array_equal(pixels, expected)
    assert set(ranges_of(data)) == {"joints", "tool"}


def test_what_does_not_fit_into_the_memory_is_refused_with_how_much_it_needs(
    tmp_path, camera_spec, make_episode, monkeypatch
):
    episode = make_episode(camera_spec, steps=3)
    write_episode(episode_path(tmp_path, 0), episode)
    monkeypatch.setattr("imitation_ros.data.memory.free_bytes", lambda: 10_000)
    with pytest.raises(DataError, match=r"the pixels of 'wrist' and 'front' in 3 ticks would take 0\.0 GB .* smaller"):
        transitions([episode])
    with pytest.raises(DataError, match=r"would take .* GB of memory; .* are free, of which half may be taken"):
        load_episodes(tmp_path)
    assert free_bytes() > 10_000_000


def test_files_of_one_spec_share_it(tmp_path, spec, make_episode):
    for index in range(3):
        write_episode(episode_path(tmp_path, index), make_episode(spec, seed=index))
    first, *others = load_episodes(tmp_path)
    assert all(episode.spec is first.spec for episode in others), "parsing takes longer than reading"


@given(count=st.integers(1, 200), fraction=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_a_split_is_of_whole_episodes_seeded_and_leaves_none_out(count, fraction, seed):
    training, validation = split_episodes(count, fraction, seed)
    assert sorted(training + validation) == list(range(count))
    assert training, "there is always something to learn from"
    assert (training, validation) == split_episodes(count, fraction, seed)
    assert bool(validation) == (count > 1 and fraction > 0)


def test_another_seed_splits_differently():
    assert len({tuple(split_episodes(50, 0.2, seed)[1]) for seed in range(10)}) == 10


def test_the_hash_is_of_names_and_bytes(tmp_path, spec, make_episode):
    first = write_episode(tmp_path / "a.hdf5", make_episode(spec, seed=1))
    before = data_hash(tmp_path)
    assert before == data_hash(tmp_path)
    (tmp_path / "notes.txt").write_text("not of the dataset")
    assert data_hash(tmp_path) == before
    write_episode(tmp_path / "b.hdf5", make_episode(spec, seed=2))
    both = data_hash(tmp_path)
    first.rename(tmp_path / "c.hdf5")
    assert len({before, both, data_hash(tmp_path)}) == 3
