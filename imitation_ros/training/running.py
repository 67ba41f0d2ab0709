"""One training from its command to its bundle; killed anywhere, the same command goes on from there."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from imitation_ros.algorithms import bc
from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.run import STATE
from imitation_ros.console import bar, console
from imitation_ros.data.load import load_episodes
from imitation_ros.errors import ImitationRosError, TrainingError
from imitation_ros.policies.bundle import check_new_folder
from imitation_ros.training.cloning import demonstrations, facts_of, outcome_of, rows_to_learn
from imitation_ros.training.curves import board_folder
from imitation_ros.training.finish import make_bundle
from imitation_ros.training.held_out import held_out_by_splits, without_tests
from imitation_ros.training.job import Given, Job, gather
from imitation_ros.training.machine import choose_device
from imitation_ros.training.session import Progress, Session, ctrl_c_stops
from imitation_ros.training.tally import Tally


def go_on(done: int, measured: Mapping[str, float]) -> bool:
    return True


def run_training(job: Job, progress: Progress = go_on, only_finish: bool = False) -> Path | None:
    """Train a policy and write its bundle; go on where an earlier call with the same job was interrupted.

    While it runs, everything is saved in `<output>.training` beside the bundle, and TensorBoard's files are in
    `tensorboard/<name>`. The bundle appears as a whole, with its curves, a picture of them, and the learned reward.

    Args:
        progress: is told of every round, the steps (or updates) and what was measured; False stops training.
        only_finish: make a bundle of the best policy that an interrupted training has found so far.

    Returns:
        The bundle's folder; None if somebody stopped training, which is saved then.

    Raises:
        TrainingError: it cannot start, or went wrong; what was saved is kept, and it says where.
        DataError, SpecError, BundleError: see there.
    """
    check_new_folder(job.output)
    device = choose_device(job.device)
    torch.set_num_threads(job.config.threads)
    with ExitStack() as opened:
        given = gather(job, opened)
        tally = Tally()
        with ctrl_c_stops() as stop, bar(f"training {job.output.name}", job.total) as shown:
            board = board_folder(job.output)
            session = Session(job, given, device, shown, board, stop, progress, only_finish)
            opened.callback(session.close)
            try:
                with full_disk_in_words(job):
                    result = learned(job, given, session, tally, device)
            except ImitationRosError as error:
                raise with_a_way_out(error, job, session) from error
        if session.stopped and not only_finish:
            say_stopped(job, result)
            return None
        with full_disk_in_words(job):
            make_bundle(job, given, tally, result, device)
        shutil.rmtree(job.folder)
    return job.output


LINGERING = (
    "None of the {} demonstrations ends at success, and episodes here do: what the expert did afterwards teaches to "
    "linger. Leave --terminate-on-success out, or record demonstrations that end when the task is done."
)


def run_bc(
    data: Path, output: Path, config: bc.Config, device: str = "auto", progress: Progress = go_on
) -> Path | None:
    """Clone the demonstrations of a dataset; see run_training."""
    return run_training(Job(config, output, data, device=device), progress)


def learned(job: Job, given: Given, session: Session, tally: Tally, device: str) -> Result:
    """Call the algorithm with what it takes."""
    workers = None if given.site is None else given.site.workers
    train: Any = import_module(f"imitation_ros.algorithms.{job.algorithm}").train
    if job.algorithm == "bc":
        return cloned(job, given, session, tally, device)
    if job.algorithm == "dagger":
        shown = tally.passing(without_tests(job.data)) if job.data is not None else iter(())
        asked = None if given.expert is None else workers
        result: Result = train(shown, asked, given.expert, job.config, session, device)
        for _ in shown:  # what a training that goes on has seen before
            pass
        return result
    episodes = [] if job.data is None else demonstrations([*without_tests(job.data)], str(job.data), least=1)
    demonstrated = list(tally.passing(episodes))
    if job.terminate_on_success and demonstrated and not any(episode.terminated for episode in demonstrated):
        console.print(LINGERING.format(len(demonstrated)), style="yellow", highlight=False, soft_wrap=True)
    if given.reward is not None:
        result = train(demonstrated, workers, job.config, session, device, given.reward)
    else:
        result = train(demonstrated, workers, job.config, session, device)
    return result


def cloned(job: Job, given: Given, session: Session, tally: Tally, device: str) -> Result:
    assert job.data is not None
    recorded, held_out = held_out_by_splits(load_episodes(job.data), job.data)
    rows, left_out = rows_to_learn(recorded, str(job.data))
    for _ in tally.passing(recorded):
        pass
    found = bc.train(rows, job.config, session.report, device, session, held_out)
    given.data.update(left_out | facts_of(rows, found))
    tally.training.update(outcome_of(found))
    last: Any = found.state.modules["averaged"]
    return Result(found.policy, last.cpu().eval(), found.state)


@contextmanager
def full_disk_in_words(job: Job) -> Iterator[None]:
    """Let whatever cannot be written any more while the block runs be a TrainingError: TensorBoard's files, say."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TrainingError(
            f"{error.filename or job.output} cannot be written: {error.strerror}. Make room, and start the same "
            f"training again: it goes on from what was saved before, if anything was."
        ) from error


def with_a_way_out(error: ImitationRosError, job: Job, session: Session) -> ImitationRosError:
    """Return the error with what can be done about it; remove a folder in which nothing was saved."""
    if session.saved_round >= 0:
        return type(error)(f"{error} The same command with --finish makes a bundle of the best policy so far.")
    if session.lock is not None and not (job.folder / STATE).exists():
        shutil.rmtree(job.folder)
    return error


def say_stopped(job: Job, result: Result) -> None:
    state = result.state
    best = ""
    if state.notes.get("evaluated_steps") is not None:
        best = f" The best policy so far scored {state.best_score:.4g}, after {state.best_steps}."
    console.print(
        f"Stopped after {state.steps} of {job.total} {'updates' if job.algorithm == 'bc' else 'steps'}; everything is "
        f"saved in {job.folder}.{best} The same command goes on from there; with --finish it makes a bundle of the "
        f"best policy so far instead.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
