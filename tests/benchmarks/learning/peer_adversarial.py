"""GAIL and AIRL of imitation 1.0.1, in its own environment: same demonstrations, settings as near ours as it allows.

Where it differs: it has no gradient penalty, and its learner's reward is not scaled. Its learning rate is lowered from
outside, since imitation hands the learner one round at a time and its own schedule would start afresh in each.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from imitation.algorithms.adversarial.airl import AIRL
from imitation.algorithms.adversarial.common import AdversarialTrainer
from imitation.algorithms.adversarial.gail import GAIL
from imitation.data.types import Trajectory
from imitation.policies.replay_buffer_wrapper import ReplayBufferRewardWrapper
from imitation.rewards.reward_nets import BasicRewardNet, BasicShapedRewardNet
from imitation.util.logger import configure
from imitation.util.networks import RunningNorm
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv

from tests.benchmarks.learning.gym_side import environment_of, score_of
from tests.benchmarks.learning.measure import Measurement, question, write_result

ENVIRONMENTS = 8
STEPS = 200  # of each environment in a round
DISCRIMINATOR_UPDATES = 30  # a round
REPLAYED_ROUNDS = 10
LEARNING_RATE = 1e-3  # of the policy; with PPO it falls linearly to zero
SAC_ROUND = 200  # environment steps between two fits of the discriminator


def run(job: dict[str, Any]) -> Measurement:
    measured = Measurement(demonstrations=None, steps=job["steps"])
    env = DummyVecEnv([lambda: environment_of(job)] * (1 if "SAC" in job["method"] else ENVIRONMENTS))
    trainer = sac_trainer(job, env) if "SAC" in job["method"] else ppo_trainer(job, env)
    learner = trainer.gen_algo
    due, best = job["every"], None

    def after_round(_: int) -> None:
        nonlocal due, best
        if "SAC" not in job["method"]:
            left = 1.0 - learner.num_timesteps / job["steps"]
            learner.lr_schedule = lambda _: LEARNING_RATE * max(left, 0.0)
        if learner.num_timesteps >= due:
            due += job["every"]
            with measured.left_out():
                score = score_of(job, predict(learner), "validation", job["validation_starts"])
            if measured.note(learner.num_timesteps, score):
                best = copy.deepcopy(learner.policy.state_dict())

    with measured.timed():
        trainer.train(job["steps"] + trainer.gen_train_timesteps - 1, after_round)
    measured.steps = learner.num_timesteps
    measured.last = score_of(job, predict(learner), "test", job["test_starts"])
    learner.policy.load_state_dict(best)
    measured.best = score_of(job, predict(learner), "test", job["test_starts"])
    measured.updates = {"reward": trainer._disc_step, "policy": policy_updates(learner)}
    learns = "policy, value: 64x64 tanh" if isinstance(learner, PPO) else "policy, critics: 64x64 relu"
    measured.network = f"{learns}; reward: 64x64 tanh"
    return measured


def policy_updates(learner: PPO | SAC) -> int:
    """Return how many steps of the optimiser were made; PPO counts its epochs."""
    return learner._n_updates * (ENVIRONMENTS * STEPS // learner.batch_size if isinstance(learner, PPO) else 1)


def predict(learner: PPO | SAC) -> Callable[[np.ndarray], np.ndarray]:
    return lambda observations: learner.predict(observations, deterministic=True)[0]


def ppo_trainer(job: dict[str, Any], env: DummyVecEnv) -> AdversarialTrainer:
    learner = PPO(
        "MlpPolicy", env, learning_rate=LEARNING_RATE, n_steps=STEPS, batch_size=200, n_epochs=10,
        gamma=job["gamma"], gae_lambda=0.95, clip_range=0.2, ent_coef=0.0, max_grad_norm=0.5, seed=job["seed"],
        device="cpu", policy_kwargs={"net_arch": {"pi": [64, 64], "vf": [64, 64]}, "activation_fn": torch.nn.Tanh,
                                     "log_std_init": -0.3},
    )  # fmt: skip
    return trainer_of(job, env, learner, ENVIRONMENTS * STEPS * REPLAYED_ROUNDS, DISCRIMINATOR_UPDATES, 1e-3)


def sac_trainer(job: dict[str, Any], env: DummyVecEnv) -> AdversarialTrainer:
    def reward(state: Any, action: Any, next_state: Any, done: Any) -> np.ndarray:
        ended = done.reshape(-1)  # it hands over a column, which its own shaped reward refuses
        return trainer.reward_train.predict_processed(state, action, next_state, ended, update_stats=False)

    learner = SAC(
        "MlpPolicy", env, learning_rate=LEARNING_RATE, batch_size=256, learning_starts=1000, train_freq=1,
        gradient_steps=1, gamma=job["gamma"], ent_coef=1.0 if "AIRL" in job["method"] else "auto", seed=job["seed"],
        device="cpu", buffer_size=job["steps"] + 1000, replay_buffer_class=ReplayBufferRewardWrapper,
        replay_buffer_kwargs={"replay_buffer_class": ReplayBuffer, "reward_fn": reward},
        policy_kwargs={"net_arch": [64, 64]},
    )  # fmt: skip
    trainer = trainer_of(job, env, learner, job["steps"] + 1000, SAC_ROUND // 2, 3e-4, gen_train_timesteps=SAC_ROUND)
    return trainer


def trainer_of(
    job: dict[str, Any], env: DummyVecEnv, learner: PPO | SAC, capacity: int, updates: int, rate: float, **more: Any
) -> AdversarialTrainer:
    """Return the trainer of a job's method, with a reward network of its own."""
    spaces = env.observation_space, env.action_space
    activation: dict[str, Any] = {"activation": torch.nn.Tanh}
    if job.get("normalised", True):
        activation["normalize_input_layer"] = RunningNorm
    torch.manual_seed(job["seed"])
    if "GAIL" in job["method"]:
        net = BasicRewardNet(*spaces, hid_sizes=(64, 64), **activation)
    else:
        net = BasicShapedRewardNet(
            *spaces, reward_hid_sizes=(64, 64), potential_hid_sizes=(64, 64), discount_factor=job["gamma"], **activation
        )
    kind = GAIL if "GAIL" in job["method"] else AIRL
    shown = demonstrations(job)
    rows = min(256, sum(map(len, shown)))  # it refuses a batch larger than the demonstrations
    return kind(
        demonstrations=shown, demo_batch_size=rows, venv=env, gen_algo=learner, reward_net=net,
        n_disc_updates_per_round=updates, gen_replay_buffer_capacity=capacity, disc_opt_kwargs={"lr": rate},
        allow_variable_horizon=True, custom_logger=configure(tempfile.mkdtemp(), []), **more,
    )  # fmt: skip


def demonstrations(job: dict[str, Any]) -> list[Trajectory]:
    """Return the demonstrations as imitation takes them."""
    arrays = np.load(job["demonstrations"], allow_pickle=False)
    space = environment_of(job).action_space
    actions = arrays["actions"]
    actions = actions.astype(np.int64)[:, 0] if isinstance(space, gymnasium.spaces.Discrete) else actions
    found, step = [], 0
    for index, steps in enumerate(arrays["steps"].tolist()):
        seen = arrays["observations"][step + index : step + index + steps + 1]
        terminal = bool(arrays["terminated"][index])
        found.append(Trajectory(obs=seen, acts=actions[step : step + steps], infos=None, terminal=terminal))
        step += steps
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    asked, path = question()
    write_result(path, asked, run(asked))
