"""PPO and SAC of stable-baselines3 with the settings of learners.py, on the task's reward; see side_by_side.py."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from tests.benchmarks.learning import learners
from tests.benchmarks.learning.gym_side import environment_of, score_of
from tests.benchmarks.learning.measure import Measurement


class Evaluate(BaseCallback):
    """Evaluate between rounds: when it is due, and at the end."""

    def __init__(self, job: dict[str, Any], measured: Measurement, give_way: Callable[[], None]) -> None:
        super().__init__()
        self.job, self.measured, self.give_way, self.due = job, measured, give_way, job["every"]
        self.best: Any = None

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self.due:
            self.due += self.job["every"]
            self.evaluate()
        with self.measured.left_out(as_evaluation=False):
            self.give_way()

    def _on_training_end(self) -> None:
        if not self.measured.curve or self.measured.curve[-1][0] != self.num_timesteps:
            self.evaluate()

    def evaluate(self) -> None:
        with self.measured.left_out():
            score = score_of(self.job, self.predict, "validation", self.job["validation_starts"])
            if self.measured.note(self.num_timesteps, score):
                self.best = copy.deepcopy(self.model.policy.state_dict())

    def predict(self, observations: Any) -> Any:
        return self.model.predict(observations, deterministic=True)[0]


def run(job: dict[str, Any], give_way: Callable[[], None]) -> Measurement:
    measured = Measurement()
    learner = ppo(job) if job["method"].endswith("PPO") else sac(job)
    evaluation = Evaluate(job, measured, give_way)
    with measured.timed():
        learner.learn(job["steps"], evaluation)
    measured.steps = learner.num_timesteps
    measured.last = score_of(job, evaluation.predict, "test", job["test_starts"])
    learner.policy.load_state_dict(evaluation.best)
    measured.best = score_of(job, evaluation.predict, "test", job["test_starts"])
    per_pass = learner.n_envs * learner.n_steps // learner.batch_size if isinstance(learner, PPO) else 1
    measured.updates = {"policy": learner._n_updates * per_pass}
    measured.network = "policy, value: 64x64 tanh" if isinstance(learner, PPO) else "policy, critics: 64x64 relu"
    return measured


def ppo(job: dict[str, Any]) -> PPO:
    settings = learners.PPO[job["problem"]]
    hidden = list(settings.hidden)
    return PPO(
        "MlpPolicy", DummyVecEnv([lambda: environment_of(job)] * settings.environments), n_steps=settings.steps,
        learning_rate=lambda left: settings.learning_rate * left, batch_size=settings.batch_size,
        n_epochs=settings.epochs, gamma=job["gamma"], gae_lambda=0.95, clip_range=0.2, ent_coef=0.0, vf_coef=0.5,
        max_grad_norm=0.5, seed=job["seed"], device="cpu",
        policy_kwargs={"net_arch": {"pi": hidden, "vf": hidden}, "activation_fn": torch.nn.Tanh,
                       "log_std_init": settings.log_std},
    )  # fmt: skip


def sac(job: dict[str, Any]) -> SAC:
    settings = learners.SAC[job["problem"]]
    updates = round(settings.updates_per_step * settings.episode_steps)
    return SAC(
        "MlpPolicy", DummyVecEnv([lambda: environment_of(job)]), learning_rate=settings.learning_rate,
        batch_size=settings.batch_size, learning_starts=settings.first_steps, train_freq=(1, "episode"),
        gradient_steps=updates, gamma=job["gamma"], tau=settings.target_share, ent_coef="auto",
        buffer_size=job["steps"], seed=job["seed"], device="cpu", policy_kwargs={"net_arch": list(settings.hidden)},
    )  # fmt: skip
