"""Read episodes from files; what is broken is named with its file and demo.

Arrays are read by h5py's low-level calls, into memory that is theirs from the start: a recording is
hundreds of small datasets, and opening one by `group[name][:]` takes four times as long as reading it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5s, h5t
from numpy.typing import DTypeLike

from imitation_ros.data.episode import Arrays, Episode, Timing
from imitation_ros.data.hdf5.layout import FORMAT_VERSION, Array, bound_cache, observation_name
from imitation_ros.data.images import EncodedImages
from imitation_ros.errors import DataError, SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

CACHED_BYTES = 1 << 18  # of metadata, each piece of which is read once: HDF5 would take 40 MB, and more time
BROKEN = (KeyError, AttributeError, TypeError, ValueError, OSError, RuntimeError)
"""What h5py raises where a file is not as it should be."""
OWN = (b"num_samples", b"clipped_ticks")
"""Attributes that follow from the data."""
IN_MEMORY = {np.dtype(dtype): h5t.py_create(np.dtype(dtype)) for dtype in (*"fd?B", np.int64)}
"""What h5py would look up at every read."""
TEXT = h5t.py_create(h5py.string_dtype())
AS_PYTHON = {h5t.INTEGER: np.dtype(np.int64), h5t.FLOAT: np.dtype(np.float64), h5t.ENUM: np.dtype(np.bool_)}
"""Kinds of attributes that are single numbers, to what holds them."""


def read_episodes(path: Path) -> Iterator[Episode]:
    """Yield the episodes of one file, in the order of their numbers.

    Raises:
        DataError: the file is not readable, or lacks what an episode needs.
    """
    try:
        file = h5py.File(path, "r")
        bound_cache(file, CACHED_BYTES)
    except OSError as error:
        raise DataError(f"{path} is not a readable HDF5 file: {error}.") from None
    with file:
        data = file.get("data")
        if not isinstance(data, h5py.Group) or "robot_spec" not in data.attrs:
            raise DataError(
                f"{path} has no `data` group with a `robot_spec`: it was not recorded by imitation_ros, so what its "
                f"numbers mean is unknown."
            )
        version = data.attrs.get("format_version", 0)
        if not isinstance(version, int | np.integer) or version > FORMAT_VERSION:
            raise DataError(
                f"{path} has format version {version}; this imitation_ros reads up to {FORMAT_VERSION}. Upgrade it."
            )
        try:
            spec = parsed_spec(str(data.attrs["robot_spec"]), path)
        except SpecError as error:
            raise DataError(f"the robot spec inside a recording is broken. {error}") from None
        for name in sorted(data, key=lambda name: demo_number(name, path)):
            try:
                episode = read_demo(h5g.open(data.id, name.encode()), spec, f"{path}, {name}")
            except (*BROKEN, DataError) as error:
                raise DataError(f"{path}, {name} is broken: {error}") from None
            yield episode


PARSED: dict[str, RobotSpec] = {}


def parsed_spec(text: str, path: Path) -> RobotSpec:
    """Return the spec of a file; a thousand files of one text share one, because parsing takes longer than the rest."""
    if text not in PARSED:
        if len(PARSED) > 100:
            PARSED.clear()
        PARSED[text] = spec_from_yaml(text, f"{path} (robot_spec)")
    return PARSED[text]


def demo_number(name: str, path: Path) -> int:
    number = name.removeprefix("demo_")
    if number == name or not number.isdecimal():
        raise DataError(f"{path} holds {name!r} in its `data` group; every member should be called demo_0, demo_1, ...")
    return int(number)


def read_episode(path: Path) -> Episode:
    """Return the only episode of a file."""
    episodes = list(read_episodes(path))
    if len(episodes) != 1:
        raise DataError(f"{path} holds {len(episodes)} episodes; one was expected. Use read_episodes.")
    return episodes[0]


def read_demo(group: h5g.GroupID, spec: RobotSpec, source: str) -> Episode:
    attributes = read_attributes(group)
    success = attributes.pop("success", None)
    rewards_given = bool(attributes.pop("rewards_given", False))
    terminated = bool(attributes.pop("terminated", False))
    actions = {field.name: read_array(group, f"actions_raw/{field.name}", np.float32) for field in spec.action}
    return Episode(
        spec=spec,
        observations={field.name: read_observation(group, field, source) for field in spec.observation},
        actions=actions,
        executed=read_executed(group, spec, actions),
        timing=read_timing(group, spec) if b"ticks" in group else None,
        rewards=read_array(group, "rewards", np.float32) if rewards_given else None,
        terminated=terminated,
        success=None if success is None else bool(success),
        is_human=read_array(group, "is_human", np.bool_),
        attributes=attributes,
    )


def read_attributes(group: h5g.GroupID) -> dict[str, Any]:
    """Return the attributes in the order of their names, as Python's own types."""
    names: list[bytes] = []
    h5a.iterate(group, lambda name, *_: names.append(name))  # a lambda that returns something would end it
    return {name.decode(): read_attribute(group, name) for name in sorted(names) if name not in OWN}


