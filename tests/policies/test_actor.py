"""The actor in NumPy does what the network in torch does, and draws what its heads draw."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from imitation_ros.errors import SpecError
from imitation_ros.policies.actor import Actor
from imitation_ros.policies.driving import Drives
from imitation_ros.policies.heads import CONTINUOUS
from imitation_ros.policies.networks import STATE
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.plain import array_field, category_field, image_field, plain_spec
from imitation_ros.robot.spec import RobotSpec, load_spec

ROBOT = load_spec("panda_pick_place")  # positions in one frame, and a gripper that is open or closed
SPECS = {
    "all kinds": RobotSpec(
        name="all_kinds",
        robot="all_kinds",
        rate_hz=10.0,
        observation=(category_field("mode", 2, 3), *ROBOT.observation),
        action=(*ROBOT.action, category_field("gear", -1, 4)),
    ),
    "numbers": plain_spec("numbers", [array_field("state", 3)], [array_field("speed", 2, [-1, 0], [1, 4])], 10.0),
    "a category": plain_spec("choice", [category_field("seen", 0, 5)], [category_field("chosen", 0, 2)], 10.0),
}


def observations_of(spec: RobotSpec, count: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    rows = {}
    for field in spec.observation:
        if field.kind == "category":
            low = int(field.scale[0][0])
            rows[field.name] = torch.randint(low, low + field.categories, (count, 1), generator=generator).float()
        else:
            rows[field.name] = 0.3 * torch.randn(count, field.width, generator=generator)
            rows[field.name][0] = 1e6  # a sensor far outside its data
    return rows


def policy_of(spec: RobotSpec, head: str, activation: str = "tanh", relative: bool = True) -> MLPPolicy:
    torch.manual_seed(0)
    config = NetworkConfig((32, 16), head, activation, relative, log_std=(-2.0, 0.5, -0.3), components=3)
    policy = MLPPolicy(spec, config)
    policy.fit({name: rows[1:] for name, rows in observations_of(spec, 200).items()})
    for name in policy.chosen:
        policy.head(name).linear.weight.data.mul_(5.0)
        if hasattr(policy.head(name), "log_std"):
            policy.head(name).log_std.data.uniform_(-3.0, 1.0)  # also beyond the bounds
    return policy.eval()


def row(observations: dict[str, torch.Tensor], index: int) -> dict[str, np.ndarray]:
    return {name: rows[index].numpy() for name, rows in observations.items()}


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("head", CONTINUOUS)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_actor_acts_as_the_policy_in_torch(spec, head, activation, relative):
    policy = policy_of(spec, head, activation, relative)
    actor, observations = Actor(policy), observations_of(spec, 60)
    encoded = policy.encoder.prepare(observations)[STATE].numpy()
    for index in range(60):
        observation = row(observations, index)
        np.testing.assert_allclose(actor.encode(observation), encoded[index], rtol=1e-5, atol=1e-5)
        ours, theirs = actor.act(observation), policy.act(observation)
        assert list(ours) == list(theirs)
        for field in spec.action:
            low, high = field.scale
            span = np.asarray(high) - np.asarray(low)
            assert ours[field.name].dtype == np.float32 and ours[field.name].shape == (field.width,)
            np.testing.assert_allclose(ours[field.name] / span, theirs[field.name] / span, atol=1e-4)


@pytest.mark.parametrize("head", CONTINUOUS)
def test_the_actor_draws_what_the_heads_draw(head):
    spec, count = SPECS["all kinds"], 4000
    policy = policy_of(spec, head)
    observations = observations_of(spec, 3)
    choose = Actor(policy).begin(np.random.default_rng(0))
    ours = [choose(row(observations, 2)).action for _ in range(count)]
    one = {name: rows[2:3] for name, rows in observations.items()}
    with torch.no_grad():
        hidden = policy.trunk(policy.encoder(one)).expand(count, -1)
        for name in policy.chosen:
            module, values = policy.head(name), np.stack([action[name] for action in ours])
            if not hasattr(module, "sample"):  # deterministic
                assert (values == values[0]).all()
                continue
            sampled = module.sample(module(hidden), torch.Generator().manual_seed(1))[0]
            theirs = policy.normalizer(name).invert(sampled).numpy()
            for power in (1, 2):
                gap = (values**power).mean(0) - (theirs**power).mean(0)
                error = (theirs**power).std(0) * math.sqrt(2 / count)
                assert (np.abs(gap) < 5 * error + 1e-6).all(), name


@pytest.mark.parametrize("head", ["gaussian", "tanh_gaussian"])
def test_what_the_actor_draws_is_what_the_policy_learns_from(head):
    """The label of a rollout comes back as a target whose log p is finite and of a density's usual size."""
    spec = SPECS["all kinds"]
    policy = policy_of(spec, head)
    observations = observations_of(spec, 50)
    choose = Actor(policy).begin(np.random.default_rng(0))
    choices = [choose(row(observations, index)) for index in range(50)]
    assert all(choice.label is choice.action and choice.is_human is None for choice in choices)
    labels = {name: torch.from_numpy(np.stack([c.label[name] for c in choices])) for name in policy.chosen}
    targets = policy.targets(labels)
    assert set(targets["gripper"].unique().tolist()) <= {0.0, 1.0}
    assert set(targets["gear"].unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}
    back = policy.physical(targets)
    for name in policy.chosen:
        torch.testing.assert_close(back[name], labels[name], rtol=1e-5, atol=1e-6)
    assert torch.isfinite(policy.log_prob(policy.encoder(observations), targets)).all()


def test_the_same_generator_draws_the_same_episode():
    spec = SPECS["all kinds"]
    actor, observation = Actor(policy_of(spec, "mixture")), row(observations_of(spec, 2), 1)
    first, again = (
        [choose(observation).action for _ in range(5)]
        for choose in (actor.begin(np.random.default_rng(3)), actor.begin(np.random.default_rng(3)))
    )
    for one, other in zip(first, again, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_the_actor_keeps_the_weights_that_it_was_made_of():
    spec = SPECS["numbers"]
    policy, observation = policy_of(spec, "gaussian"), row(observations_of(spec, 2), 1)
    actor = Actor(policy)
    before = actor.act(observation)["speed"]
    with torch.no_grad():
        for weight in policy.parameters():
            weight.zero_()
    np.testing.assert_array_equal(actor.act(observation)["speed"], before)
    assert isinstance(actor, Drives)


@pytest.mark.parametrize("head", CONTINUOUS)
def test_an_actor_that_arrives_in_another_process_needs_no_torch(tmp_path, head):
    spec = SPECS["all kinds"]
    actor, observation = Actor(policy_of(spec, head)), row(observations_of(spec, 2), 1)
    (tmp_path / "actor").write_bytes(pickle.dumps((actor, observation)))
    code = (
        "import pickle, sys, numpy as np; from pathlib import Path;"
        f"actor, seen = pickle.loads(Path({str(tmp_path / 'actor')!r}).read_bytes());"
        "actor.begin(np.random.default_rng(0))(seen);"
        "assert 'torch' not in sys.modules; print(actor.act(seen)['twist'].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(actor.act(observation)["twist"].tolist())


def test_a_policy_that_sees_images_has_no_actor():
    spec = plain_spec("seen", [image_field("camera", (8, 8, 1))], [array_field("speed", 1, [-1], [1])], 10.0)
    with pytest.raises(SpecError, match="'camera' is an image; learning in an environment takes numbers only"):
        Actor(MLPPolicy(spec, NetworkConfig(hidden=(8,))))
