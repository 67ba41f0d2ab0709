"""Behavioural cloning learns, repeats itself, and stops when it should."""

from __future__ import annotations

import dataclasses
import math
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from imitation_ros.algorithms import bc, examples
from imitation_ros.algorithms import run as running
from imitation_ros.algorithms.recipe import load_recipe
from imitation_ros.algorithms.run import Run
from imitation_ros.data.dataset import Transitions
from imitation_ros.envs.evaluate import Evaluation
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
    prepared, targets = examples.prepare(policy, training, "cpu")
    for _ in range(updates):
        rows = torch.randint(len(training), (config.batch_size,), generator=generator)
        optimizer.zero_grad()
        policy.losses(examples.rows_of(prepared, rows), examples.rows_of(targets, rows))["twist"].backward()
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


def test_a_loss_that_is_not_finite_is_said_in_words(monkeypatch):
    monkeypatch.setattr(bc, "REPORT_S", math.inf)  # between two looks, the weights would be named
    data = linear_expert()
    broken = dataclasses.replace(data, labels={"twist": data.labels["twist"] * torch.inf})
    with pytest.raises(TrainingError, match=r"training/twist is .* in round 1 \(after 250 steps\).* check the data"):
        bc.train(broken, FAST, quiet)


def test_a_validation_error_that_is_not_finite_is_said_in_words(monkeypatch):
    monkeypatch.setattr(bc, "validate", lambda *_: {"validation_error": math.nan})
    with pytest.raises(TrainingError, match="validation_error is nan in round 1"):
        bc.train(linear_expert(), FAST, quiet)


def test_weights_that_are_not_finite_are_told_between_two_looks(monkeypatch):
    monkeypatch.setattr(bc, "REPORT_S", 0.0)
    data, heard = linear_expert(), []
    broken = dataclasses.replace(data, labels={"twist": data.labels["twist"] * torch.inf})
    with pytest.raises(TrainingError, match=r"a weight of policy .* is not finite in round 0 "):
        bc.train(broken, FAST, lambda update, measured: not heard.append(update))
    assert not heard


def test_what_goes_wrong_leaves_the_last_good_state_and_the_best_policy_on_the_disk(tmp_path, monkeypatch):
    data, validate, looks = linear_expert(), bc.validate, []

    def fails_at_the_third(*given):
        looks.append(validate(*given))
        return looks[-1] if len(looks) < 3 else {"validation_error": math.nan}

    monkeypatch.setattr(bc, "validate", fails_at_the_third)
    config = dataclasses.replace(FAST, updates=60, validate_every=10)
    run = Run(tmp_path, {}, 60, None, 10, quiet)
    monkeypatch.setattr(running, "SAVE_SHARE", math.inf)  # at every look
    with pytest.raises(TrainingError, match=r"The last good state \(round 2\) is in .*, and in it the best policy"):
        bc.train(data, config, quiet, run=run)
    run.lock.close()
    monkeypatch.setattr(bc, "validate", validate)
    run = Run(tmp_path, {}, 60, None, 10, quiet)
    went_on = bc.train(data, config, quiet, run=run)
    same_weights(went_on.policy, bc.train(data, config, quiet).policy)


def same_weights(one: MLPPolicy, other: MLPPolicy) -> None:
    for (name, ours), (_, theirs) in zip(one.state_dict().items(), other.state_dict().items(), strict=True):
        assert torch.equal(ours, theirs), name


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
        ({"gradient_clip": -1.0}, "gradient_clip is -1; it should be at least 0"),
        ({"observation_noise": float("nan")}, "observation_noise is nan"),
        ({"schedule": "cosin"}, "schedule is 'cosin'; allowed: cosine, constant"),
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


