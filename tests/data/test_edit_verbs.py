"""edit, pack, merge and split on files: nothing else changes, nothing is lost, and what is said is so."""

from __future__ import annotations

import hashlib
import json
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_hdf5 import check_robomimic, contents

from imitation_ros.data.catalogue import catalogue
from imitation_ros.data.editing import EDITED
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.hdf5 import read_episode, read_episodes
from imitation_ros.data.load import load_episodes
from imitation_ros.data.save import save_episodes
from imitation_ros.data.splits import read_splits
from imitation_ros.editing.changes import Changes
from imitation_ros.editing.edit import run_edit
from imitation_ros.editing.merging import run_merge
from imitation_ros.editing.packing import run_pack
from imitation_ros.editing.splitting import run_split
from imitation_ros.errors import DataError
from imitation_ros.robot.spec import spec_from_yaml

KINDS = ("demos", "demos.hdf5")


@pytest.fixture
def demos(tmp_path, camera_spec, make_episode):
    """Saves a few episodes, of which the first is a success and the second a failure, and returns where."""

    def make(name: str = "demos", count: int = 4, first: int = 0) -> Path:
        marks = [True, False, None, True]
        episodes = (
            make_episode(camera_spec, steps=first + seed + 3, seed=first + seed, success=marks[seed % 4])
            for seed in range(count)
        )
        return save_episodes(tmp_path / name, episodes)

    return make


def held(path: Path) -> dict[str, str]:
    """Return what a file holds, short enough for a person to compare; the bytes of JPEGs, not where they are."""
    found = contents(path)
    with h5py.File(path) as file:
        jpegs = {name: [jpeg.tobytes() for jpeg in file[name]] for name in found if "/images/" in name}
    return {name: hashlib.md5(repr(value).encode()).hexdigest() for name, value in {**found, **jpegs}.items()}


def everything(data: Path) -> list[dict[str, str]]:
    """Return all that a dataset's files hold, in order."""
    return [held(path) for path in dataset_files(data)]


def seeds(data: Path) -> list[object]:
    return [episode.attributes["seed"] for episode in load_episodes(data)]


def ticks(data: Path) -> list[list[float]]:
    return [episode.actions["velocity"].tolist() for episode in load_episodes(data)]


# what stays


@pytest.mark.parametrize("name", KINDS)
def test_an_edit_that_changes_nothing_leaves_the_files_as_they_are(demos, tmp_path, capsys, name):
    data = demos(name)
    before = [(path, path.stat().st_ino, path.read_bytes()) for path in dataset_files(data)]
    run_edit(data, Changes(success=("0",), keep=("all",), rename=("tool=tool",)))
    assert [(path, path.stat().st_ino, path.read_bytes()) for path in dataset_files(data)] == before
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert f"There is nothing to change; {data} stays as it is." in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(("name", "output"), [(a, b) for a in KINDS for b in ("other", "other.hdf5")])
def test_an_edit_that_changes_nothing_writes_the_same_content_elsewhere(demos, tmp_path, name, output):
    data = demos(name)
    run_edit(data, Changes(keep=("all",)), tmp_path / output)
    run_pack(tmp_path / output, tmp_path / "back" / name)
    assert everything(tmp_path / "back" / name) == everything(data)


@settings(max_examples=8)
@given(data=st.data())
def test_whatever_is_edited_can_be_read_and_robomimic_can_too(tmp_path_factory, camera_spec, make_episode, data):
    folder = tmp_path_factory.mktemp("any")
    name = data.draw(st.sampled_from(KINDS))
    steps = data.draw(st.lists(st.integers(2, 60), min_size=2, max_size=4))
    dataset = save_episodes(folder / name, [make_episode(camera_spec, n, seed=n) for n in steps])
    which = st.sampled_from([str(number) for number in range(1, len(steps))])
    changes = Changes(
        delete=data.draw(st.lists(which, max_size=1)),
        split=[f"0@{data.draw(st.integers(1, steps[0] - 1))}"] if data.draw(st.booleans()) else (),
        rename=["wrist=hand"] if data.draw(st.booleans()) else (),
        success=data.draw(st.lists(which, min_size=1, max_size=2)),
        trim_idle=data.draw(st.booleans()),
    )
    run_edit(dataset, changes, folder / "out.hdf5")
    run_edit(dataset, changes)
    for path in [*dataset_files(dataset), folder / "out.hdf5"]:
        check_robomimic(path)
    first, second = load_episodes(dataset), list(read_episodes(folder / "out.hdf5"))
    assert [episode.steps for episode in first] == [episode.steps for episode in second]
    assert len(load_episodes(folder / f"{name}.previous")) == len(steps)


