"""Episode files: robomimic reads them, nothing is lost on the way, and what is broken is named."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files, episode_path
from imitation_ros.data.hdf5 import (
    BUFFER_ROWS,
    FORMAT_VERSION,
    EpisodeWriter,
    read_episode,
    read_episodes,
    write_episode,
    write_episodes,
)
from imitation_ros.data.row import Row
from imitation_ros.errors import DataError
from imitation_ros.robot.spec import load_spec, spec_from_yaml


def contents(path: Path) -> dict[str, object]:
    """Return everything in a file: every dataset with its type, every attribute."""
    found: dict[str, object] = {}
    with h5py.File(path) as file:

        def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
            for word, value in item.attrs.items():
                found[f"{name}@{word}"] = (type(value), value)
            if isinstance(item, h5py.Dataset):
                found[name] = (item.dtype, item.shape, item[()].tobytes())

        file.visititems(note)
    return found


def row_of(episode: Episode, index: int) -> Row:
    """Return one step of an episode, as a recorder would append it."""
    timing, last = episode.timing, index == episode.steps
    return Row(
        tick_s=0.0 if timing is None else float(timing.ticks_s[index]),
        observation={name: values[index] for name, values in episode.observations.items()},
        action={} if last else {name: values[index] for name, values in episode.actions.items()},
        executed={} if last else {name: values[index] for name, values in episode.executed.items()},
        stamps_s={} if timing is None else {name: float(v[index]) for name, v in timing.stamps_s.items()},
        received_s={} if timing is None else {name: float(v[index]) for name, v in timing.received_s.items()},
        silent={} if timing is None or last else {name: bool(v[index]) for name, v in timing.silent.items()},
        reward=0.0 if episode.rewards is None or last else float(episode.rewards[index]),
        is_human=True if episode.is_human is None or last else bool(episode.is_human[index]),
    )


# what comes back


@settings(max_examples=25)
@given(
    steps=st.integers(0, 2 * BUFFER_ROWS + 3),
    seed=st.integers(0, 1000),
    timed=st.booleans(),
    rewarded=st.booleans(),
    terminated=st.booleans(),
    success=st.sampled_from([None, True, False]),
    attributes=st.dictionaries(
        st.sampled_from(["operator", "task", "seed", "ended_by", "note"]),
        st.text("abcé ", max_size=8) | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False),
    ),
)
def test_file_to_episode_to_file_changes_nothing(
    tmp_path_factory, spec, make_episode, steps, seed, timed, rewarded, terminated, success, attributes
):
    rewards = np.random.default_rng(seed).normal(size=steps).astype(np.float32) if rewarded else None
    changes = {"rewards": rewards, "terminated": terminated, "success": success, "attributes": attributes}
    episode = make_episode(spec, steps, seed, timed, **changes)
    folder = tmp_path_factory.mktemp("twice")
    first = write_episode(folder / "first.hdf5", episode)
    back = read_episode(first)
    second = write_episode(folder / "second.hdf5", back)
    assert contents(second) == contents(first)

    assert back.spec == spec
    assert (back.terminated, back.success) == (terminated, success)
    for kind in ("observations", "actions", "executed"):
        for name, values in getattr(episode, kind).items():
            np.testing.assert_array_equal(getattr(back, kind)[name], values)
    assert (back.rewards is None) == (rewards is None)
    if rewarded:
        np.testing.assert_array_equal(back.rewards, rewards)
    np.testing.assert_array_equal(back.is_human, episode.is_human)
    assert (back.timing is None) == (not timed)
    if timed:
        np.testing.assert_array_equal(back.timing.ticks_s, episode.timing.ticks_s)
        for kind in ("stamps_s", "received_s", "silent"):
            for name, values in getattr(episode.timing, kind).items():
                np.testing.assert_array_equal(getattr(back.timing, kind)[name], values)
    assert {word: value for word, value in back.attributes.items() if word != "software"} == attributes


@settings(max_examples=30)
@given(numbers=st.lists(st.floats(-0.6, 0.6), min_size=3, max_size=3))
def test_actions_in_the_unit_range_are_bitwise_those_of_the_labels_in_the_file(
    tmp_path_factory, spec, make_episode, numbers
):
    """A writer gets float64 and the file holds float32: both kinds of action must say the same."""
    path = tmp_path_factory.mktemp("unit") / "episode.hdf5"
    writer = EpisodeWriter(path, spec, {}, timed=False)
    source = make_episode(spec, steps=1, timed=False)
    row, final = row_of(source, 0), row_of(source, 1)
    row.action.update({"velocity": np.array(numbers[:2]), "gripper": np.array(numbers[2:])})
    writer.append(row)
    writer.close(final, {})
    with h5py.File(path) as file:
        stored = file["data/demo_0/actions"][:]
    np.testing.assert_array_equal(stored, np.clip(read_episode(path).unit_actions(), -1, 1))


def test_software_and_version_are_in_the_file(tmp_path, spec, make_episode):
    path = write_episode(tmp_path / "one.hdf5", make_episode(spec))
    assert read_episode(path).attributes["software"].startswith("imitation_ros ")
    with h5py.File(path) as file:
        assert file["data"].attrs["format_version"] == FORMAT_VERSION
        assert spec_from_yaml(file["data"].attrs["robot_spec"], "file") == spec


def test_attributes_that_somebody_added_are_read_too(tmp_path, spec, make_episode):
    path = write_episode(tmp_path / "one.hdf5", make_episode(spec))
    with h5py.File(path, "r+") as file:
        file["data/demo_0"].attrs.update({"tags": ["wet", "dark"], "sizes": [1, 2], "fixed": np.bytes_("abc")})
    attributes = read_episode(path).attributes
    assert list(attributes["tags"]) == ["wet", "dark"] and list(attributes["sizes"]) == [1, 2]
    assert attributes["fixed"] == b"abc"


# what robomimic needs


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("steps", [1, 120])
def test_robomimic_reads_the_file_as_it_is(tmp_path, spec, make_episode, steps, timed):
    path = write_episode(tmp_path / "one.hdf5", make_episode(spec, steps, timed=timed))
    check_robomimic(path)


@pytest.mark.parametrize("setup", ["panda_reach", "panda_pick_place"])
def test_robomimic_reads_the_files_of_what_is_shipped(tmp_path, make_episode, setup):
    check_robomimic(write_episode(tmp_path / "one.hdf5", make_episode(load_spec(setup), steps=3)))


def test_robomimic_reads_files_with_images_and_files_of_many_episodes(tmp_path, spec, camera_spec, make_episode):
    check_robomimic(write_episode(tmp_path / "images.hdf5", make_episode(camera_spec, steps=3)))
    check_robomimic(write_episodes(tmp_path / "many.hdf5", [make_episode(spec, steps=n, seed=n) for n in range(1, 5)]))


def check_robomimic(path: Path) -> None:
    """Check what robomimic 0.3 and 0.4 take for granted about a dataset."""
    with h5py.File(path, "r", swmr=True, libver="latest") as file:  # as its SequenceDataset opens it
        data = file["data"]
        env = json.loads(data.attrs["env_args"])
        assert isinstance(env["env_name"], str) and env["type"] == 2 and env["env_kwargs"] == {}
        assert data.attrs["total"] == sum(demo.attrs["num_samples"] for demo in data.values())
        for name, demo in data.items():
            assert name.removeprefix("demo_").isdecimal(), "every child of /data is taken as a demo"
            steps = int(demo.attrs["num_samples"])
            actions = demo["actions"]
            assert actions.ndim == 2 and len(actions) == steps and actions.dtype == np.float32
            assert np.abs(actions[:]).max() <= 1.0
            assert demo["rewards"].shape == demo["dones"].shape == (steps,)
            assert demo["dones"][:].tolist() == [0] * (steps - 1) + [1]
            assert demo["states"].ndim == 2 and len(demo["states"]) == steps
            assert len(demo["obs"]) > 0
            for values in demo["obs"].values():
                assert isinstance(values, h5py.Dataset) and len(values) == steps


def test_actions_beyond_the_scale_are_clipped_and_the_ticks_counted(tmp_path, spec, make_episode):
    actions = {
        "velocity": np.array([[0.5, 0.25], [0.6, 0.0], [-9.0, 9.0], [0.0, 0.0]], dtype=np.float32),
        "gripper": np.array([[0.0], [0.08], [0.08], [0.1]], dtype=np.float32),
    }
    path = write_episode(tmp_path / "one.hdf5", make_episode(spec, steps=4, actions=actions))
    with h5py.File(path) as file:
        demo = file["data/demo_0"]
        assert demo.attrs["clipped_ticks"] == 3
        np.testing.assert_allclose(demo["actions"], [[1, 1, -1], [1, 0, 1], [-1, 1, 1], [0, 0, 1]], atol=1e-6)
        np.testing.assert_array_equal(demo["actions_raw/velocity"], actions["velocity"])


def test_ages_are_in_the_file_for_who_reads_it_without_us(tmp_path, spec, make_episode):
    episode = make_episode(spec)
    path = write_episode(tmp_path / "one.hdf5", episode)
    with h5py.File(path) as file:
        for field in spec.observation:
            np.testing.assert_allclose(file[f"data/demo_0/ages/{field.name}"], episode.timing.age_s(field.name))


# while it is written


def test_a_file_is_called_part_until_it_is_closed(tmp_path, spec, make_episode):
    episode = make_episode(spec)
    path = episode_path(tmp_path, 7)
    writer = EpisodeWriter(path, spec, {}, timed=True)
    writer.append(row_of(episode, 0))
    writer.flush()
    assert [file.name for file in tmp_path.iterdir()] == ["episode_000007.hdf5.part"]
    with pytest.raises(DataError, match=r"holds no episode.*1 unfinished episode"):
        dataset_files(tmp_path)
    writer.close(row_of(episode, 1), {})
    assert [file.name for file in tmp_path.iterdir()] == ["episode_000007.hdf5"]
    assert dataset_files(tmp_path) == [path]


def test_a_part_that_is_named_as_the_dataset_is_no_episode(tmp_path, spec, make_episode):
    writer = EpisodeWriter(tmp_path / "one.hdf5", spec, {}, timed=True)
    writer.append(row_of(make_episode(spec), 0))
    writer.flush()
    writer.abandon()
    with pytest.raises(DataError, match=r"one\.hdf5\.part, demo_0"):
        read_episode(writer.part)


def test_a_discarded_episode_leaves_nothing(tmp_path, spec):
    EpisodeWriter(tmp_path / "one.hdf5", spec, {}, timed=True).discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["one.hdf5", "one.hdf5.part"])
def test_a_recording_is_never_overwritten(tmp_path, spec, make_episode, there):
    (tmp_path / there).write_bytes(b"somebody's afternoon")
    with pytest.raises(DataError, match=f"{there} exists already"):
        write_episode(tmp_path / "one.hdf5", make_episode(spec))
    assert (tmp_path / there).read_bytes() == b"somebody's afternoon"


def test_an_executed_action_that_differs_late_is_stored_from_the_start(tmp_path, spec, make_episode):
    episode = make_episode(spec, steps=6, timed=False)
    executed = {name: values.copy() for name, values in episode.actions.items()}
    executed["velocity"][4:] += 1.0
    episode = make_episode(spec, steps=6, timed=False, executed=executed)
    writer = EpisodeWriter(tmp_path / "late.hdf5", spec, {}, timed=False)
    for step in range(6):
        writer.append(row_of(episode, step))
        writer.flush()
        assert (writer.demo["actions_executed/velocity"] == writer.demo["actions_raw/velocity"]) == (step < 4)
        np.testing.assert_array_equal(writer.demo["actions_executed/velocity"][:], executed["velocity"][: step + 1])
    [back] = read_episodes(writer.close(row_of(episode, 6), {}))
    np.testing.assert_array_equal(back.executed["velocity"], executed["velocity"])
    np.testing.assert_array_equal(back.actions["velocity"], episode.actions["velocity"])


# several in one file


def test_a_packed_file_is_read_in_the_order_of_its_numbers(tmp_path, spec, make_episode):
    packed = tmp_path / "packed.hdf5"
    with h5py.File(packed, "w") as file:
        for number in (10, 2, 0, 1):
            one = write_episode(tmp_path / "one.hdf5", make_episode(spec, seed=number))
            with h5py.File(one) as source:
                if number == 10:
                    source.copy("data", file)
                    file.move("data/demo_0", "data/demo_10")
                else:
                    source.copy("data/demo_0", file["data"], f"demo_{number}")
            one.unlink()
    assert [episode.attributes["seed"] for episode in read_episodes(packed)] == [0, 1, 2, 10]
    with pytest.raises(DataError, match="holds 4 episodes; one was expected"):
        read_episode(packed)


def test_a_dataset_is_a_file_or_a_folder_in_the_order_of_names(tmp_path, spec, make_episode):
    for index in (2, 0, 1):
        write_episode(episode_path(tmp_path, index), make_episode(spec, steps=1))
    (tmp_path / "episode_000003.hdf5.part").touch()
    (tmp_path / "notes.txt").touch()
    assert dataset_files(tmp_path) == [episode_path(tmp_path, index) for index in range(3)]
    assert dataset_files(episode_path(tmp_path, 1)) == [episode_path(tmp_path, 1)]


# what is no episode


def test_a_file_that_is_not_hdf5_is_named(tmp_path):
    path = tmp_path / "video.hdf5"
    path.write_bytes(b"\x00" * 5000)
    with pytest.raises(DataError, match=r"video\.hdf5 is not a readable HDF5 file"):
        read_episode(path)


@settings(max_examples=30)
@given(kept=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_named(tmp_path_factory, spec, make_episode, kept):
    path = write_episode(tmp_path_factory.mktemp("cut") / "cut.hdf5", make_episode(spec))
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(DataError, match=r"cut\.hdf5"):
        read_episode(path)


@pytest.mark.parametrize("content", ["nothing", "group", "dataset"])
def test_somebody_elses_hdf5_file_is_named(tmp_path, content):
    path = tmp_path / "theirs.hdf5"
    with h5py.File(path, "w") as file:
        if content == "group":
            file.create_group("data/demo_0")
        elif content == "dataset":
            file["data"] = np.zeros(3)
    with pytest.raises(DataError, match=r"theirs\.hdf5 has no `data` group with a `robot_spec`"):
        read_episode(path)


def replace_dataset(file: h5py.File, name: str, values: object) -> None:
    del file[name]
    file[name] = values


BREAKS = {
    "format version 99": lambda file: file["data"].attrs.update({"format_version": 99}),
    "format version new": lambda file: file["data"].attrs.update({"format_version": "new"}),
    "robot spec inside": lambda file: file["data"].attrs.update({"robot_spec": "robot: ["}),
    "'robots' is unknown": lambda file: file["data"].attrs.update({"robot_spec": "robots: 1"}),
    "holds 'notes'": lambda file: file.create_group("data/notes"),
    "holds 'demo_one'": lambda file: file.create_group("data/demo_one"),
    "demo_1 is broken": lambda file: file.create_group("data/demo_1"),
    "demo_2 is broken": lambda file: file.__setitem__("data/demo_2", 1.0),
    "joints": lambda file: file.__delitem__("data/demo_0/obs/joints"),
    "velocity": lambda file: file.__delitem__("data/demo_0/actions_executed/velocity"),
    "demo_0": lambda file: replace_dataset(file, "data/demo_0/obs/joints", np.zeros((3, 7))),
    "demo_0 is": lambda file: replace_dataset(file, "data/demo_0/final_obs/joints", 1.0),
    "demo_0 is broken": lambda file: replace_dataset(file, "data/demo_0/ticks", "soon"),
    "ticks_s": lambda file: replace_dataset(file, "data/demo_0/ticks", np.zeros(2)),
    "stamps_s": lambda file: replace_dataset(file, "data/demo_0/stamps/tool", np.zeros(2)),
    "is_human": lambda file: replace_dataset(file, "data/demo_0/is_human", np.zeros(2)),
}


@pytest.mark.parametrize("words", BREAKS)
def test_what_is_broken_in_a_recording_is_named_with_its_file(tmp_path, spec, make_episode, words):
    path = write_episode(tmp_path / "broken.hdf5", make_episode(spec))
    with h5py.File(path, "r+") as file:
        BREAKS[words](file)
    with pytest.raises(DataError) as caught:
        list(read_episodes(path))
    assert "broken.hdf5" in str(caught.value)
    assert words in str(caught.value)
