"""Behavioural cloning: supervised learning of the expert's action from the observation (Pomerleau 1988)."""

from __future__ import annotations

import copy
import math
import operator
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce

import torch
from torch import Tensor

from imitation_ros.data.dataset import Transitions, split_episodes
from imitation_ros.errors import TrainingError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

Rows = Mapping[str, Tensor]
"""Name to tensor, (N, ...): the same rows of each."""
VALIDATION_ROWS = 512  # at once: images of all held-out ticks, convolved, would fill the memory
Report = Callable[[int, Mapping[str, float]], bool]
"""Called with the update and what was measured, every REPORT_S with nothing measured; returns False to stop early."""
REPORT_S = 1.0  # between two reports: where an update takes a second, nobody waits for a look to see how far it is


@dataclass(frozen=True)
class Config:
    """Behavioural cloning: maximise the likelihood of the expert's actions."""

    updates: int = 15_000
    """of the weights, at most; early stopping may end training before"""
    batch_size: int = 256
    """transitions per update"""
    learning_rate: float = 1e-3
    """at the start; falls to zero along a cosine"""
    weight_decay: float = 1e-4
    """of AdamW"""
    validation_fraction: float = 0.1
    """of episodes, never of transitions: neighbours are alike"""
    validate_every: int = 500
    """updates between two looks at the held-out episodes"""
    patience: int = 20
    """looks without a better validation error before training stops"""
    average_decay: float = 0.999
    """of the moving average of the weights, which is what is validated and kept"""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """the policy's network"""
    seed: int = 0
    """of the weights, the batches and the split"""
    threads: int = 1
    """of the processor; two are hardly faster for such small networks, and ten times slower on a busy machine"""

    def __post_init__(self) -> None:
        for name in ("updates", "batch_size", "validate_every", "patience", "threads"):
            check_range(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        check_range("learning_rate", self.learning_rate, 0.0 < self.learning_rate < math.inf, "above 0, and finite")
        check_range("weight_decay", self.weight_decay, 0.0 <= self.weight_decay < math.inf, "at least 0, and finite")
        for name in ("validation_fraction", "average_decay"):
            check_range(name, getattr(self, name), 0.0 <= getattr(self, name) < 1.0, "at least 0 and below 1")
        check_range("seed", self.seed, self.seed >= 0, "at least 0")


def check_range(name: str, value: float, holds: bool, allowed: str) -> None:
    if not holds:
        raise TrainingError(f"{name} is {value:g}; it should be {allowed}.")


@dataclass(frozen=True)
class Result:
    """What training made.

    Attributes:
        policy: the averaged weights with the lowest validation error (the last ones without validation).
        validation_error: how far its actions are off on held-out episodes (see `validate`).
        updates: how many updates were made; best_update: at which the policy was kept.
        training_episodes, validation_episodes: which episodes were learned from, and which held out.
    """

    policy: MLPPolicy
    updates: int
    best_update: int
    validation_error: float
    training_episodes: list[int]
    validation_episodes: list[int]


def train(data: Transitions, config: Config, report: Report, device: str = "cpu") -> Result:
    """Fit a policy to the labels.

    Raises:
        TrainingError: the loss or the validation error is not finite.
    """
    present = data.present  # those of which every tick was stale have no row
    training, validation = (
        [present[index] for index in part]
        for part in split_episodes(len(present), config.validation_fraction, config.seed)
    )
    policy = fitted_policy(data.numbers.of(training), config).to(device)
    prepared, targets = prepare(policy, data, device)
    learned, held_out = data.rows(training), data.rows(validation)

    optimizer = torch.optim.AdamW(
        policy.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    averaged = copy.deepcopy(policy)
    weights, averaged_weights = ([w.detach() for w in p.parameters()] for p in (policy, averaged))
    generator = torch.Generator().manual_seed(config.seed)
    best_error, best_update, best = math.inf, 0, copy.deepcopy(policy)

    update, reported_s = 0, time.monotonic()
    for update in range(1, config.updates + 1):
        drawn = torch.randint(len(learned), (config.batch_size,), generator=generator)
        rows = learned.index_select(0, drawn).to(device)
        losses = policy.losses(rows_of(prepared, rows), rows_of(targets, rows))
        loss = reduce(operator.add, losses.values())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.param_groups[0]["lr"] = learning_rate(config, update)
        optimizer.step()
        torch._foreach_lerp_(averaged_weights, weights, 1.0 - memory(config, update))
        looks = update % config.validate_every == 0 or update == config.updates
        if not looks and time.monotonic() - reported_s < REPORT_S:
            continue
        reported_s = time.monotonic()
        if not looks and report(update, {}):
            continue
        measured = {f"training/{name}": value.item() for name, value in losses.items()}
        latest = finite(loss.item(), "loss", update)
        if len(held_out):
            latest = finite(validate(averaged, prepared, targets, held_out, measured), "validation error", update)
        if latest < best_error or not len(held_out):
            best_error, best_update, best = latest, update, copy.deepcopy(averaged)
        measured["learning_rate"] = learning_rate(config, update)
        go_on = report(update, measured)
        if not looks or not go_on or update - best_update >= config.patience * config.validate_every:
            break
    return Result(best.cpu().eval(), update, best_update, best_error, training, validation)


def fitted_policy(numbers: Transitions, config: Config) -> MLPPolicy:
    """Return an untrained policy of the config's seed whose normalisers fit these rows."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        policy = MLPPolicy(numbers.spec, config.network)
    policy.fit(numbers.observations, numbers.labels)
    return policy


def finite(value: float, what: str, update: int) -> float:
    if not math.isfinite(value):
        raise TrainingError(f"the {what} is {value} at update {update}. Lower learning_rate, or check the data.")
    return value


def learning_rate(config: Config, update: int) -> float:
    """Return the rate of an update, 1 to config.updates: it falls to zero along half a cosine."""
    return config.learning_rate * (0.5 + 0.5 * math.cos(math.pi * (update - 1) / config.updates))


def memory(config: Config, update: int) -> float:
    """Return how much of the averaged weights an update keeps: nothing, then little, to forget the untrained ones."""
    return min(config.average_decay, update / (9 + update)) if update > 1 else 0.0


def prepare(policy: MLPPolicy, data: Transitions, device: str) -> tuple[Rows, Rows]:
    """Return what the network reads and its targets: encoded once, since the normalisers are frozen; images are not."""
    with torch.no_grad():
        observations = {name: value.to(device) for name, value in data.observations.items()}
        labels = {name: value.to(device) for name, value in data.labels.items()}
        return policy.encoder.prepare(observations), policy.targets(labels)


def rows_of(tensors: Rows, rows: Tensor) -> dict[str, Tensor]:
    return {name: tensor.index_select(0, rows) for name, tensor in tensors.items()}


@torch.no_grad()
def validate(policy: MLPPolicy, prepared: Rows, targets: Rows, held_out: Tensor, measured: dict[str, float]) -> float:
    """Return the error on the held-out rows, and note losses and errors of each field.

    The error chooses the checkpoint: a likelihood goes on to punish the few confident mistakes long after the
    policy acts no worse.
    """
    sums: dict[str, float] = {}
    for rows in torch.split(held_out.to(policy.device), VALIDATION_ROWS):
        seen, wanted = rows_of(prepared, rows), rows_of(targets, rows)
        found = {f"validation/{name}": value for name, value in policy.losses(seen, wanted).items()}
        found |= {f"error/{name}": value for name, value in policy.errors(seen, wanted).items()}
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + value.item() * len(rows) / len(held_out)
    measured.update(sums)
    measured["validation_error"] = sum(value for name, value in sums.items() if name.startswith("error/"))
    return measured["validation_error"]
