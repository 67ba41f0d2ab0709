"""Data on the disk that grows: what was added is what is learned from, and memory does not grow with it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import imitation_ros
from imitation_ros.algorithms import bc
from imitation_ros.data.dataset import data_hash, transitions
from imitation_ros.data.episode import episode_from_arrays
from imitation_ros.data.growing import GrowingData
from imitation_ros.data.load import load_episodes
from imitation_ros.errors import DataError
from imitation_ros.policies.policy import NetworkConfig
from imitation_ros.robot.spec import load_spec


def equal(one, other) -> bool:
    rows = [(one.episode, other.episode)]
    rows += [(one.observations[name], other.observations[name]) for name in other.observations]
    rows += [(one.labels[name], other.labels[name]) for name in other.labels]
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in rows)


def test_what_is_added_is_what_would_be_learned_from_in_memory(tmp_path, camera_spec, make_episode):
    episodes = [make_episode(camera_spec, steps=4 + seed, seed=seed, is_human=None) for seed in range(5)]
    stale = episodes[2].timing.stamps_s["tool"] - np.array([9.0, 0.0, 9.0, 9.0, 0.0, 0.0, 9.0])
    stamps_s = {**episodes[2].timing.stamps_s, "tool": stale}
    episodes[2] = replace(episodes[2], timing=replace(episodes[2].timing, stamps_s=stamps_s))
    data = GrowingData(tmp_path, camera_spec)
    for part in (episodes[:2], episodes[2:3], episodes[3:]):
        data.add(part)
    assert data.rows == sum(range(4, 9)) - 3
    assert equal(data.transitions(), transitions(episodes))


def test_images_that_were_recorded_are_decoded_once_and_read_as_pixels(tmp_path, camera_spec, make_episode):
    episodes = [make_episode(camera_spec, steps=70, seed=seed, is_human=None) for seed in range(2)]
    data = GrowingData(tmp_path, camera_spec)
    data.save(episodes)
    recorded = load_episodes(data.dataset)
    data.add(recorded)
    assert equal(data.transitions(), transitions(recorded))


def test_what_a_learner_chose_is_no_label(tmp_path, spec, make_episode):
    mixed, learners, nobody_says = (
        make_episode(spec, steps=4, seed=seed, timed=False, is_human=is_human)
        for seed, is_human in enumerate([np.array([False, True, True, False]), np.zeros(4, bool), None])
    )
    data = GrowingData(tmp_path, spec)
    assert [data.add([episode]) for episode in (mixed, learners, nobody_says)] == [2, 0, 4]
    rows = data.transitions()
    assert rows.episode.tolist() == [0, 0, 2, 2, 2, 2]
    assert rows.present == [0, 2]
    np.testing.assert_array_equal(rows.labels["velocity"][:2], mixed.actions["velocity"][1:3])
    np.testing.assert_array_equal(rows.observations["joints"][:2], mixed.observations["joints"][1:3])


def test_saved_episodes_are_a_dataset_like_any_other(tmp_path, spec, make_episode):
    data = GrowingData(tmp_path, spec)
    data.save([make_episode(spec, seed=seed) for seed in range(2)], round=1)
    data.save([make_episode(spec, seed=2)], round=2)
    found = load_episodes(data.dataset)
    assert [episode.attributes["round"] for episode in found] == [1, 1, 2]
    np.testing.assert_array_equal(found[2].actions["gripper"], make_episode(spec, seed=2).actions["gripper"])
    assert len(data_hash(data.dataset)) == 64


@settings(max_examples=15)
@given(parts=st.lists(st.integers(0, 3), min_size=1, max_size=4), back=st.integers(0, 4), torn=st.integers(0, 30))
def test_cut_goes_back_to_what_it_was_whatever_a_killed_run_left(
    tmp_path_factory, spec, parts, back, torn, make_episode
):
    episodes = [
        [make_episode(spec, steps=3, seed=10 * index + seed, timed=False) for seed in range(part)]
        for index, part in enumerate(parts)
    ]
    killed, whole = (GrowingData(tmp_path_factory.mktemp("data"), spec) for _ in range(2))
    counts, back = [killed.counts], min(back, len(parts))
    for part in episodes:
        killed.save(part), killed.add(part)
        counts.append(killed.counts)
    for path in killed.folder.glob("*.bin"):  # killed while it wrote
        with path.open("ab") as file:
            file.write(b"?" * torn)
    again = GrowingData(killed.dataset.parent, spec)
    again.cut(counts[back])
    for part in episodes[back:]:
        again.save(part), again.add(part)
    for part in episodes:
        whole.save(part), whole.add(part)
    assert again.counts == whole.counts
    for folder in ("episodes", "rows"):
        one, other = (sorted((data.dataset.parent / folder).glob("*")) for data in (again, whole))
        assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_rows_that_were_lost_are_missed(tmp_path, spec, make_episode):
    data = GrowingData(tmp_path, spec)
    data.add([make_episode(spec, is_human=None)])
    path = data.path("action.gripper")
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(DataError, match=r"action\.gripper\.bin has lost 1 bytes"):
        data.cut(data.counts)
    data.save([make_episode(spec)])
    (data.dataset / "episode_000000.hdf5").unlink()
    with pytest.raises(DataError, match="should hold 1 episodes; it holds 0"):
        data.cut(data.counts)


def test_nothing_to_learn_from_and_another_meaning_are_said_in_words(tmp_path, spec, camera_spec, make_episode):
    data = GrowingData(tmp_path, spec)
    data.add([make_episode(spec, steps=3, is_human=np.zeros(3, bool))])
    with pytest.raises(DataError, match="no labelled tick to learn from"):
        data.transitions()
    with pytest.raises(DataError, match="mean different things"):
        data.add([make_episode(camera_spec)])


def test_a_full_disk_is_said_in_words(tmp_path, spec, monkeypatch, make_episode):
    def no_room(*arguments):
        raise OSError(28, "No space left on device")

    data = GrowingData(tmp_path, spec)
    monkeypatch.setattr("imitation_ros.data.growing.append", no_room)
    with pytest.raises(DataError, match=r"No space left on device.*Make room"):
        data.add([make_episode(spec)])


def numbers(spec, seed: int):
    """Return an episode of 500 steps of random numbers."""
    draw = np.random.default_rng(seed)
    observations = {field.name: draw.normal(size=(501, field.width)) for field in spec.observation}
    return episode_from_arrays(spec, observations, {f.name: draw.normal(size=(500, f.width)) for f in spec.action})


def grow_and_learn(folder: Path, episodes: int) -> None:
    """Print the most memory of its own [MB] that this process had at any look, while data grew and was learned from."""
    torch.set_num_threads(1)
    spec, most_kb = load_spec("panda_pick_place"), 0
    data = GrowingData(folder, spec)
    config = bc.Config(updates=20, validation_fraction=0.1, validate_every=10, network=NetworkConfig(hidden=(32, 32)))

    def look(update: int = 0, measured: object = None) -> bool:
        nonlocal most_kb
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        most_kb = max(most_kb, int(status["RssAnon"].split()[0]))
        return True

    for index in range(episodes):
        data.add([numbers(spec, index)])
        look()
    bc.train(data.transitions(), config, look)
    look()
    print(most_kb / 1000, sum(path.stat().st_size for path in data.folder.glob("*")) / 1e6)


def test_memory_stays_flat_while_data_grow_ten_times(tmp_path):
    used = []
    for episodes in (50, 500):
        root = str(Path(imitation_ros.__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
        arguments = [sys.executable, __file__, str(tmp_path / str(episodes)), str(episodes)]
        text = subprocess.check_output(arguments, env=environment, text=True)
        used.append([float(number) for number in text.split()])
    (small_mb, small_data_mb), (large_mb, large_data_mb) = used
    assert large_data_mb > 9 * small_data_mb
    # 24 bytes a row for which rows are learned from, and what is held of the normalisers' sample
    assert large_mb - small_mb < 0.25 * (large_data_mb - small_data_mb), used


if __name__ == "__main__":
    grow_and_learn(Path(sys.argv[1]), int(sys.argv[2]))
