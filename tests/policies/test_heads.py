"""Heads are the distributions that they say they are: densities, entropies, samples, gradients and bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    TanhTransform,
    TransformedDistribution,
)

from imitation_ros.policies.bundle import OnnxPolicy
from imitation_ros.policies.checkpoint import save_bundle
from imitation_ros.policies.continuous_heads import (
    NEAR_BOUND,
    Bounds,
    DeterministicHead,
    GaussianHead,
    MixtureHead,
    TanhGaussianHead,
)
from imitation_ros.policies.discrete_heads import BinaryHead, CategoryHead
from imitation_ros.policies.heads import CONTINUOUS
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.plain import array_field, category_field, plain_spec
from imitation_ros.robot.spec import RobotSpec, load_spec

GRIPPER = next(field for field in load_spec("panda_pick_place").action if field.name == "gripper")  # binary
ACTIONS = (array_field("speed", 2, [-1.0, 0.0], [1.0, 4.0]), category_field("gear", 2, 3), GRIPPER)
SPEC = RobotSpec("mixed", "mixed", 10.0, (array_field("state", 3),), ACTIONS)
HIDDEN, WIDTH = 4, 2
KINDS = ("gaussian", "tanh_gaussian", "mixture", "binary", "category")


def head_of(kind: str, width: int = WIDTH):
    torch.manual_seed(0)
    heads = {
        "deterministic": lambda: DeterministicHead(HIDDEN, width),
        "gaussian": lambda: GaussianHead(HIDDEN, width),
        "tanh_gaussian": lambda: TanhGaussianHead(HIDDEN, width),
        "mixture": lambda: MixtureHead(HIDDEN, width, 3),
        "binary": lambda: BinaryHead(HIDDEN),
        "category": lambda: CategoryHead(HIDDEN, 4),
    }
    head = heads[kind]()
    with torch.no_grad():
        head.linear.weight.mul_(2.0)
        if hasattr(head, "log_std"):
            head.log_std.copy_(torch.linspace(-1.0, 0.3, head.log_std.numel()).reshape(head.log_std.shape))
    return head


def reference(head, out):
    """The same distribution, as torch makes it."""
    if isinstance(head, GaussianHead):
        mean, log_std = head.split(out)
        return Independent(Normal(mean, log_std.exp()), 1)
    if isinstance(head, TanhGaussianHead):
        mean, log_std = head.split(out)
        return Independent(TransformedDistribution(Normal(mean, log_std.exp()), [TanhTransform(cache_size=1)]), 1)
    if isinstance(head, MixtureHead):
        weight, mean, log_std = head.split(out)
        parts = Independent(Normal(mean, log_std.exp().expand_as(mean)), 1)
        return MixtureSameFamily(Categorical(logits=weight), parts)
    if isinstance(head, BinaryHead):
        return Independent(torch.distributions.Bernoulli(logits=out), 1)
    return Categorical(logits=out)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_is_that_of_torchs_own_distribution(kind):
    head = head_of(kind)
    out = head(torch.randn(50, HIDDEN))
    expected = reference(head, out)
    action = expected.sample()
    if kind == "tanh_gaussian":
        action = action.clamp(-NEAR_BOUND, NEAR_BOUND)
    target = action[:, None].float() if kind == "category" else action
    torch.testing.assert_close(head.log_prob(out, target), expected.log_prob(action), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(head.loss(out, target), -expected.log_prob(action).mean(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["gaussian", "tanh_gaussian", "mixture"])
def test_a_density_integrates_to_one(kind):
    head = head_of(kind, width=1)
    out = head(torch.randn(1, HIDDEN)).double()
    head = head.double()
    edge = NEAR_BOUND if kind == "tanh_gaussian" else 20.0
    values = torch.linspace(-edge, edge, 200_001, dtype=torch.float64)
    inside = torch.trapezoid(head.log_prob(out.expand(len(values), -1), values[:, None]).exp(), values).item()
    beyond = 0.0
    if kind == "tanh_gaussian":  # beyond NEAR_BOUND the density is not read
        mean, log_std = head.split(out)
        inner = Normal(mean, log_std.exp())
        limit = math.atanh(NEAR_BOUND)
        beyond = (inner.cdf(torch.tensor(-limit)) + 1 - inner.cdf(torch.tensor(limit))).item()
    assert inside + beyond == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("kind", ["gaussian", "binary", "category"])
def test_an_entropy_with_a_closed_form_is_torchs_own(kind):
    head = head_of(kind)
    out = head(torch.randn(50, HIDDEN))
    torch.testing.assert_close(head.entropy(out), reference(head, out).entropy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("log_std", [-5.0, -2.0, -0.5, 0.0, 1.0])
@pytest.mark.parametrize("mean", [0.0, 0.7, -3.0])
def test_the_entropy_of_a_bounded_action_is_the_integral_of_its_density(mean, log_std):
    head = TanhGaussianHead(HIDDEN, 1, Bounds(log_std, log_std, log_std)).double()
    out = torch.tensor([[mean, 0.3]], dtype=torch.float64)
    assert head.split(out)[1].item() == pytest.approx(log_std)
    before = torch.linspace(mean - 12 * math.exp(log_std), mean + 12 * math.exp(log_std), 400_001, dtype=torch.float64)
    log_normal = Normal(mean, math.exp(log_std)).log_prob(before)
    log_density = log_normal - torch.log(1 - torch.tanh(before).square()).clamp(min=-60)
    # where tanh rounds to 1 its slope is 4 exp(-2 |x|)
    far = before.abs() > 15
    log_density[far] = (log_normal + 2 * before.abs() - math.log(4))[far]
    expected = -torch.trapezoid(log_normal.exp() * log_density, before).item()
    assert head.entropy(out).item() == pytest.approx(expected, abs=0.02)  # measured: 0.012 at 1.0, else below 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_log_prob_that_they_are_given_and_the_means_of_their_distribution(kind):
    head, count = head_of(kind), 40_000
    out = head(torch.randn(1, HIDDEN)).expand(count, -1).detach()
    action, log_prob = head.sample(out, torch.Generator().manual_seed(1))
    kept = action.abs().amax(1) < NEAR_BOUND if kind == "tanh_gaussian" else torch.ones(count, dtype=torch.bool)
    torch.testing.assert_close(log_prob[kept], head.log_prob(out, action)[kept], rtol=1e-3, atol=1e-3)
    torch.manual_seed(2)
    theirs = reference(head, out).sample()
    theirs = theirs[:, None].float() if kind == "category" else theirs
    assert action.shape == theirs.shape
    for power in (1, 2):
        gap = (action**power).mean(0) - (theirs**power).mean(0)
        error = (theirs**power).std(0) * math.sqrt(2 / count)
        assert (gap.abs() < 5 * error + 1e-6).all()
    if hasattr(head, "entropy"):
        assert -log_prob.mean().item() == pytest.approx(head.entropy(out[:1]).item(), abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 2**31])
def test_samples_follow_their_generator(kind, seed):
    head = head_of(kind)
    out = head(torch.randn(5, HIDDEN))
    first, again = (head.sample(out, torch.Generator().manual_seed(seed)) for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["gaussian", "tanh_gaussian"])
def test_gradients_flow_through_samples_as_numbers_say(kind):
    head = head_of(kind).double()
    out = head(torch.randn(3, HIDDEN, dtype=torch.float64)).detach().requires_grad_()

    def drawn(out):
        action, log_prob = head.sample(out, torch.Generator().manual_seed(0))
        return action.sum(1) + log_prob

    assert torch.autograd.gradcheck(drawn, out)
    assert torch.autograd.gradcheck(head.entropy, out) or kind == "gaussian"


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_the_density_are_as_numbers_say(kind):
    head = head_of(kind).double()
    out = head(torch.randn(3, HIDDEN, dtype=torch.float64)).detach().requires_grad_()
    target = head.sample(out.detach(), torch.Generator().manual_seed(0))[0]
    assert torch.autograd.gradcheck(lambda out: head.log_prob(out, target), out)


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_a_bounded_action_and_its_log_prob_are_finite_whatever_the_network_says(mean, spread):
    head = TanhGaussianHead(HIDDEN, 1)
    out = torch.tensor([[mean, spread]]).requires_grad_()
    action, log_prob = head.sample(out, torch.Generator().manual_seed(0))
    said = head.log_prob(out, torch.tensor([[1.0]])) + head.log_prob(out, torch.tensor([[-1.0]])) + head.entropy(out)
    assert action.abs().item() <= 1.0 and torch.isfinite(log_prob).all() and torch.isfinite(said).all()
    (log_prob + said).sum().backward()
    assert torch.isfinite(out.grad).all()
    low, high = head.bounds.low, head.bounds.high
    assert low - 1e-6 <= head.split(out)[1].item() <= high + 1e-6


@given(st.floats(-6, 2), st.floats(0.1, 6), st.floats(0.02, 0.98))
def test_a_log_std_that_follows_the_state_begins_where_it_is_told_to(low, range_, share):
    bounds = Bounds(low, low + range_, low + share * range_)
    assert bounds.of(torch.zeros(1)).item() == pytest.approx(bounds.start, abs=1e-4)


@pytest.mark.parametrize("head", ["gaussian", "mixture"])
def test_a_log_std_beyond_its_bounds_is_put_back_so_that_it_learns_again(head):
    spec = plain_spec("bounded", [array_field("state", 2)], [array_field("speed", 1, [-1.0], [1.0])], 10.0)
    policy = MLPPolicy(spec, NetworkConfig(hidden=(8,), head=head, log_std=(-2.0, 0.5, -0.5)))
    policy.head("speed").log_std.data.fill_(-9.0)
    policy.keep_in_bounds()
    assert policy.head("speed").log_std.unique().tolist() == [-2.0]
    policy.losses({"encoded numbers": torch.randn(9, 2)}, {"speed": 3 * torch.randn(9, 1)})["speed"].backward()
    assert (policy.head("speed").log_std.grad != 0).any()


def test_the_mode_of_a_mixture_is_the_mean_of_the_heaviest():
    head = MixtureHead(HIDDEN, 2, 3)
    logits, means = torch.tensor([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), torch.arange(12.0).reshape(2, 6)
    assert head.mode(torch.cat([logits, means], 1)).tolist() == [[2.0, 3.0], [6.0, 7.0]]


def test_the_error_of_a_mixture_is_the_noise_that_is_left_though_the_mode_be_the_other():
    head = MixtureHead(HIDDEN, 1, 2, Bounds(-5.0, 1.0, math.log(0.1)))
    labels = torch.cat([torch.ones(500, 1), -torch.ones(500, 1)]) + 0.1 * torch.randn(1000, 1)
    two_modes = torch.tensor([[0.0, 0.0, 1.0, -1.0]]).expand(1000, -1)
    error = head.error(two_modes, labels)
    assert error.item() == pytest.approx(0.2, rel=0.15)  # twice the noise: which of two is a bit more to be told
    one_mode = head.error(torch.zeros(1000, 4), labels)
    assert one_mode > error


@pytest.mark.parametrize("head", CONTINUOUS)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_onnx_of_every_head_gives_its_mode(tmp_path, head, activation):
    torch.manual_seed(0)
    policy = MLPPolicy(SPEC, NetworkConfig(hidden=(16,), head=head, activation=activation, components=4)).eval()
    samples = {"state": np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)}
    policy.fit({"state": torch.from_numpy(samples["state"])})
    bundle = save_bundle(tmp_path / "policy", policy, {}, {}, samples)  # refuses a difference
    served = OnnxPolicy(bundle)
    policy = policy.double()
    for state in samples["state"]:
        action = served.act({"state": state})
        hidden = policy.trunk(policy.encoder({"state": torch.from_numpy(state)[None].double()}))
        out = policy.head("speed")(hidden)
        if head == "mixture":
            logits, means, _ = policy.head("speed").split(out)
            mode = means[0, logits.argmax()]
        else:
            mode = torch.tanh(out[0, :2]) if head == "tanh_gaussian" else out[0]
        expected = policy.normalizer("speed").invert(mode)
        np.testing.assert_allclose(action["speed"], expected.detach().numpy(), atol=1e-5)
