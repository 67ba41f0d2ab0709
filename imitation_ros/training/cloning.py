"""Clone demonstrations that are at hand, and choose what is fit to be cloned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from imitation_ros.algorithms import bc
from imitation_ros.console import bar, console
from imitation_ros.data.checks import check_same_meaning, check_values
from imitation_ros.data.dataset import Transitions, fresh_steps, ranges_of, silent_steps, transitions
from imitation_ros.data.episode import Episode
from imitation_ros.errors import DataError, TrainingError
from imitation_ros.policies.bundle import check_new_folder
from imitation_ros.policies.checkpoint import save_bundle
from imitation_ros.policies.policy import MLPPolicy
from imitation_ros.training.curves import CURVE, board_folder, write_board, write_curve
from imitation_ros.training.machine import choose_device, versions

PARITY_SAMPLES = 64  # observations on which ONNX is compared with torch


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
    episodes, config = list(episodes), config or bc.Config()
    for index, episode in enumerate(episodes):
        if not isinstance(episode, Episode):
            raise DataError(
                f"episode {index} is a {type(episode).__name__}; episode_from_arrays makes an Episode of it."
            )
        names = f"episodes 0 and {index}"
        check_same_meaning(episodes[0].spec, episode.spec, names, "Learn a policy from each kind.")
        check_values(episode, f"episode {index}")
    rows, left_out = rows_to_learn(episodes, "the list of episodes")
    if output is not None:
        check_new_folder(Path(output))
    device = choose_device(device)
    torch.set_num_threads(config.threads)
    with bar("training", config.updates) as shown:

        def report(update: int, measured: Mapping[str, float]) -> bool:
            shown.show(update, said_of(measured))
            return True

        result = bc.train(rows, config, report, device)
    if output is not None:
        provenance = {
            "algorithm": "bc",
            "config": asdict(config),
            "data": {"source": "episodes in memory", **left_out, **facts_of(rows, result)},
            "training": {**outcome_of(result), "device": device},
            "versions": versions(),
        }
        save_bundle(Path(output), result.policy, provenance, ranges_of(rows), parity_samples(rows.observations))
        write_curve(Path(output) / CURVE, result.state.notes["curve"])
        write_board(board_folder(Path(output)), result.state.notes["curve"]).close()
    return result.policy


def said_of(measured: Mapping[str, float]) -> str:
    """Return what a bar says of a look at the held-out episodes."""
    error = measured.get("validation_error")
    return "" if error is None else f"validation error {error:.4f}"


def facts_of(rows: Transitions, result: bc.Result) -> dict[str, Any]:
    """Return what a bundle says of what was learned from, and what held out."""
    return {
        "episodes": len(rows.present),
        "transitions": len(rows),
        "training_episodes": result.training_episodes,
        "validation_episodes": result.validation_episodes,
    }


def outcome_of(result: bc.Result) -> dict[str, Any]:
    """Return what a bundle says of how cloning went."""
    held_out = {"validation_error": result.validation_error} if result.validation_episodes else {}
    return {"updates": result.updates, "kept_update": result.best_update, **held_out}


def rows_to_learn(recorded: Sequence[Episode], data: str) -> tuple[Transitions, dict[str, int]]:
    """Return the ticks that are fit to learn from, and say how many are not; `data` names them in errors.

    Raises:
        DataError: every tick is stale, or images do not fit into the memory.
        TrainingError: fewer than two episodes are left.
    """
    episodes = demonstrations(recorded, data, least=2)
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


def demonstrations(episodes: Sequence[Episode], data: str, least: int) -> list[Episode]:
    """Return the episodes to learn from: all that were not marked as failures.

    Raises:
        TrainingError: fewer than `least` are left.
    """
    kept = list(not_failed(episodes))
    if len(kept) < least:
        why = "at least 2 are needed: one to learn from, one to hold out" if least > 1 else "at least 1 is needed"
        raise TrainingError(
            f"{data} holds {len(kept)} demonstration(s) ({len(episodes) - len(kept)} marked as failures); "
            f"{why}. Record more."
        )
    return kept


def not_failed(episodes: Iterable[Episode]) -> Iterator[Episode]:
    return (episode for episode in episodes if episode.success is not False)


def parity_samples(observations: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return a few observations, spread over all: on these, ONNX is compared with torch."""
    count = len(next(iter(observations.values())))
    rows = torch.linspace(0, count - 1, min(PARITY_SAMPLES, count)).long()
    return {name: value[rows].numpy() for name, value in observations.items()}
