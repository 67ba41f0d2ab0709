"""Write whole episodes at once: one to a file, or many into one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from imitation_ros.data.checks import check_same_meaning
from imitation_ros.data.episode import Episode
from imitation_ros.data.hdf5.layout import JPEG_BYTES, Array, PartFile, end_demo, observation_name, unit_actions
from imitation_ros.data.images import EncodedImages, as_stored
from imitation_ros.errors import DataError
from imitation_ros.robot.field import Field


def write_episode(path: Path, episode: Episode) -> Path:
    """Write a whole episode to a new file; read_episode gives an equal one back."""
    return write_episodes(path, [episode])


def write_episodes(path: Path, episodes: Iterable[Episode]) -> Path:
    """Write episodes into one new file, as demo_0, demo_1, ...; read_episodes gives equal ones back.

    Raises:
        DataError: the file exists, there is no episode, or two mean different things.
    """
    remaining = iter(episodes)
    first = next(remaining, None)
    if first is None:
        raise DataError(f"there is no episode to write to {path}.")
    file, steps = PartFile(path, first.spec), 0
    try:
        for index, episode in enumerate(chain([first], remaining)):
            names = f"episodes 0 and {index}"
            check_same_meaning(first.spec, episode.spec, names, "Write them into files of their own.")
            write_demo(file.demo(index, episode.attributes), episode)
            steps += episode.steps
        return file.publish(steps)
    except BaseException:
        file.discard()
        raise


def write_demo(demo: h5py.Group, episode: Episode) -> None:
    spec, steps = episode.spec, episode.steps
    actions, clipped = unit_actions(spec, episode.actions)
    demo["actions"] = actions
    for field in spec.action:
        labels, executed = episode.actions[field.name], episode.executed[field.name]
        demo[f"actions_raw/{field.name}"] = np.asarray(labels, np.float32)
        same = executed is labels or np.array_equal(executed, labels)
        # one dataset of two names where nothing else was executed
        source = demo[f"actions_raw/{field.name}"] if same else np.asarray(executed, np.float32)
        demo[f"actions_executed/{field.name}"] = source
    for field in spec.observation:
        write_observation(demo, field, episode.observations[field.name], steps)
    given, human = episode.rewards, episode.is_human
    demo["rewards"] = np.zeros(steps, np.float32) if given is None else np.asarray(given, np.float32)
    demo["is_human"] = np.ones(steps, np.bool_) if human is None else np.asarray(human, np.bool_)
    if episode.timing is not None:
        demo["ticks"] = episode.timing.ticks_s
        for field in spec.observation:
            demo[f"stamps/{field.name}"] = episode.timing.stamps_s[field.name]
            demo[f"received/{field.name}"] = episode.timing.received_s[field.name]
            demo[f"ages/{field.name}"] = episode.timing.age_s(field.name)
        for field in spec.action:
            demo[f"silent/{field.name}"] = episode.timing.silent[field.name]
    outcome: dict[str, Any] = {"terminated": episode.terminated, "rewards_given": given is not None}
    if episode.success is not None:
        outcome["success"] = episode.success
    end_demo(demo, steps, clipped, outcome)


def write_observation(demo: h5py.Group, field: Field, values: Any, steps: int) -> None:
    name = observation_name(field)
    if not field.is_image:
        demo[name] = np.asarray(values[:-1], np.float32)
        demo[f"final_obs/{field.name}"] = np.asarray(values[-1], np.float32)
        return
    if field.storage == "raw":
        dataset = demo.create_dataset(name, (steps, *field.row_shape), np.uint8)
    else:
        dataset = demo.create_dataset(name, (steps,), JPEG_BYTES)
    for index in range(steps):
        dataset[index] = as_stored(image_value(values, index), field)
    demo[f"final_obs/{field.name}"] = as_stored(image_value(values, steps), field)


def image_value(values: Array | EncodedImages, index: int) -> Array:
    return values.jpegs[index] if isinstance(values, EncodedImages) else values[index]
