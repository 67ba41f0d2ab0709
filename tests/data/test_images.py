"""Images of episodes: what came is what is stored, nothing is decoded before somebody looks, nothing waits for JPEG."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imitation_ros.data import images
from imitation_ros.data.episode import EpisodeBuilder
from imitation_ros.data.hdf5 import EpisodeWriter, read_episode, write_episode
from imitation_ros.data.images import EncodedImages, ImageQueue
from imitation_ros.data.row import Row
from imitation_ros.errors import DataError, MessageError
from imitation_ros.robot.messages.images import decoded, encoded


def jpeg_of(pixels: np.ndarray) -> np.ndarray:
    """Return a JPEG of another quality than ours, as a camera of its own sends it."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=40)
    return np.frombuffer(buffer.getvalue(), np.uint8)


@pytest.fixture(scope="module")
def wrist(camera_spec):
    return camera_spec.field("wrist")


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (6, 24, 32, 3), np.uint8)


# as an array


@given(index=st.integers(-6, 5) | st.slices(6) | st.lists(st.integers(-6, 5), max_size=8))
def test_encoded_images_are_indexed_like_the_array_of_their_pixels(wrist, pixels, index):
    encoded_images = EncodedImages([encoded(image, wrist) for image in pixels], wrist)
    whole = np.array([decoded(jpeg, wrist) for jpeg in encoded_images.jpegs])
    index = np.array(index, dtype=int) if isinstance(index, list) else index
    np.testing.assert_array_equal(encoded_images[index], whole[index])
    assert encoded_images[index].dtype == np.uint8


