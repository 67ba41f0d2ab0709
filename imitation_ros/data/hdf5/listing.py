"""What is in a file, without reading its episodes; and its masks, which say which episodes are for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from imitation_ros.data.hdf5.layout import observation_name
from imitation_ros.data.hdf5.reading import BROKEN, demo_number, parsed_spec
from imitation_ros.errors import DataError
from imitation_ros.robot.spec import RobotSpec

MASK = "mask"
KNOWN = {"actions", "actions_raw", "actions_executed", "obs", "images", "final_obs", "rewards", "dones", "states"}
KNOWN |= {"is_human", "stamps", "received", "ages", "silent", "ticks"}


@dataclass(frozen=True)
class DemoFacts:
    """What is known of an episode without reading it.

    Attributes:
        name: in its file: demo_0.
        steps: how many actions it has.
        success: as it is marked.
        foreign: what somebody else put beside its data, which an Episode does not hold.
    """

    name: str
    steps: int
    success: bool | None
    foreign: tuple[str, ...]


def list_demos(path: Path) -> list[DemoFacts]:
    """Return what is known of the episodes of a file, in the order of their numbers.

    Raises:
        DataError: it cannot be read, or is no recording.
    """
    with opened(path) as file:
        data = file["data"]
        spec = parsed_spec(str(data.attrs["robot_spec"]), path)
        names = sorted(data, key=lambda name: demo_number(name, path))
        return [facts_of(name, data[name], spec) for name in names]


@contextmanager
def opened(path: Path, mode: str = "r") -> Iterator[h5py.File]:
    """Open a file; whatever goes wrong with it while the block runs names it."""
    try:
        with h5py.File(path, mode) as file:
            yield file
    except BROKEN as error:
        raise DataError(f"{path} cannot be read as a recording: {str(error).rstrip('.')}.") from None


def facts_of(name: str, demo: h5py.Group, spec: RobotSpec) -> DemoFacts:
    success = demo.attrs.get("success")
    foreign = {*demo} - KNOWN
    ours = {observation_name(field) for field in spec.observation}
    for group in ("obs", "images"):
        if group in demo:
            foreign |= {f"{group}/{member}" for member in demo[group]} - ours
    if "states" in demo and demo["states"].size:
        foreign.add("states")
    steps = int(demo.attrs["num_samples"])
    return DemoFacts(name, steps, None if success is None else bool(success), tuple(sorted(foreign)))


def read_masks(path: Path) -> dict[str, list[str]]:
    """Return the masks of a file: name to the names of demos.

    Raises:
        DataError: it cannot be read, or a mask is no list of names.
    """
    with opened(path) as file:
        masks = file.get(MASK, {})
        return {name: [as_text(demo) for demo in np.asarray(masks[name]).tolist()] for name in masks}


def as_text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def write_masks(path: Path, masks: Mapping[str, Sequence[str]]) -> None:
    """Give a file other masks, in place: only what nobody reads yet is to be written so."""
    with opened(path, "r+") as file:
        if MASK in file:
            del file[MASK]
        for name, demos in masks.items():
            file[f"{MASK}/{name}"] = np.array([demo.encode() for demo in demos], dtype="S")  # as robomimic has them
