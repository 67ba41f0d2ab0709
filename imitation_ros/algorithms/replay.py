"""The latest steps of all rollouts, to be learned from again and again: what off-policy learners draw from.

Shapes: B rows drawn, E encoded observation, U numbers of all actions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from imitation_ros.algorithms.check import check_counts
from imitation_ros.algorithms.rollouts import Steps
from imitation_ros.errors import TrainingError
from imitation_ros.policies.continuous_heads import NEAR_BOUND
from imitation_ros.robot.spec import RobotSpec


class Replay:
    """A ring of steps: once full, the oldest row makes room for the newest. Continuous actions only.

    One matrix holds all columns, so that a batch is one copy of rows and everything else a view of it. Memory is
    taken as it fills.

    Args:
        spec: the action fields, in order.
        observation_width: E.
        capacity: rows.
        device: where the rows are kept.

    Attributes:
        size: rows that are filled.

    Raises:
        TrainingError: an action is no continuous number; or a capacity below 1.
    """

    def __init__(self, spec: RobotSpec, observation_width: int, capacity: int, device: str | torch.device) -> None:
        for field in spec.action:
            if field.kind != "continuous":
                raise TrainingError(
                    f"{spec.name}: the action {field.name!r} is of kind {field.kind}; SAC takes continuous actions "
                    f"only. Use ppo, which takes all kinds."
                )
        self.capacity = capacity
        check_counts(self, "capacity")
        self.names, self.widths = [field.name for field in spec.action], [field.width for field in spec.action]
        width = sum(self.widths)
        self.columns = [observation_width, width, observation_width, 1, 2]  # s, a, s', r, whether it ended
        self.rows = torch.empty(capacity, sum(self.columns), device=device)
        self.size = self.next = 0

    def __len__(self) -> int:
        return self.size

    def add(self, steps: Steps) -> None:
        """Put steps in, in their order; rows that stand for the time after an end stay out.

        Kept as an action is what was executed: what led to the next observation.
        """
        ends = torch.stack([steps.terminated, steps.last], dim=1)
        parts = [steps.observations, steps.executed, steps.next_observations, steps.rewards[:, None], ends]
        rows = torch.cat([part.to(self.rows) for part in parts], dim=1)[~steps.absorbing.to(self.rows.device)]
        for first in range(0, len(rows), self.capacity):
            self.put(rows[first : first + self.capacity])

    def put(self, rows: Tensor) -> None:
        before_end = min(len(rows), self.capacity - self.next)
        self.rows[self.next : self.next + before_end] = rows[:before_end]
        self.rows[: len(rows) - before_end] = rows[before_end:]
        self.next = (self.next + len(rows)) % self.capacity
        self.size = min(self.size + len(rows), self.capacity)

    def draw(self, count: int, generator: torch.Generator) -> Steps:
        """Return steps at random, each as likely as any other; their actions are the executed ones.

        Raises:
            TrainingError: there are none yet.
        """
        return self.as_steps(self.draw_rows(count, generator))

    def draw_rows(self, count: int, generator: torch.Generator) -> Tensor:
        """Return what `draw` draws, before `as_steps`: rows of two replays can be put together so."""
        if not self.size:
            raise TrainingError("the replay is empty: nothing can be drawn before a first round was collected.")
        drawn = torch.randint(self.size, (count,), generator=generator)
        return self.rows.index_select(0, drawn.to(self.rows.device))

    def as_steps(self, rows: Tensor) -> Steps:
        """Return rows by the names of their columns; all are views."""
        seen, executed, following, rewards, ends = torch.split(rows, self.columns, dim=1)
        within = executed.clamp(-NEAR_BOUND, NEAR_BOUND)
        actions = dict(zip(self.names, torch.split(within, self.widths, dim=1), strict=True))
        ended = ends > 0.5
        return Steps(
            observations=seen,
            next_observations=following,
            actions=actions,
            executed=executed,
            executed_targets=actions,
            rewards=rewards[:, 0],
            terminated=ended[:, 0],
            last=ended[:, 1],
            absorbing=torch.zeros_like(ended[:, 0]),
        )
