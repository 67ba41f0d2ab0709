"""Tensors and plain values in one safetensors file that is there as a whole, or not at all. Nothing is pickled."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from imitation_ros.errors import TrainingError

VALUES = "imitation_ros"  # one entry of the metadata: the order of several would change from run to run


def write_tensors(path: Path, tensors: Mapping[str, Tensor], values: Any = None, durable: bool = True) -> None:
    """Write a file to `*.part`, then give it its name.

    Args:
        tensors: on any device; those that share memory are written one by one.
        values: what JSON can say, and also tuples, nan and inf.
        durable: wait until the disk has it, so that a power cut takes nothing back; a killed process never does.

    Raises:
        TrainingError: it cannot be written, or a value is none that can be read back as it was.
    """
    whole = save(alone(tensors), {VALUES: json.dumps(packed(values, path.stem), allow_nan=False)})
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(whole)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
        if durable:
            sync(path.parent)
    except OSError as error:
        raise TrainingError(
            f"{path} cannot be written: {error.strerror}. Make room, and start the same training again: it goes on "
            f"from what was saved before, if anything was."
        ) from None


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Return what write_tensors wrote: tensors of their own on the CPU, and the values.

    Raises:
        TrainingError: it is missing or broken.
    """
    try:
        with safe_open(path, framework="pt") as file:
            # copies: the file's own bytes are not aligned as torch's are, which may change a product's last bits
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
            text = (file.metadata() or {})[VALUES]
        return tensors, json.loads(text, object_hook=unpacked)
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing, and training cannot go on without it. Begin anew elsewhere.") from None
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise TrainingError(
            f"{path} is no file of a training, or a broken one: {error}. Move it away to begin anew."
        ) from None


def alone(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors on the CPU, contiguous, no two of them in the same memory."""
    ready: dict[str, Tensor] = {}
    taken: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        memory = tensor.untyped_storage()
        if memory.data_ptr() in taken or memory.nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        taken.add(tensor.untyped_storage().data_ptr())
        ready[name] = tensor
    return ready


def sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def packed(value: Any, where: str) -> Any:
    """Return a value as JSON can say it; `where` names it in errors.

    Raises:
        TrainingError: it would come back as something else.
    """
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, list):
        return [packed(part, where) for part in value]
    if isinstance(value, tuple):
        return {"$tuple": [packed(part, where) for part in value]}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key.startswith("$"):
                raise TrainingError(f"{where} has the key {key!r}; it should be a text that does not begin with $.")
        return {key: packed(part, f"{where}.{key}") for key, part in value.items()}
    raise TrainingError(
        f"{where} is a {type(value).__name__}, which is not saved with a training; allowed: None, bool, int, float, "
        f"str, and lists, tuples and mappings of them. Tensors have a place of their own."
    )


def unpacked(value: dict[str, Any]) -> Any:
    if "$float" in value:
        return float(value["$float"])
    return tuple(value["$tuple"]) if "$tuple" in value else value