def two_ways(rows: int = 3000) -> Transitions:
    """An expert that goes round on the left as often as on the right, with a speed that follows the state."""
    generator = torch.Generator().manual_seed(0)
    spec = plain_spec("round", [array_field("state", 2)], [array_field("speed", 2, [-2, -2], [2, 2])], 10.0)
    states = torch.rand(rows, 2, generator=generator)
    side = torch.randint(2, (rows, 1), generator=generator) * 2.0 - 1.0
    speed = torch.cat([side, states[:, :1]], dim=1) + 0.02 * torch.randn(rows, 2, generator=generator)
    return Transitions(spec, {"state": states}, {"speed": speed}, torch.arange(rows) // 30)


def test_a_mixture_goes_one_way_where_a_gaussian_goes_between():
    data = two_ways()
    sides = {}
    for head in ("gaussian", "mixture"):
        config = bc.Config(updates=800, validate_every=200, network=NetworkConfig(hidden=(32,), head=head))
        policy = bc.train(data, config, quiet).policy
        speed = policy(data.observations)["speed"].detach()
        sides[head] = speed[:, 0].abs()
        assert (speed[:, 1] - data.observations["state"][:, 0]).abs().median() < 0.05
    assert sides["gaussian"].max() < 0.3  # the mean of both ways: into what they go round
    assert (sides["mixture"] - 1.0).abs().max() < 0.1
    drawn = policy.head("speed").sample(policy.head("speed")(policy.trunk(policy.encoder(data.observations))))[0]
    left = (policy.normalizer("speed").invert(drawn)[:, 0] < 0).float().mean()
    assert 0.4 < left < 0.6  # it knows of both, and draws either


def test_a_bounded_head_learns_labels_at_the_very_bounds():
    generator = torch.Generator().manual_seed(0)
    spec = plain_spec("bang", [array_field("state", 2)], [array_field("push", 2, [-2, 0], [2, 1])], 10.0)
    states = torch.randn(2000, 2, generator=generator)
    push = torch.stack([2.0 * states[:, 0].sign(), (states[:, 1] > 0).float()], dim=1)  # bang-bang
    data = Transitions(spec, {"state": states}, {"push": push}, torch.arange(2000) // 40)
    network = NetworkConfig(hidden=(64, 64), head="tanh_gaussian")
    result = bc.train(data, bc.Config(updates=1000, validate_every=250, network=network), quiet)
    told = result.policy(data.observations)["push"]
    far = states.abs().amin(1) > 0.2  # from where the label jumps
    assert (told - push)[far].abs().median() < 0.05  # measured: 0.02
    assert result.validation_error < 0.25  # measured: 0.15, most of it where the label jumps
    assert (told[:, 0].abs() <= 2.0).all() and ((told[:, 1] >= 0.0) & (told[:, 1] <= 1.0)).all()


def test_the_log_std_of_a_clone_stays_within_its_bounds():
    network = NetworkConfig(hidden=(32,), head="gaussian", log_std=(-1.0, 1.0, -0.9))
    config = bc.Config(updates=300, validate_every=100, learning_rate=0.01, network=network)
    result = bc.train(linear_expert(), config, quiet)
    assert result.policy.head("twist").log_std.min() >= -1.0
    assert result.state.notes["warnings"] == []  # a clone explores nothing: a floor is no fault


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 0.0), ("constant", 1e-3)])
def test_the_learning_rate_follows_its_schedule(schedule, last):
    heard = []
    config = dataclasses.replace(FAST, updates=100, validate_every=1, schedule=schedule)
    bc.train(linear_expert(), config, lambda update, measured: heard.append(measured["learning_rate"]) is None)
    assert heard[0] == 1e-3 and heard[-1] == pytest.approx(last, abs=1e-6)
    assert sorted(heard, reverse=True) == heard


def test_a_clipped_gradient_is_never_longer_than_asked_for(monkeypatch):
    norms, step = [], torch.optim.AdamW.step

    def measured_step(optimizer):
        gradients = [weight.grad.flatten() for weight in optimizer.param_groups[0]["params"]]
        norms.append(torch.cat(gradients).norm().item())
        return step(optimizer)

    monkeypatch.setattr(torch.optim.AdamW, "step", measured_step)
    config = dataclasses.replace(FAST, updates=20)
    bc.train(linear_expert(), config, quiet)
    free = list(norms)
    norms.clear()
    bc.train(linear_expert(), dataclasses.replace(config, gradient_clip=0.05), quiet)
    assert max(free) > 0.1 and max(norms) <= 0.05 + 1e-6


def test_noise_on_observations_is_normalised_leaves_categories_alone_and_is_drawn_anew():
    spec = plain_spec("seen", [array_field("far", 1), category_field("gear", 1, 3), array_field("near", 1)],
                      [array_field("speed", 1, [-1], [1])], 10.0)  # fmt: skip
    policy = MLPPolicy(spec, NetworkConfig(hidden=(8,)))
    clean, generator = torch.zeros(20_000, 5), torch.Generator().manual_seed(0)
    first, second = clean.clone(), clean.clone()
    for noisy in (first, second):
        examples.add_noise(noisy, policy, 0.3, generator)
    assert (first[:, 2:] == 0.0).all()  # one number for each gear
    torch.testing.assert_close(first[:, :2].std(0), torch.full((2,), 0.3), rtol=0.02, atol=0.0)
    assert not torch.equal(first, second)


def test_noise_on_observations_makes_a_policy_smoother_and_the_same_seed_the_same_weights():
    data = linear_expert(episodes=4, steps=10)
    steep = {}
    for noise in (0.0, 0.5):
        config = dataclasses.replace(FAST, updates=600, validate_every=600, observation_noise=noise)
        policies = [bc.train(data, config, quiet).policy for _ in range(2)]
        same_weights(*policies)
        there = {name: rows.clone().requires_grad_() for name, rows in linear_expert(seed=5).observations.items()}
        policies[0](there)["twist"].sum().backward()
        steep[noise] = there["joint_position"].grad.abs().mean().item()  # which say nothing of the label
    assert steep[0.5] < 0.85 * steep[0.0]  # measured: 0.72


