"""The end of a training: figures on starts that it never saw, and the bundle with all that is known of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch.optim import Optimizer

from imitation_ros.algorithms.reward_file import BESIDE_POLICY, save_reward
from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.run import driver
from imitation_ros.algorithms.state import TrainState
from imitation_ros.console import console, print_table
from imitation_ros.data.dataset import data_hash
from imitation_ros.envs.evaluate import Evaluation, evaluation_of
from imitation_ros.policies.bundle import publish_folder
from imitation_ros.policies.checkpoint import save_bundle
from imitation_ros.policies.driving import without_drawing
from imitation_ros.training.cloning import not_failed
from imitation_ros.training.curves import CURVE, write_curve
from imitation_ros.training.held_out import without_tests
from imitation_ros.training.job import Given, Job, Site, environment_facts
from imitation_ros.training.machine import versions
from imitation_ros.training.tally import Tally

TEST_STARTS, TEST_SEED = 100, 0  # those of `imitation-ros evaluate`; the same for every policy, so they can be paired
PICTURE = "training.png"
EPISODES = "episodes"  # that DAgger collected: what the expert was asked for
SELECTED, LAST, SHOWN = "selected", "last", "demonstrations"
PART = "bundle"


def make_bundle(job: Job, given: Given, tally: Tally, result: Result, device: str) -> None:
    """Measure what was learned, write the bundle with everything beside it, and print a table."""
    figures: dict[str, Evaluation] = {}
    if given.site is not None:
        with console.status(f"{TEST_STARTS} test starts of {given.site.env}"):
            figures = measure(given.site, result, tally)
    if tally.evaluation is not None:
        figures[SHOWN] = tally.evaluation
    part = job.folder / PART
    if part.exists():
        shutil.rmtree(part)  # of a call that was killed here
    provenance = provenance_of(job, given, tally, result, device, figures)
    save_bundle(part, result.policy, provenance, tally.ranges, tally.samples)
    curve = curve_of(result.state, job)
    write_curve(part / CURVE, curve)
    from imitation_ros.training.picture import draw_training  # matplotlib takes a second

    draw_training(part / PICTURE, job, result.state, figures.get(SHOWN))
    if result.reward_net is not None and job.data is not None:
        demonstrations = not_failed(without_tests(job.data))
        save_reward(part / BESIDE_POLICY, result.reward_net, result.policy, without_details(provenance), demonstrations)
    if (job.folder / EPISODES).is_dir():
        shutil.copytree(job.folder / EPISODES, part / EPISODES, copy_function=link_or_copy)
    publish_folder(part, job.output)
    if SELECTED in figures:
        print_figures(figures, result.state)


def link_or_copy(source: str, target: str) -> None:
    """Let a file have another name, or a copy where the file system knows no two names for one file."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def measure(site: Site, result: Result, tally: Tally) -> dict[str, Evaluation]:
    """Return how the selected and the last policy do, by their most likely actions, on the same test starts."""
    episodes = test_episodes(site, result.policy)
    if not tally.steps:  # nobody demonstrated: what the policy sees is what a robot should see
        for episode in episodes:
            tally.add(episode)
        tally.steps.clear()
        tally.counts.clear()
    figures = {SELECTED: evaluation_of(episodes), LAST: evaluation_of(episodes)}
    if result.state.best_steps != result.state.steps:
        figures[LAST] = evaluation_of(test_episodes(site, result.last))
    return figures


def test_episodes(site: Site, policy: Any) -> list[Any]:
    return site.judges.collect(without_drawing(driver(policy)), TEST_STARTS, TEST_SEED, "test")


