"""Episodes of your own: from arrays, and to one file or a folder of them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from imitation_ros.data.episode import episode_from_arrays
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.hdf5 import read_episodes, write_episode, write_episodes
from imitation_ros.data.load import load_episodes
from imitation_ros.data.save import save_episodes
from imitation_ros.errors import DataError, RecordingError
from imitation_ros.robot.plain import array_field, category_field, plain_spec
from imitation_ros.robot.spec import spec_from_yaml


def arrays(spec, steps: int = 4, dtype=np.float64) -> tuple[dict, dict]:
    rng = np.random.default_rng(0)
    observations = {f.name: rng.integers(0, 9, (steps + 1, f.width)).astype(dtype) for f in spec.observation}
    return observations, {f.name: rng.integers(0, 2, (steps, f.width)).astype(dtype) for f in spec.action}


# from arrays


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8, bool])
def test_numbers_of_any_type_become_rows_of_float32(spec, dtype):
    observations, actions = arrays(spec, dtype=dtype)
    episode = episode_from_arrays(spec, observations, actions, rewards=[0, 1, 2, 3], success=True)
    for name, values in (episode.observations | episode.actions).items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, {**observations, **actions}[name])
    assert episode.rewards.tolist() == [0, 1, 2, 3] and episode.success is True and not episode.terminated
    assert episode.executed["velocity"] is episode.actions["velocity"], "nobody says that anything else was executed"


def test_lists_and_rows_of_one_number_are_fine(spec):
    observations, actions = arrays(spec)
    actions["gripper"] = [0.0, 0.08, 0.08, 0.0]
    episode = episode_from_arrays(spec, {name: v.tolist() for name, v in observations.items()}, actions)
    assert episode.actions["gripper"].shape == (4, 1)


def test_as_many_observations_as_actions_are_refused_with_what_to_do(spec):
    observations, actions = arrays(spec)
    with pytest.raises(DataError, match=r"'joints' has 4 rows, and so have the actions.*\(actions\[:-1\]\)"):
        episode_from_arrays(spec, {name: values[:-1] for name, values in observations.items()}, actions)


@pytest.mark.parametrize(
    "bad", [["up", "down", "up", "up", "up"], [None] * 5, [{}] * 5, [[1.0, 2.0]] * 4 + [[1.0]], 5.0]
)
def test_what_is_no_array_of_numbers_is_refused_by_name(spec, bad):
    observations, actions = arrays(spec)
    with pytest.raises(DataError, match=r"'joints' .*rows of numbers"):
        episode_from_arrays(spec, {**observations, "joints": bad}, actions)


def test_missing_fields_and_other_widths_are_refused_by_name(spec):
    observations, actions = arrays(spec)
    with pytest.raises(DataError, match="the spec has joints, tool"):
        episode_from_arrays(spec, {"joints": observations["joints"]}, actions)
    with pytest.raises(DataError, match=r"'joints' has shape \(5, 3\); it should be \(5, 2\)"):
        episode_from_arrays(spec, {**observations, "joints": np.zeros((5, 3))}, actions)
    with pytest.raises(DataError, match="the spec has velocity, gripper"):
        episode_from_arrays(spec, observations, {})


def test_images_are_arrays_too(camera_spec):
    observations, actions = arrays(camera_spec)
    for name in ("wrist", "front"):
        observations[name] = np.zeros((5, *camera_spec.field(name).row_shape), np.uint8)
    assert episode_from_arrays(camera_spec, observations, actions).observations["wrist"].dtype == np.uint8


@pytest.mark.parametrize("bad", [np.nan, -np.inf, 1e39])  # the last is too large for float32
def test_numbers_that_are_none_are_refused_by_name_and_tick(spec, bad):
    observations, actions = arrays(spec)
    observations["tool"][2, 1] = bad
    with pytest.raises(DataError, match=r"the arrays: obs 'tool' holds -?(nan|inf) at tick 2"):
        episode_from_arrays(spec, observations, actions)


@pytest.mark.parametrize("bad", [-1, 4, 0.5])
def test_a_label_that_is_no_category_is_refused_with_those_there_are(bad):
    spec = plain_spec("choice", [array_field("state", 1)], [category_field("gear", 0, 4)], 10.0)
    gears = [0, 1, bad, 3]
    with pytest.raises(DataError, match=rf"actions 'gear' holds {bad} at tick 2 .* whole numbers from 0 to 3"):
        episode_from_arrays(spec, {"state": np.zeros(5)}, {"gear": gears})


def test_arrays_without_the_names_of_their_fields_are_refused(spec):
    observations, actions = arrays(spec)
    with pytest.raises(DataError, match="actions is a ndarray; give rows by the names of fields"):
        episode_from_arrays(spec, observations, actions["velocity"])


@pytest.mark.parametrize("rewards", [["good"] * 4, [None] * 4, [[1.0], [1.0, 2.0]], 3.0])
def test_rewards_that_are_no_numbers_are_refused(spec, rewards):
    with pytest.raises(DataError, match=r"'rewards' .*rows of numbers"):
        episode_from_arrays(spec, *arrays(spec), rewards=rewards)


def test_what_is_masked_is_not_taken_for_a_number(spec):
    observations, actions = arrays(spec)
    observations["tool"] = np.ma.masked_less(observations["tool"], 5.0)
    with pytest.raises(DataError, match="'tool' has masked numbers, and none is invented"):
        episode_from_arrays(spec, observations, actions)
    with pytest.raises(DataError, match="rewards holds nan at tick 3"):
        episode_from_arrays(spec, *arrays(spec), rewards=[0.0, 1.0, 2.0, np.nan])


def test_images_of_floats_are_refused(camera_spec):
    observations, actions = arrays(camera_spec)
    observations["wrist"] = np.zeros((5, 24, 32, 3))
    observations["front"] = np.zeros((5, 12, 16, 1), np.uint8)
    with pytest.raises(DataError, match=r"'wrist' holds float64; pixels are uint8, 0 to 255"):
        episode_from_arrays(camera_spec, observations, actions)


# to the disk


@pytest.mark.parametrize("name", ["mine", "deep/mine", "mine.hdf5", "deep/mine.hdf5", "mine.h5"])
def test_episodes_are_saved_as_a_folder_or_a_file_and_come_back(tmp_path, spec, make_episode, name):
    episodes = [make_episode(spec, steps=seed + 1, seed=seed) for seed in range(3)]
    dataset = save_episodes(tmp_path / name, episodes)
    assert len(dataset_files(dataset)) == (1 if "." in name else 3)
    back = load_episodes(dataset)
    assert [episode.attributes["seed"] for episode in back] == [0, 1, 2]
    for mine, theirs in zip(episodes, back, strict=True):
        np.testing.assert_array_equal(mine.actions["velocity"], theirs.actions["velocity"])
        np.testing.assert_array_equal(mine.timing.stamps_s["tool"], theirs.timing.stamps_s["tool"])


def test_nothing_is_overwritten(tmp_path, spec, make_episode):
    for name, error in (("mine", RecordingError), ("mine.hdf5", DataError)):
        save_episodes(tmp_path / name, [make_episode(spec)])
        with pytest.raises(error, match="already"):
            save_episodes(tmp_path / name, [make_episode(spec)])


def test_a_file_of_many_says_how_many_steps_it_has_in_all(tmp_path, spec, make_episode):
    path = write_episodes(tmp_path / "packed.hdf5", (make_episode(spec, steps=steps) for steps in (2, 0, 5)))
    with h5py.File(path) as file:
        assert sorted(file["data"]) == ["demo_0", "demo_1", "demo_2"]
        assert file["data"].attrs["total"] == 7


def test_what_cannot_be_written_leaves_no_file(tmp_path, spec, tiny_yaml, make_episode):
    other = spec_from_yaml(tiny_yaml.replace("unit: rad", "unit: deg"), "other.yaml")
    with pytest.raises(DataError, match=r"episodes 0 and 1 mean different things: joints\.unit: rad != deg"):
        write_episodes(tmp_path / "packed.hdf5", [make_episode(spec), make_episode(other)])
    for name in ("packed.hdf5", "folder"):
        with pytest.raises(DataError, match="there is no episode to write"):
            save_episodes(tmp_path / name, [])
    assert list(tmp_path.iterdir()) == []


def test_two_meanings_are_not_saved_into_one_folder(tmp_path, spec, tiny_yaml, make_episode):
    other = spec_from_yaml(tiny_yaml.replace("unit: rad", "unit: deg"), "other.yaml")
    with pytest.raises(DataError, match=r"episodes 0 and 1 mean different things: joints\.unit: rad != deg"):
        save_episodes(tmp_path / "folder", [make_episode(spec), make_episode(other)])


# executed actions that are the labels


def one_dataset(path) -> bool:
    with h5py.File(path) as file:
        demo = file["data/demo_0"]
        return demo["actions_executed/velocity"] == demo["actions_raw/velocity"]


def test_labels_that_were_executed_are_stored_and_held_once(tmp_path, spec, make_episode):
    episode = make_episode(spec)
    assert not one_dataset(write_episode(tmp_path / "differ.hdf5", episode))
    same = make_episode(spec, executed={name: values.copy() for name, values in episode.actions.items()})
    path = write_episode(tmp_path / "same.hdf5", make_episode(spec, actions=same.executed, executed=same.executed))
    assert one_dataset(path)
    [back] = read_episodes(path)
    assert back.executed["velocity"] is back.actions["velocity"]
