"""Episodes as the rows that learners and reward networks take.

Shapes: N steps, E encoded observation, A numbers of one action field, U numbers of all executed actions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imitation_ros.data.episode import Episode
from imitation_ros.errors import TrainingError
from imitation_ros.policies.continuous_heads import NEAR_BOUND
from imitation_ros.policies.networks import STATE, ObservationEncoder
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec


@dataclass(frozen=True)
class Steps:
    """Steps of whole episodes, one row each, in order.

    Labels say what the policy (or the expert) chose; executed is what the robot was told, and what led to the next
    observation: within its scale, after the disturbance.

    Attributes:
        observations, next_observations: (N, E), as the policy's encoder prepares them.
        actions: field name to labels, (N, A), as the policy's heads learn them.
        executed: all fields side by side, (N, U): numbers in [-1, 1], categories one-hot.
        executed_targets: field name to executed, (N, A), as the heads learn them, at most at 0.99 of the scale.
        rewards: the task's, (N,); zero where there are none.
        terminated: whether the task ended here, (N,); last: whether the episode did, for whatever reason.
        absorbing: whether the row stands for the time after a task's end, (N,); see `with_absorbing`.
    """

    observations: Tensor
    next_observations: Tensor
    actions: Mapping[str, Tensor]
    executed: Tensor
    executed_targets: Mapping[str, Tensor]
    rewards: Tensor
    terminated: Tensor
    last: Tensor
    absorbing: Tensor

    def __len__(self) -> int:
        return len(self.rewards)

    def to_tensors(self) -> dict[str, Tensor]:
        """Return one flat dict, as files hold it."""
        tensors = {name: getattr(self, name) for name in SINGLE}
        for kind in PER_FIELD:
            tensors |= {f"{kind}/{name}": value for name, value in getattr(self, kind).items()}
        return tensors

    @staticmethod
    def from_tensors(tensors: Mapping[str, Tensor]) -> Steps:
        """Return what `to_tensors` was made of."""
        fields = {
            kind: {name.split("/", 1)[1]: value for name, value in tensors.items() if name.startswith(f"{kind}/")}
            for kind in PER_FIELD
        }
        return Steps(**{name: tensors[name] for name in SINGLE}, **fields)  # type: ignore[arg-type]

    def take(self, rows: Tensor) -> Steps:
        """Return some rows, as copies."""
        return Steps.from_tensors({name: value.index_select(0, rows) for name, value in self.to_tensors().items()})

    def to(self, device: str | torch.device) -> Steps:
        return Steps.from_tensors({name: value.to(device) for name, value in self.to_tensors().items()})

    @staticmethod
    def join(parts: Sequence[Steps]) -> Steps:
        """Return the rows of all parts, in order."""
        if len(parts) == 1:
            return parts[0]
        tensors = [part.to_tensors() for part in parts]
        return Steps.from_tensors({name: torch.cat([part[name] for part in tensors]) for name in tensors[0]})


SINGLE = ("observations", "next_observations", "executed", "rewards", "terminated", "last", "absorbing")
PER_FIELD = ("actions", "executed_targets")


class Reader(Protocol):
    """What makes numbers of observations and labels: a policy, or a reward that was saved."""

    @property
    def spec(self) -> RobotSpec: ...

    @property
    def encoder(self) -> ObservationEncoder: ...

    @property
    def device(self) -> torch.device: ...

    def targets(self, labels: Mapping[str, Tensor]) -> dict[str, Tensor]: ...


def steps_of(episodes: Sequence[Episode], policy: Reader) -> Steps:
    """Return the steps of episodes on the CPU, encoded as this policy reads them; its normalisers are frozen.

    Raises:
        TrainingError: an observation is an image, which no learner here takes; or there is no step at all.
    """
    spec = policy.spec
    for field in spec.observation:
        if field.is_image:
            raise TrainingError(
                f"{spec.name}: {field.name!r} is an image; learning in an environment takes numbers only."
            )
    episodes = [episode for episode in episodes if episode.steps]
    if not episodes:
        raise TrainingError("there is no step to learn from. Give episodes that have some.")
    steps = [episode.steps for episode in episodes]
    seen = {f.name: stacked([e.observations[f.name] for e in episodes]).to(policy.device) for f in spec.observation}
    labels = {f.name: stacked([e.actions[f.name] for e in episodes]).to(policy.device) for f in spec.action}
    executed = {f.name: stacked([e.executed[f.name] for e in episodes]).to(policy.device) for f in spec.action}
    first = torch.ones(sum(steps) + len(steps), dtype=torch.bool)  # of T + 1 observations, all but the last
    final = torch.tensor([length + 1 for length in steps]).cumsum(0) - 1
    first[final] = False
    start = torch.ones_like(first)
    start[final[:-1] + 1] = start[0] = False
    ends = torch.tensor(steps).cumsum(0) - 1
    last = torch.zeros(sum(steps), dtype=torch.bool)
    last[ends] = True
    terminated = torch.zeros_like(last)
    terminated[ends] = torch.tensor([episode.terminated for episode in episodes])
    rewards = [np.zeros(e.steps, np.float32) if e.rewards is None else e.rewards for e in episodes]
    with torch.no_grad():
        encoded = policy.encoder.prepare(seen)[STATE]
        unit = {f.name: unit_of(executed[f.name], f) for f in spec.action}
        within = {f.name: inside(executed[f.name], f) for f in spec.action}
        return Steps(
            observations=encoded[first],
            next_observations=encoded[start],
            actions=policy.targets(labels),
            executed=torch.cat(list(unit.values()), dim=1),
            executed_targets=policy.targets(within),
            rewards=stacked(rewards).float(),
            terminated=terminated,
            last=last,
            absorbing=torch.zeros_like(last),
        ).to("cpu")


def stacked(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays))


def unit_of(executed: Tensor, field: Field) -> Tensor:
    """Return executed actions as reward networks read them: in [-1, 1], a category one-hot."""
    low, high = (torch.tensor(end, dtype=torch.float32, device=executed.device) for end in field.scale)
    if field.kind == "category":
        return F.one_hot((executed[:, 0] - low).round().long(), field.categories).float()
    return (2.0 * (executed - low) / (high - low) - 1.0).clamp(-1.0, 1.0)


def inside(executed: Tensor, field: Field) -> Tensor:
    """Return executed actions at most at 0.99 of their scale: a density at the very bound says too little, or inf."""
    if field.kind != "continuous":
        return executed
    low, high = (torch.tensor(end, dtype=torch.float32, device=executed.device) for end in field.scale)
    middle, half = 0.5 * (low + high), 0.5 * NEAR_BOUND * (high - low)
    return torch.minimum(torch.maximum(executed, middle - half), middle + half)


def with_absorbing(steps: Steps, time_limit: int, discount: float) -> Steps:
    """Add rows for the time between a task's end and the time limit (Kostrikov et al. 2019, section 4.1).

    So that ending early is neither free nor forbidden: what the state after the end is worth is learned like any
    other. Rows are added up to 1 / (1 - discount), which is what discounted time adds up to: else a policy that ends
    early would be all ends.
    """
    ends = steps.last.nonzero().flatten()
    lengths = torch.diff(ends, prepend=torch.tensor([-1]))
    most = math.ceil(1.0 / (1.0 - discount))
    added = ((time_limit - lengths).clamp(0, most) * steps.terminated[ends]).sum().item()
    if not added:
        return steps
    blank = {name: value.new_zeros(int(added), *value.shape[1:]) for name, value in steps.to_tensors().items()}
    rest = replace(Steps.from_tensors(blank), absorbing=torch.ones(int(added), dtype=torch.bool))
    return Steps.join([steps, rest])
