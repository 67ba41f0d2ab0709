"""Where a training is: everything that its future depends on, in one file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from imitation_ros.algorithms.tensor_file import read_tensors, write_tensors
from imitation_ros.console import console
from imitation_ros.errors import TrainingError

FORMAT_VERSION = 1
COUNTERS = ("round", "steps", "episodes", "notes", "best_score", "best_return", "best_steps")
VERSIONS = "versions"  # of an identity: others may change the last bits, but do not keep anybody from going on


@dataclass
class TrainState:
    """What a training changes as it goes; saved and loaded, it goes on as if it had never stopped.

    Whatever else an algorithm keeps must follow from this, its config and its data.

    Attributes:
        modules, optimizers, generators: names (without a /) to objects that are written from and read into.
        tensors: others, such as a replay buffer. Read into where the size is the same, otherwise put here, on the CPU.
        round: rounds that are done; steps: of the environment, or updates; episodes: that were collected.
        notes: what JSON can say, and tuples, nan and inf: curves, averages, schedules.
        best: the weights of the best policy so far, on the CPU; best_steps: when it was that.
        best_score: its success rate, or its mean return where nobody says what success is; best_return: the latter.
    """

    modules: dict[str, nn.Module] = field(default_factory=dict)
    optimizers: dict[str, Optimizer] = field(default_factory=dict)
    generators: dict[str, torch.Generator] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    round: int = 0
    steps: int = 0
    episodes: int = 0
    notes: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_score: float = -math.inf
    best_return: float = -math.inf
    best_steps: int = 0


def save_state(path: Path, state: TrainState, identity: Mapping[str, Any]) -> None:
    """Write a state, in place of the one before.

    Args:
        identity: which training it is (algorithm, config, data, versions), see load_state.

    Raises:
        TrainingError: it cannot be written, or `notes` holds what cannot be read back as it was.
    """
    values = {
        "format_version": FORMAT_VERSION,
        "identity": dict(identity),
        "counters": {name: getattr(state, name) for name in COUNTERS},
        "optimizers": {name: optimizer_values(optimizer) for name, optimizer in state.optimizers.items()},
    }
    write_tensors(path, tensors_of(state), values)


def load_state(path: Path, state: TrainState, identity: Mapping[str, Any]) -> None:
    """Read what save_state wrote into a state of the same making. Says so where other versions wrote it.

    Raises:
        TrainingError: the file is missing or broken, or of another training: nothing was changed then.
    """
    tensors, values = read_tensors(path)
    if not isinstance(values, dict) or values.get("format_version") != FORMAT_VERSION:
        raise TrainingError(
            f"{path} was not written by this version of imitation_ros. Give another output, or remove {path.parent}."
        )
    check_identity(path, values["identity"], identity)
    check_parts(path, state, tensors, values["optimizers"])
    with torch.no_grad():
        for name, tensor in module_tensors(state):
            tensor.copy_(tensors[name])
        for name, tensor in group(tensors, "tensors").items():
            here = state.tensors.get(name)
            fits = here is not None and (here.shape, here.dtype) == (tensor.shape, tensor.dtype)
            state.tensors[name] = here.copy_(tensor) if fits and here is not None else tensor
    for name, optimizer in state.optimizers.items():
        read_optimizer(optimizer, group(tensors, f"optimizers/{name}"), values["optimizers"][name])
    for name, generator in state.generators.items():
        generator.set_state(tensors[f"generators/{name}"])
    state.tensors = {name: state.tensors[name] for name in group(tensors, "tensors")}
    state.best = group(tensors, "best")
    for name in COUNTERS:
        setattr(state, name, values["counters"][name])


def tensors_of(state: TrainState) -> dict[str, Tensor]:
    """Return all tensors of a state by the names that they have in its file."""
    tensors = dict(module_tensors(state))
    for name, optimizer in state.optimizers.items():
        for index, kept in optimizer.state_dict()["state"].items():
            for key, value in kept.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizers/{name}/{index}/{key}"] = value
    tensors |= {f"generators/{name}": generator.get_state() for name, generator in state.generators.items()}
    tensors |= {f"tensors/{name}": tensor for name, tensor in state.tensors.items()}
    return tensors | {f"best/{name}": tensor for name, tensor in state.best.items()}


def module_tensors(state: TrainState) -> Iterator[tuple[str, Tensor]]:
    """Yield every weight and buffer, itself and no copy, with its name in the file."""
    for name, module in state.modules.items():
        for key, tensor in module.state_dict().items():
            yield f"modules/{name}/{key}", tensor


def optimizer_values(optimizer: Optimizer) -> dict[str, Any]:
    """Return what an optimiser keeps beside its tensors."""
    whole = optimizer.state_dict()
    kept = {
        str(index): {key: value for key, value in values.items() if not isinstance(value, Tensor)}
        for index, values in whole["state"].items()
    }
    return {"groups": whole["param_groups"], "kept": kept}


def read_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    kept: dict[int, dict[str, Any]] = {int(index): dict(rest) for index, rest in values["kept"].items()}
    for name, tensor in tensors.items():
        index, key = name.split("/", 1)
        kept[int(index)][key] = tensor
    optimizer.load_state_dict({"state": kept, "param_groups": values["groups"]})


def group(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors below a name, by what follows it."""
    return {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}/")}


