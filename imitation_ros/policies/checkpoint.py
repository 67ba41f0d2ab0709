"""The torch side of a bundle: weights, export to ONNX, and the check that both compute the same."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxscript  # noqa: F401 torch's exporter needs it: better known missing now than after training
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from imitation_ros.errors import BundleError, SpecError
from imitation_ros.policies.bundle import (
    POLICY_JSON,
    POLICY_ONNX,
    WEIGHTS,
    BundleInfo,
    OnnxPolicy,
    check_new_folder,
    new_part,
    publish_folder,
    read_info,
    write_info,
)
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

PARITY = 1e-4  # of an action's scale: the two runtimes add in another order
Array = NDArray[Any]


class InFieldOrder(nn.Module):
    """The policy with one argument and one result per field: what ONNX can name."""

    def __init__(self, policy: MLPPolicy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, *fields: Tensor) -> tuple[Tensor, ...]:
        actions = self.policy(dict(zip(self.policy.encoder.fields, fields, strict=True)))
        return tuple(actions[field.name] for field in self.policy.spec.action)


def save_bundle(
    folder: Path,
    policy: MLPPolicy,
    provenance: Mapping[str, Any],
    ranges: Mapping[str, tuple[Array, Array]],
    samples: Mapping[str, Array],
) -> Path:
    """Write a bundle, and check that its ONNX computes what torch does.

    Args:
        folder: the bundle's folder; must not exist.
        policy: on the CPU.
        provenance, ranges: see BundleInfo.
        samples: field name to observations, (N, width), on which the two are compared.

    Raises:
        BundleError: the folder exists, or the two differ by more than PARITY.
    """
    check_new_folder(folder)
    part = new_part(folder)
    policy = policy.eval()
    write_info(part, BundleInfo(policy.spec, policy.config.as_json(), provenance, ranges))
    weights = {name: value.contiguous() for name, value in policy.state_dict().items()}
    (part / WEIGHTS).write_bytes(save(weights))  # save_file would let nobody else read it
    export_onnx(policy, part / POLICY_ONNX)
    worst = onnx_difference(policy, OnnxPolicy(part), samples)
    if worst > PARITY:
        raise BundleError(
            f"the exported network differs from torch by {worst:.2g} of the scale; {PARITY:.0e} is allowed."
        )
    publish_folder(part, folder)
    return folder


def export_onnx(policy: MLPPolicy, path: Path) -> None:
    """Write the network with its normalisers as ONNX, one input and output per field, batch 1."""
    names = [field.name for field in policy.spec.observation]
    example = tuple(torch.from_numpy(np.zeros((1, *f.row_shape), f.dtype)) for f in policy.spec.observation)
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's to mend
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        program = torch.onnx.export(
            InFieldOrder(policy),
            example,
            input_names=names,
            output_names=[field.name for field in policy.spec.action],
            dynamo=True,
            verbose=False,
        )
        assert program is not None  # as ever with dynamo
        rename_inner(program.model.graph)
        program.save(str(path), external_data=False)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def rename_inner(graph: Any) -> None:
    """Give what is neither input nor output a name that no field can have: torch calls them `linear`, `relu`, ...."""
    outer = {id(value) for value in (*graph.inputs, *graph.outputs)}
    inner = [value for node in graph for value in node.outputs if id(value) not in outer]
    for index, value in enumerate(inner):
        value.name = f"inner.{index}"


def onnx_difference(policy: MLPPolicy, exported: OnnxPolicy, samples: Mapping[str, Array]) -> float:
    """Return the largest difference between torch and ONNX, as a share of each action's scale."""
    worst = 0.0
    for index in range(len(next(iter(samples.values())))):
        observation = {name: values[index] for name, values in samples.items()}
        ours, theirs = policy.act(observation), exported.act(observation)
        for field in policy.spec.action:
            low, high = field.scale
            share = np.abs(ours[field.name] - theirs[field.name]) / (high - low)
            worst = max(worst, float(np.nan_to_num(share, nan=np.inf).max()))
    return worst


def load_policy(folder: str | Path) -> MLPPolicy:
    """Return the bundle's policy for torch, to train on or to run without onnxruntime.

    Raises:
        BundleError: missing, broken, or of another kind of network.
    """
    folder = Path(folder)
    info = read_info(folder)
    network = dict(info.network)
    if network.pop("kind", None) != "mlp":
        raise BundleError(f"{folder} holds a network of kind {info.network.get('kind')!r}; this version loads 'mlp'.")
    try:
        policy = MLPPolicy(info.spec, NetworkConfig.from_json(network))
    except (KeyError, TypeError, SpecError, BundleError) as error:
        raise BundleError(f"{folder / POLICY_JSON} has a network that is none: {error}. Export it again.") from None
    try:
        policy.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise BundleError(f"{folder / WEIGHTS} does not fit its policy.json: {error}.") from None
    return policy.eval()
