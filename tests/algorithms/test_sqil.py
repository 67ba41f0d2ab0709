"""SQIL: its rewards, what an end is worth in it, and that it imitates: a point is to be brought to the middle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imitation_ros.algorithms import sac, sqil
from imitation_ros.algorithms.replay import Replay
from imitation_ros.algorithms.rollouts import steps_of, with_absorbing
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.sac import SAC
from imitation_ros.algorithms.sqil import SETTINGS, AfterEnds, Config, imitate, worth_after_end
from imitation_ros.algorithms.twin_critic import values
from imitation_ros.envs.collect import Workers
from imitation_ros.envs.evaluate import evaluate_with
from imitation_ros.errors import TrainingError
from imitation_ros.policies.actor import Actor
from imitation_ros.policies.policy import MLPPolicy
from tests.algorithms.point_env import ENDING, POINT, STEPS, Expert

SMALL = replace(sac.NETWORK, hidden=(16, 16))
shares = st.integers(0, 50)


def trained(setup, steps, demonstrations=10, folder=None, rounds=None):
    torch.set_num_threads(1)
    config = Config(
        steps=steps, steps_per_round=40, policy=SMALL,
        sac=replace(SETTINGS, discount=0.95, batch_size=64, learning_rate=3e-3, average_decay=0.9),
    )  # fmt: skip
    done = []

    def report(at, measured):
        done.append(at)
        return rounds is None or len(done) < rounds

    with Workers(setup) as workers:
        expert = workers.collect(Expert(), demonstrations, seed=5)
        result = sqil.train(expert, workers, config, Run(folder, {}, steps, None, 0, report))
        return result, evaluate_with(workers, Actor(result.policy), 50)


@given(expert=shares, policy=shares, discount=st.floats(0.5, 0.99))
def test_what_follows_an_end_is_worth_what_its_rewards_would_add_up_to(expert, policy, discount):
    of_expert, of_policy = AfterEnds(rows=100, absorbing=expert), AfterEnds(rows=100, absorbing=policy)
    worth = worth_after_end(of_expert, of_policy, discount)
    # the critic's fixed point after the end: rewards of 1 and 0, as often as a batch of both halves shows them
    reward = expert / (expert + policy) if expert + policy else 0.0
    value = sum(reward * discount**step for step in range(5000))
    assert worth == pytest.approx(discount * value, rel=1e-6, abs=1e-9)


def test_an_end_that_only_the_policy_meets_is_worth_nothing_and_one_of_the_expert_alone_all_there_is():
    ends, none = AfterEnds(rows=10, absorbing=5), AfterEnds(rows=10)
    assert worth_after_end(none, ends, 0.9) == 0.0
    assert worth_after_end(ends, none, 0.9) == pytest.approx(0.9 / 0.1)
    assert worth_after_end(none, none, 0.9) == 0.0


def test_critics_tell_the_expert_from_the_policy_by_1_and_0():
    """Where every step ends and nothing follows, Q is the expected reward: how likely the expert did that."""
    with Workers(POINT) as workers:
        policy = MLPPolicy(workers.spec, SMALL)
        steps = steps_of(workers.collect(Expert(), 5), policy)
    learner = SAC(policy, replace(SETTINGS, batch_size=128, learning_rate=3e-3), torch.Generator().manual_seed(0))
    ended = torch.ones(len(steps), dtype=torch.bool)
    expert = Replay(policy.spec, 1, len(steps), "cpu")
    done = torch.full_like(steps.executed, 0.8)
    expert.add(replace(steps, executed=done, terminated=ended))
    learner.remember(replace(steps, executed=-done, terminated=ended))
    measured = imitate(learner, expert, updates=300, after_end=0.0, left=1.0)
    with torch.no_grad():
        as_expert = values(learner.critics, steps.observations, done)
        as_policy = values(learner.critics, steps.observations, -done)
    assert measured["sac/reward"] == 0.5
    assert (as_expert - 1.0).abs().max() < 0.1 and as_policy.abs().max() < 0.1


def test_while_only_the_values_learn_the_policy_stays_as_it_was():
    with Workers(POINT) as workers:
        policy = MLPPolicy(workers.spec, SMALL)
        steps = steps_of(workers.collect(Expert(), 5), policy)
    settings = replace(SETTINGS, batch_size=32, value_share=0.5)
    learner = SAC(policy, settings, torch.Generator().manual_seed(0))
    learner.remember(steps)
    weights = {name: weight.clone() for name, weight in policy.state_dict().items()}
    critic = learner.critics[0][0].detach().clone()
    imitate(learner, learner.replay, updates=3, after_end=0.0, left=0.6)
    assert all(torch.equal(weight, weights[name]) for name, weight in policy.state_dict().items())
    assert not torch.equal(learner.critics[0][0], critic)
    imitate(learner, learner.replay, updates=3, after_end=0.0, left=0.4)
    assert not all(torch.equal(weight, weights[name]) for name, weight in policy.state_dict().items())


def test_sqil_brings_the_point_to_the_middle_as_the_expert_did():
    _, found = trained(POINT, 1200)
    assert found.mean_return > -2.5  # the expert: about -1.1; an untrained policy: below -9


def test_sqil_ends_an_episode_where_the_expert_does():
    """Rewards are never negative: had the end no worth, it would pay to stay away from it."""
    _, found = trained(ENDING, 1200)
    assert found.success_rate > 0.9
    assert np.mean(found.steps) < 0.4 * STEPS  # the expert: about 3


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path):
    whole, _ = trained(ENDING, 200)
    trained(ENDING, 200, folder=tmp_path, rounds=3)
    resumed, _ = trained(ENDING, 200, folder=tmp_path)
    for name, weight in whole.last.state_dict().items():
        assert torch.equal(weight, resumed.last.state_dict()[name]), name


def test_without_demonstrations_sqil_says_so():
    with Workers(POINT) as workers, pytest.raises(TrainingError, match="no demonstrations"):
        sqil.train((), workers, Config(), Run(None, {}, 100, None, 0, lambda steps, measured: True))


def test_time_after_an_end_is_counted_as_adversarial_learning_adds_it():
    with Workers(ENDING) as workers:
        episodes = workers.collect(Expert(), 8)
        policy = MLPPolicy(workers.spec, SMALL)
    steps = with_absorbing(steps_of(episodes, policy), STEPS, 0.95)
    ends = AfterEnds()
    ends.count(steps)
    assert ends.rows == STEPS * 8 and ends.absorbing == sum(STEPS - episode.steps for episode in episodes)
