"""Going on from a cloned policy: it is not spoiled before the critics know it, and it ends beyond its expert."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.utils import parameters_to_vector

from imitation_ros.algorithms import bc, ppo, sac
from imitation_ros.algorithms.reinforcement import first_policy
from imitation_ros.algorithms.rewards import TaskReward
from imitation_ros.algorithms.rollouts import steps_of
from imitation_ros.algorithms.run import Run
from imitation_ros.data.dataset import transitions
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import TrainingError
from imitation_ros.policies.actor import Actor
from imitation_ros.policies.bundle import WEIGHTS, BundleInfo, write_info
from imitation_ros.policies.driving import without_drawing
from imitation_ros.policies.policy import NetworkConfig
from tests.algorithms.point_env import POINT, Expert

torch.set_num_threads(1)
GAUSSIAN = NetworkConfig(hidden=(16,), head="gaussian", activation="tanh", log_std=(-2.0, 0.5, -0.3))
TANH = NetworkConfig(hidden=(16, 16), head="tanh_gaussian", log_std=(-3.0, 0.5, -0.5))


class Weary:
    """An expert that pushes at a fifth of what is best."""

    def act(self, observation):
        return {"action": 0.2 * Expert().act(observation)["action"]}


@pytest.fixture(scope="module")
def workers():
    with Workers(POINT) as opened:
        yield opened


@pytest.fixture(scope="module")
def cloned(tmp_path_factory, workers) -> dict[str, Path]:
    """Return head to the bundle of a policy that was cloned from five demonstrations of the weary expert."""
    rows = transitions(workers.collect(Weary(), 5))
    folders = {}
    for network in (GAUSSIAN, TANH):
        config = bc.Config(updates=400, batch_size=32, network=network, validate_every=100)
        policy = bc.train(rows, config, lambda update, measured: True).policy
        folder = folders[network.head] = tmp_path_factory.mktemp(network.head)
        write_info(folder, BundleInfo(policy.spec, policy.config.as_json(), {}, {}))
        save_file(policy.state_dict(), folder / WEIGHTS)  # a bundle but for its ONNX, which takes seconds
    return folders


def returns(workers, policy) -> float:
    return float(np.mean([episode.rewards.sum() for episode in workers.collect(policy, 20, purpose="test")]))


def trained(module, config, workers) -> float:
    run = Run(None, {}, config.steps, None, config.evaluate_every, lambda steps, measured: True)
    last = module.train([], workers, config, run).last  # as it is at the end, not the best of several
    return returns(workers, without_drawing(Actor(last)))


def test_ppo_brings_a_cloned_policy_beyond_its_expert(cloned, workers):
    """The weary expert has about -4.5; the best about -1.2."""
    settings = ppo.Settings(value_share=0.1, learning_rate=3e-3, batch_size=50)
    config = ppo.Config(steps=4000, steps_per_round=200, start=str(cloned["gaussian"]), ppo=settings)
    assert trained(ppo, config, workers) > returns(workers, Weary()) + 1.0


def test_sac_brings_a_cloned_policy_beyond_its_expert(cloned, workers):
    settings = sac.Settings(value_share=0.3, temperature=0.05, first_steps=200, batch_size=64)
    config = sac.Config(steps=1600, steps_per_round=100, start=str(cloned["tanh_gaussian"]), sac=settings)
    assert trained(sac, config, workers) > returns(workers, Weary()) + 1.0


def learner_of(module, folder, workers, **settings):
    kind = {ppo: ppo.PPO, sac: sac.SAC}[module]
    policy, _ = first_policy(str(folder), module.NETWORK, [], workers, 0)
    return kind(policy, module.Settings(**settings), torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("module", "head", "critic"), [(ppo, "gaussian", "value"), (sac, "tanh_gaussian", "critic")])
def test_the_critics_learn_first_and_then_the_policy_takes_no_leap(cloned, workers, module, head, critic):
    """Adam's first update of a weight is its learning rate, or less; a bias correction worn off would make it more."""
    rate = 1e-3
    more = {"epochs": 30} if module is ppo else {"first_steps": 0}
    learner = learner_of(module, cloned[head], workers, value_share=0.5, learning_rate=rate, batch_size=100, **more)
    rollouts = steps_of(workers.collect(Actor(learner.policy), 10), learner.policy)

    def weights(name):
        return parameters_to_vector(learner.modules[name].parameters()).clone()

    before, critics_before = weights("policy"), weights(critic)
    learner.improve(rollouts, TaskReward(), left=1.0)
    assert learner.updates >= 30
    assert torch.equal(weights("policy"), before)
    assert not torch.equal(weights(critic), critics_before)
    learner.settings = replace(learner.settings, **({"epochs": 1} if module is ppo else {"updates_per_step": 1 / 200}))
    made = learner.updates
    learner.improve(rollouts, TaskReward(), left=0.5)
    change = (weights("policy") - before).abs().max()
    assert 0.0 < change <= 1.01 * rate * (learner.updates - made)


def test_a_start_that_means_something_else_or_has_no_density_is_refused(cloned, workers):
    with Workers("Pendulum-v1") as others, pytest.raises(TrainingError, match="mean different things"):
        first_policy(str(cloned["gaussian"]), GAUSSIAN, [], others, 0)
    with pytest.raises(TrainingError, match="head is 'gaussian', use tanh_gaussian"):
        learner_of(sac, cloned["gaussian"], workers)
