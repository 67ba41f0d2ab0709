"""Policies: what goes in and out, in physical units, with normalisation inside."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_ros.errors import BundleError
from imitation_ros.policies.heads import BinaryHead, DeterministicHead, GaussianHead
from imitation_ros.policies.networks import ObservationEncoder
from imitation_ros.policies.normalizer import CLIP, Normalizer
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.spec import load_spec

SPEC = load_spec("panda_pick_place")


def random_rows(count: int, seed: int = 0) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    observations = {f.name: torch.randn(count, f.width, generator=generator) for f in SPEC.observation}
    twist = 0.1 * torch.randn(count, 3, generator=generator)
    gripper = 0.08 * (torch.rand(count, 1, generator=generator) > 0.5).float()
    return observations, {"twist": twist, "gripper": gripper}


def fitted_policy(head: str = "deterministic", hidden: tuple[int, ...] = (16,)) -> MLPPolicy:
    torch.manual_seed(0)
    policy = MLPPolicy(SPEC, NetworkConfig(hidden=hidden, head=head))
    policy.fit(*random_rows(200))
    return policy.eval()


@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3),
    st.lists(st.floats(0.015625, 1e2, width=32), min_size=3, max_size=3),
)
def test_normalising_and_back_changes_nothing(mean, std):
    normalizer = Normalizer(3, clip=None)
    normalizer.mean.copy_(torch.tensor(mean))
    normalizer.std.copy_(torch.tensor(std))
    rows = torch.tensor([mean, [a + b for a, b in zip(mean, std, strict=True)]])
    largest = max(map(abs, [*mean, *std]))
    torch.testing.assert_close(normalizer.invert(normalizer(rows)), rows, rtol=0, atol=1e-6 * largest + 1e-6)


def test_a_constant_number_is_not_blown_up():
    normalizer = Normalizer(2)
    normalizer.fit(torch.tensor([[1.0, 5.0], [1.0, 6.0], [1.0, 7.0]]))
    assert normalizer(torch.tensor([[1.01, 6.0]]))[0, 0] == pytest.approx(0.01, rel=1e-3)


def test_a_nearly_constant_number_keeps_a_floor_of_its_range():
    rows = torch.zeros(100_000, 1)
    rows[0] = 1.0  # a standard deviation of 0.003 in a range of 1
    normalizer = Normalizer(1)
    normalizer.fit(rows)
    assert normalizer.std.item() == pytest.approx(0.01, rel=1e-3)


def test_an_observation_far_outside_the_data_saturates():
    normalizer = Normalizer(1)
    normalizer.fit(torch.linspace(-1, 1, 100)[:, None])
    assert normalizer(torch.tensor([[1e9]])).item() == CLIP


def test_positions_in_one_frame_also_enter_as_differences():
    encoder = ObservationEncoder(SPEC, relative_positions=True)
    assert ("object_pose", "goal") in encoder.pairs and ("end_effector_pose", "object_pose") in encoder.pairs
    observation = {f.name: torch.zeros(1, f.width) for f in SPEC.observation}
    observation["object_pose"][0, 0] = 0.01
    moved = encoder(observation)
    # a centimetre is small against a metre, and large in the fine features
    assert moved.abs().max() >= torch.tanh(torch.tensor(0.5)) - 1e-6


def test_actions_come_out_in_physical_units_and_a_gripper_takes_one_of_its_ends():
    policy = fitted_policy()
    observations, _ = random_rows(50, seed=1)
    for row in range(50):
        action = policy.act({name: values[row].numpy() for name, values in observations.items()})
        assert action["twist"].shape == (3,)
        assert np.isclose(action["gripper"], [0.0, 0.08], atol=1e-7).any()


@pytest.mark.parametrize("head", ["deterministic", "gaussian"])
def test_one_row_at_a_time_is_the_same_as_a_batch(head):
    policy = fitted_policy(head)
    observations, _ = random_rows(20, seed=2)
    batch = policy(observations)
    for row in range(20):
        action = policy.act({name: values[row].numpy() for name, values in observations.items()})
        np.testing.assert_allclose(action["twist"], batch["twist"][row].detach().numpy(), atol=1e-5)


def test_the_gaussian_head_gives_the_density_of_its_distribution():
    torch.manual_seed(0)
    head = GaussianHead(4, 3)
    hidden, action = torch.randn(5, 4), torch.randn(5, 3)
    mean, log_std = head.split(head(hidden))
    expected = torch.distributions.Normal(mean, log_std.exp()).log_prob(action).sum(-1)
    torch.testing.assert_close(head.log_prob(head(hidden), action), expected)
    torch.testing.assert_close(head.loss(head(hidden), action), -expected.mean())


def test_the_binary_head_gives_the_probability_of_its_logit():
    head = BinaryHead(2)
    logit, target = torch.tensor([[2.0], [-1.0]]), torch.tensor([[1.0], [1.0]])
    expected = torch.distributions.Bernoulli(logits=logit).log_prob(target).sum(-1)
    torch.testing.assert_close(head.log_prob(logit, target), expected)
    assert head.mode(logit).tolist() == [[1.0], [0.0]]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_samples_follow_their_generator(seed):
    torch.manual_seed(0)
    head, hidden = GaussianHead(4, 3), torch.randn(5, 4)
    first = head.sample(head(hidden), torch.Generator().manual_seed(seed))
    again = head.sample(head(hidden), torch.Generator().manual_seed(seed))
    torch.testing.assert_close(first, again, rtol=0, atol=0)


def test_the_deterministic_head_is_its_own_mode():
    head = DeterministicHead(4, 2)
    out = head(torch.randn(3, 4))
    assert head.mode(out) is out and head.sample(out) is out


def test_an_unknown_head_is_named():
    with pytest.raises(BundleError, match="'gausian' is unknown; allowed: deterministic, gaussian"):
        MLPPolicy(SPEC, NetworkConfig(head="gausian"))
