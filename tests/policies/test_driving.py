"""Drivers: who acts at each tick, and what its label is."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_ros.errors import TrainingError
from imitation_ros.policies.driving import (
    Choice,
    Disagreement,
    Mixture,
    Mode,
    Supervised,
    begin_episode,
    without_drawing,
)
from imitation_ros.policies.scripted import ConstantPolicy
from imitation_ros.robot.plain import array_field, plain_spec

EXPERT, LEARNER = ConstantPolicy({"a": np.ones(1)}), ConstantPolicy({"a": -np.ones(1)})
SPEC = plain_spec("test", [array_field("o", 1)], [array_field("a", 1, [-10.0], [10.0])], 10.0)


class Follows:
    """Does what it sees."""

    def act(self, observation):
        return {"a": observation["o"]}


class Draws(Follows):
    def begin(self, generator):
        return lambda observation: Choice({"a": generator.random(1)}, {"a": observation["o"]}, False)


class Scheduled:
    """A gate that gives the expert some of the ticks."""

    def __init__(self, *ticks):
        self.ticks = ticks

    def begin(self):
        ticks = iter(range(1000))
        return lambda observation, own, wanted, expert_drives: next(ticks) in self.ticks


def drive(driver, numbers, seed=0):
    choose = begin_episode(driver, np.random.default_rng(seed))
    return [choose({"o": np.array([float(number)])}) for number in numbers]


def numbers(choices, what="action"):
    return [float(getattr(choice, what)["a"][0]) for choice in choices]


def test_a_policy_that_only_acts_labels_itself():
    (choice,) = drive(Follows(), [3])
    assert choice.action is choice.label and choice.is_human is None and numbers([choice]) == [3.0]


def test_a_policy_that_can_draw_is_held_to_its_act_by_an_evaluation():
    assert numbers(drive(Draws(), [3])) == [pytest.approx(np.random.default_rng(0).random())]
    assert numbers(drive(without_drawing(Draws()), [3])) == [3.0]
    mixture = Mixture(EXPERT, LEARNER, 0.5)
    assert without_drawing(mixture) is mixture


@given(beta=st.floats(0.0, 1.0), seed=st.integers(0, 99), per_episode=st.booleans())
def test_the_expert_labels_every_tick_of_a_mixture_whoever_acts(beta, seed, per_episode):
    choices = drive(Mixture(EXPERT, LEARNER, beta, per_episode), range(20), seed)
    assert set(numbers(choices, "label")) == {1.0}
    assert set(numbers(choices)) <= {1.0, -1.0}
    assert {choice.is_human for choice in choices} == {None}
    if per_episode:
        assert len(set(numbers(choices))) == 1


def test_beta_is_the_experts_share_of_the_ticks_and_of_the_episodes():
    share = np.mean(np.array(numbers(drive(Mixture(EXPERT, LEARNER, 0.3), range(10_000)))) > 0)
    assert share == pytest.approx(0.3, abs=0.02)  # four standard deviations
    whole = [numbers(drive(Mixture(EXPERT, LEARNER, 0.3, per_episode=True), [0], seed))[0] for seed in range(2000)]
    assert np.mean(np.array(whole) > 0) == pytest.approx(0.3, abs=0.05)
    assert set(numbers(drive(Mixture(EXPERT, LEARNER, 1.0), range(99)))) == {1.0}
    assert set(numbers(drive(Mixture(EXPERT, LEARNER, 0.0), range(99)))) == {-1.0}


@pytest.mark.parametrize("beta", [-0.1, 1.1, float("nan")])
def test_a_share_beyond_0_and_1_is_refused(beta):
    with pytest.raises(TrainingError, match="beta is"):
        Mixture(EXPERT, LEARNER, beta)


def test_labels_under_supervision_are_the_experts_only_while_it_drives():
    choices = drive(Supervised(Follows(), EXPERT, Scheduled(2, 3)), range(10, 16))
    assert numbers(choices) == numbers(choices, "label") == [10.0, 11.0, 1.0, 1.0, 14.0, 15.0]
    assert [choice.is_human for choice in choices] == [False, False, True, True, False, False]


def test_the_expert_takes_over_after_lasting_disagreement_and_hands_back_after_lasting_agreement():
    """The expert wants 1; the scale is -10 to 10, so 7 is 0.6 away, 4 is 0.3, and 2 is 0.1."""
    gate = Disagreement(SPEC, takes_over=0.5, hands_back=0.2, ticks=2)
    seen = [7, 4, 7, 7, 4, 2, 4, 2, 2, 7]
    drives = [choice.is_human for choice in drive(Supervised(Follows(), EXPERT, gate), seen)]
    assert drives == [False, False, False, True, True, True, True, True, False, False]


def test_a_gate_starts_every_episode_anew():
    driver = Supervised(Follows(), EXPERT, Disagreement(SPEC, ticks=2))
    first, second = drive(driver, [9, 9, 9]), drive(driver, [9, 9, 9])
    assert [choice.is_human for choice in first] == [choice.is_human for choice in second] == [False, True, True]


@pytest.mark.parametrize(("takes_over", "hands_back", "ticks"), [(0.2, 0.5, 3), (0.5, 0.0, 3), (0.5, 0.2, 0)])
def test_a_gate_that_could_not_settle_is_refused(takes_over, hands_back, ticks):
    with pytest.raises(TrainingError, match="hands_back"):
        Disagreement(SPEC, takes_over, hands_back, ticks)


@pytest.mark.parametrize(
    "driver",
    [Mixture(EXPERT, LEARNER, 0.4), Supervised(Follows(), EXPERT, Disagreement(SPEC, ticks=1)), Mode(Draws())],
    ids=lambda driver: type(driver).__name__,
)
def test_drivers_survive_being_sent_to_a_worker(driver):
    there = pickle.loads(pickle.dumps(driver))
    assert numbers(drive(there, range(9))) == numbers(drive(driver, range(9)))