def check_parts(path: Path, state: TrainState, tensors: Mapping[str, Tensor], optimizers: Mapping[str, Any]) -> None:
    """Refuse a file whose parts are not those of this state.

    Raises:
        TrainingError: a part is missing, is there too, or has another size.
    """
    here = sizes(tensors_of(state), {name: optimizer_values(kept) for name, kept in state.optimizers.items()})
    there = sizes(tensors, optimizers)
    for name in (*here, *there):
        if here.get(name) != there.get(name):
            raise TrainingError(
                f"{path} does not fit this training: {name} is {there.get(name, 'missing')} there, and "
                f"{here.get(name, 'missing')} here. Another version wrote it: give another output, or remove "
                f"{path.parent}."
            )


def sizes(tensors: Mapping[str, Tensor], optimizers: Mapping[str, Any]) -> dict[str, str]:
    """Return what must be the same in a file and in the state that it is read into."""
    found = {
        name: f"{tensor.dtype} of {list(tensor.shape)}"
        for name, tensor in tensors.items()
        if name.startswith(("modules/", "generators/"))
    }
    weights = {name: [len(one["params"]) for one in values["groups"]] for name, values in optimizers.items()}
    return found | {f"optimizers/{name}": f"for {counts} weights" for name, counts in weights.items()}


def check_identity(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with another training; warn of other versions.

    Raises:
        TrainingError: lists what is not the same.
    """
    there, here = lines(found), lines(wanted)
    names = [name for name in dict.fromkeys((*there, *here)) if there.get(name) != here.get(name)]
    differing = {name: f"{there.get(name, 'not set')} there, {here.get(name, 'not set')} here" for name in names}
    of_versions = [name for name in differing if name.startswith(f"{VERSIONS}.")]
    others = [f"\n  {name}: {text}" for name, text in differing.items() if name not in of_versions]
    if others:
        raise TrainingError(
            f"{path} is the beginning of another training:{''.join(others)}\n"
            f"Give another output to begin anew, or remove {path.parent}; or train as it says there to go on with it."
        )
    if of_versions:
        console.print(
            f"{path} was written with other versions ("
            + "; ".join(f"{name.removeprefix(f'{VERSIONS}.')} {differing[name]}" for name in of_versions)
            + "): training goes on, but its last bits may not be those of a run without a break.",
            style="yellow",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def lines(values: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Return nested values as dotted names and texts."""
    found: dict[str, str] = {}
    for name, value in values.items():
        nested = isinstance(value, Mapping)
        found |= lines(value, f"{before}{name}.") if nested else {f"{before}{name}": json.dumps(value)}
    return found
