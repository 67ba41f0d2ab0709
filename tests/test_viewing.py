"""`imitation-ros view`: an episode as a file of Rerun's, and as an mcap that is read as any other bag."""

from __future__ import annotations

import builtins
import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import yaml

from imitation_ros.bag_import import run_import
from imitation_ros.bag_import.cuts import parse_cuts
from imitation_ros.console import console
from imitation_ros.data.hdf5 import read_episode, write_episode
from imitation_ros.data.save import save_episodes
from imitation_ros.errors import DataError
from imitation_ros.robot.messages import STAMPED
from imitation_ros.robot.plain import array_field, plain_spec
from imitation_ros.robot.rotations import ROTATIONS, rotvec_to_matrix
from imitation_ros.robot.spec import spec_from_yaml
from imitation_ros.viewing import run_view

needs_bags = pytest.mark.skipif(importlib.util.find_spec("rosbags") is None, reason="rosbags is not installed")
needs_rerun = pytest.mark.skipif(
    importlib.util.find_spec("rerun") is None, reason="rerun-sdk, 670 MB with what it needs, is not installed"
)
ROUNDING = 1e-6  # of a rotation that went through a quaternion


def view(data, episode="0", save=None):
    with console.capture() as captured:
        run_view(data, episode, save)
    return " ".join(captured.get().split())


@pytest.fixture
def make_recording(tmp_path, make_episode):
    """Write an episode whose `tool` is a pose, as a recorder does; return what is read of it."""

    def make(spec, **changes):
        episode = make_episode(spec, steps=8, **changes)
        matrices = [rotvec_to_matrix(rotvec) for rotvec in np.random.default_rng(1).normal(size=(9, 3))]
        episode.observations["tool"][:, 3:] = [ROTATIONS["rotation_6d"][0](matrix) for matrix in matrices]
        path = write_episode(tmp_path / "one.hdf5", episode)
        return path, read_episode(path)

    return make


def again(path, spec, folder, **cuts):
    """Return the episode that the importer makes of an mcap."""
    with console.capture():
        (file,) = run_import([path], spec, folder, parse_cuts(**cuts))
    return read_episode(file)


def assert_same(found, expected):
    assert found.steps == expected.steps
    for name, values in expected.observations.items():
        tolerance = ROUNDING if name == "tool" else 0.0
        np.testing.assert_allclose(np.asarray(found.observations[name], float), values, rtol=0, atol=tolerance)
    for kind in ("actions", "executed"):
        for name, values in getattr(expected, kind).items():
            if (kind, name) != ("executed", "gripper"):  # which no topic of the spec tells
                np.testing.assert_array_equal(getattr(found, kind)[name], values)


@needs_bags
@pytest.mark.parametrize("timed", [True, False])
def test_the_sampler_takes_the_same_values_of_a_saved_mcap_at_the_same_ticks(
    tmp_path, camera_spec, make_recording, timed
):
    path, episode = make_recording(camera_spec, timed=timed, success=True)
    assert "look at it in Foxglove" in view(path, save=tmp_path / "one.mcap")
    found = again(tmp_path / "one.mcap", camera_spec, tmp_path / "again", topic="/episode")
    assert_same(found, episode)
    assert found.success is True
    assert [jpeg.tobytes() for jpeg in found.observations["wrist"].jpegs] == [
        jpeg.tobytes() for jpeg in episode.observations["wrist"].jpegs
    ]
    if timed:
        np.testing.assert_allclose(found.timing.ticks_s, episode.timing.ticks_s, rtol=0, atol=1e-6)
        for name, stamps_s in episode.timing.stamps_s.items():
            np.testing.assert_allclose(found.timing.stamps_s[name], stamps_s, rtol=0, atol=1e-6)


@needs_bags
def test_so_it_does_from_the_first_command_to_the_last_where_nobody_says_how_to_cut(tmp_path, spec, make_recording):
    path, episode = make_recording(spec)
    view(path, save=tmp_path / "one.mcap")
    found = again(tmp_path / "one.mcap", spec, tmp_path / "again")
    assert_same(found, episode)


@needs_bags
def test_a_value_that_held_for_several_ticks_is_one_message(tmp_path, spec, make_recording):
    from imitation_ros.data.bag import bag_messages

    path, episode = make_recording(spec)
    for times in (episode.timing.stamps_s, episode.timing.received_s):
        times["joints"][3:6] = times["joints"][3]
    episode.observations["joints"][3:6] = episode.observations["joints"][3]
    path = write_episode(tmp_path / "two.hdf5", episode)
    view(path, save=tmp_path / "two.mcap")
    assert len(list(bag_messages(tmp_path / "two.mcap", ["/joint_states"]))) == 9 - 2 + 1  # the last is said again
    joints = again(tmp_path / "two.mcap", spec, tmp_path / "again", topic="/episode").observations["joints"]
    np.testing.assert_array_equal(joints, episode.observations["joints"])


@needs_bags
def test_any_episode_of_a_folder_can_be_chosen_and_one_of_arrays_has_messages_too(tmp_path, make_episode):
    spec = plain_spec("mine", [array_field("seen", 2)], [array_field("done", 1, [-1.0], [1.0])], 10.0)
    episodes = [make_episode(spec, seed=seed, timed=False) for seed in range(3)]
    save_episodes(tmp_path / "data", episodes)
    view(tmp_path / "data", "episode_000002", tmp_path / "two.mcap")
    found = again(tmp_path / "two.mcap", spec, tmp_path / "again", topic="/episode")
    np.testing.assert_array_equal(found.observations["seen"], episodes[2].observations["seen"])


