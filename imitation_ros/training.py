"""Train a policy from recordings: a dataset in, a bundle out. Needs no ROS."""

from __future__ import annotations

import contextlib
import csv
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from imitation_ros import __version__
from imitation_ros.algorithms import bc
from imitation_ros.console import bar, console
from imitation_ros.data.checks import check_same_meaning, check_values
from imitation_ros.data.dataset import Transitions, data_hash, fresh_steps, ranges_of, silent_steps, transitions
from imitation_ros.data.episode import Episode
from imitation_ros.data.load import load_episodes
from imitation_ros.errors import DataError, TrainingError
from imitation_ros.policies.bundle import check_new_folder
from imitation_ros.policies.checkpoint import save_bundle
from imitation_ros.policies.policy import MLPPolicy

PARITY_SAMPLES = 64  # observations on which ONNX is compared with torch
CURVES = "training.csv"


def learn(
    episodes: Sequence[Episode],
    output: str | Path | None = None,
    config: bc.Config | None = None,
    device: str = "auto",
) -> MLPPolicy:
    """Clone demonstrations that are at hand as Episodes, and return the policy.

    Args:
        episodes: at least two; those marked as failures are left out.
        output: the folder for the policy bundle, which robots load; none is written if left out.
        config: the algorithm's settings.
        device: auto, cpu or cuda.

    Raises:
        DataError, TrainingError, BundleError: see there; nothing is written then.
    """
    episodes, folder = list(episodes), None if output is None else Path(output)
    for index, episode in enumerate(episodes):
        if not isinstance(episode, Episode):
            raise DataError(
                f"episode {index} is a {type(episode).__name__}; episode_from_arrays makes an Episode of it."
            )
        names = f"episodes 0 and {index}"
        check_same_meaning(episodes[0].spec, episode.spec, names, "Learn a policy from each kind.")
        check_values(episode, f"episode {index}")
    rows, left_out = rows_to_learn(episodes, "the list of episodes")
    return clone(rows, {"source": "episodes in memory", **left_out}, folder, config or bc.Config(), device).policy


def run_bc(
    data: Path,
    output: Path,
    config: bc.Config,
    device: str = "auto",
    progress: Callable[[int, Mapping[str, float]], bool] = lambda update, measured: True,
) -> Path:
    """Clone the demonstrations of a dataset and write the policy's bundle.

    Shows a progress bar, writes TensorBoard's files to `tensorboard/<name>` beside the bundle and the
    curves to `training.csv` inside it.

    Args:
        data: one HDF5 file, or a folder of them; episodes marked as failures are left out.
        output: the bundle's folder; must not exist.
        config: the algorithm's settings.
        device: auto, cpu or cuda.
        progress: called about once a second with the update and what was measured, if anything; False stops training.

    Raises:
        DataError, TrainingError, BundleError: see there; nothing is written then.
    """
    check_new_folder(output)
    rows, left_out = rows_to_learn(load_episodes(data), str(data))
    clone(rows, {"folder": str(data), "sha256": data_hash(data), **left_out}, output, config, device, progress)
    return output


def clone(
    rows: Transitions,
    source: Mapping[str, Any],
    output: Path | None,
    config: bc.Config,
    device: str,
    progress: Callable[[int, Mapping[str, float]], bool] = lambda update, measured: True,
) -> bc.Result:
    """Train, show how far it is, and write the bundle if there is an `output`."""
    if output is not None:
        check_new_folder(output)
    device = choose_device(device)
    torch.set_num_threads(config.threads)
    curves: list[dict[str, float]] = []
    board = None if output is None else SummaryWriter(str(board_folder(output)))
    with board or contextlib.nullcontext(), bar("training", config.updates) as shown:

        def report(update: int, measured: Mapping[str, float]) -> bool:
            if measured:
                curves.append({"update": update, **measured})
            if board is not None:
                for name, value in measured.items():
                    board.add_scalar(name, value, update)
            error = curves[-1].get("validation_error") if curves else None
            shown.show(update, "" if error is None else f"validation error {error:.4f}")
            return progress(update, measured)

        result = bc.train(rows, config, report, device)
    if output is not None:
        provenance = provenance_of(rows, source, config, device, result)
        save_bundle(output, result.policy, provenance, ranges_of(rows), parity_samples(rows.observations))
        write_curves(output / CURVES, curves)
    return result