def test_jpegs_are_the_same_bytes_after_every_edit(demos):
    data = demos()
    with h5py.File(data / "episode_000002.hdf5") as file:
        before = [jpeg.tobytes() for jpeg in file["data/demo_0/images/wrist"]]
    run_edit(data, Changes(split=("2@2",), rename=("wrist=hand",), failure=("2",)))
    after = []
    for name in ("episode_000002", "episode_000003"):
        with h5py.File(data / f"{name}.hdf5") as file:
            after += [jpeg.tobytes() for jpeg in file["data/demo_0/images/hand"]]
    assert after == before


# in the place of the original


@pytest.mark.parametrize("name", KINDS)
def test_the_original_is_kept_and_never_overwritten(demos, name, capsys):
    data = demos(name)
    before = everything(data)
    run_edit(data, Changes(delete=("1",), failure=("3",)))
    previous = data.with_name(f"{name}.previous")
    assert [held(path) for path in sorted(previous.glob("*.hdf5")) or [previous]] == before
    assert seeds(data) == [0, 2, 3]
    assert [episode.success for episode in load_episodes(data)] == [True, None, False]
    said = capsys.readouterr().out
    for words in ("1 episode deleted: 1.", "numbered anew from 0 to 2", f"kept as {previous}", "imitation-ros check"):
        assert words in said.replace("\n", " "), words
    with pytest.raises(DataError, match=r"previous exists: .*Delete it or move it away, or give --output"):
        run_edit(data, Changes(delete=("0",)))


def test_a_dry_run_says_what_would_be_and_writes_nothing(demos, tmp_path, capsys):
    data = demos()
    before = everything(data)
    run_edit(data, Changes(delete=("1-2",), split=("3@2,4",)), dry_run=True)
    assert everything(data) == before and [path.name for path in tmp_path.iterdir()] == ["demos"]
    said = capsys.readouterr().out.replace("\n", " ")
    for words in ("2 episodes would be deleted: 1-2.", "episode_000003 into 3", "would hold 4 episodes, 9 ticks"):
        assert words in said, words


def test_what_lies_beside_episodes_goes_with_them(demos):
    data = demos()
    (data / "episode_000001.mcap").write_bytes(b"of the one that goes")
    (data / "episode_000002.mcap").write_bytes(b"raw messages")
    (data / "episode_000003_bag").mkdir()
    (data / "episode_000003_bag" / "metadata.yaml").write_text("bag")
    (data / "notes.txt").write_text("kitchen")
    run_edit(data, Changes(delete=("1",)))
    assert sorted(path.name for path in data.iterdir() if path.suffix != ".hdf5") == [
        "episode_000001.mcap",
        "episode_000002_bag",
        "notes.txt",
    ]
    assert (data / "episode_000001.mcap").read_bytes() == b"raw messages"
    assert (data / "episode_000002_bag" / "metadata.yaml").read_text() == "bag"


def test_a_folder_in_which_something_is_recorded_stays_where_it_is(demos, tmp_path):
    data = demos()
    (data / "episode_000004.hdf5.part").write_bytes(b"being recorded")
    with pytest.raises(DataError, match=r"unfinished episode .*recover .*or give --output"):
        run_edit(data, Changes(delete=("1",)))
    run_edit(data, Changes(delete=("1",)), tmp_path / "other")
    assert seeds(tmp_path / "other") == [0, 2, 3]


