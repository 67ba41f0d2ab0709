"""SAC: its targets and gradients against hand computations, its replay's laws, and that it learns and goes on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from imitation_ros.algorithms import ppo, sac, sqil
from imitation_ros.algorithms.replay import Replay
from imitation_ros.algorithms.rewards import ConstantReward, TaskReward
from imitation_ros.algorithms.rollouts import Steps
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.sac import SAC, Config, Settings
from imitation_ros.algorithms.twin_critic import TwinCritic, values
from imitation_ros.envs.any_env import spec_from_env
from imitation_ros.envs.collect import Workers
from imitation_ros.envs.evaluate import evaluate_with
from imitation_ros.errors import TrainingError
from imitation_ros.policies.actor import Actor
from imitation_ros.policies.driving import AnyAction
from imitation_ros.policies.policy import MLPPolicy
from tests.algorithms.point_env import POINT

SPEC = spec_from_env(POINT)
SMALL = replace(sac.NETWORK, hidden=(16, 16))
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def workers():
    with Workers(POINT) as opened:
        yield opened


def learner_of(workers: Workers, **changes: float) -> SAC:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        policy = MLPPolicy(workers.spec, SMALL)
        return SAC(
            policy, Settings(**{"first_steps": 0, "batch_size": 32, **changes}), torch.Generator().manual_seed(1)
        )


def numbered(first: int, count: int, absorbing: tuple[int, ...] = ()) -> Steps:
    """Return steps whose numbers all say which they are."""
    n = torch.arange(first, first + count, dtype=torch.float32)
    none = torch.zeros(count, dtype=torch.bool)
    absorbs = none.clone()
    absorbs[list(absorbing)] = True
    action = torch.sin(n)[:, None]
    return Steps(n[:, None], n[:, None] + 1, {}, action, {}, n, n % 3 == 0, n % 2 == 0, absorbs)


@given(capacity=st.integers(1, 12), sizes=st.lists(st.integers(0, 30), min_size=1, max_size=6))
def test_the_replay_holds_the_latest_rows_each_once(capacity, sizes):
    replay, added = Replay(SPEC, 1, capacity, "cpu"), 0
    for size in sizes:
        replay.add(numbered(added, size))
        added += size
    assert len(replay) == min(capacity, added)
    assert sorted(replay.rows[: len(replay), 0].tolist()) == list(range(added - len(replay), added))


def test_drawn_rows_are_rows_that_were_put_in_and_every_one_comes_up():
    replay = Replay(SPEC, 1, 100, "cpu")
    replay.add(numbered(0, 10, absorbing=(3, 4)))
    drawn = replay.draw(500, torch.Generator().manual_seed(0))
    number = drawn.rewards
    assert sorted(set(number.tolist())) == [0, 1, 2, 5, 6, 7, 8, 9]  # time after an end is no step
    assert torch.equal(drawn.observations[:, 0], number) and torch.equal(drawn.next_observations[:, 0], number + 1)
    assert torch.equal(drawn.executed[:, 0], torch.sin(number))
    assert torch.equal(drawn.terminated, number % 3 == 0) and torch.equal(drawn.last, number % 2 == 0)
    assert not drawn.absorbing.any()
    assert torch.equal(drawn.executed_targets["action"], drawn.executed.clamp(-0.99, 0.99))
    assert torch.equal(replay.draw(500, torch.Generator().manual_seed(0)).rewards, number)


def test_an_empty_replay_says_so():
    with pytest.raises(TrainingError, match="the replay is empty"):
        Replay(SPEC, 1, 10, "cpu").draw(1, torch.Generator())


def test_the_log_prob_of_drawn_actions_is_the_slope_of_their_distribution(workers):
    learner = learner_of(workers)
    seen = torch.linspace(-2, 2, 7).double()[:, None]
    learner.policy.double()
    actions, log_prob = learner.draw(seen)
    mean, log_std = learner.policy.head("action").split(learner.policy.head("action")(learner.policy.trunk(seen)))

    def below(action):  # P(a' <= a) of the tanh of a normal distribution
        return torch.special.ndtr((torch.atanh(action) - mean) / log_std.exp())

    step = 1e-6
    slope = (below(actions + step) - below(actions - step)) / (2 * step)
    torch.testing.assert_close(log_prob.exp(), slope[:, 0], rtol=1e-4, atol=1e-6)
    learner.policy.float()


def test_targets_go_on_after_a_time_limit_and_not_after_an_end(workers):
    learner = learner_of(workers, discount=0.9)
    steps = Steps(
        observations=torch.tensor([[0.1], [0.2], [0.3]]),
        next_observations=torch.tensor([[0.2], [0.3], [0.4]]),
        actions={}, executed=torch.zeros(3, 1), executed_targets={},
        rewards=torch.tensor([1.0, 2.0, 3.0]),
        terminated=torch.tensor([False, False, True]),
        last=torch.tensor([False, True, True]),  # the second was cut by the time limit
        absorbing=torch.zeros(3, dtype=torch.bool),
    )  # fmt: skip
    before = learner.generator.get_state()
    found = learner.targets_of(steps, steps.rewards, after_end=-7.0, temperature=torch.tensor(0.5))
    learner.generator.set_state(before)
    with torch.no_grad():
        action, log_prob = learner.draw(steps.next_observations)
        one, other = values(learner.targets, steps.next_observations, action)
    soft = [min(float(one[i]), float(other[i])) - 0.5 * float(log_prob[i]) for i in range(3)]
    assert found.tolist() == pytest.approx([1.0 + 0.9 * soft[0], 2.0 + 0.9 * soft[1], 3.0 - 7.0])


def test_the_critics_side_by_side_are_two_networks_of_linear_layers():
    critic = TwinCritic(5, (8, 8))
    seen, done = torch.randn(6, 3), torch.randn(6, 2)
    both = values(critic.layers(), seen, done)
    for index in range(2):
        linears = [nn.Linear(*size) for size in ((5, 8), (8, 8), (8, 1))]
        for linear, (weight, bias) in zip(linears, critic.layers(), strict=True):
            linear.weight.data, linear.bias.data = weight[index].T.clone().detach(), bias[index, 0].clone().detach()
        network = nn.Sequential(linears[0], nn.ReLU(), linears[1], nn.ReLU(), linears[2])
        torch.testing.assert_close(both[index], network(torch.cat([seen, done], 1))[:, 0])
    assert not torch.equal(both[0], both[1])


def test_the_critics_learn_from_their_own_loss_alone(workers):
    learner = learner_of(workers)
    steps = numbered(0, 8)
    before = learner.generator.get_state()
    learner.update(steps, steps.rewards, after_end=0.0)
    taught = [p.grad.clone() for p in learner.modules["critic"].parameters()]

    fresh = learner_of(workers)
    fresh.generator.set_state(before)
    targets = fresh.targets_of(steps, steps.rewards, 0.0, fresh.log_temperature.detach().exp())
    loss = sum(0.5 * (q - targets).square().mean() for q in values(fresh.critics, steps.observations, steps.executed))
    for gradient, wanted in zip(taught, torch.autograd.grad(loss, fresh.modules["critic"].parameters()), strict=True):
        torch.testing.assert_close(gradient, wanted)


def test_targets_and_average_follow_by_their_shares(workers):
    learner = learner_of(workers, target_share=0.25, average_decay=0.9)
    steps, follow = numbered(0, 8), (("target", "critic", 0.25), ("average", "policy", 0.1))
    old = {name: [p.clone() for p in learner.modules[name].parameters()] for name, _, _ in follow}
    learner.update(steps, steps.rewards, after_end=0.0)
    for name, followed, share in follow:
        pairs = zip(old[name], learner.modules[name].parameters(), learner.modules[followed].parameters(), strict=True)
        for before, now, ahead in pairs:
            torch.testing.assert_close(now, before + share * (ahead - before))
    assert learner.evaluated is learner.modules["average"] and learner.policy is learner.modules["policy"]


@pytest.mark.parametrize("rewarded", [False, True])
def test_a_temperature_is_learned_only_where_asked(workers, rewarded):
    learner = learner_of(workers, temperature=0.3, learn_temperature=rewarded)
    steps = numbered(0, 8)
    for _ in range(3):
        learner.update(steps, steps.rewards, after_end=0.0)
    # a fresh policy has more entropy than -1 nat, so what entropy is worth falls
    now = learner.log_temperature.exp().item()
    assert now < 0.2995 if rewarded else now == pytest.approx(0.3)


def test_where_every_step_ends_the_critics_learn_the_reward_and_the_policy_its_best_action(workers):
    """The closed form: Q(s, a) = r, and pi = exp(r / temperature) / Z, a normal distribution around the best action."""
    learner = learner_of(workers, temperature=0.02, learn_temperature=False, learning_rate=3e-3)
    generator = torch.Generator().manual_seed(0)
    action = torch.rand(2000, 1, generator=generator) * 2 - 1
    seen, ends = torch.zeros(2000, 1), torch.ones(2000, dtype=torch.bool)
    reward = -(action[:, 0] - 0.4).square()
    steps = Steps(seen, seen, {}, action, {}, reward, ends, ends, ~ends)
    learner.remember(steps)
    for _ in range(600):
        batch = learner.replay.draw(128, generator)
        learner.update(batch, batch.rewards, after_end=1.0)
    places = torch.linspace(-0.9, 0.9, 7)[:, None]
    with torch.no_grad():
        found = values(learner.critics, torch.zeros(7, 1), places)
        drawn, _ = learner.draw(torch.zeros(4000, 1))
    wanted = 1.0 - (places[:, 0] - 0.4).square()
    assert (found - wanted).abs().max() < 0.1  # rewards span 1.7
    assert float(drawn.mean()) == pytest.approx(0.4, abs=0.06)
    assert float(drawn.std()) == pytest.approx(math.sqrt(0.02 / 2), rel=0.35)  # exp(-(a - 0.4)^2 / 0.02)


@pytest.mark.parametrize(("steps", "first_steps"), [(179, 100), (80, 0), (1, 1)])
def test_a_training_that_would_end_before_its_first_update_is_refused(workers, steps, first_steps):
    with pytest.raises(TrainingError, match=rf"^steps is {steps}; it should be at least \d+"):
        config = Config(steps=steps, policy=SMALL, sac=Settings(first_steps=first_steps))
        sac.train([], workers, config, Run(None, {}, steps, None, 1, lambda *_: True))


def test_nothing_is_learned_before_the_first_steps_and_once_a_step_afterwards(workers):
    learner = learner_of(workers, first_steps=15, updates_per_step=0.5)
    assert learner.improve(numbered(0, 10), TaskReward(), 1.0) == {} and learner.updates == 0
    assert learner.improve(numbered(10, 10, absorbing=(9,)), ConstantReward(1.0), 1.0)["sac/reward"] == 1.0
    assert learner.updates == 4  # half of nine, to the even number


def test_what_sac_cannot_train_is_refused_in_words(workers, spec):
    gaussian = MLPPolicy(workers.spec, replace(SMALL, head="gaussian"))
    with pytest.raises(TrainingError, match=r"head is 'gaussian', use tanh_gaussian"):
        SAC(gaussian, Settings(), torch.Generator())
    with pytest.raises(TrainingError, match=r"'gripper' is of kind binary.*Use ppo"):
        SAC(MLPPolicy(spec, SMALL), Settings(), torch.Generator())


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_size", 0), ("discount", 1.0), ("temperature", 0.0), ("target_share", 0.0), ("average_decay", 1.0)],
)
def test_settings_out_of_their_range_are_refused(name, value):
    with pytest.raises(TrainingError, match=name):
        Settings(**{name: value})


def test_a_replay_too_small_for_the_first_steps_is_refused():
    with pytest.raises(TrainingError, match="first_steps is 1000; it should be at least 0 and at most replayed_steps"):
        Settings(replayed_steps=999)


@pytest.mark.parametrize("module", [sac, sqil, ppo])
def test_a_seed_below_zero_is_refused(module):
    with pytest.raises(TrainingError, match="seed is -1"):
        module.Config(seed=-1)


def test_chance_reaches_every_part_of_the_scale(workers, spec):
    choose = AnyAction(spec).begin(np.random.default_rng(0))
    chosen = [choose({}).action for _ in range(300)]
    velocity = np.stack([action["velocity"] for action in chosen])
    assert np.all(np.abs(velocity) <= [0.5, 0.25]) and np.all(velocity.max(0) > [0.45, 0.22])
    assert {float(action["gripper"][0]) for action in chosen} == {0.0, np.float32(0.08)}


def trained(workers, folder=None, steps=400, rounds=None, **changes):
    config = Config(
        steps=steps, steps_per_round=40, policy=SMALL,
        sac=Settings(first_steps=100, batch_size=64, learning_rate=3e-3, **changes),
    )  # fmt: skip
    done = []

    def report(at, measured):
        done.append(at)
        return rounds is None or len(done) < rounds

    def evaluate(policy):
        return evaluate_with(workers, policy, 20, purpose="validation")

    return sac.train((), workers, config, Run(folder, {}, steps, evaluate, 200, report))


def test_sac_learns_to_bring_the_point_to_the_middle(workers):
    result = trained(workers, steps=1200)
    found = evaluate_with(workers, Actor(result.policy), 50).mean_return
    chance = evaluate_with(workers, AnyAction(workers.spec), 50).mean_return
    assert chance < -9.0  # the best is about -1.1: half a metre away, two steps to go
    assert found > -2.0


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(workers, tmp_path):
    whole = trained(workers, average_decay=0.9)
    trained(workers, tmp_path, rounds=4, average_decay=0.9)
    resumed = trained(workers, tmp_path, average_decay=0.9)
    assert resumed.state.round == whole.state.round
    for one, other in ((whole.last, resumed.last), (whole.policy, resumed.policy)):
        for name, weight in one.state_dict().items():
            assert torch.equal(weight, other.state_dict()[name]), name
