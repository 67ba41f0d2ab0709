"""What the robot loads: a folder with policy.json and policy.onnx. Imports no torch.

policy.json           network, robot spec, provenance, the ranges that were demonstrated
policy.onnx           physical observation in, physical action out: one input and output per field
weights.safetensors   the same network for torch, to go on training
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imitation_ros.errors import BundleError, MessageError, SpecError, TrainingError
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages.images import decoded
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

Array = NDArray[Any]
T = TypeVar("T")

FORMAT_VERSION = 1
POLICY_JSON, POLICY_ONNX, WEIGHTS = "policy.json", "policy.onnx", "weights.safetensors"


@dataclass(frozen=True)
class BundleInfo:
    """What policy.json says.

    Attributes:
        spec: what goes in and out, as it was when the data were recorded.
        network: its kind and sizes.
        provenance: data, config, versions, seeds and evaluation.
        ranges: observation field name to [lowest, highest], each (width,): what was demonstrated.
    """

    spec: RobotSpec
    network: Mapping[str, Any]
    provenance: Mapping[str, Any]
    ranges: Mapping[str, tuple[Array, Array]]


def read_info(folder: Path) -> BundleInfo:
    """Return what the bundle in a folder says of itself.

    Raises:
        BundleError: it is missing, broken, or newer than this package.
    """
    path = folder / POLICY_JSON
    if not path.is_file():
        raise BundleError(f"{folder} is no policy bundle: it has no {POLICY_JSON}. `imitation-ros train` makes one.")
    return read_json(path, FORMAT_VERSION, bundle_info, "Export the policy again.")


def read_json(path: Path, newest: int, meant: Callable[[Path, Mapping[str, Any]], T], mend: str) -> T:
    """Return what a file says of itself.

    Args:
        newest: format version that is read.
        meant: makes it of the path and what JSON holds.
        mend: what to do where that fails.

    Raises:
        BundleError: broken, or newer than this package.
    """
    try:
        data = json.loads(path.read_text())
        version = int(data["format_version"])
        if version > newest:
            raise BundleError(f"{path} has format version {version}; this imitation_ros reads {newest}. Upgrade.")
        return meant(path, data)
    except (ValueError, KeyError, TypeError, AttributeError, SpecError, TrainingError) as error:
        raise BundleError(f"{path} is broken: {error!r}. {mend}") from None


def bundle_info(path: Path, data: Mapping[str, Any]) -> BundleInfo:
    return BundleInfo(
        spec=spec_from_yaml(data["robot_spec"], f"{path} (robot_spec)"),
        network=dict(data["network"]),
        provenance=dict(data["provenance"]),
        ranges={name: (np.array(low), np.array(high)) for name, (low, high) in data["ranges"].items()},
    )


def write_info(folder: Path, info: BundleInfo) -> None:
    data = {
        "format_version": FORMAT_VERSION,
        "network": dict(info.network),
        "robot_spec": info.spec.to_yaml(),
        "provenance": dict(info.provenance),
        "ranges": {name: [low.tolist(), high.tolist()] for name, (low, high) in info.ranges.items()},
    }
    try:
        text = json.dumps(data, indent=2, allow_nan=False)
    except ValueError:
        raise BundleError(f"{folder / POLICY_JSON} would hold nan or inf, which is no JSON: check the data.") from None
    (folder / POLICY_JSON).write_text(text + "\n")


def check_new_folder(folder: Path) -> None:
    """Refuse a bundle folder that exists, before any work is done.

    Raises:
        BundleError: it exists, or its parent is not writable.
    """
    if folder.exists():
        raise BundleError(f"{folder} already exists. Choose another output, or move it away: nothing is overwritten.")
    parent = next(path for path in folder.absolute().parents if path.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise BundleError(f"{folder} cannot be made: {parent} is not writable. Choose another output.")


def new_part(folder: Path) -> Path:
    """Make a folder of our own beside a bundle's, to write it into."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
    umask = os.umask(0)
    os.umask(umask)
    part.chmod(0o777 & ~umask)  # mkdtemp lets nobody else in
    return part


def publish_folder(part: Path, folder: Path) -> None:
    """Give a complete bundle its name; until then it was `*.part`.

    Raises:
        BundleError: the name is taken; the bundle stays where it is.
    """
    if folder.exists():
        raise BundleError(
            f"{folder} appeared meanwhile and is not overwritten. What was made is kept as {part}: "
            f"`mv {part} <another name>`."
        )
    os.replace(part, folder)


class OnnxPolicy:
    """A bundle's policy on onnxruntime: the Policy that runs on a robot.

    Args:
        folder: the bundle.
        threads: of one inference; 1 leaves the other cores to the robot.

    Raises:
        BundleError: the network does not load, or its inputs and outputs are not those of the spec.
    """

    def __init__(self, folder: str | Path, threads: int = 1) -> None:
        folder = Path(folder)
        self.folder, self.threads = folder, threads
        self.info = read_info(folder)
        self.spec = self.info.spec
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        path = folder / POLICY_ONNX
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own types, a new one now and then
            raise BundleError(f"{path} does not load: {error}. Export the policy again.") from None
        self.check_fields(path, self.session.get_inputs(), [(f.name, f.row_shape) for f in self.spec.observation])
        self.check_fields(path, self.session.get_outputs(), [(f.name, f.row_shape) for f in self.spec.action])
        self.outputs = [field.name for field in self.spec.action]

    def __reduce__(self) -> tuple[type[OnnxPolicy], tuple[Path, int]]:
        """A worker process loads the bundle itself."""
        return OnnxPolicy, (self.folder, self.threads)

    @staticmethod
    def check_fields(path: Path, found: list[Any], expected: list[tuple[str, tuple[int, ...]]]) -> None:
        shapes = [(node.name, tuple(node.shape[1:])) for node in found]
        if shapes != expected:
            raise BundleError(f"{path} has {shapes}; the spec beside it says {expected}. Export the policy again.")

    def act(self, observation: Mapping[str, Array]) -> dict[str, Array]:
        """Return field name to action, (width,), physical; float32 as the network computes it.

        Raises:
            MessageError: the observation lacks a field, or a value has another shape than its field.
        """
        batch = {field.name: as_input(observation, field)[None] for field in self.spec.observation}
        actions = self.session.run(self.outputs, batch)
        return {name: action[0] for name, action in zip(self.outputs, actions, strict=True)}


def as_input(values: Mapping[str, Array], field: Field) -> Array:
    """Return a field's value as a network takes it: float32 numbers, or the pixels of an image.

    Raises:
        MessageError: there is none, or it is not what the field says.
    """
    if field.name not in values:
        raise MessageError(f"{field.name!r} is missing; there are {', '.join(values) or 'no fields'}.")
    value = np.asarray(values[field.name])
    value = decoded(value, field) if field.is_image else value
    if value.shape != field.row_shape or (field.is_image and value.dtype != np.uint8):
        raise MessageError(
            f"{field.name!r} is {value.dtype} of shape {value.shape}; it should be {field.dtype} of shape "
            f"{field.row_shape}, as the spec says."
        )
    return np.ascontiguousarray(value, dtype=field.dtype)
