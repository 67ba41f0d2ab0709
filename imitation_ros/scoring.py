"""Score episodes by a learned reward, and rank them: which were done well, and which not as the expert would."""

from __future__ import annotations

import csv as csv_files
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import chain, islice
from pathlib import Path

from imitation_ros.algorithms.frozen_reward import FrozenReward
from imitation_ros.algorithms.reward_file import load_reward
from imitation_ros.console import console, print_table
from imitation_ros.data.checks import check_values
from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.hdf5 import read_episodes
from imitation_ros.errors import DataError


@dataclass(frozen=True)
class Score:
    """What a reward says of one episode.

    Attributes:
        episode: its file, and its number there where there are several.
        mean_reward: of its steps.
        total_reward: of its steps, and of what follows where the task ended it, as a learner would count it.
        task_return: the sum of the task's own rewards; None where there are none.
        success: what the operator or the task said; None where nobody did.
        unlike_expert: whether mean_reward is below that of every demonstration that the reward was learned from; None
            where that is not known. One in n + 1 of an expert's own episodes is, by chance, after n demonstrations.
    """

    episode: str
    steps: int
    mean_reward: float
    total_reward: float
    task_return: float | None
    success: bool | None
    unlike_expert: bool | None


def run_scoring(reward: Path, data: Path, csv: Path | None = None) -> list[Score]:
    """Score every episode of a dataset, print a table with the best first, and return its rows.

    Args:
        reward: its folder, or the bundle of the policy that was learned with it.
        data: one HDF5 file, or a folder of them.
        csv: a file to write the table to; must not exist.

    Raises:
        BundleError: the reward is broken, or was learned for something else.
        DataError: there is no episode, or one is broken; or the CSV file cannot be written.
    """
    if csv is not None and csv.exists():
        raise DataError(f"{csv} already exists. Choose another file, or move it away: nothing is overwritten.")
    frozen = load_reward(reward)
    scores = [score_of(frozen, name, episode) for name, episode in named_episodes(data) if episode.steps]
    if not scores:
        raise DataError(f"{data} holds no episode with a step. Record some with `imitation-ros record`.")
    scores.sort(key=lambda score: -score.mean_reward)
    print_scores(scores, frozen.info.demonstrations)
    if csv is not None:
        write_csv(csv, scores)
    return scores


def named_episodes(data: Path) -> Iterator[tuple[str, Episode]]:
    """Yield every episode, one at a time, as `file` or, where a file holds several, `file:number`."""
    for path in dataset_files(data):
        episodes = read_episodes(path)
        ahead = list(islice(episodes, 2))
        for number, episode in enumerate(chain(ahead, episodes)):
            check_values(episode, str(path))
            yield f"{path.name}:{number}" if len(ahead) > 1 else path.name, episode


def score_of(reward: FrozenReward, name: str, episode: Episode) -> Score:
    reward.check_fits(episode.spec, name)
    rewards = reward.of_episodes([episode])[0].astype(float)
    mean, lowest = float(rewards.mean()), reward.info.demonstrations.get("lowest")
    return Score(
        episode=name,
        steps=episode.steps,
        mean_reward=mean,
        total_reward=float(rewards.sum()) + (reward.after_end() if episode.terminated else 0.0),
        task_return=None if episode.rewards is None else float(episode.rewards.sum()),
        success=episode.success,
        unlike_expert=None if lowest is None else mean < lowest,
    )


def print_scores(scores: list[Score], demonstrations: Mapping[str, float]) -> None:
    heads = ("rank", "episode", "reward per step", "in all", "steps", "success", "task's return", "")
    rows = []
    for place, score in enumerate(scores, start=1):
        success = {None: "-", True: "yes", False: "no"}[score.success]
        task = "-" if score.task_return is None else f"{score.task_return:.4g}"
        worth = (f"{score.mean_reward:.4g}", f"{score.total_reward:.4g}", f"{score.steps}")
        unlike = "unlike the expert" if score.unlike_expert else ""
        style = "yellow" if score.unlike_expert else ""
        rows.append((f"{place}", score.episode, *worth, success, task, unlike, style))
    print_table(heads, rows, drop=("rank", "task's return", "in all", "steps"), fold="episode")
    console.print(summary(scores, demonstrations), highlight=False, markup=False, soft_wrap=True)


def summary(scores: list[Score], demonstrations: Mapping[str, float]) -> str:
    if not demonstrations:
        return "What the expert's own episodes are worth was not saved with this reward, so it can only rank."
    unlike = sum(bool(score.unlike_expert) for score in scores)
    return (
        f"{unlike} of {len(scores)} look unlike the expert: below {demonstrations['lowest']:.4g} per step, the lowest "
        f"of the {demonstrations['episodes']:.0f} demonstrations (highest {demonstrations['highest']:.4g})."
    )


def write_csv(path: Path, scores: list[Score]) -> None:
    names = [field.name for field in fields(Score)]
    try:
        with path.open("w", newline="") as file:
            writer = csv_files.writer(file)
            writer.writerow(["rank", *names])
            for place, score in enumerate(scores, start=1):
                writer.writerow([place, *(getattr(score, name) for name in names)])
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}. Choose another file.") from None