def test_a_shell_that_is_in_the_folder_is_told_to_leave_it(demos, monkeypatch):
    data = demos()
    monkeypatch.chdir(data)
    with pytest.raises(DataError, match=r"this shell is in .*demos.*cd \.\."):
        run_edit(Path("."), Changes(delete=("1",)))


def test_two_edits_at_once_are_refused(demos):
    from imitation_ros.data.swapping import replacing

    data = demos()
    with replacing(data) as work:
        work.unchanged = True
        with pytest.raises(DataError, match="being edited by another program right now"), replacing(data):
            pass


def test_a_full_disk_leaves_the_original(demos, tmp_path, monkeypatch):
    from imitation_ros.data import rewriting

    data = demos()
    before = everything(data)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rewriting.shutil, "copyfile", full)
    with pytest.raises(DataError, match=r"is not written, and what was there before is as it was.*No space left"):
        run_edit(data, Changes(delete=("1",)))
    assert everything(data) == before and [path.name for path in tmp_path.iterdir()] == ["demos"]
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(DataError, match=r"0 MB are free in .*Make room"):
        run_edit(data, Changes(delete=("1",)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (Changes(), "nothing was said to change"),
        (Changes(delete=("all",)), "no episode of .* would be left"),
        (Changes(keep=("unmarked",), delete=("2",)), "no episode of .* would be left"),
        (Changes(success=("1",), failure=("0-2",)), "is to have two marks"),
        (Changes(split=("1",)), "3@120 or 3@120,240"),
        (Changes(split=("1@",)), "3@120 or 3@120,240"),
        (Changes(split=("1@2.5",)), r"seconds \(3@6.5s\)"),
        (Changes(split=("1@4",)), r"episode 1 \(episode_000001\) stays whole: it has 4 ticks"),
        (Changes(split=("9@4",)), "has no episode 9"),
        (Changes(rename=("wrist",)), "as in --rename wrist=hand"),
        (Changes(rename=("rist=hand",)), "no field 'rist' to rename. Did you mean 'wrist'"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_touched(demos, tmp_path, changes, said):
    data = demos()
    before = everything(data)
    with pytest.raises(DataError, match=said):
        run_edit(data, changes)
    assert everything(data) == before and [path.name for path in tmp_path.iterdir()] == ["demos"]


def test_seconds_are_ticks_of_the_specs_rate(demos):
    data = demos()
    run_edit(data, Changes(split=("3@0.1s",)))
    assert [episode.steps for episode in load_episodes(data)] == [3, 4, 5, 2, 4]
    assert "ticks 2 to 5 of 6, split off" in load_episodes(data)[4].attributes[EDITED]


def test_a_broken_file_is_named_and_can_be_deleted_by_its_name(demos):
    data = demos()
    (data / "episode_000002.hdf5").write_bytes(b"no HDF5")
    for verb in (lambda: run_edit(data, Changes(delete=("0",))), lambda: run_pack(data, data / "packed.hdf5")):
        with pytest.raises(DataError, match=r"episode_000002\.hdf5 cannot be read.*--delete episode_000002"):
            verb()
    run_edit(data, Changes(delete=("episode_000002",)))
    assert seeds(data) == [0, 1, 3]


def test_what_somebody_put_beside_the_data_is_kept_or_named(demos, tmp_path, capsys):
    data = demos()
    with h5py.File(data / "episode_000001.hdf5", "r+") as file:
        file["data/demo_0/next_obs/joints"] = np.zeros(3)
    run_edit(data, Changes(delete=("0",)), tmp_path / "kept")
    assert "next_obs" not in capsys.readouterr().out
    assert h5py.File(tmp_path / "kept" / "episode_000000.hdf5")["data/demo_0/next_obs/joints"].shape == (3,)
    run_edit(data, Changes(success=("1",)), tmp_path / "named")
    assert "Left out, because it is not part of an episode's format: next_obs." in capsys.readouterr().out


# pack


@settings(max_examples=8)
@given(steps=st.lists(st.integers(1, 8), min_size=1, max_size=12), timed=st.booleans())
def test_packed_and_unpacked_is_the_same(tmp_path_factory, camera_spec, make_episode, steps, timed):
    folder = tmp_path_factory.mktemp("pack")
    data = save_episodes(folder / "demos", [make_episode(camera_spec, n, n, timed) for n in steps])
    if len(steps) > 2:
        run_split(data, 0.3, 0.0, 0)
    run_pack(data, folder / "packed.hdf5")
    check_robomimic(folder / "packed.hdf5")
    run_pack(folder / "packed.hdf5", folder / "back")
    assert everything(folder / "back") == everything(data)
    assert read_splits(catalogue(folder / "back")) == read_splits(catalogue(data))


def test_robomimic_finds_masks_as_its_own_tool_writes_them(demos, tmp_path):
    data = demos()
    run_split(data, 0.25, 0.25, 0)
    run_pack(data, tmp_path / "packed.hdf5")
    with h5py.File(tmp_path / "packed.hdf5") as file:
        demos_of = {name: [demo.decode("utf-8") for demo in np.array(mask[:])] for name, mask in file["mask"].items()}
        assert demos_of.keys() == {"train", "valid", "test"}
        assert sorted(chain.from_iterable(demos_of.values())) == sorted(file["data"])


def test_images_are_decoded_where_readers_want_pixels(demos, tmp_path):
    data = demos()
    run_pack(data, tmp_path / "pixels.hdf5", decode_images=True)
    check_robomimic(tmp_path / "pixels.hdf5")
    episodes = load_episodes(data)
    with h5py.File(tmp_path / "pixels.hdf5") as file:
        for number, episode in enumerate(episodes):
            demo = file[f"data/demo_{number}"]
            assert "images" not in demo and demo["obs/wrist"].dtype == np.uint8
            np.testing.assert_array_equal(demo["obs/wrist"][:], episode.observations["wrist"][:-1])
    assert [e.attributes["seed"] for e in read_episodes(tmp_path / "pixels.hdf5")] == [0, 1, 2, 3]


def test_an_output_is_never_overwritten(demos, tmp_path):
    data, there = demos(), demos("there")
    for verb in (lambda: run_pack(data, there), lambda: run_merge([data, data], there)):
        with pytest.raises(DataError, match="there exists already, and is not overwritten"):
            verb()
    (tmp_path / "empty").mkdir()
    run_pack(data, tmp_path / "empty")
    assert everything(tmp_path / "empty") == everything(data)


# merge


@pytest.mark.parametrize("output", ["merged", "merged.hdf5"])
@pytest.mark.parametrize("name", KINDS)
def test_what_is_deleted_here_and_there_is_whole_when_merged(demos, tmp_path, name, output):
    data = demos(name)
    run_edit(data, Changes(keep=("0-1",)), tmp_path / "first")
    run_edit(data, Changes(delete=("0-1",)), tmp_path / "second.hdf5")
    run_merge([tmp_path / "first", tmp_path / "second.hdf5"], tmp_path / output)
    run_pack(tmp_path / output, tmp_path / "back" / name)
    assert everything(tmp_path / "back" / name) == everything(data)


def test_parts_that_are_merged_have_the_ticks_of_the_whole(demos, tmp_path):
    data = demos()
    run_edit(data, Changes(split=("1@1,3", "3@2")), tmp_path / "apart")
    run_edit(tmp_path / "apart", Changes(keep=("0-3",)), tmp_path / "one")
    run_edit(tmp_path / "apart", Changes(keep=("4-6",)), tmp_path / "two")
    run_merge([tmp_path / "one", tmp_path / "two"], tmp_path / "merged")
    assert [*chain.from_iterable(ticks(tmp_path / "merged"))] == [*chain.from_iterable(ticks(data))]


def test_other_meanings_are_refused_line_by_line_and_other_wires_shown(tmp_path, spec, tiny_yaml, make_episode, capsys):
    changed = tiny_yaml.replace("unit: rad", "unit: deg").replace("rate_hz: 20", "rate_hz: 10")
    wired = tiny_yaml.replace("topic: servo/twist", "topic: left/twist")
    for name, text in (("one", tiny_yaml), ("other", changed), ("wired", wired)):
        save_episodes(tmp_path / name, [make_episode(spec_from_yaml(text, name), seed=len(text))])
    with pytest.raises(DataError, match=r"(?s)one .*mean different things.*rate_hz: 20.0 != 10.0\n  joints.unit: rad"):
        run_merge([tmp_path / "one", tmp_path / "other"], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    run_merge([tmp_path / "one", tmp_path / "wired"], tmp_path / "merged")
    assert "velocity.topic: servo/twist != left/twist" in capsys.readouterr().out
    specs = [read_episode(path).spec.field("velocity").topic for path in dataset_files(tmp_path / "merged")]
    assert specs == ["servo/twist", "left/twist"], "each file keeps its own"


def test_splits_are_merged_where_all_have_some_and_dropped_with_words_where_not(demos, tmp_path, capsys):
    one, two = demos("one"), demos("two", first=10)
    run_split(one, 0.25, 0.0, 0)
    run_merge([one, two], tmp_path / "without")
    assert f"The splits are dropped: {two} has none" in capsys.readouterr().out.replace("\n", " ")
    assert read_splits(catalogue(tmp_path / "without")) == {}
    run_split(two, 0.5, 0.0, 0)
    run_merge([one, two], tmp_path / "with.hdf5")
    first, second = read_splits(catalogue(one)), read_splits(catalogue(two))
    expected = {part: [*first[part], *(number + 4 for number in second[part])] for part in first}
    assert read_splits(catalogue(tmp_path / "with.hdf5")) == expected


def test_the_same_episode_twice_is_said(demos, tmp_path, capsys):
    data = demos()
    run_merge([data, data], tmp_path / "twice")
    assert "The same to the last bit: 0 and 4" in capsys.readouterr().out


# split


@pytest.mark.parametrize("name", KINDS)
def test_a_split_is_written_and_goes_along_with_edits(demos, name):
    data = demos(name, count=10)
    before = everything(data)
    run_split(data, 0.2, 0.2, seed=1)
    splits = read_splits(catalogue(data))
    assert {part: len(numbers) for part, numbers in splits.items()} == {"train": 6, "valid": 2, "test": 2}
    after = [{word: value for word, value in c.items() if "mask" not in word} for c in everything(data)]
    assert after == before and not data.with_name(f"{name}.previous").exists()
    held = {number for number in splits["valid"]}
    run_edit(data, Changes(delete=(str(splits["train"][0]),), split=(f"{splits['valid'][0]}@1",)))
    parts = read_splits(catalogue(data))
    assert {part: len(numbers) for part, numbers in parts.items()} == {"train": 5, "valid": 3, "test": 2}
    assert {seeds(data)[number] for number in parts["valid"]} == held


def test_splits_that_name_what_is_not_there_are_refused_and_made_anew(demos, capsys):
    data = demos()
    run_split(data, 0.25, 0.0, 0)
    (data / "episode_000003.hdf5").unlink()
    with pytest.raises(DataError, match=r"'episode_000003'.*no episode there\. `imitation-ros split"):
        read_splits(catalogue(data))
    run_split(data, 0.25, 0.0, 0)
    assert "in the place of earlier splits" in capsys.readouterr().out.replace("\n", " ")
    assert len(json.loads((data / "splits.json").read_text())["train"]) == 2


@pytest.mark.parametrize("text", ["[]", "{", '{"train": 3}', '{"train": [1]}', "\xff"])
def test_splits_that_are_none_are_named(demos, text):
    data = demos()
    (data / "splits.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"splits\.json .*delete it"):
        read_splits(catalogue(data))


def test_splits_that_cannot_be_written_are_told(demos):
    data = demos()
    (data / ".splits.json.part").mkdir()  # root may write into a folder that nobody may write to
    with pytest.raises(DataError, match=r"splits\.json cannot be written: Is a directory"):
        run_split(data, 0.25, 0.0, 0)


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0), (-0.1, 0.0, 0), (0.0, 0.0, 0), (0.5, 0.5, 0), (0.1, 0.0, -1)])
def test_shares_that_are_none_are_refused(demos, shares):
    with pytest.raises(DataError, match=r"at least 0|splits nothing|none to learn from"):
        run_split(demos(), *shares)