def test_encoded_images_have_the_shape_of_their_pixels_and_the_bytes_of_their_jpegs(wrist, pixels):
    jpegs = [encoded(image, wrist) for image in pixels]
    encoded_images = EncodedImages(jpegs, wrist)
    assert (encoded_images.shape, encoded_images.ndim, len(encoded_images)) == (pixels.shape, 4, 6)
    assert encoded_images.nbytes == sum(len(jpeg) for jpeg in jpegs)
    np.testing.assert_array_equal(np.asarray(encoded_images), np.stack(list(encoded_images)))
    assert np.asarray(encoded_images, dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("index", [(..., 0), (2, 3), (slice(1, 3), 0, slice(4)), (None, 1)])
def test_an_index_into_the_pixels_is_one_into_the_array(wrist, pixels, index):
    encoded_images = EncodedImages([encoded(image, wrist) for image in pixels], wrist)
    np.testing.assert_array_equal(encoded_images[index], np.asarray(encoded_images)[index])


def test_one_index_decodes_one_image(wrist, pixels, monkeypatch):
    looked_at = []
    monkeypatch.setattr(images, "decoded", lambda value, field: looked_at.append(1) or decoded(value, field))
    encoded_images = EncodedImages([encoded(image, wrist) for image in pixels], wrist)
    assert not looked_at
    _ = encoded_images[3]
    assert len(looked_at) == 1


# in episodes


def test_a_builder_takes_pixels_and_jpegs(camera_spec, make_episode):
    given_ = make_episode(camera_spec, steps=2, timed=False)
    for kind in ("pixels", "jpegs"):
        builder = EpisodeBuilder(camera_spec)
        for k in range(3):
            observation = {name: values[k] for name, values in given_.observations.items()}
            if kind == "jpegs":
                observation["wrist"] = jpeg_of(observation["wrist"])
            builder.add_observation(observation)
            if k < 2:
                action = {name: values[k] for name, values in given_.actions.items()}
                builder.add_action(action, action, 0.0)
        built = builder.build().observations["wrist"]
        assert isinstance(built, np.ndarray if kind == "pixels" else EncodedImages)
        assert (built.shape, built.dtype) == ((3, 24, 32, 3), np.uint8)


def test_images_of_another_shape_or_type_are_refused(camera_spec, make_episode):
    episode = make_episode(camera_spec, steps=2)
    with pytest.raises(DataError, match=r"'wrist' has shape \(3, 32, 24, 3\).*should be \(3, 24, 32, 3\)"):
        replace(episode, observations={**episode.observations, "wrist": np.zeros((3, 32, 24, 3), np.uint8)})
    with pytest.raises(DataError, match=r"'wrist' holds float32; pixels are uint8"):
        replace(episode, observations={**episode.observations, "wrist": np.zeros((3, 24, 32, 3), np.float32)})


def test_images_of_another_shape_or_type_are_refused_by_a_builder(camera_spec, make_episode):
    """A copy into pixels would broadcast a grey picture, and turn brightness from 0 to 1 into black."""
    episode = make_episode(camera_spec, steps=0, timed=False)
    first = {name: values[0] for name, values in episode.observations.items()}
    for bad in (np.zeros((24, 32, 1), np.uint8), np.full((24, 32, 3), 0.5)):
        builder = EpisodeBuilder(camera_spec)
        builder.add_observation({**first, "wrist": bad})
        with pytest.raises(DataError, match=r"an image of 'wrist' is .*; it should be uint8, 0 to 255, of shape"):
            builder.build()


# in files


def image_bytes(path: Path) -> dict[str, list[bytes]]:
    """Return every image in a file, as it is stored."""
    with h5py.File(path) as file:
        demo = file["data/demo_0"]
        names = ("images/wrist", "obs/front")
        found = {name: [image.tobytes() for image in demo[name][:]] for name in names}
        return {**found, "final": [demo[f"final_obs/{name}"][:].tobytes() for name in ("wrist", "front")]}


@settings(max_examples=10)
@given(steps=st.integers(0, 5), seed=st.integers(0, 100), timed=st.booleans())
def test_file_to_episode_to_file_changes_no_byte_of_an_image(
    tmp_path_factory, camera_spec, make_episode, steps, seed, timed
):
    episode, folder = make_episode(camera_spec, steps, seed, timed), tmp_path_factory.mktemp("twice")
    first = write_episode(folder / "first.hdf5", episode)
    back = read_episode(first)
    assert image_bytes(write_episode(folder / "second.hdf5", back)) == image_bytes(first)
    np.testing.assert_array_equal(back.observations["front"], episode.observations["front"])
    wrist = camera_spec.field("wrist")
    for k in range(steps + 1):
        same = encoded(episode.observations["wrist"][k], wrist)
        np.testing.assert_array_equal(back.observations["wrist"].jpegs[k], same)
        np.testing.assert_array_equal(back.observations["wrist"][k], decoded(same, wrist))


def stream(path: Path, episode, wrist_values) -> Path:
    """Write an episode step by step, as the recorder does."""
    writer = EpisodeWriter(path, episode.spec, {}, timed=False)
    for k in range(episode.steps + 1):
        observation = {name: values[k] for name, values in episode.observations.items()}
        observation["wrist"] = wrist_values[k]
        action = {name: values[k] for name, values in episode.actions.items()} if k < episode.steps else {}
        row = Row(0.0, observation, action, action, {}, {}, {})
        if k < episode.steps:
            writer.append(row)
    return writer.close(row, {})


def test_an_episode_that_is_streamed_and_one_that_is_written_whole_agree_byte_for_byte(
    tmp_path, camera_spec, make_episode
):
    episode = make_episode(camera_spec, steps=7, timed=False)
    streamed = stream(tmp_path / "streamed.hdf5", episode, episode.observations["wrist"])
    assert image_bytes(streamed) == image_bytes(write_episode(tmp_path / "whole.hdf5", episode))


def test_a_jpeg_that_arrived_is_stored_as_it_came(tmp_path, camera_spec, make_episode):
    episode = make_episode(camera_spec, steps=3, timed=False)
    jpegs = [jpeg_of(image) for image in episode.observations["wrist"]]
    back = read_episode(stream(tmp_path / "one.hdf5", episode, jpegs)).observations["wrist"]
    assert [jpeg.tobytes() for jpeg in back.jpegs] == [jpeg.tobytes() for jpeg in jpegs]


def test_a_jpeg_that_is_to_be_stored_raw_is_decoded(tmp_path, camera_spec, make_episode):
    wrist = replace(camera_spec.field("wrist"), storage="raw")
    observation = tuple(wrist if field.name == "wrist" else field for field in camera_spec.observation)
    episode = make_episode(replace(camera_spec, observation=observation), steps=2, timed=False)
    jpegs = [jpeg_of(image) for image in episode.observations["wrist"]]
    back = read_episode(stream(tmp_path / "one.hdf5", episode, jpegs)).observations["wrist"]
    np.testing.assert_array_equal(back, [decoded(jpeg, wrist) for jpeg in jpegs])


@pytest.mark.parametrize("broken", ["cut off", "another size", "no image"])
def test_a_broken_image_in_a_file_is_named_when_it_is_decoded(tmp_path, camera_spec, make_episode, broken):
    path = write_episode(tmp_path / "broken.hdf5", make_episode(camera_spec, steps=4))
    with h5py.File(path, "r+") as file:
        dataset = file["data/demo_0/images/wrist"]
        other = jpeg_of(np.zeros((32, 24, 3), np.uint8))
        dataset[2] = {"cut off": dataset[2][:200], "another size": other, "no image": np.zeros(9, np.uint8)}[broken]
    wrist = read_episode(path).observations["wrist"]
    assert wrist[1].shape == wrist[3].shape == (24, 32, 3)
    with pytest.raises(DataError, match=r"broken\.hdf5, demo_0: image 2 is broken: 'wrist'"):
        _ = wrist[2]


def test_what_is_flushed_while_images_are_still_encoded_are_whole_steps(
    tmp_path, camera_spec, make_episode, monkeypatch
):
    go_on = threading.Event()

    def slow(value, field):
        if value[0, 0, 0] == 255:  # from the third picture on
            go_on.wait()
        return encoded(value, field)

    monkeypatch.setattr(images, "as_stored", slow)
    episode = make_episode(camera_spec, steps=4, timed=False)
    writer = EpisodeWriter(tmp_path / "one.hdf5", camera_spec, {}, timed=False)
    for k in range(4):
        observation = {name: values[k] for name, values in episode.observations.items()}
        observation["wrist"] = np.full((24, 32, 3), 255 if k >= 2 else 0, np.uint8)
        action = {name: values[k] for name, values in episode.actions.items()}
        writer.append(Row(0.0, observation, action, action, {}, {}, {}))
    wait_until(lambda: writer.images.ready() == 2)
    writer.flush()
    assert {len(writer.demo[name]) for name in ("images/wrist", "obs/front", "obs/joints", "actions")} == {2}
    assert writer.demo.attrs["num_samples"] == 2
    go_on.set()
    writer.discard()


# the queue


def wait_until(holds) -> None:
    end_s = time.monotonic() + 10.0
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.001)


