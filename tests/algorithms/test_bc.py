"""Behavioural cloning learns, repeats itself, and stops when it should."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from imitation_ros.algorithms import bc
from imitation_ros.algorithms.recipe import load_recipe
from imitation_ros.data.dataset import Transitions
from imitation_ros.errors import SpecError, TrainingError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.plain import array_field, category_field, image_field, plain_spec
from imitation_ros.robot.spec import load_spec

SPEC = load_spec("panda_reach")
FAST = bc.Config(updates=1500, validate_every=250, network=NetworkConfig(hidden=(64, 64)))


def linear_expert(episodes: int = 20, steps: int = 50, seed: int = 0) -> Transitions:
    """Labels that are a linear function of the observation: the goal minus the hand, times a gain."""
    generator = torch.Generator().manual_seed(seed)
    count = episodes * steps
    observations = {f.name: 0.3 * torch.randn(count, f.width, generator=generator) for f in SPEC.observation}
    labels = {"twist": 0.5 * (observations["goal"] - observations["end_effector_pose"][:, :3])}
    return Transitions(SPEC, observations, labels, torch.arange(episodes).repeat_interleave(steps))


def quiet(update: int, measured) -> bool:
    return True


@pytest.mark.parametrize("head", ["deterministic", "gaussian"])
def test_bc_fits_a_linear_expert(head):
    network = NetworkConfig(hidden=(64, 64), head=head, relative_positions=False)
    policy = bc.train(
        linear_expert(episodes=80), dataclasses.replace(FAST, updates=3000, network=network), quiet
    ).policy
    fresh = linear_expert(seed=1)
    error = (policy(fresh.observations)["twist"] - fresh.labels["twist"]).square().mean().sqrt()
    spread = fresh.labels["twist"].std()
    assert error < 0.1 * spread  # measured: 0.02 (deterministic), 0.03 (gaussian)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    config = dataclasses.replace(FAST, updates=200)
    first, again = (bc.train(linear_expert(), config, quiet).policy for _ in range(2))
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    other = bc.train(linear_expert(), dataclasses.replace(config, seed=1), quiet).policy
    assert not torch.equal(first.trunk[0].weight, other.trunk[0].weight)


@pytest.mark.parametrize("head", ["deterministic", "gaussian"])
def test_the_quick_loop_learns_what_torchs_own_schedule_and_average_learn(head):
    data, updates = linear_expert(), 60
    network = NetworkConfig(hidden=(64, 64), head=head)
    config = dataclasses.replace(FAST, updates=updates, validate_every=updates, network=network, average_decay=0.8)
    result = bc.train(data, config, quiet)

    training = data.of(result.training_episodes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        policy = MLPPolicy(SPEC, network)
    policy.fit(training.observations, training.labels)
    optimizer = torch.optim.AdamW(policy.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    average = AveragedModel(
        policy,  # a share of the old weights that starts low, so that the untrained ones are soon forgotten
        avg_fn=lambda old, new, count: old + (1 - min(0.8, float((1 + count) / (10 + count)))) * (new - old),
    )
    generator = torch.Generator().manual_seed(config.seed)
    prepared, targets = bc.prepare(policy, training, "cpu")
    for _ in range(updates):
        rows = torch.randint(len(training), (config.batch_size,), generator=generator)
        optimizer.zero_grad()
        policy.losses(bc.rows_of(prepared, rows), bc.rows_of(targets, rows))["twist"].backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(policy)
    for one, other in zip(result.policy.parameters(), average.module.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=1e-5)  # measured: 3e-8; one update moves them by 1e-3


def test_training_does_not_disturb_the_callers_random_numbers():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    bc.train(linear_expert(), dataclasses.replace(FAST, updates=10), quiet)
    assert torch.equal(torch.rand(3), expected)


def test_held_out_episodes_are_never_learned_from():
    data = linear_expert()
    result = bc.train(data, dataclasses.replace(FAST, updates=10, validation_fraction=0.25), quiet)
    assert len(result.validation_episodes) == 5
    assert not set(result.validation_episodes) & set(result.training_episodes)
    learned = data.of(result.training_episodes).observations["goal"].double().mean(0)
    goal = slice(16, 19)  # joints 7, pose 9, goal 3
    np.testing.assert_allclose(result.policy.encoder.normalizer.mean[goal], learned, atol=1e-6)


def test_training_stops_when_the_held_out_error_no_longer_falls():
    data = linear_expert(episodes=4, steps=10)
    noise = {"twist": torch.randn(40, 3, generator=torch.Generator().manual_seed(0))}  # nothing to learn
    noisy = dataclasses.replace(data, labels=noise)
    config = dataclasses.replace(FAST, updates=20_000, validate_every=50, patience=4, validation_fraction=0.25)
    result = bc.train(noisy, config, quiet)
    assert result.updates < 20_000
    assert result.updates - result.best_update == 4 * 50


def test_training_can_be_stopped_from_outside(monkeypatch):
    monkeypatch.setattr(bc, "REPORT_S", math.inf)  # on a busy machine it would speak before the first look
    looks = []
    result = bc.train(linear_expert(), FAST, lambda update, measured: bool(looks.append(update)))
    assert looks == [250] and result.updates == 250


def test_a_loss_that_is_not_finite_is_said_in_words():
    config = dataclasses.replace(FAST, learning_rate=1e12, weight_decay=0.0)
    data = linear_expert()
    broken = dataclasses.replace(data, labels={"twist": data.labels["twist"] * torch.inf})
    with pytest.raises(TrainingError, match=r"loss is .* at update"):
        bc.train(broken, config, quiet)


def test_a_validation_error_that_is_not_finite_is_said_in_words(monkeypatch):
    monkeypatch.setattr(bc, "validate", lambda *_: float("nan"))
    with pytest.raises(TrainingError, match="validation error is nan at update 250"):
        bc.train(linear_expert(), FAST, quiet)


def test_episodes_without_a_fresh_row_are_never_the_ones_that_are_held_out():
    data = linear_expert(episodes=10, steps=5)
    sparse = data.of([1, 4, 8])
    for seed in range(6):
        config = dataclasses.replace(FAST, updates=5, validate_every=5, validation_fraction=0.4, seed=seed)
        result = bc.train(sparse, config, quiet)
        assert sorted(result.training_episodes + result.validation_episodes) == [1, 4, 8]
        assert len(sparse.of(result.validation_episodes)) > 0
        assert np.isfinite(result.validation_error)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"updates": 0}, "updates is 0; it should be at least 1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0; it should be above 0"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1; it should be at least 0 and below 1"),
        ({"validate_every": 0}, "validate_every is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"average_decay": 1.0}, "average_decay is 1"),
        ({"threads": 0}, "threads is 0"),
        ({"seed": -1}, "seed is -1; it should be at least 0"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_in_words(change, words):
    with pytest.raises(TrainingError, match=words):
        bc.Config(**change)


@pytest.mark.parametrize("hidden", [(), (0,), (64, -1), ("wide",), (True,)])
def test_a_network_without_layers_is_refused(hidden):
    with pytest.raises(SpecError, match=r"hidden is .* sizes of layers"):
        NetworkConfig(hidden=hidden)


def test_the_shipped_recipe_is_a_config():
    assert isinstance(load_recipe("bc"), bc.Config)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("updatess: 3", "Did you mean 'updates'"),
        ("updates: many", "it should be like 15000"),
        ("network: {hidden: 3}", "hidden is 3"),
        ("updates: true", "updates is True"),
        ("updates: 0", "updates is 0; it should be at least 1"),
        ("network: {hidden: []}", "network: hidden is"),
    ],
)
def test_a_wrong_recipe_is_named(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=words) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value)


def test_bc_finds_a_spot_in_an_image():
    """The label is where the bright spot is; a guess of the mean would be off by 0.5 of the range on average."""
    spec = plain_spec("spot", [image_field("camera", (24, 24, 1))], [array_field("place", 2, [-1, -1], [1, 1])], 10.0)
    generator = np.random.default_rng(0)
    corners = generator.integers(0, 21, (400, 2))
    pixels = generator.integers(0, 60, (400, 24, 24, 1), dtype=np.uint8)
    for image, (row, column) in zip(pixels, corners, strict=True):
        image[row : row + 3, column : column + 3] = 255
    labels = torch.from_numpy((corners / 10.0 - 1.0).astype(np.float32))
    data = Transitions(spec, {"camera": torch.from_numpy(pixels)}, {"place": labels}, torch.arange(400) // 20)
    result = bc.train(data, bc.Config(updates=250, batch_size=64, validate_every=250, threads=1), quiet)
    errors = [np.abs(result.policy.act({"camera": pixels[i]})["place"] - labels[i].numpy()).max() for i in range(400)]
    assert np.median(errors) < 0.15  # measured: 0.05


def test_images_are_not_copied_for_training_and_validation(monkeypatch):
    """They may fill half of the memory."""
    spec = plain_spec("seen", [image_field("camera", (24, 24, 1))], [array_field("place", 1, [-1], [1])], 10.0)
    pixels = torch.zeros(40, 24, 24, 1, dtype=torch.uint8)
    data = Transitions(spec, {"camera": pixels}, {"place": torch.rand(40, 1)}, torch.arange(40) // 10)
    held, prepare = [], bc.prepare
    monkeypatch.setattr(bc, "prepare", lambda *given: held.append(prepare(*given)) or held[-1])
    bc.train(data, dataclasses.replace(FAST, updates=1), quiet)
    assert [observed["camera pixels"].data_ptr() for observed, _ in held] == [pixels.data_ptr()]


def test_bc_learns_a_choice():
    spec = plain_spec("choice", [array_field("state", 2)], [category_field("gear", 1, 3)], 10.0)
    states = torch.randn(600, 2, generator=torch.Generator().manual_seed(0))
    gears = 1.0 + (states[:, :1] > 0.3).float() + (states[:, :1] > 1.0).float()
    data = Transitions(spec, {"state": states}, {"gear": gears}, torch.arange(600) // 30)
    result = bc.train(data, bc.Config(updates=400, validate_every=200, threads=1), quiet)
    right = [result.policy.act({"state": states[i].numpy()})["gear"][0] == gears[i].item() for i in range(600)]
    assert np.mean(right) > 0.95
