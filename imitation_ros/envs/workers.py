"""Processes that run episodes for this one, and keep their environments open between rounds."""

from __future__ import annotations

import multiprocessing
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

from imitation_ros.data.episode import Episode
from imitation_ros.envs.opening import open_environment
from imitation_ros.envs.rollout import one_thread, run_episode
from imitation_ros.errors import TrainingError
from imitation_ros.policies.driving import Driver

PATIENCE_S = 2.0  # for processes to end by themselves, before they are ended


@dataclass(frozen=True)
class Opening:
    """What every worker opens: the arguments of open_environment."""

    setup: str | Path
    disturbance: bool = False
    randomisation: bool = False
    terminate_on_success: bool = False


@dataclass(frozen=True)
class Round:
    """The episodes wanted of one policy."""

    policy: Driver
    starts: Sequence[int]
    seed: int
    purpose: str


@dataclass(frozen=True)
class Failure:
    """What went wrong in a worker, with its traceback as text: a traceback itself cannot travel."""

    error: Exception
    traceback: str


class WorkerError(Exception):
    """Shows a worker's traceback as the cause of its error."""


class Copying(ForkingPickler):
    """Sends copies: torch would have its tensors moved to memory that processes share, each with a file descriptor."""

    _extra_reducers: dict[Any, Any] = {}  # noqa: RUF012 where torch registers that, for every pickler but this


class Processes:
    """Worker processes that share out a round: whoever is free takes the next start.

    Raises what opening the environment raises there.
    """

    def __init__(self, opening: Opening, count: int) -> None:
        # spawn: a forked child would share the state of pybullet and of torch's threads
        context = multiprocessing.get_context("spawn")
        self.taken = context.Value("q", 0)  # how many starts of the round have been taken
        self.workers: dict[Connection, Any] = {}  # process by the pipe that leads to it
        try:
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(target=work, args=(theirs, opening, self.taken), daemon=True)
                process.start()
                theirs.close()  # so that the pipe ends where the worker does
                self.workers[ours] = process
            self.spec, self.time_limit = self.replies(list(self.workers))[0]
        except BaseException:
            self.close()
            raise

    def run(self, wanted: Round) -> list[Episode]:
        """Return the episodes of a round, ordered as its starts."""
        if not self.workers:
            raise TrainingError("these workers are closed, or one of them has ended. Make new ones.")
        message = packed(wanted)  # once, however many workers
        links = list(self.workers)[: len(wanted.starts)]
        self.taken.get_obj().value = 0
        try:
            for link in links:
                self.send(link, message)
            replies = self.replies(links)
        except BaseException as error:
            if not isinstance(error.__cause__, WorkerError):
                self.close()  # what is not answered yet would be taken for the next round's
            raise
        done = dict(pair for reply in replies for pair in reply)
        return [Episode(spec=self.spec, **done[index]) for index in range(len(wanted.starts))]

    def send(self, link: Connection, message: memoryview) -> None:
        try:
            link.send_bytes(message)
        except OSError:
            raise self.ended(link) from None

    def replies(self, links: Sequence[Connection]) -> list[Any]:
        """Return what each worker answers, in their order, once all have; raise the first error among them."""
        answers: dict[Connection, Any] = {}
        while waiting := [link for link in links if link not in answers]:
            for link in wait(waiting):
                assert isinstance(link, Connection)
                try:
                    answers[link] = link.recv()
                except (EOFError, OSError):
                    raise self.ended(link) from None
                if isinstance(answers[link], Failure):
                    self.taken.get_obj().value = 2**62  # nobody need begin another
        for failure in (answers[link] for link in links):
            if isinstance(failure, Failure):
                raise failure.error from WorkerError(failure.traceback)
        return [answers[link] for link in links]

    def ended(self, link: Connection) -> TrainingError:
        process = self.workers[link]
        process.join(PATIENCE_S)
        code = process.exitcode
        how = (
            f"by the signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"with the code {code}"
        )
        return TrainingError(
            f"a worker process ended {how}, and its episodes with it. If it was killed, was memory short? Then take "
            f"fewer workers. If it wrote an error above, mend that (a script starts workers only under "
            f'`if __name__ == "__main__":`).'
        )

    def close(self) -> None:
        """End the workers; one in the middle of an episode is not waited for long."""
        self.taken.get_obj().value = 2**62
        workers, self.workers = self.workers, {}
        for link in workers:
            link.close()  # which a worker reads as the end
        until = time.monotonic() + PATIENCE_S
        for process in workers.values():
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.terminate()
                process.join()
            process.close()


def packed(wanted: Round) -> memoryview:
    try:
        return Copying.dumps(wanted)
    except Exception as error:  # pickle raises one of five
        raise TrainingError(
            f"the policy cannot be sent to other processes: {error}. Define its class and functions at the top of a "
            f"module, or take one worker."
        ) from error


def work(link: Connection, opening: Opening, taken: Any) -> None:
    """Open the environment and answer rounds until the other end of the pipe is closed, or gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        env = open_environment(**vars(opening))
    except Exception as error:
        link.send_bytes(Copying.dumps(failure_of(error)))
        return
    link.send((env.robot_spec, env.time_limit))
    try:
        while True:
            link.send_bytes(answer(env, link.recv_bytes(), taken))
    except (EOFError, OSError):
        env.close()


def answer(env: Any, message: bytes, taken: Any) -> memoryview:
    """Return, as bytes, (index of the start, what its episode holds) of every start that this worker took."""
    try:
        wanted: Round = ForkingPickler.loads(message)
        with one_thread():
            done = [(index, contents(run(env, wanted, index))) for index in take(taken, len(wanted.starts))]
        return Copying.dumps(done)
    except Exception as error:
        return Copying.dumps(failure_of(error))


def take(taken: Any, count: int) -> Iterator[int]:
    """Yield what no other worker has taken, for as long as somebody waits for it."""
    parent = multiprocessing.parent_process()
    while parent is not None and parent.is_alive():
        with taken.get_lock():
            index = taken.value
            taken.value = index + 1
        if index >= count:
            return
        yield index


def run(env: Any, wanted: Round, index: int) -> Episode:
    return run_episode(env, wanted.policy, wanted.starts[index], wanted.seed, wanted.purpose)


def contents(episode: Episode) -> dict[str, Any]:
    """Return an episode's attributes but for its spec, which the other side has."""
    return {name: value for name, value in vars(episode).items() if name != "spec"}


def failure_of(error: Exception) -> Failure:
    """Return what can be sent of an error: itself, or its words where it does not survive being sent."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    failure = Failure(error, text)
    try:
        ForkingPickler.loads(Copying.dumps(failure))
    except Exception:
        return Failure(RuntimeError(f"{type(error).__name__}: {error}"), text)
    return failure