def provenance_of(
    job: Job, given: Given, tally: Tally, result: Result, device: str, figures: Mapping[str, Evaluation]
) -> dict[str, Any]:
    """Return what policy.json says of where a policy came from."""
    state = result.state
    training = {
        "steps": state.steps,
        "of": job.total,
        "rounds": state.round,
        "episodes": state.episodes,
        "kept_steps": state.best_steps,
        "device": device,
        "warnings": state.notes.get("warnings", []),
        "curve": [
            {name.removeprefix("evaluation/"): value for name, value in row.items() if is_of_evaluation(name)}
            for row in state.notes.get("curve", [])
            if "evaluation/return" in row
        ],
    }
    if labels := state.notes.get("labels"):
        training["labels"] = {"all": sum(labels), "per_round": labels}
    if (job.folder / EPISODES).is_dir():
        training["collected_sha256"] = data_hash(job.folder / EPISODES)
    updates = {name: count for name, optimizer in state.optimizers.items() if (count := updates_of(optimizer))}
    if updates:
        training["updates"] = updates.get("policy", max(updates.values()))
        training["updates_of_each"] = updates
    return {
        "algorithm": job.algorithm,
        "config": asdict(job.config),
        "environment": None if given.site is None else environment_facts(job, given.site),
        "expert": job.expert or None,
        "reward": job.reward or None,
        "data": {**given.data, **{name: count for name, count in tally.counts.items() if name not in given.data}},
        "training": training | tally.training,
        "evaluation": {name: facts_of(figure) for name, figure in figures.items()},
        "versions": versions(),
    }


def without_details(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a reward says of where it came from."""
    training = {name: value for name, value in provenance["training"].items() if name not in ("curve", "warnings")}
    return {**{name: provenance[name] for name in ("algorithm", "data", "versions")}, "training": training}


def is_of_evaluation(name: str) -> bool:
    return name == "steps" or name.startswith("evaluation/")


def updates_of(optimizer: Optimizer) -> int:
    """Return how many updates an optimiser has made, over all interruptions."""
    return max((int(kept.get("step", 0)) for kept in optimizer.state.values()), default=0)


def facts_of(figure: Evaluation) -> dict[str, Any]:
    """Return what a bundle says of an evaluation."""
    facts: dict[str, Any] = {
        "episodes": figure.episodes,
        "return": figure.mean_return,
        "steps_per_episode": sum(figure.steps) / figure.episodes,
    }
    if figure.episodes > 1:
        facts["return_interval"] = list(figure.return_interval)
    if figure.successes is not None:
        facts |= {"success": figure.success_rate, "success_interval": list(figure.interval)}
    return facts


def curve_of(state: TrainState, job: Job) -> list[dict[str, float]]:
    """Return the rows of training.csv; cloning counts updates."""
    rows: list[dict[str, float]] = state.notes.get("curve", [])
    if job.algorithm != "bc":
        return rows
    return [{"update": row["steps"], **{k: v for k, v in row.items() if k not in ("steps", "round")}} for row in rows]


def print_figures(figures: Mapping[str, Evaluation], state: TrainState) -> None:
    """Print who did how well; without successes where nobody says what success is."""
    names = {SELECTED: f"selected (after {state.best_steps})", LAST: f"last (after {state.steps})"}
    judged = any(figure.successes is not None for figure in figures.values())
    heads = ("policy", *(["success (95 %)"] if judged else []), "return (95 %)", "steps", "episodes")
    rows: list[tuple[str, ...]] = []
    for key, figure in figures.items():
        low, high = figure.interval
        success = (
            "-"
            if figure.successes is None
            else f"{100 * figure.success_rate:.0f} % ({100 * low:.0f} to {100 * high:.0f})"
        )
        low, high = figure.return_interval
        reward = f"{figure.mean_return:.4g}" + (f" ({low:.4g} to {high:.4g})" if figure.episodes > 1 else "")
        steps = f"{sum(figure.steps) / figure.episodes:.0f}"
        rows.append((names.get(key, key), *([success] if judged else []), reward, steps, str(figure.episodes)))
    print_table(heads, rows, drop=("episodes", "steps"), fold="policy")
