"""A run that a person follows: a bar, TensorBoard, Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.state import TrainState
from imitation_ros.console import Bar, console
from imitation_ros.envs.collect import Workers
from imitation_ros.envs.evaluate import Evaluation, evaluate_with
from imitation_ros.errors import TrainingError
from imitation_ros.policies.policy import MLPPolicy
from imitation_ros.training.cloning import said_of
from imitation_ros.training.curves import add_row, write_board
from imitation_ros.training.job import Given, Job, identity_of

VALIDATION_SEED = 0  # the same starts for every training, whatever its own seed
VALIDATION_STARTS, VALIDATIONS = 20, 10  # of cloning in an environment, whose Config says nothing of that
TWICE_S = 1.0  # a launch and the terminal both send SIGINT
Progress = Callable[[int, Mapping[str, float]], bool]


class Stop:
    """Whether somebody has pressed Ctrl-C."""

    def __init__(self) -> None:
        self.asked_s: float | None = None

    def ask(self, number: int, frame: Any) -> None:
        now_s = time.monotonic()
        if self.asked_s is None:
            self.asked_s = now_s
            console.print("ending at the next round, with everything saved. Ctrl-C again ends at once.")
        elif now_s - self.asked_s > TWICE_S:
            raise KeyboardInterrupt


@contextmanager
def ctrl_c_stops() -> Iterator[Stop]:
    """Let Ctrl-C, and being told to end, stop a training between two rounds while the block runs."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Session(Run):
    """A run in the folder beside its bundle, evaluated in its environment and shown as it goes.

    Args:
        shown: says how far it is.
        board: the folder for TensorBoard's files.
        progress: is told of every round; False stops training.
        only_finish: make what there is into a Result, without going on.
    """

    def __init__(
        self,
        job: Job,
        given: Given,
        device: str,
        shown: Bar,
        board: Path,
        stop: Stop,
        progress: Progress,
        only_finish: bool,
    ) -> None:
        self.judges = None if given.site is None else given.site.judges
        self.starts = getattr(job.config, "validation_starts", VALIDATION_STARTS)
        every = getattr(job.config, "evaluate_every", max(1, job.total // VALIDATIONS))
        judge = None if self.judges is None else self.validate
        super().__init__(job.folder, identity_of(job, given, device), job.total, judge, every, self.tell)
        self.shown, self.board_folder, self.stop, self.progress = shown, board, stop, progress
        self.only_finish, self.cloning = only_finish, job.algorithm == "bc"
        self.board: SummaryWriter | None = None
        self.latest: Evaluation | None = None
        self.said = ""
        self.reached: int | None = None

    def resume(self, state: TrainState) -> None:
        super().resume(state)
        if self.only_finish:
            if self.saved_round < 0:
                raise TrainingError(f"there is nothing to finish: no training was saved in {self.path}. Train first.")
            self.reached, state.steps = state.steps, self.total_steps  # so that the algorithm has nothing left to do
            self.stopped = True
            return
        self.board = write_board(self.board_folder, state.notes.get("curve", []))
        self.shown.begin(state.steps)

    def say_resumed(self, state: TrainState) -> None:
        how = "making a bundle of the best policy up to" if self.only_finish else "going on after"
        there = f"{state.steps} updates" if self.cloning else f"round {state.round} ({state.steps} steps)"
        self.say(f"{how} {there}, as {self.path} was saved.")

    def finish(self, state: TrainState, policy: MLPPolicy, reward_net: Any = None) -> Result:
        if self.reached is not None:
            state.steps, state.best_steps = self.reached, min(state.best_steps, self.reached)
        return super().finish(state, policy, reward_net)

    def validate(self, policy: Any) -> Evaluation:
        assert isinstance(self.judges, Workers)
        self.latest = evaluate_with(self.judges, policy, self.starts, VALIDATION_SEED, "validation")
        return self.latest

    def judge(self, state: TrainState, policy: MLPPolicy, row: dict[str, float]) -> list[str]:
        told = super().judge(state, policy, row)
        if self.latest is not None and self.latest.episodes > 1:
            row["evaluation/return_low"], row["evaluation/return_high"] = self.latest.return_interval
        if self.latest is not None:
            row["evaluation/steps_per_episode"] = sum(self.latest.steps) / self.latest.episodes
        return told

    def tell(self, steps: int, measured: Mapping[str, float]) -> bool:
        if self.board is not None:
            add_row(self.board, steps, measured)
        if "evaluation/success" in measured:
            self.said = f"success {100 * measured['evaluation/success']:.0f} %"
        elif "evaluation/return" in measured:
            self.said = f"return {measured['evaluation/return']:.4g}"
        elif said_of(measured):
            self.said = said_of(measured)
        if self.reached is None:
            self.shown.show(steps, self.said)
        return self.progress(steps, measured) and self.stop.asked_s is None

    def close(self) -> None:
        if self.board is not None:
            self.board.close()
        if self.lock is not None:
            self.lock.close()
