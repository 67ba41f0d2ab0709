"""Behavioural cloning: supervised learning of the expert's action from the observation (Pomerleau 1988)."""

from __future__ import annotations

import copy
import math
import operator
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import reduce

import torch
from torch import Tensor

from imitation_ros.algorithms.check import check_counts, check_range
from imitation_ros.algorithms.examples import Examples, Rows, add_noise, validate
from imitation_ros.algorithms.run import Run, keep
from imitation_ros.algorithms.state import TrainState
from imitation_ros.data.dataset import Transitions, split_episodes
from imitation_ros.errors import TrainingError
from imitation_ros.policies.networks import STATE
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

SCHEDULES = ("cosine", "constant")
FITTED_ROWS = 100_000  # that the normalisers are fitted on, at most: more would hardly change them
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
    """at the start"""
    schedule: str = "cosine"
    """of the learning rate: cosine (it falls to zero along half of one) or constant"""
    gradient_clip: float = 0.0
    """largest norm of an update's gradient; a larger one is scaled down to it; 0: any"""
    observation_noise: float = 0.0
    """standard deviation of noise on the normalised observations learned from, drawn anew; not on images, categories"""
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
        check_counts(self, "updates", "batch_size", "validate_every", "patience", "threads")
        check_range("learning_rate", self.learning_rate, 0.0 < self.learning_rate < math.inf, "above 0, and finite")
        for name in ("weight_decay", "gradient_clip", "observation_noise"):
            check_range(name, getattr(self, name), 0.0 <= getattr(self, name) < math.inf, "at least 0, and finite")
        for name in ("validation_fraction", "average_decay"):
            check_range(name, getattr(self, name), 0.0 <= getattr(self, name) < 1.0, "at least 0 and below 1")
        check_range("seed", self.seed, self.seed >= 0, "at least 0")
        if self.schedule not in SCHEDULES:
            raise TrainingError(f"schedule is {self.schedule!r}; allowed: {', '.join(SCHEDULES)}.")


@dataclass(frozen=True)
class Result:
    """What training made.

    Attributes:
        policy: the averaged weights with the lowest validation error (the last ones without validation).
        validation_error: how far its actions are off on held-out episodes (see `validate`); without any, the loss.
        updates: how many updates were made; best_update: at which the policy was kept.
        training_episodes, validation_episodes: which episodes were learned from, and which held out.
        state: where training is; its notes hold the curve.
    """

    policy: MLPPolicy
    updates: int
    best_update: int
    validation_error: float
    training_episodes: list[int]
    validation_episodes: list[int]
    state: TrainState


def train(
    data: Transitions,
    config: Config,
    report: Report,
    device: str = "cpu",
    run: Run | None = None,
    validation: Collection[int] | None = None,
) -> Result:
    """Fit a policy to the labels.

    Args:
        report: is told how far training is; a run tells its own instead.
        run: where training is saved, and from where it goes on. If it evaluates policies, it also chooses the one that
            is kept. Left out: nothing is saved.
        validation: which episodes to hold out; None: as many as the config says, drawn.

    Raises:
        TrainingError: the loss, the validation error or a weight is not finite.
    """
    run = run or Run(None, {}, config.updates, None, config.validate_every, report)
    training, held_out = parts_of(data, config, validation)
    cloning = Cloning(data, data.rows(training), data.rows(held_out), config, device)
    state, averaged = cloning.state, cloning.averaged
    run.resume(state)

    going, told_s = True, time.monotonic()
    while going and state.steps < config.updates and not cloning.is_out_of_patience:
        cloning.update()
        if cloning.is_look:
            state.round += 1
            going = run.end_round(state, averaged, cloning.look(chooses=run.evaluate is None))
            told_s = time.monotonic()
        elif time.monotonic() - told_s >= REPORT_S:
            going = run.go_on(state)
            told_s = time.monotonic()

    if not cloning.is_look or state.notes["best_error"] == math.inf:
        # stopped between two looks: this one is not saved, so that training can go on as if it never was
        measured = cloning.look(chooses=run.evaluate is None)
        run.check_finite(state, measured)
        run.report(state.steps, measured)
    policy, error = run.finish(state, averaged).policy, state.notes["best_error"]
    return Result(policy, state.steps, state.best_steps, error, training, held_out, state)