def read_attribute(group: h5g.GroupID, name: bytes) -> Any:
    attribute = h5a.open(group, name)
    stored = attribute.get_type()
    kind, is_one = stored.get_class(), attribute.get_storage_size() == stored.get_size()
    if kind in AS_PYTHON and is_one:
        value = np.empty((), AS_PYTHON[kind])
        attribute.read(value, mtype=IN_MEMORY[value.dtype])
        return value.item()
    if kind == h5t.STRING and is_one and stored.is_variable_str():
        text = np.empty((), object)
        attribute.read(text, mtype=TEXT)
        return text.item().decode("utf-8", "surrogateescape")
    other = h5py.AttributeManager(h5py.Group(group))[name.decode()]
    return other.item() if isinstance(other, np.generic) else other


def read_executed(group: h5g.GroupID, spec: RobotSpec, actions: Arrays) -> dict[str, Array]:
    """Return what was executed; the labels themselves where nothing else was."""
    executed: dict[str, Array] = {}
    for field in spec.action:
        name, label = f"actions_executed/{field.name}", f"actions_raw/{field.name}"
        same = h5g.get_objinfo(group, name.encode()).objno == h5g.get_objinfo(group, label.encode()).objno
        values = actions[field.name] if same else read_array(group, name, np.float32)
        executed[field.name] = actions[field.name] if np.array_equal(values, actions[field.name]) else values
    return executed


def read_timing(group: h5g.GroupID, spec: RobotSpec) -> Timing:
    return Timing(
        ticks_s=read_array(group, "ticks", np.float64),
        stamps_s={field.name: read_array(group, f"stamps/{field.name}", np.float64) for field in spec.observation},
        received_s={field.name: read_array(group, f"received/{field.name}", np.float64) for field in spec.observation},
        silent={field.name: read_array(group, f"silent/{field.name}", np.bool_) for field in spec.action},
    )


def read_observation(group: h5g.GroupID, field: Field, source: str) -> Array | EncodedImages:
    name, final = observation_name(field), f"final_obs/{field.name}"
    if name.startswith("images/"):
        jpegs = h5py.Dataset(h5d.open(group, name.encode()))[:]
        return EncodedImages([*jpegs, read_array(group, final, np.uint8)], field, source)
    return read_array(group, name, field.dtype, final)


def read_array(group: h5g.GroupID, name: str, dtype: DTypeLike, final: str | None = None) -> Array:
    """Return a dataset as an array of a type, with another one as its last row."""
    try:
        dataset = h5d.open(group, name.encode())
        if final is None:
            array = np.empty(dataset.shape, dtype)
            dataset.read(h5s.ALL, h5s.ALL, array, IN_MEMORY[array.dtype])
            return array
        steps, *row = dataset.shape
        last = h5d.open(group, final.encode())
        if last.shape != tuple(row):
            raise DataError(f"{final} has shape {last.shape}, and {name} {dataset.shape}.")
        array = np.empty((steps + 1, *row), dtype)
        dataset.read(h5s.ALL, h5s.ALL, array[:-1], IN_MEMORY[array.dtype])
        last.read(h5s.ALL, h5s.ALL, array[-1:].reshape(row), IN_MEMORY[array.dtype])
    except BROKEN as error:
        raise DataError(f"{name}: {error}") from None
    return array
