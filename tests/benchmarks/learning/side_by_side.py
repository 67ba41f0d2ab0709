"""Ours and stable-baselines3's, in one process: a round of one, then a round of the other.

So both find the machine in the same state, and their CPU times can be compared whatever else it does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from tests.benchmarks.learning import ours, peer_learners
from tests.benchmarks.learning.measure import Measurement, question, write_result


class Turns:
    """Lets one of two threads run at a time; the first begins."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.turn, self.left = 0, {0, 1}

    def await_turn(self, which: int) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self.turn == which or self.left == {which})

    def give_way(self, which: int) -> None:
        """Let the other run, until it gives way or ends."""
        with self.changed:
            self.turn = 1 - which
            self.changed.notify_all()
        self.await_turn(which)

    def end(self, which: int) -> None:
        with self.changed:
            self.left.discard(which)
            self.turn = 1 - which
            self.changed.notify_all()


def main() -> None:
    asked, path = question()
    turns = Turns()
    beside = {**asked, "method": asked["alongside"]}

    def side(which: int, run: Callable[[Callable[[], None]], Measurement]) -> Measurement:
        turns.await_turn(which)
        try:
            torch.set_num_threads(1)
            return run(lambda: turns.give_way(which))
        finally:
            turns.end(which)

    with ThreadPoolExecutor(2) as pool:
        mine = pool.submit(side, 0, lambda give_way: ours.run(asked, give_way))
        theirs = pool.submit(side, 1, lambda give_way: peer_learners.run(beside, give_way))
    write_result(Path(asked["alongside_path"]), beside, theirs.result())
    write_result(path, asked, mine.result())


if __name__ == "__main__":
    main()