def mapped(data: Transitions, folder) -> Transitions:
    """The same transitions in files."""

    def in_file(name: str, rows: torch.Tensor) -> torch.Tensor:
        path = str(folder / name)
        rows.numpy().tofile(path)
        return torch.from_file(path, shared=False, size=rows.numel(), dtype=rows.dtype).view(rows.shape)

    seen = {name: in_file(f"seen_{name}", rows) for name, rows in data.observations.items()}
    labels = {name: in_file(f"label_{name}", rows) for name, rows in data.labels.items()}
    return dataclasses.replace(data, observations=seen, labels=labels, mapped=True)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_data_in_files_gives_the_same_weights_and_is_only_read_in_parts(tmp_path, monkeypatch, noise):
    data, most = linear_expert(episodes=40), []
    config = dataclasses.replace(FAST, updates=60, validate_every=20, batch_size=32, observation_noise=noise)
    expected = bc.train(data, config, quiet).policy
    take = Transitions.take
    monkeypatch.setattr(Transitions, "take", lambda data, rows: most.append(len(rows)) or take(data, rows))
    monkeypatch.setattr(bc, "FITTED_ROWS", 10_000)
    same_weights(bc.train(mapped(data, tmp_path), config, quiet).policy, expected)
    assert sorted(most)[-2] <= examples.VALIDATION_ROWS  # all but what the normalisers are fitted on


def test_the_normalisers_are_fitted_on_rows_all_over_the_data(monkeypatch):
    data, taken, take = linear_expert(), [], Transitions.take
    monkeypatch.setattr(bc, "FITTED_ROWS", 10)
    monkeypatch.setattr(Transitions, "take", lambda data, rows: taken.append(rows) or take(data, rows))
    bc.fitted_policy(data, torch.arange(500, 1000), FAST)
    assert [rows.tolist() for rows in taken] == [list(range(500, 1000, 50))]


KILLED = """
import dataclasses, os, signal, sys
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from pathlib import Path
import test_bc
from imitation_ros.algorithms import bc
from imitation_ros.algorithms import run as running
bc.REPORT_S = 0.0  # every update is a place to save
running.SAVE_SHARE = float("inf")

def report(update, measured):
    if update == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return True

test_bc.resumable(Path(sys.argv[2]), report)
"""


def resumable(folder: Path | None, report=quiet) -> bc.Result:
    network = NetworkConfig(hidden=(16,), head="mixture")
    config = dataclasses.replace(
        FAST, updates=90, validate_every=20, batch_size=32, network=network, observation_noise=0.1, gradient_clip=1.0
    )
    run = None if folder is None else Run(folder, {"algorithm": "bc"}, config.updates, None, 20, report)
    result = bc.train(linear_expert(), config, report, run=run)
    if run is not None and run.lock is not None:
        run.lock.close()
    return result


@pytest.mark.parametrize("update", [40, 47])
def test_training_that_is_killed_goes_on_as_if_it_never_was(tmp_path, update):
    """At a look, and between two."""
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path), str(update)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    went_on, whole = resumable(tmp_path), resumable(None)
    torch.set_num_threads(threads)
    same_weights(went_on.policy, whole.policy)
    for module in ("policy", "averaged"):
        same_weights(went_on.state.modules[module], whole.state.modules[module])
    assert went_on.state.notes == whole.state.notes
    assert dataclasses.replace(went_on, policy=None, state=None) == dataclasses.replace(whole, policy=None, state=None)


@pytest.mark.parametrize("stop", [33, 40])
def test_training_that_was_stopped_goes_on_as_if_it_never_was(tmp_path, monkeypatch, stop):
    monkeypatch.setattr(bc, "REPORT_S", 0.0)
    stopped = resumable(tmp_path, lambda update, measured: update < stop)
    assert stopped.updates == stop and math.isfinite(stopped.validation_error)
    same_weights(resumable(tmp_path).policy, resumable(None).policy)


def test_training_that_was_stopped_before_its_first_look_can_be_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(bc, "REPORT_S", 0.0)
    resumable(tmp_path, lambda update, measured: update < 5)

    class Finishing(Run):  # has nothing left to do
        def resume(self, state):
            super().resume(state)
            state.steps = self.total_steps

    run = Finishing(tmp_path, {"algorithm": "bc"}, 90, None, 20, quiet)
    config = dataclasses.replace(FAST, updates=90, validate_every=20, batch_size=32,
                                 network=NetworkConfig(hidden=(16,), head="mixture"))  # fmt: skip
    assert math.isfinite(bc.train(linear_expert(), config, quiet, run=run).validation_error)


def test_the_environment_chooses_the_policy_where_there_is_one():
    """Success falls as the validation error does: the first policy is kept, whatever the held-out episodes say."""
    found = iter(range(100))

    def evaluate(policy):
        return Evaluation(successes=(next(found) == 0,) * 5, returns=(0.0,) * 5)

    config = dataclasses.replace(FAST, updates=100, validate_every=20)
    run = Run(None, {}, 100, evaluate, 20, quiet)
    result = bc.train(linear_expert(), config, quiet, run=run)
    assert result.best_update == 20
    assert [row["evaluation/success"] for row in result.state.notes["curve"]] == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert result.state.notes["best_error_update"] == 100


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
    held, prepare = [], examples.prepare
    monkeypatch.setattr(examples, "prepare", lambda *given: held.append(prepare(*given)) or held[-1])
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