@needs_bags
@pytest.mark.parametrize(
    "field",
    [
        {"type": "control_msgs/msg/JointJog", "names": ["a", "b"], "quantity": "velocity"},
        {"type": "trajectory_msgs/msg/JointTrajectory", "names": ["a", "b"]},
        {"type": "sensor_msgs/msg/Joy", "names": ["axes.2", "axes.0"]},
        {"type": "sensor_msgs/msg/LaserScan", "beams": 2, "frame": "base"},
        {"type": "tf", "parent": "base", "child": "tool"},
        {"type": "sensor_msgs/msg/Imu", "names": ["angular_velocity.x", "linear_acceleration.z"]},
        {"type": "nav_msgs/msg/Odometry", "names": ["x", "linear.x"]},
        {"type": "geometry_msgs/msg/WrenchStamped", "names": ["force.x", "torque.z"]},
        {"type": "geometry_msgs/msg/Twist", "names": ["linear.x", "angular.z"]},
        {"type": "geometry_msgs/msg/Pose"},
        {"type": "std_msgs/msg/Bool"},
    ],
    ids=lambda field: field["type"],
)
def test_every_type_of_message_is_written_and_read_again(tmp_path, tiny_yaml, make_recording, field):
    words = yaml.safe_load(tiny_yaml)
    words["fields"]["other"] = {"topic": "tf" if field["type"] == "tf" else "other", "max_age_s": 0.2, **field}
    words["observation"].append("other")
    spec = spec_from_yaml(yaml.safe_dump(words), "tiny.yaml")
    _, episode = make_recording(spec)
    other = np.abs(episode.observations["other"])
    other = (other > 0.5).astype(np.float32) if field["type"].endswith("Bool") else other
    episode = replace(episode, observations={**episode.observations, "other": other})
    if field["type"] not in STAMPED:  # a value without a stamp is from when it was received
        episode.timing.received_s["other"][:] = episode.timing.stamps_s["other"]
    path = write_episode(tmp_path / "two.hdf5", episode)
    view(path, save=tmp_path / "two.mcap")
    found = again(tmp_path / "two.mcap", spec, tmp_path / "again", topic="/episode")
    np.testing.assert_array_equal(found.observations["other"], other)


@needs_rerun
def test_a_file_for_rerun_holds_images_curves_and_words_over_the_recordings_time(tmp_path, camera_spec, make_recording):
    path, episode = make_recording(camera_spec, success=True, rewards=np.ones(8, np.float32))
    said = view(path, save=tmp_path / "one.rrd")
    assert "demo_0 is in" in said and "rerun " in said
    entities = entities_of(tmp_path / "one.rrd")
    paths = {"observation/joints", "observation/tool", "observation/wrist", "observation/front", "action/velocity"}
    paths |= {"executed/velocity", "action/gripper", "reward", "timing/age_s", "timing/silent", "is_human", "episode"}
    assert paths <= {*entities}
    joints = entities["observation/joints"]
    assert joints["ticks"] == [*range(9)]
    np.testing.assert_array_equal(np.array(joints["scalars"], np.float32), episode.observations["joints"])
    assert len(entities["observation/wrist"]["ticks"]) == len(entities["observation/front"]["ticks"]) == 9
    assert "**a success**" in entities["episode"]["text"]


def entities_of(path):
    """Return what a file of Rerun's holds: entity to ticks, numbers and text."""
    from rerun.chunk import RrdReader

    found = {}
    for chunk in RrdReader(path).stream():
        batch = chunk.to_record_batch()
        entity = found.setdefault(chunk.entity_path.strip("/"), {"ticks": [], "scalars": [], "text": ""})
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name == "tick":
                entity["ticks"] += column.to_pylist()
            elif name.endswith("Scalars:scalars"):
                entity["scalars"] += column.to_pylist()
            elif name.endswith("TextDocument:text"):
                entity["text"] = column.to_pylist()[0][0]
    return found


@pytest.mark.parametrize(("package", "name", "extra"), [("rerun", "one.rrd", "view"), ("rosbags", "one.mcap", "bags")])
def test_a_package_that_is_missing_is_named_with_how_to_install_it(
    monkeypatch, tmp_path, spec, make_recording, package, name, extra
):
    real = builtins.__import__

    def without(module, *rest, **more):
        if module.split(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return real(module, *rest, **more)

    path, _ = make_recording(spec)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        DataError, match=rf"'{package}', which is not installed: `pip install 'imitation_ros\[{extra}\]"
    ):
        view(path, save=tmp_path / name)


@pytest.mark.parametrize(
    ("episode", "name", "words"),
    [
        ("0", "one.mp4", r"should end in \.rrd \(Rerun\) or \.mcap"),
        ("0", "there.mcap", "exists already"),
        ("0", "nowhere/one.mcap", "the folder .*nowhere of --save does not exist"),
        ("3", "one.mcap", "has no episode 3"),
        ("all", "one.mcap", "--episode all means 2 episodes"),
    ],
)
def test_what_cannot_be_shown_is_said(tmp_path, spec, make_episode, episode, name, words):
    save_episodes(tmp_path / "data", [make_episode(spec), make_episode(spec)])
    (tmp_path / "there.mcap").touch()
    with pytest.raises(DataError, match=words):
        view(tmp_path / "data", episode, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "there.mcap"]


@needs_rerun
def test_a_window_needs_a_display(monkeypatch, tmp_path, spec, make_episode):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError, match=r"needs a display.*--save"):
        view(write_episode(tmp_path / "one.hdf5", make_episode(spec)))
