"""The settings of PPO and SAC that ours and stable-baselines3's share, by problem; standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PPOSettings:
    """Attributes:
    environments, steps: of one round; whole episodes, since ours collects those.
    learning_rate: at the start; falls linearly to zero.
    """

    environments: int
    steps: int
    batch_size: int
    epochs: int
    learning_rate: float
    log_std: float = -0.3
    hidden: tuple[int, ...] = (64, 64)


@dataclass(frozen=True)
class SACSettings:
    """Attributes:
    episode_steps: after each episode there are updates_per_step times as many updates.
    first_steps: before the first update, of actions at random.
    """

    episode_steps: int
    batch_size: int
    learning_rate: float
    first_steps: int = 1000
    target_share: float = 0.005
    updates_per_step: float = 1.0
    hidden: tuple[int, ...] = (64, 64)


PPO: Mapping[str, PPOSettings] = {
    "pendulum": PPOSettings(environments=8, steps=200, batch_size=200, epochs=10, learning_rate=1e-3),
    "halfcheetah": PPOSettings(environments=2, steps=1000, batch_size=100, epochs=10, learning_rate=1e-3),
}
SAC: Mapping[str, SACSettings] = {
    "pendulum": SACSettings(episode_steps=200, batch_size=256, learning_rate=1e-3),
    "halfcheetah": SACSettings(
        episode_steps=1000, batch_size=256, learning_rate=1e-3, first_steps=2000, updates_per_step=0.25
    ),
}
