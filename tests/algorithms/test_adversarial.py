"""The loop of GAIL and AIRL: the same bytes however it is run, ends that mean what the expert makes of them."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.learning.experts import CartPoleExpert, PendulumExpert
from hypothesis import given
from hypothesis import strategies as st
from mixed_robot import EPISODES, Careless, mixed_episode, mixed_policy
from tabular_env import Table, goal_reward, maze

from imitation_ros.algorithms import airl, gail, ppo
from imitation_ros.algorithms.discriminator import RewardFit, cross_entropy, squared_gradient
from imitation_ros.algorithms.rewards import RewardConfig, RewardNet, reward_inputs
from imitation_ros.algorithms.rollouts import Steps, steps_of, with_absorbing
from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.tabular import solve
from imitation_ros.envs.collect import Workers, collect
from imitation_ros.errors import TrainingError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig

BOTH = pytest.mark.parametrize("algorithm", [gail, airl], ids=["gail", "airl"])
LITTLE = {"steps": 900, "steps_per_round": 300, "reward_updates": 3, "batch_size": 32, "last_updates": 5}
NETWORK = replace(ppo.NETWORK, hidden=(8,))
NUMBERS = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=8)


@given(NUMBERS, NUMBERS, st.sampled_from([0.0, 0.1, 0.4]))
def test_the_loss_is_the_cross_entropy_of_labels_smoothed_towards_each_other(expert, policy, smoothing):
    wanted = torch.zeros(())
    for numbers, label in ((expert, 1.0 - smoothing), (policy, smoothing)):
        logits = torch.tensor(numbers, dtype=torch.float64)
        labels = torch.full_like(logits, label)
        wanted = wanted + torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    found = cross_entropy(torch.tensor(expert), torch.tensor(policy), smoothing)
    torch.testing.assert_close(found.double(), wanted, atol=1e-4, rtol=1e-4)


@given(EPISODES, EPISODES, st.booleans())
def test_the_penalty_is_the_squared_slope_in_all_that_the_reward_reads(some, others, state_only):
    """Of a linear reward that is the sum of its squared weights, wherever it is taken."""
    net = RewardNet(5, 7, RewardConfig(hidden=(), state_only=state_only), 0.9)
    pairs = [steps_of(episodes, mixed_policy()) for episodes in (some, others)]
    one, other = (steps.take(torch.arange(9) % len(steps)) for steps in pairs)
    found = squared_gradient(net, Steps.join([one, other]), torch.linspace(0, 1, 9))
    torch.testing.assert_close(found, net.g[0].weight[:, :-1].square().sum())  # the last says whether it is an end


@pytest.mark.parametrize("row", [0, 2, 3], ids=["within", "at the end", "after the end"])
def test_the_penalty_of_a_shaped_reward_is_what_differences_say(row):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = RewardNet(5, 7, RewardConfig(hidden=(6,), shaped=True), 0.9)
    full = with_absorbing(steps_of([mixed_episode(3, 0, terminated=True)], mixed_policy()), 4, 0.9)
    here = full.take(torch.tensor([row]))
    found = squared_gradient(net, Steps.join([here, here]), torch.full((1,), 0.5)).item()
    exact, numbers = copy.deepcopy(net).double(), torch.cat([value.flatten() for value in reward_inputs(here)]).double()

    def f(numbers: torch.Tensor) -> float:
        seen, done, after, ended, absorbing = numbers.split([5, 7, 5, 1, 1])
        return float(exact(seen[None], done[None], after[None], ended, absorbing).detach())

    nudges = 1e-5 * torch.eye(len(numbers), dtype=torch.float64)
    slopes = [(f(numbers + nudge) - f(numbers - nudge)) / 2e-5 for nudge in nudges]
    assert found == pytest.approx(sum(slope**2 for slope in slopes[:-2]), rel=1e-4)  # but of being an end


def test_nothing_is_penalised_between_a_step_and_one_after_the_end():
    net = RewardNet(5, 7, RewardConfig(hidden=()), 0.9)
    full = with_absorbing(steps_of([mixed_episode(3, 0, terminated=True)], mixed_policy()), 4, 0.9)
    assert full.absorbing.tolist() == [False, False, False, True]
    assert squared_gradient(net, full.take(torch.tensor([0, 3])), torch.full((1,), 0.5)).item() == 0.0


def fit_of(algorithm, policy, widths, time_limit, **changes) -> RewardFit:
    config = algorithm.Config(policy=NETWORK, **changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = RewardNet(*widths, config.reward, config.discount)
    return RewardFit(net, algorithm.logits, policy, config, torch.Generator().manual_seed(0), time_limit)


@BOTH
def test_the_reward_learns_and_leaves_the_policy_alone(algorithm):
    policy = mixed_policy()
    expert, rollouts = (steps_of([mixed_episode(50, seed)], policy) for seed in (0, 1))
    fit = fit_of(algorithm, policy, (5, 7), 50, gradient_penalty=0.0, reward_learning_rate=1e-2)
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    first, later = (fit.improve(expert, rollouts, updates, left=1.0) for updates in (1, 200))
    assert later["reward/loss"] < first["reward/loss"] and later["reward/accuracy"] > 0.8
    assert later["reward/expert_logit"] > later["reward/policy_logit"]
    assert all(torch.equal(value, before[name]) for name, value in policy.state_dict().items())
    assert all(parameter.grad is None for parameter in policy.parameters())


@BOTH
@pytest.mark.parametrize("expert_ends", [True, False])
def test_an_end_is_worth_what_the_expert_makes_of_it(algorithm, expert_ends):
    """In a maze the best go to the goal, which ends the episode, and the careless hardly ever: or the other way."""
    world = maze(discount=0.95, time_limit=None)
    best = Table(solve(world, goal_reward(world), temperature=0.0).policy)
    with Workers("tabular_env:Maze-v0") as workers:
        parts = [workers.collect(driver, 20) for driver in (best, Careless(workers.spec))]
        policy, limit = MLPPolicy(workers.spec, NETWORK), workers.time_limit
    ended = [np.mean([episode.terminated for episode in part]) for part in parts]
    assert ended[0] == 1.0 and ended[1] < 0.8
    if not expert_ends:
        parts.reverse()
    expert, rollouts = (steps_of(part, policy) for part in parts)
    widths = expert.observations.shape[1], expert.executed.shape[1]
    fit = fit_of(algorithm, policy, widths, limit)
    fit.improve(fit.complete(expert), fit.complete(rollouts), 300, left=1.0)
    assert (fit.reward_net.after_end(0.95) > 0.0) == expert_ends


def trained(algorithm, world, workers=1, folder=None, stop_after=None, **changes) -> Result:
    """Train for three rounds or so; `stop_after` asks it to stop after so many steps."""
    expert = PendulumExpert() if world.startswith("Pendulum") else CartPoleExpert()
    config = algorithm.Config(**{**LITTLE, "policy": NETWORK, "reward": RewardConfig(hidden=(8,)), **changes})
    demonstrations = collect(world, expert, 2, seed=5)
    torch.set_num_threads(1)

    def report(steps, measured):
        return stop_after is None or steps < stop_after

    run = Run(folder, {"config": repr(config)}, config.steps, None, config.evaluate_every, report)
    with Workers(world, workers) as opened:
        return algorithm.train(demonstrations, opened, config, run)


def bytes_of(result: Result) -> dict[str, bytes]:
    modules = {"last": result.last, **result.state.modules}
    return {
        f"{name}/{key}": value.numpy().tobytes()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }


WORLDS = pytest.mark.parametrize(
    ("algorithm", "world"), [(gail, "Pendulum-v1"), (airl, "CartPole-v1")], ids=["gail", "airl, varying length"]
)


@WORLDS
def test_same_seed_same_bytes_for_any_number_of_workers_and_another_seed_others(algorithm, world):
    one = trained(algorithm, world)
    assert bytes_of(trained(algorithm, world)) == bytes_of(one)
    two = trained(algorithm, world, workers=2)
    assert bytes_of(two) == bytes_of(one)
    assert two.state.notes["curve"] == one.state.notes["curve"]
    assert bytes_of(trained(algorithm, world, seed=1)) != bytes_of(one)
    assert one.state.round >= 3 and one.state.steps >= 900


@WORLDS
def test_stopped_and_started_again_it_ends_as_if_it_never_stopped(algorithm, world, tmp_path):
    whole = trained(algorithm, world)
    stopped = trained(algorithm, world, folder=tmp_path, stop_after=300)
    assert stopped.state.steps < 900 and bytes_of(stopped) != bytes_of(whole)
    assert bytes_of(trained(algorithm, world, folder=tmp_path)) == bytes_of(whole)
    assert bytes_of(trained(algorithm, world, folder=tmp_path)) == bytes_of(whole)  # done is done


def test_no_demonstrations_are_refused_in_words():
    config = gail.Config(policy=NETWORK, **LITTLE)
    with Workers("Pendulum-v1") as workers, pytest.raises(TrainingError, match="no step to learn from"):
        gail.train([], workers, config, Run(None, {}, 900, None, 300, lambda steps, measured: True))


@pytest.mark.parametrize("head", ["deterministic", "mixture"])
def test_a_policy_without_probabilities_is_refused_in_words(head):
    config = gail.Config(policy=NetworkConfig(hidden=(8,), head=head), **LITTLE)
    run = Run(None, {}, 900, None, 300, lambda steps, measured: True)
    demonstrations = collect("Pendulum-v1", PendulumExpert(), 1)
    with Workers("Pendulum-v1") as workers, pytest.raises(TrainingError, match=f"'{head}', use gaussian"):
        gail.train(demonstrations, workers, config, run)


@BOTH
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0), ("steps_per_round", 0), ("reward_updates", 0), ("batch_size", 0), ("replayed_rounds", 0),
        ("evaluate_every", 0), ("validation_starts", 0), ("threads", 0), ("reward_learning_rate", 0.0),
        ("reward_learning_rate", math.nan), ("reward_rate_left", 0.0), ("reward_rate_left", 1.1),
        ("gradient_penalty", -0.1), ("gradient_penalty", math.nan), ("label_smoothing", -0.1),
        ("label_smoothing", 0.5), ("last_updates", -1), ("seed", -1),
    ],
)  # fmt: skip
def test_a_number_out_of_its_range_is_refused_by_name_value_and_range(algorithm, name, value):
    with pytest.raises(TrainingError, match=rf"^{name} is {value:g}; it should be "):
        algorithm.Config(**{name: value})


def test_an_unknown_learner_is_refused_in_words():
    with pytest.raises(TrainingError, match="learner is 'trpo'; allowed: ppo, sac"):
        gail.Config(learner="trpo")


def test_airl_refuses_smoothed_labels_for_its_logits_are_a_reward():
    with pytest.raises(TrainingError, match=r"label_smoothing is 0\.1; AIRL allows 0 only"):
        airl.Config(label_smoothing=0.1)
    assert gail.Config(label_smoothing=0.1).label_smoothing == 0.1


def test_the_shaping_has_the_learners_discount():
    config = airl.Config(ppo=ppo.Settings(discount=0.8))
    assert config.discount == 0.8
    result = trained(airl, "Pendulum-v1", steps=300, ppo=ppo.Settings(discount=0.8), reward=config.reward)
    assert result.reward_net.discount == 0.8
