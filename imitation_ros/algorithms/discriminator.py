"""How a reward network learns to tell the expert's steps from the policy's: GAIL's and AIRL's discriminator.

Shapes: N steps, B of a batch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imitation_ros.algorithms.rewards import RewardNet, reward_inputs
from imitation_ros.algorithms.rollouts import Steps, with_absorbing
from imitation_ros.policies.policy import MLPPolicy

if TYPE_CHECKING:
    from imitation_ros.algorithms.adversarial import Config


class Logits(Protocol):
    """How expert-like steps are: log D - log(1 - D), (N,)."""

    def __call__(self, reward_net: RewardNet, policy: MLPPolicy, steps: Steps) -> Tensor: ...


class RewardFit:
    """How the reward learns to tell the expert's steps from the policy's."""

    def __init__(
        self,
        reward_net: RewardNet,
        logits: Logits,
        policy: MLPPolicy,
        config: Config,
        generator: torch.Generator,
        time_limit: int,
    ) -> None:
        self.reward_net, self.logits, self.policy = reward_net, logits, policy
        self.config, self.generator, self.time_limit = config, generator, time_limit
        self.optimizer = torch.optim.Adam(reward_net.parameters(), config.reward_learning_rate, fused=True)

    def alone(self, gradient_penalty: float) -> RewardFit:
        """Return a fit of the reward by itself, begun anew: f tells the expert from all rollouts there ever were.

        The log pi of AIRL's logits is that of the policy as it is now. Steps of long ago are nearly impossible to it,
        and f, which follows, is low there, but steep and arbitrary. From there on, by itself and with a penalty on
        being steep, it keeps the direction and leads a fresh policy to the expert; from elsewhere it did not.
        """
        config = replace(self.config, gradient_penalty=gradient_penalty, reward_rate_left=1.0)
        return RewardFit(self.reward_net, reward_alone, self.policy, config, self.generator, self.time_limit)

    def complete(self, steps: Steps) -> Steps:
        """Return steps with those after the end."""
        return with_absorbing(steps, self.time_limit, self.config.discount)

    def improve(self, expert: Steps, rollouts: Steps, updates: int, left: float) -> dict[str, float]:
        """Make so many updates, and return what the last one was like.

        Args:
            left: the share of the training that is still to come: 1 at the start.
        """
        falls = 1.0 - self.config.reward_rate_left
        self.optimizer.param_groups[0]["lr"] = self.config.reward_learning_rate * (1.0 - falls * (1.0 - left))
        both = Steps.join([expert, rollouts])
        count = self.config.batch_size
        loss = expert_B = policy_B = torch.zeros(1)
        for _ in range(updates):
            wanted = torch.randint(len(expert), (count,), generator=self.generator)
            found = torch.randint(len(expert), len(both), (count,), generator=self.generator)
            steps = both.take(torch.cat([wanted, found]).to(both.rewards.device))
            expert_B, policy_B = torch.split(self.logits(self.reward_net, self.policy, steps), count)
            loss = cross_entropy(expert_B, policy_B, self.config.label_smoothing)
            if self.config.gradient_penalty:
                share_B = torch.rand(count, generator=self.generator).to(loss.device)
                loss = loss + self.config.gradient_penalty * squared_gradient(self.reward_net, steps, share_B)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        right = 0.5 * ((expert_B > 0).float().mean() + (policy_B < 0).float().mean())
        return {
            "reward/loss": loss.item(),
            "reward/accuracy": right.item(),
            "reward/expert_logit": expert_B.mean().item(),
            "reward/policy_logit": policy_B.mean().item(),
        }


def reward_alone(reward_net: RewardNet, policy: MLPPolicy, steps: Steps) -> Tensor:
    """Return f as the logits, (N,)."""
    return reward_net.of(steps)


def cross_entropy(expert_B: Tensor, policy_B: Tensor, smoothing: float) -> Tensor:
    """Return -log D of the expert's steps and -log(1 - D) of the policy's, with labels that far from 1 and 0."""
    expert_loss = F.softplus(expert_B) - (1.0 - smoothing) * expert_B  # -t log D - (1 - t) log(1 - D) of a label t
    policy_loss = F.softplus(policy_B) - smoothing * policy_B
    return expert_loss.mean() + policy_loss.mean()


def squared_gradient(reward_net: nn.Module, steps: Steps, share_B: Tensor) -> Tensor:
    """Return the mean squared gradient of f at points between steps of two kinds (Mescheder et al. 2018).

    Nothing lies between a step and one after the end: there, AIRL's f would be pulled towards the level of log pi.

    Args:
        steps: as many of the one kind as then of the other, 2 B.
        share_B: how near each point is to the first kind, 0 to 1.
    """
    between = [between_halves(values, share_B) for values in reward_inputs(steps)]
    moved = [values.requires_grad_() for values in between if values.dim() == 2]  # not whether it is an end
    f_B = reward_net(*between)
    gradients = torch.autograd.grad(f_B.sum(), moved, create_graph=True, allow_unused=True)
    squares_B = torch.stack([g.square().sum(-1) for g in gradients if g is not None]).sum(0)
    one_B, other_B = torch.split(steps.absorbing, len(share_B))
    return (squares_B * (one_B == other_B)).mean()


def between_halves(values: Tensor, share_B: Tensor) -> Tensor:
    one, other = torch.split(values, len(share_B))
    return torch.lerp(other, one, share_B[:, None] if values.dim() == 2 else share_B)