def parts_of(data: Transitions, config: Config, validation: Collection[int] | None) -> tuple[list[int], list[int]]:
    """Return which episodes to learn from, and which to hold out.

    Raises:
        TrainingError: all are to be held out.
    """
    present = data.present  # those of which every tick was stale have no row
    if validation is None:
        drawn = split_episodes(len(present), config.validation_fraction, config.seed)
        return [present[index] for index in drawn[0]], [present[index] for index in drawn[1]]
    training, held_out = ([n for n in present if (n in validation) is held] for held in (False, True))
    if not training:
        raise TrainingError(f"all {len(held_out)} demonstrations are held out, so there is none to learn from.")
    return training, held_out


class Cloning:
    """A policy, the moving average of its weights, and all that an update of them takes.

    Args:
        learned, held_out: which rows of the data.
    """

    def __init__(self, data: Transitions, learned: Tensor, held_out: Tensor, config: Config, device: str) -> None:
        self.learned, self.held_out, self.config = learned, held_out, config
        self.policy = fitted_policy(data, learned, config).to(device)
        self.averaged = copy.deepcopy(self.policy)
        self.weights, self.averaged_weights = (
            [weight.detach() for weight in policy.parameters()] for policy in (self.policy, self.averaged)
        )
        self.examples = Examples(self.policy, data, device)
        self.losses: Rows = {}
        self.generator = torch.Generator().manual_seed(config.seed)
        self.optimizer = torch.optim.AdamW(
            self.policy.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.state = TrainState(
            modules={"policy": self.policy, "averaged": self.averaged},
            optimizers={"policy": self.optimizer},
            generators={"draws": self.generator},
            notes={"best_error": math.inf, "best_error_update": 0},
        )

    def update(self) -> None:
        """Descend the loss of one minibatch."""
        config, update = self.config, self.state.steps + 1
        drawn = torch.randint(len(self.learned), (config.batch_size,), generator=self.generator)
        seen, wanted = self.examples.take(self.learned.index_select(0, drawn))
        if config.observation_noise:
            add_noise(seen[STATE], self.policy, config.observation_noise, self.generator)
        self.losses = self.policy.losses(seen, wanted)
        loss = reduce(operator.add, self.losses.values())
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if config.gradient_clip:
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), config.gradient_clip)
        self.optimizer.param_groups[0]["lr"] = learning_rate(config, update)
        self.optimizer.step()
        self.policy.keep_in_bounds()
        torch._foreach_lerp_(self.averaged_weights, self.weights, 1.0 - memory(config, update))
        self.state.steps = update

    @property
    def is_look(self) -> bool:
        """Whether the held-out episodes are looked at after this update."""
        return self.state.steps % self.config.validate_every == 0 or self.state.steps == self.config.updates

    @property
    def is_out_of_patience(self) -> bool:
        waited = self.state.steps - int(self.state.notes["best_error_update"])
        return waited >= self.config.patience * self.config.validate_every

    def look(self, chooses: bool) -> dict[str, float]:
        """Return losses and errors, and note the lowest error.

        Args:
            chooses: whether the policy of the lowest error is the one to keep.
        """
        measured = {f"training/{name}": value.item() for name, value in self.losses.items()}
        error = sum(measured.values())
        if len(self.held_out):
            measured |= validate(self.averaged, self.examples, self.held_out)
            error = measured["validation_error"]
        measured["learning_rate"] = learning_rate(self.config, self.state.steps)
        if error < self.state.notes["best_error"] or not len(self.held_out):
            self.state.notes |= {"best_error": error, "best_error_update": self.state.steps}
            if chooses:
                keep(self.state, self.averaged)
        return measured


def fitted_policy(data: Transitions, rows: Tensor, config: Config) -> MLPPolicy:
    """Return an untrained policy of the config's seed whose normalisers fit these rows, or some all over them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        policy = MLPPolicy(data.spec, config.network)
    count = min(len(rows), FITTED_ROWS)
    some = data.numbers.take(rows[torch.arange(count) * len(rows) // count])
    policy.fit(some.observations, some.labels)
    return policy


def learning_rate(config: Config, update: int) -> float:
    """Return the rate of an update, 1 to config.updates."""
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * (0.5 + 0.5 * math.cos(math.pi * (update - 1) / config.updates))


def memory(config: Config, update: int) -> float:
    """Return how much of the averaged weights an update keeps: nothing, then little, to forget the untrained ones."""
    return min(config.average_decay, update / (9 + update)) if update > 1 else 0.0
