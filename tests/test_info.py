"""`imitation-ros info`: what it says of what is there, and of what is not."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import h5py
import pytest

from imitation_ros.console import console
from imitation_ros.data.hdf5 import write_episode
from imitation_ros.errors import BundleError, DataError, SpecError
from imitation_ros.info import show
from imitation_ros.robot.spec import load_spec, spec_from_yaml


def said(path) -> str:
    with console.capture() as captured:
        show(str(path))
    return " ".join(captured.get().split())  # a narrow terminal breaks lines


@pytest.mark.parametrize("name", ["one.hdf5", "one.h5"])
def test_a_recording_is_summed_up(tmp_path, spec, make_episode, name):
    path = write_episode(tmp_path / name, make_episode(spec, steps=4, success=True))
    words = said(path)
    assert ": 1 episode of tiny_wipe" in words and "4 ticks (0 s in all)" in words and "a success: 1" in words


def test_of_images_the_size_and_what_they_take_are_said(tmp_path, camera_spec, make_episode):
    words = said(write_episode(tmp_path / "one.hdf5", make_episode(camera_spec, steps=4)))
    assert "24 x 32 x 3" in words and "jpeg, 1." in words
    assert "12 x 16 x 1" in words and "raw, 0.2 kB each" in words


def test_of_every_field_is_said_how_often_it_was_new_how_old_and_what_it_takes(tmp_path, spec, make_episode):
    episode = make_episode(spec, steps=100)
    stamps_s = episode.timing.stamps_s["tool"]
    stamps_s[:] = episode.timing.ticks_s
    stamps_s[1::2] = stamps_s[:-1:2]  # new at every other tick
    words = said(write_episode(tmp_path / "one.hdf5", episode))
    assert re.search(r"joints observation 2 (19\.9|20\.\d) Hz oldest 0\.0\d+ s 0\.8 kB", words)
    assert "tool observation 9 10.0 Hz oldest 0.050 s 3.6 kB" in words
    silent = int(episode.timing.silent["velocity"].sum())
    assert f"velocity action 2 {silent} silent ticks 1.6 kB" in words


def test_without_times_none_are_shown(tmp_path, spec, make_episode):
    words = said(write_episode(tmp_path / "one.hdf5", make_episode(spec, timed=False)))
    assert "rate" not in words and "Hz oldest" not in words and "joints observation 2 0.0 kB" in words


def test_the_last_line_points_to_check(tmp_path, spec, make_episode):
    path = write_episode(tmp_path / "[one].hdf5", make_episode(spec))
    assert said(path).endswith(f"What is wrong with it says `imitation-ros check {path}`.")


def test_ranges_are_those_of_all_episodes(tmp_path, spec, make_episode):
    for index, angle in enumerate((-7.25, 3.5)):
        episode = make_episode(spec, steps=2)
        episode.observations["joints"][:] = angle
        write_episode(tmp_path / f"{index}.hdf5", episode)
    words = said(tmp_path)
    assert "2 episodes of" in words and "(2 each, " in words and "shoulder -7.25 3.5 rad" in words


def test_an_episode_without_a_step_is_no_crash(tmp_path, spec, make_episode):
    assert "0 ticks" in said(write_episode(tmp_path / "one.hdf5", make_episode(spec, steps=0)))


def test_a_file_without_a_demo_is_named(tmp_path, spec, make_episode):
    path = write_episode(tmp_path / "one.hdf5", make_episode(spec))
    with h5py.File(path, "r+") as file:
        del file["data/demo_0"]
    with pytest.raises(DataError, match=r"one\.hdf5 holds no episode"):
        show(str(path))


def test_a_folder_of_two_meanings_is_refused(tmp_path, spec, tiny_yaml, make_episode):
    other = spec_from_yaml(tiny_yaml.replace("unit: rad", "unit: deg"), "other.yaml")
    write_episode(tmp_path / "a.hdf5", make_episode(spec))
    write_episode(tmp_path / "b.hdf5", make_episode(other))
    with pytest.raises(DataError, match="mean different things"):
        show(str(tmp_path))


def test_an_unfinished_episode_is_called_that(tmp_path):
    (tmp_path / "one.hdf5.part").touch()
    with pytest.raises(DataError, match=r"one\.hdf5\.part is an unfinished episode"):
        show(str(tmp_path / "one.hdf5.part"))


@pytest.mark.parametrize("name", ["missing.hdf5", "missing.h5"])
def test_a_recording_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(DataError, match=f"{name} does not exist"):
        show(str(tmp_path / name))


@pytest.mark.parametrize("text", ["", "{}"])
def test_an_empty_setup_is_named(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"mine\.yaml"):
        show(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("setup", ["panda_pick_place", "panda_pair_handover"])
def test_no_name_and_no_topic_is_broken_on_a_narrow_terminal(monkeypatch, setup, width):
    monkeypatch.setattr(console, "_width", width)
    with console.capture() as captured:
        show(setup)
    lines = captured.get().splitlines()
    assert max(len(line) for line in lines) <= width
    words = " ".join(lines).split()
    for field in load_spec(setup).fields:
        assert {field.name, field.topic} <= set(words)


def test_an_empty_name_is_refused():
    with pytest.raises(SpecError, match="empty name"):
        show("")


def test_a_bundle_that_says_little_of_itself_is_shown_and_a_broken_one_named(tmp_path, tiny_yaml):
    data = {"format_version": 1, "robot_spec": tiny_yaml, "network": {"kind": "mlp"}, "provenance": {}, "ranges": {}}
    (tmp_path / "policy.json").write_text(json.dumps(data))
    assert "an mlp policy for tiny_wipe" in said(tmp_path)
    (tmp_path / "policy.json").write_text(json.dumps({**data, "provenance": 3}))
    with pytest.raises(BundleError, match="is broken"):
        show(str(tmp_path))


def test_the_interval_of_a_success_rate_is_shown_beside_it(tmp_path, tiny_yaml):
    figure = {"episodes": 20, "return": -3.0, "return_interval": [-4.0, -2.0]}
    figures = {"selected": {**figure, "success": 0.9, "success_interval": [0.699, 0.972]}, "last": figure}
    data = {"format_version": 1, "robot_spec": tiny_yaml, "network": {"kind": "mlp"}, "ranges": {}}
    (tmp_path / "policy.json").write_text(json.dumps({**data, "provenance": {"evaluation": figures}}))
    words = said(tmp_path)
    assert "selected: success 90 % (70 to 97), return -3 (-4 to -2) over 20 episodes" in words
    assert "last: return -3 (-4 to -2) over 20 episodes" in words


def test_info_needs_no_torch():
    code = "import sys, imitation_ros.info; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
