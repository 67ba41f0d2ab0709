"""A bag becomes what a live recorder would have made of the same messages, byte for byte."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

pytest.importorskip("rosbags")

from bag_writer import STORAGES, image, jpeg, write_bag
from demonstration import (
    T0,
    contents,
    driven,
    flag_at,
    gripper_at,
    imported,
    in_order,
    joints_at,
    recorded,
    tool_at,
    twist_at,
)

from imitation_ros.robot.messages.images import encoded
from imitation_ros.robot.spec import spec_from_yaml

late = st.floats(0.0, 0.12)  # from the stamp to the recorder: some later than the ticks wait


@st.composite
def messages(draw, kinds):
    """Messages of every topic in 2 s, at times of their own, some late, some out of order, with odd ones among them."""
    items = []
    for _ in range(draw(st.integers(5, 60))):
        time_s = draw(st.floats(0.0, 2.0).map(lambda each: round(each, 4)))
        kind = draw(st.sampled_from(kinds))
        items.append(kind(time_s, draw(late)))
    return items


def joints(time_s, late_s):
    return joints_at(time_s, time_s - late_s)


def wrong_joints(time_s, late_s):
    return joints_at(time_s, time_s - late_s, names=("shoulder", "wrist"))


def future_joints(time_s, late_s):
    return joints_at(time_s, time_s + 5.0 + late_s)


def unknown_joints(time_s, late_s):
    return joints_at(time_s, time_s - late_s, names=("left", "right"))


def nan_joints(time_s, late_s):
    topic, kind, message, log_s = joints_at(time_s, time_s - late_s)
    message.position[0] = np.nan
    return topic, kind, message, log_s


def unstamped_joints(time_s, late_s):
    return joints_at(time_s, -T0)


def tool(time_s, late_s):
    return tool_at(time_s, time_s - late_s)


def velocity(time_s, late_s):
    return twist_at(time_s, time_s - late_s)


def executed(time_s, late_s):
    return twist_at(time_s, time_s - late_s, "/servo/executed")


def gripper(time_s, late_s):
    return gripper_at(time_s, 0.08 if late_s < 0.06 else 0.0)


ODD = (wrong_joints, future_joints, unknown_joints, nan_joints, unstamped_joints)
KINDS = [joints, joints, tool, tool, velocity, velocity, executed, gripper, *ODD]


@pytest.mark.parametrize("reduce", ["mean", "last"])
@given(
    items=messages(KINDS),
    timer=st.lists(st.floats(-0.5, 2.2), max_size=60),
    storage=st.sampled_from(list(STORAGES)),
)
@settings(max_examples=60, phases=[Phase.generate])  # a failure that is shrunk takes minutes
def test_an_import_equals_the_live_recording_whenever_that_closes_its_ticks(tiny_yaml, reduce, items, timer, storage):
    spec = spec_from_yaml(tiny_yaml.replace("reduce: mean", f"reduce: {reduce}"), "tiny.yaml")
    before = [joints_at(-0.05), tool_at(-0.05), flag_at(-0.01, True), twist_at(-0.005), gripper_at(-0.004)]
    after = [joints_at(2.1), tool_at(2.1), flag_at(2.2, False)]
    sent = in_order([*before, *items, *after])
    with TemporaryDirectory() as name:
        folder = Path(name)
        recorded(sent, spec, folder / "live", [T0 + time_s for time_s in timer])
        bag = write_bag(folder / "bag", sent, storage)
        (path,) = imported(bag, spec, folder / "imported", topic="episodes")
        assert contents(path) == contents(folder / "live" / path.name)


@pytest.mark.parametrize("storage", STORAGES)
def test_several_episodes_of_pictures_are_the_same_bytes_on_the_disk(camera_spec, tmp_path, storage, monkeypatch):
    monkeypatch.setattr("imitation_ros.data.hdf5.streaming.FLUSH_S", 1e9)  # else the wall's clock lays out the file
    camera = camera_spec.field("wrist")
    rng = np.random.default_rng(0)
    sent = driven(0.0, 6.0)
    for index in range(180):
        time_s = index / 30
        pixels = rng.integers(0, 256, camera.row_shape, np.uint8)
        message = jpeg(T0 + time_s, encoded(pixels, camera).tobytes())
        sent.append(("/wrist/image/compressed", "sensor_msgs/msg/CompressedImage", message, T0 + time_s + 0.01))
        grey = image(T0 + time_s, 12, 16, "mono8")
        sent.append(("/front/image", "sensor_msgs/msg/Image", grey, T0 + time_s + 0.01))
    for start_s, end_s in ((0.5, 2.0), (2.5, 5.5)):
        sent += [flag_at(start_s, True), flag_at(end_s, False)]
    sent = in_order(sent)
    timer = T0 + np.sort(rng.uniform(0.0, 6.0, 150))
    live = tmp_path / "live"
    bag = write_bag(tmp_path / "bag", sent, storage)
    recorded(sent, camera_spec, live, timer, wall_s=lambda: T0 + 0.5)
    paths = imported(bag, camera_spec, tmp_path / "imported", topic="episodes")
    assert [path.name for path in paths] == ["episode_000000.hdf5", "episode_000001.hdf5"]
    for path in paths:
        assert contents(path) == contents(live / path.name)
        assert contents(path)["data/demo_0/images/wrist"][1] == ((29,) if path == paths[0] else (59,))