def test_whoever_puts_an_image_does_not_wait_for_its_encoding_and_the_order_is_kept(camera_spec, pixels, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(images, "as_stored", lambda value, field: go_on.wait() and encoded(value, field))
    wrist = camera_spec.field("wrist")
    queue = ImageQueue([wrist])
    for image in pixels:
        queue.put("wrist", image)
    assert (queue.ready(), queue.waits) == (0, 0)
    go_on.set()
    taken = queue.take(6)["wrist"]
    assert [jpeg.tobytes() for jpeg in taken] == [encoded(image, wrist).tobytes() for image in pixels]
    assert queue.held_bytes == 0
    queue.close()


def test_an_image_that_stands_for_several_ticks_is_encoded_once(camera_spec, pixels, monkeypatch):
    wrist, times = camera_spec.field("wrist"), []
    monkeypatch.setattr(images, "as_stored", lambda value, field: times.append(1) or encoded(value, field))
    queue = ImageQueue([wrist])
    first, second = pixels[0], pixels[1]  # as the sampler hands them out: the same array while nothing newer came
    for image in (first, first, first, second, second, first):
        queue.put("wrist", image)
    taken = [jpeg.tobytes() for jpeg in queue.take(6)["wrist"]]
    expected = [encoded(image, wrist).tobytes() for image in (first, second)]
    assert taken == [expected[index] for index in (0, 0, 0, 1, 1, 0)]
    assert (len(times), queue.held_bytes) == (3, 0)
    queue.close()


def test_no_more_images_wait_than_fit_and_whoever_waits_for_that_is_counted(camera_spec, pixels, monkeypatch):
    monkeypatch.setattr(images, "WAITING_BYTES", 3 * pixels[0].nbytes)
    highest = 0
    wrist = camera_spec.field("wrist")
    queue = ImageQueue([wrist])

    def slow(value, field):
        nonlocal highest
        highest = max(highest, queue.encoding_bytes)
        time.sleep(0.01)
        return encoded(value, field)

    monkeypatch.setattr(images, "as_stored", slow)
    for image in pixels:
        queue.put("wrist", image)
    assert queue.waits > 0
    assert highest <= 3 * pixels[0].nbytes
    assert len(queue.take(6)["wrist"]) == 6
    queue.close()


def test_an_image_that_cannot_be_brought_into_its_form_is_said_to_whoever_takes_it(camera_spec):
    wrist = replace(camera_spec.field("wrist"), storage="raw")
    queue = ImageQueue([wrist])
    queue.put("wrist", np.zeros(100, np.uint8))
    with pytest.raises(MessageError, match=r"'wrist' .* cannot be decoded"):
        queue.take(1)
    queue.close()
