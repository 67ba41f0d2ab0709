"""A learned reward that is frozen: it judges physical observations and actions, whoever's policy made them.

Shapes: T steps of an episode, E encoded observation, U numbers of all executed actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imitation_ros.algorithms.rewards import RewardConfig, RewardNet
from imitation_ros.algorithms.rollouts import Steps, steps_of, unit_of
from imitation_ros.data.episode import Episode
from imitation_ros.errors import BundleError
from imitation_ros.policies.networks import STATE, ObservationEncoder
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]


@dataclass(frozen=True)
class RewardInfo:
    """What reward.json says.

    Attributes:
        spec: what the reward reads.
        config: its network; relative_positions: whether observations enter also as differences.
        discount: gamma of its shaping, and of what follows an end.
        provenance: algorithm, data, config, versions.
        demonstrations: lowest, mean and highest over the demonstrations of an episode's mean reward per step, and how
            many `episodes` there were; empty where none were given.
    """

    spec: RobotSpec
    config: RewardConfig
    relative_positions: bool
    discount: float
    provenance: Mapping[str, Any]
    demonstrations: Mapping[str, float]


class FrozenReward:
    """A learned reward that no longer changes.

    It is g of f = g + gamma h(s') - h(s), unless `shaped`: shaping is what f learned about this expert's dynamics at
    this discount, and g is what carries over (Fu et al. 2018, section 6). The logits f - log pi are no reward for
    anybody but the policy that they were learned with.

    Args:
        info: what it is.
        weights: of the network and its encoder, as `save_reward` wrote them.
        shaped: f instead of g.

    Raises:
        RuntimeError: the weights are of another network.
    """

    def __init__(self, info: RewardInfo, weights: Mapping[str, Tensor], shaped: bool = False) -> None:
        self.info, self.spec, self.shaped = info, info.spec, shaped
        self.encoder = ObservationEncoder(info.spec, info.relative_positions)
        self.net = RewardNet(self.encoder.width, executed_width(info.spec), info.config, info.discount)
        self.encoder.load_state_dict(part_of(weights, "encoder."))
        self.net.load_state_dict(part_of(weights, "reward."))
        if not shaped:
            self.net.h = None
        self.net.requires_grad_(False).eval()

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def targets(self, labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return nothing: a reward has no heads that would learn labels; see steps_of."""
        return {}

    @torch.no_grad()
    def of_episodes(self, episodes: Sequence[Episode]) -> list[NDArray[np.float32]]:
        """Return the reward of every step, (T,) per episode; what follows an end is not in it."""
        judged = [episode for episode in episodes if episode.steps]
        rewards_N = self.net.of(steps_of(judged, self)).numpy() if judged else np.zeros(0, np.float32)
        return np.split(rewards_N, np.cumsum([episode.steps for episode in episodes])[:-1])

    @torch.no_grad()
    def of_step(
        self, seen: Mapping[str, Array], executed: Mapping[str, Array], following: Mapping[str, Array], ended: bool
    ) -> float:
        """Return the reward of one step, as of_episodes does.

        Args:
            seen, executed, following: field name to the observation, the action that the robot was told, and the next
                observation, (width,), physical.
            ended: whether the task ended there.
        """
        rows = {f.name: torch.from_numpy(np.stack([seen[f.name], following[f.name]])) for f in self.spec.observation}
        encoded_2E = self.encoder.prepare(rows)[STATE]
        told = ((torch.as_tensor(executed[f.name], dtype=torch.float32)[None], f) for f in self.spec.action)
        unit_1U = torch.cat([unit_of(value, field) for value, field in told], dim=1)
        marks = torch.tensor([[float(ended)], [0.0]])
        return float(self.net(encoded_2E[:1], unit_1U, encoded_2E[1:], *marks))

    def after_end(self, discount: float | None = None) -> float:
        """Return what follows a task's end is worth at the step that ends it; by its own discount, unless given."""
        return self.net.after_end(self.info.discount if discount is None else discount)

    def check_fits(self, spec: RobotSpec, where: str) -> None:
        """Refuse to judge what means something else.

        Raises:
            BundleError: it does; `where` names it.
        """
        if differences := self.spec.differences(spec):
            raise BundleError(
                f"the reward and {where} mean different things: {'; '.join(differences[:5])}. Give what it was learned "
                f"for: {self.spec.name}."
            )


@dataclass(frozen=True)
class Written:
    """A frozen reward to learners: it stands in the steps already, in place of the task's.

    It was written there from the episodes, so it is read by its own normaliser, whatever the policy's is, and once.
    """

    frozen: FrozenReward

    def of(self, steps: Steps) -> Tensor:
        return steps.rewards

    def after_end(self, discount: float) -> float:
        return self.frozen.after_end(discount)


def executed_width(spec: RobotSpec) -> int:
    """Return U, as `steps_of` lays executed actions side by side."""
    return sum(field.categories if field.kind == "category" else field.width for field in spec.action)


def part_of(weights: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}