def board_folder(output: Path) -> Path:
    """Return where TensorBoard's files of a bundle are: beside it."""
    return output.parent / "tensorboard" / output.name


def provenance_of(
    rows: Transitions, source: Mapping[str, Any], config: bc.Config, device: str, result: bc.Result
) -> dict[str, Any]:
    """Return what policy.json says of where a policy came from."""
    return {
        "algorithm": "bc",
        "config": asdict(config),
        "data": {
            **source,
            "episodes": len(rows.present),
            "transitions": len(rows),
            "training_episodes": result.training_episodes,
            "validation_episodes": result.validation_episodes,
        },
        "training": {
            "updates": result.updates,
            "kept_update": result.best_update,
            "validation_error": result.validation_error,
            "device": device,
        },
        "versions": versions(),
    }


def rows_to_learn(recorded: list[Episode], data: str) -> tuple[Transitions, dict[str, int]]:
    """Return the ticks that are fit to learn from, and say how many are not; `data` names them in errors.

    Raises:
        DataError: every tick is stale, or images do not fit into the memory.
        TrainingError: fewer than two episodes are left.
    """
    episodes = demonstrations(recorded, data)
    rows = transitions(episodes)
    if len(rows.present) < 2:
        raise TrainingError(
            f"{data} holds 1 demonstration with a fresh observation; at least 2 are needed: one to learn from, one to "
            f"hold out. `imitation-ros info {data}` shows the ages."
        )
    left_out = {
        "failures_left_out": len(recorded) - len(episodes),
        "stale_ticks_left_out": sum(episode.steps for episode in episodes) - len(rows),
        "silent_ticks_kept": sum(int((silent_steps(e) & fresh_steps(e)).sum()) for e in episodes),
    }
    console.print(
        f"learning from {len(rows)} ticks of {len(rows.present)} episodes; left out: "
        f"{left_out['failures_left_out']} episode(s) marked as failures, {left_out['stale_ticks_left_out']} stale "
        f"tick(s); {left_out['silent_ticks_kept']} silent tick(s) are kept.",
        highlight=False,
        soft_wrap=True,
    )
    return rows, left_out


def demonstrations(episodes: list[Episode], data: str) -> list[Episode]:
    """Return the episodes to learn from: all that were not marked as failures.

    Raises:
        TrainingError: fewer than two are left, so that none could be held out.
    """
    kept = [episode for episode in episodes if episode.success is not False]
    if len(kept) < 2:
        raise TrainingError(
            f"{data} holds {len(kept)} demonstration(s) ({len(episodes) - len(kept)} marked as failures); "
            f"at least 2 are needed: one to learn from, one to hold out. Record more."
        )
    return kept


def choose_device(device: str) -> str:
    if device not in ("auto", "cpu", "cuda"):
        raise TrainingError(f"the device {device!r} is unknown; allowed: auto, cpu, cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device is cuda, but torch sees no GPU. Install torch's CUDA build, or use auto.")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def parity_samples(observations: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray[Any, Any]]:
    count = len(next(iter(observations.values())))
    rows = torch.linspace(0, count - 1, min(PARITY_SAMPLES, count)).long()
    return {name: value[rows].numpy() for name, value in observations.items()}


def versions() -> dict[str, str]:
    return {
        "imitation_ros": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def write_curves(path: Path, curves: list[dict[str, float]]) -> None:
    names = list(dict.fromkeys(name for row in curves for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(curves)
