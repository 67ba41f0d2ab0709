"""What every training run does beside its algorithm: evaluate, keep the best, save, go on, say what goes wrong."""

from __future__ import annotations

import copy
import fcntl
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import torch

from imitation_ros.algorithms.history import History
from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.state import TrainState, load_state, save_state
from imitation_ros.algorithms.watch import LOG_STD, fallen, log_std_of, score_of, stuck
from imitation_ros.console import console
from imitation_ros.envs.evaluate import Evaluation
from imitation_ros.errors import SpecError, TrainingError
from imitation_ros.policies.actor import Actor
from imitation_ros.policies.policy import MLPPolicy

STATE, HISTORY, LOCK = "state.safetensors", "history", "lock"
SAVE_SHARE = 0.02  # of the time, at most: a kill costs the rounds since, never a bit of the result


class Run:
    """One training, from its start or from where it was interrupted.

    Args:
        folder: for the state and the history; None keeps nothing on the disk.
        identity: which training it is; see load_state.
        total_steps: after which the last evaluation is due, in what state.steps counts.
        evaluate: how good a policy is; None: nobody asks, and the best policy is the one that the algorithm gave to
            `keep`, or the last.
        evaluate_every: so many steps there is an evaluation; also after the first round and at the end.
        report: is called after every round with the steps and what was measured; False stops training.
    """

    def __init__(
        self,
        folder: Path | None,
        identity: Mapping[str, Any],
        total_steps: int,
        evaluate: Callable[[Any], Evaluation] | None,
        evaluate_every: int,
        report: Callable[[int, Mapping[str, float]], bool],
    ) -> None:
        self.path = None if folder is None else folder / STATE
        self.identity, self.total_steps = identity, total_steps
        self.evaluate, self.evaluate_every, self.report = evaluate, evaluate_every, report
        self.history = History(None if folder is None else folder / HISTORY)
        self.saved_round = -1
        self.save_s = 0.0  # how long the last save took
        self.saved_at_s = -math.inf
        self.stopped = False
        self.lock: TextIO | None = None

    def resume(self, state: TrainState) -> None:
        """Go on from the state that was saved last, if there is one.

        Raises:
            TrainingError: it is of another training, or broken; or another process is training there now.
        """
        if self.path is None:
            return
        self.lock = locked(self.path.parent)
        if self.path.exists():
            load_state(self.path, state, self.identity)
            self.saved_round = state.round
            self.say_resumed(state)
        self.history.forget_after(state.round - 1)  # they count from 0

    def say_resumed(self, state: TrainState) -> None:
        self.say(f"going on after round {state.round} ({state.steps} steps), as {self.path} was saved.")

    def end_round(self, state: TrainState, policy: MLPPolicy, measured: Mapping[str, float]) -> bool:
        """Evaluate if it is due, keep the best policy, save and report.

        Args:
            state: with the round that ends here counted in.
            policy: as it is now; it is evaluated on its most likely actions.
            measured: names to numbers; see watch.py for those that are watched.

        Returns:
            False if somebody wants training to stop; the state is saved then.

        Raises:
            TrainingError: a number or a weight is not finite, or nothing can be saved.
        """
        row = {name: float(value) for name, value in measured.items()}
        if state.episodes and LOG_STD not in row and (log_std := log_std_of(policy)) is not None:  # it explores
            row[LOG_STD] = log_std
        self.check_finite(state, row)
        told = stuck(state, row, policy.config)
        if self.is_due(state):
            told += self.judge(state, policy, row)
        self.note(state, row, told)
        self.save(state, now=state.steps >= self.total_steps)
        self.stopped = not self.report(state.steps, row)
        if self.stopped:
            self.save(state, now=True)
        return not self.stopped

    def go_on(self, state: TrainState) -> bool:
        """Say between two rounds how far training is, and save; False if somebody wants it to stop.

        Raises:
            TrainingError: a weight is not finite, or nothing can be saved.
        """
        self.check_finite(state, {})
        self.stopped = not self.report(state.steps, {})
        self.save(state, now=self.stopped)
        return not self.stopped

    def finish(self, state: TrainState, policy: MLPPolicy, reward_net: Any = None) -> Result:
        """Evaluate the last policy unless that was just done, and return what the run made.

        A run that was asked to stop is left as it was saved, so that it can go on.
        """
        if not self.stopped and self.evaluate is not None and state.notes.get("evaluated_steps") != state.steps:
            row: dict[str, float] = {}
            self.note(state, row, self.judge(state, policy, row))
            self.report(state.steps, row)
        if not state.best:
            keep(state, policy)
        if not self.stopped:
            self.save(state, now=True)
        last = copy.deepcopy(policy).cpu().eval()
        best = copy.deepcopy(last)
        best.load_state_dict(state.best)
        return Result(best, last, state, reward_net)

    def is_due(self, state: TrainState) -> bool:
        if self.evaluate is None:
            return False
        last: int | None = state.notes.get("evaluated_steps")
        if last is None or state.steps >= self.total_steps:
            return last != state.steps
        return state.steps // self.evaluate_every > last // self.evaluate_every

    def judge(self, state: TrainState, policy: MLPPolicy, row: dict[str, float]) -> list[str]:
        """Evaluate, add what was found to the row, keep the policy if it is the best; return what is wrong with it."""
        assert self.evaluate is not None
        found = self.evaluate(driver(policy))
        row["evaluation/return"] = found.mean_return
        if found.successes is not None:
            row["evaluation/success"] = found.success_rate
            row["evaluation/success_low"], row["evaluation/success_high"] = found.interval
        self.check_finite(state, row)
        told = fallen(state, found)
        state.notes["evaluated_steps"] = state.steps
        score = score_of(found)
        if not state.best or (score, found.mean_return) > (state.best_score, state.best_return):
            keep(state, policy)
            state.best_score, state.best_return = score, found.mean_return
        return told

    def note(self, state: TrainState, row: Mapping[str, float], told: list[str]) -> None:
        """Add a row to the curve, and say what is wrong."""
        state.notes.setdefault("curve", []).append({"steps": state.steps, "round": state.round, **row})
        state.notes.setdefault("warnings", []).extend(told)
        for text in told:
            self.say(text, "yellow")

    def save(self, state: TrainState, now: bool) -> None:
        """Save the state, unless that would take more than its share of the time."""
        began_s = time.monotonic()
        if self.path is None or not (now or began_s - self.saved_at_s > self.save_s / SAVE_SHARE):
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.history.sync()
        save_state(self.path, state, self.identity)
        self.saved_round, self.saved_at_s = state.round, time.monotonic()
        self.save_s = self.saved_at_s - began_s

    def check_finite(self, state: TrainState, row: Mapping[str, float]) -> None:
        """Stop before a state that is of no use replaces a good one.

        Raises:
            TrainingError: names the first number that is not finite.
        """
        wrong = [f"{name} is {value}" for name, value in row.items() if not math.isfinite(value)]
        wrong += [
            f"a weight of {name} ({key}) is not finite"
            for name, module in state.modules.items()
            for key, weight in module.named_parameters()
            if not torch.isfinite(weight).all()
        ]
        if not wrong:
            return
        text = f"{wrong[0]} in round {state.round} (after {state.steps} steps): training cannot go on."
        if self.saved_round >= 0:
            text += f" The last good state (round {self.saved_round}) is in {self.path}"
            if state.best:
                score = f"{state.best_score:.4g} " if math.isfinite(state.best_score) else ""
                text += f", and in it the best policy so far ({score}after {state.best_steps} steps)"
            text += "."
        raise TrainingError(f"{text} Lower the learning rates and train into another output, or check the data.")

    def say(self, text: str, style: str | None = None) -> None:
        console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def locked(folder: Path) -> TextIO:
    """Make a folder ours for as long as the file that is returned is open; a kill opens it to others again.

    Raises:
        TrainingError: another process has it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise TrainingError(f"another training is running in {folder}. Wait for it, or give another output.") from None
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written: {error.strerror}. Give another output.") from None
    return file


def keep(state: TrainState, policy: MLPPolicy) -> None:
    """Note that this policy, as it is now, is the best so far."""
    state.best = {name: tensor.detach().to("cpu", copy=True) for name, tensor in policy.state_dict().items()}
    state.best_steps = state.steps


def driver(policy: MLPPolicy) -> Any:
    """Return what acts on the policy's most likely actions: quickly, where it is one of numbers."""
    try:
        return Actor(policy)
    except SpecError:  # images, or a mixture
        return copy.deepcopy(policy).cpu().eval()
