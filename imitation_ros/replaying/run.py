"""Replay the episodes of a dataset, and print how far each is from what was recorded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from imitation_ros import __version__
from imitation_ros.console import bar, console, print_table
from imitation_ros.data.catalogue import catalogue, choose, read_entries
from imitation_ros.data.editing import EDITED, MARKS
from imitation_ros.data.episode import Episode
from imitation_ros.envs.environment import Environment
from imitation_ros.envs.opening import gymnasium_id, open_environment
from imitation_ros.errors import DataError, SpecError
from imitation_ros.replaying.difference import Difference, Replayed, differences
from imitation_ros.replaying.start import SEARCHED, Start, find_start, recorded_start


@dataclass(frozen=True)
class Verdict:
    """What became of an episode that was replayed, or why it was not.

    Attributes:
        start: None where it could not be replayed.
        problem: why not, in words; empty where it could.
        success: of the replay; None where the task says nothing.
    """

    name: str
    episode: Episode
    tolerance: float
    start: Start | None = None
    problem: str = ""
    found: Sequence[Difference] = field(default_factory=tuple)
    success: bool | None = None

    @property
    def exact(self) -> bool:
        return self.start is not None and all(each.exact for each in self.found)

    @property
    def same_success(self) -> bool:
        return None in (self.episode.success, self.success) or self.episode.success == self.success

    @property
    def reproduced(self) -> bool:
        return self.start is not None and self.same_success and all(each.first is None for each in self.found)


def run_replay(data: Path, episodes: Sequence[str], setup: str, seed: int, tolerance: float) -> int:
    """Replay episodes, print what came out, and return the exit code: 1 where one is not reproduced.

    Args:
        data: one HDF5 file, or a folder of them.
        episodes: which, as `choose` understands them; all where there is none.
        setup: where to replay; that of the recording if empty.
        seed: of the starts, where a recording does not say.
        tolerance: in each field's unit.

    Raises:
        DataError: there is no such dataset or episode.
        SpecError: the setup cannot be simulated.
    """
    if not 0.0 <= tolerance < math.inf:
        raise DataError(f"--tolerance is {tolerance:g}; it should be at least 0, in the unit of each field.")
    if seed < 0:
        raise DataError(f"--seed is {seed}; it should be at least 0.")
    found = catalogue(data)
    found.check_whole()
    chosen = choose(found, episodes or ["all"], "--episode")
    if not chosen:
        raise DataError(f"{data} has no episode that --episode {' '.join(episodes)} means.")
    verdicts: list[Verdict] = []
    ticks, guess = 0, 0
    with bar("replaying", sum(entry.steps for entry in chosen)) as progress, environments() as opened:
        for entry, episode in read_entries(chosen):
            verdict = judge(opened, entry.name, episode, setup, seed, guess, tolerance)
            verdicts.append(verdict)
            guess = guess if verdict.start is None else verdict.start.number + 1
            ticks += entry.steps
            progress.show(ticks, entry.name)
    for verdict in verdicts:
        print_verdict(verdict)
    failed = sum(not verdict.reproduced for verdict in verdicts)
    if len(verdicts) > 1:
        say(f"{len(verdicts) - failed} of {len(verdicts)} episodes are reproduced.")
    return int(failed > 0)


Opened = dict[tuple[str, bool], Environment]


@contextmanager
def environments() -> Iterator[Opened]:
    """Hold environments, by setup and whether it is randomised, and close them."""
    opened: Opened = {}
    try:
        yield opened
    finally:
        for env in opened.values():
            env.close()


def judge(opened: Opened, name: str, episode: Episode, setup: str, seed: int, guess: int, tolerance: float) -> Verdict:
    """Return what becomes of an episode that is replayed."""
    spec = episode.spec
    if not (setup or spec.scene or gymnasium_id(spec.name)):
        problem = f"{spec.name} has no `scene:`: it was recorded from a robot that the simulator does not know"
        return Verdict(name, episode, tolerance, problem=f"{problem}. Give a setup of the same meaning that has one.")
    env = environment_of(opened, episode, setup)
    if lines := spec.differences(env.robot_spec):
        problem = f"{env.robot_spec.name} means something else now, recorded != setup: {'; '.join(lines[:3])}"
        return Verdict(name, episode, tolerance, problem=f"{problem}. Give the setup that it was recorded with.")
    start = recorded_start(episode) or find_start(env, episode, seed, guess)
    if start is None:
        problem = (
            f"the recording does not say at which start it began, and none of the first {SEARCHED['train']} of seed "
            f"{seed} begins as it does. Give another --seed; what a robot, or a simulator that ran freely, did before "
            f"it began cannot be replayed"
        )
        return Verdict(name, episode, tolerance, problem=f"{problem}.")
    replayed = run_again(env, episode, start)
    apart = tuple(differences(episode, replayed, tolerance))
    return Verdict(name, episode, tolerance, start, found=apart, success=replayed.success)


def environment_of(opened: Opened, episode: Episode, setup: str) -> Environment:
    """Return the environment of an episode, open; randomised as the episode was.

    Raises:
        SpecError: there is no such setup, or it cannot be simulated.
    """
    key = setup or episode.spec.name, any(name.startswith("drawn ") for name in episode.attributes)
    if key not in opened:
        try:
            opened[key] = open_environment(key[0], randomisation=key[1])
        except SpecError as error:
            hint = "" if setup else f" Say where it is: --setup my/{key[0]}.yaml."
            raise SpecError(f"{error}{hint}") from None
    return opened[key]


def run_again(env: Environment, episode: Episode, start: Start) -> Replayed:
    """Return what follows from a start under the actions that were executed: the disturbance is in them."""
    observations = [env.begin(start.seed, start.purpose, start.number)]
    rewards = []
    for step in range(episode.steps):
        outcome = env.advance({name: values[step] for name, values in episode.executed.items()})
        observations.append(dict(outcome.observation))
        rewards.append(outcome.reward)
    return Replayed(observations, np.array(rewards), env.success)


def print_verdict(verdict: Verdict) -> None:
    if verdict.start is None:
        say(f"{verdict.name}: not replayed. {verdict.problem}{notes(verdict.episode)}")
        return
    how = f"{verdict.start}, found by its first observation" if verdict.start.found else f"{verdict.start}"
    say(f"{verdict.name} ({how}): {summary(verdict)}; {about_success(verdict)}.{cause(verdict)}")
    if not verdict.exact:
        rows = [
            (
                each.name,
                f"{each.largest:.2g}",
                f"{each.mean:.2g}",
                each.unit,
                "-" if each.first is None else str(each.first),
            )
            for each in verdict.found
        ]
        print_table(("field", "largest", "mean", "unit", "beyond from tick"), rows, drop=("unit",), fold="field")


def summary(verdict: Verdict) -> str:
    if verdict.exact:
        return f"{verdict.episode.steps} ticks, the same to the last bit"
    beyond = [each for each in verdict.found if each.first is not None]
    if not beyond:
        worst = max(verdict.found, key=lambda each: each.largest)
        return (
            f"{verdict.episode.steps} ticks, within {verdict.tolerance:g}: at most {worst.largest:.2g} ({worst.name})"
        )
    first = min(beyond, key=lambda each: each.first or 0)
    return f"{first.name!r} is beyond the tolerance from tick {first.first} of {verdict.episode.steps} on"


def about_success(verdict: Verdict) -> str:
    recorded, again = verdict.episode.success, verdict.success
    if again is None:
        return "the simulator says nothing of success"
    if recorded is None:
        return f"the replay is {MARKS[again]}, the recording is not marked"
    return f"{MARKS[again]}, as recorded" if recorded == again else f"recorded {MARKS[recorded]}, now {MARKS[again]}"


def cause(verdict: Verdict) -> str:
    """Return what may be the cause where an episode is not reproduced."""
    if verdict.reproduced:
        return ""
    begins = any(each.first == 0 for each in verdict.found)
    said = " It begins elsewhere already: it was cut, or the scene has changed." if begins else ""
    return said + notes(verdict.episode)


def notes(episode: Episode) -> str:
    """Return what an episode says of itself that keeps it from being replayed."""
    said = []
    if edited := episode.attributes.get(EDITED):
        said.append(f"It was edited: {edited}.")
    if source := episode.attributes.get("source"):
        said.append(f"It is from a bag: {source}.")
    software = str(episode.attributes.get("software", ""))
    if software and software != f"imitation_ros {__version__}":
        said.append(f"It was made by {software}; this is {__version__}, whose physics may differ.")
    return "".join(f" {each}" for each in said)


def say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
