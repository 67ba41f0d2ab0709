"""Score episodes by a learned reward, and rank them: which were done well, and which not as the expert would."""

from __future__ import annotations

import csv as csv_files
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, islice
from pathlib import Path

from imitation_ros.algorithms.frozen_reward import FrozenReward
from imitation_ros.algorithms.reward_file import load_reward
from imitation_ros.console import console, print_table
from imitation_ros.data.checks import check_values
from imitation_ros.data.dataset import data_hash
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
    print_scores(scores)
    learned_from = frozen.info.provenance.get("data", {}).get("sha256")
    themselves = learned_from is not None and learned_from == data_hash(data)
    said = summary(scores, frozen.info.demonstrations, themselves)
    console.print(said, highlight=False, markup=False, soft_wrap=True)
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


def print_scores(scores: list[Score]) -> None:
    """Print a line for each; what no episode has (a success mark, a return of the task) gets no column."""
    columns: dict[str, list[str]] = {
        "rank": [f"{place:>4}" for place in range(1, len(scores) + 1)],
        "episode": [score.episode for score in scores],
        "reward per step": aligned([score.mean_reward for score in scores]),
        "in all": aligned([score.total_reward for score in scores]),
        "steps": aligned([float(score.steps) for score in scores]),
        "success": [{None: "-", True: "yes", False: "no"}[score.success] for score in scores],
        "task's return": aligned([score.task_return for score in scores]),
        "": ["unlike the expert" if score.unlike_expert else "" for score in scores],
    }
    columns = {head: texts for head, texts in columns.items() if any(text.strip() not in ("", "-") for text in texts)}
    styles = ["yellow" if score.unlike_expert else "" for score in scores]
    rows = [(*row, style) for row, style in zip(zip(*columns.values(), strict=True), styles, strict=True)]
    dropped = [head for head in ("rank", "task's return", "in all", "steps") if head in columns]
    print_table(tuple(columns), rows, drop=dropped, fold="episode")


def aligned(values: Sequence[float | None]) -> list[str]:
    """Return numbers as texts of one length, with as many decimals as the largest needs for four digits; None as -."""
    known = [abs(value) for value in values if value is not None and math.isfinite(value)]
    largest = max(known, default=0.0)
    whole = all(value == round(value) for value in known)
    decimals = 0 if whole else max(0, 3 - (math.floor(math.log10(largest)) if largest else 0))
    texts = ["-" if value is None else f"{value:.{decimals}f}" for value in values]
    return [text.rjust(max(map(len, texts), default=0)) for text in texts]


def summary(scores: list[Score], demonstrations: Mapping[str, float], themselves: bool) -> str:
    """Return how many look unlike the expert.

    Args:
        themselves: the episodes are the demonstrations, none of which can.
    """
    if not demonstrations:
        return "What the expert's own episodes are worth was not saved with this reward, so it can only rank."
    count, lowest, highest = (demonstrations[name] for name in ("episodes", "lowest", "highest"))
    if themselves:
        return f"These are the demonstrations that it was learned from: {lowest:.4g} to {highest:.4g} per step."
    unlike = sum(bool(score.unlike_expert) for score in scores)
    of_all = (
        f"{unlike} of {len(scores)} look unlike the expert: below" if unlike else "None looks unlike the expert: below"
    )
    return f"{of_all} {lowest:.4g} per step, the lowest of the {count:.0f} demonstrations (highest {highest:.4g})."


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
