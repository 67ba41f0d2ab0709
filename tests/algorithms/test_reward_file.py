"""A reward that was saved: the same numbers when it is back, its laws, and broken files in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import load_file, save_file

from imitation_ros.algorithms.frozen_reward import FrozenReward, executed_width
from imitation_ros.algorithms.reinforcement import as_told, judged
from imitation_ros.algorithms.reward_file import REWARD_JSON, WEIGHTS, load_reward, read_reward_info, save_reward
from imitation_ros.algorithms.rewards import RewardConfig, RewardNet
from imitation_ros.algorithms.rollouts import steps_of
from imitation_ros.console import console
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import BundleError
from imitation_ros.info import show
from tests.algorithms.mixed_robot import EPISODES, mixed_episode, mixed_policy, mixed_spec
from tests.algorithms.point_env import POINT

DISCOUNT = 0.9
KINDS = [
    RewardConfig(hidden=(8,)),
    RewardConfig(hidden=(8, 8), shaped=True),
    RewardConfig(hidden=(8,), state_only=True, shaped=True, activation="relu"),
    RewardConfig(hidden=(8,), spectral_norm=True, shaped=True),
]
EPISODE = mixed_episode(6, seed=3, terminated=True)


def net_of(config: RewardConfig = KINDS[1], seed: int = 0) -> RewardNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RewardNet(mixed_policy().encoder.width, executed_width(mixed_spec()), config, DISCOUNT)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory) -> dict[bool, FrozenReward]:
    folder = save_reward(tmp_path_factory.mktemp("rewards") / "reward", net_of(), mixed_policy())
    return {shaped: load_reward(folder, shaped) for shaped in (False, True)}


@pytest.fixture
def folder(tmp_path) -> Path:
    return save_reward(tmp_path / "reward", net_of(), mixed_policy())


@pytest.mark.parametrize("config", KINDS)
def test_what_is_loaded_says_what_was_saved(tmp_path, config):
    net, policy = net_of(config).eval(), mixed_policy()
    provenance = {"algorithm": "airl", "versions": {"torch": "2"}}
    loaded = load_reward(save_reward(tmp_path / "new" / "reward", net, policy, provenance), shaped=True)
    with torch.no_grad():
        wanted = net.of(steps_of([EPISODE], policy)).numpy()
    np.testing.assert_array_equal(loaded.of_episodes([EPISODE])[0], wanted)
    assert loaded.after_end() == net.after_end(DISCOUNT)
    info = loaded.info
    assert (info.config, info.discount, info.provenance) == (config, DISCOUNT, provenance)
    assert not info.spec.differences(mixed_spec()) and info.demonstrations == {}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["reward"], "no part is left"


def test_shaping_is_left_out_unless_it_is_asked_for(frozen):
    net, steps = net_of(), steps_of([EPISODE], mixed_policy())
    with torch.no_grad():
        f = net.of(steps).numpy()
        net.h = None
        g = net.of(steps).numpy()
    np.testing.assert_array_equal(frozen[True].of_episodes([EPISODE])[0], f)
    np.testing.assert_array_equal(frozen[False].of_episodes([EPISODE])[0], g)
    assert frozen[True].after_end() == frozen[False].after_end()
    assert np.abs(f - g).max() > 0.01


@settings(max_examples=15)
@given(EPISODES)
def test_shaping_adds_to_an_episode_only_what_its_first_and_last_state_say(frozen, episodes):
    """The discounted sum of gamma h(s') - h(s) telescopes (Ng et al. 1999); after an end, h is zero."""
    net = net_of()
    both = (frozen[shaped].of_episodes(episodes) for shaped in (True, False))
    for episode, f, g in zip(episodes, *both, strict=True):
        weights = DISCOUNT ** np.arange(episode.steps)
        steps = steps_of([episode], mixed_policy())
        with torch.no_grad():
            first = float(net.h(steps.observations[:1]))
            last = 0.0 if episode.terminated else float(net.h(steps.next_observations[-1:]))
        difference = float((weights * (f - g)).sum())
        assert difference == pytest.approx(DISCOUNT**episode.steps * last - first, abs=1e-4)


@settings(max_examples=15)
@given(EPISODES)
def test_episodes_are_judged_each_by_itself_and_in_order(frozen, episodes):
    together = frozen[False].of_episodes(episodes)
    assert [len(rewards) for rewards in together] == [episode.steps for episode in episodes]
    for episode, rewards in zip(episodes, together, strict=True):
        np.testing.assert_allclose(frozen[False].of_episodes([episode])[0], rewards, atol=1e-5)


def test_one_step_is_worth_what_it_is_worth_in_its_episode(frozen):
    for shaped, reward in frozen.items():
        wanted = reward.of_episodes([EPISODE])[0]
        for tick in range(EPISODE.steps):
            seen, following = (
                {name: rows[tick + after] for name, rows in EPISODE.observations.items()} for after in (0, 1)
            )
            executed = {name: rows[tick] for name, rows in EPISODE.executed.items()}
            ended = EPISODE.terminated and tick == EPISODE.steps - 1
            found = reward.of_step(seen, executed, following, ended)
            assert found == pytest.approx(float(wanted[tick]), abs=1e-5), (shaped, tick)


def test_a_policy_of_any_normaliser_learns_from_the_same_numbers(frozen):
    other = mixed_policy(seed=5)
    other.fit({"joints": torch.tensor([[10.0, -90.0], [11.0, 3.0]]), "mode": torch.zeros(2, 1)})
    measured: dict[str, float] = {}
    steps = steps_of(judged(frozen[False], [EPISODE], measured), other)
    np.testing.assert_array_equal(steps.rewards.numpy(), frozen[False].of_episodes([EPISODE])[0])
    assert measured["rollouts/learned_return"] == pytest.approx(float(steps.rewards.sum()), abs=1e-5)


def test_it_remembers_what_the_demonstrations_were_worth(tmp_path):
    shown = [mixed_episode(4, seed) for seed in range(3)]
    folder = save_reward(tmp_path / "reward", net_of(), mixed_policy(), demonstrations=iter(shown))
    means = [float(rewards.mean()) for rewards in load_reward(folder).of_episodes(shown)]
    worth = read_reward_info(folder).demonstrations
    wanted = {"lowest": min(means), "mean": np.mean(means), "highest": max(means), "episodes": 3}
    assert worth == pytest.approx(wanted, abs=1e-6)


def test_info_says_what_it_is(tmp_path):
    provenance = {"algorithm": "airl", "data": {"folder": "demos", "episodes": 3, "transitions": 12}}
    shown = [mixed_episode(4, seed) for seed in range(3)]
    folder = save_reward(tmp_path / "reward", net_of(), mixed_policy(), provenance, shown)
    with console.capture() as captured:
        show(str(folder))
    words = " ".join(captured.get().split())
    assert "a reward for mixed, of a discount of 0.9 learned by airl from 3 episodes (12 ticks) of demos" in words
    assert "the 3 demonstrations are worth" in words and "robot mixed, 10 Hz" in words


def test_it_is_found_in_the_bundle_of_its_policy(tmp_path):
    save_reward(tmp_path / "policy" / "reward", net_of(), mixed_policy())
    assert load_reward(tmp_path / "policy").spec.name == "mixed"


def test_nothing_is_overwritten(folder):
    with pytest.raises(BundleError, match="already exists"):
        save_reward(folder, net_of(seed=1), mixed_policy())


def test_a_weight_that_is_not_finite_is_neither_saved_nor_loaded(tmp_path, folder):
    net = net_of()
    with torch.no_grad():
        next(net.parameters()).fill_(torch.nan)
    with pytest.raises(BundleError, match="not finite"):
        save_reward(tmp_path / "broken", net, mixed_policy())
    assert not (tmp_path / "broken").exists()
    weights = load_file(folder / WEIGHTS)
    save_file({**weights, "encoder.normalizer.std": weights["encoder.normalizer.std"] * torch.inf}, folder / WEIGHTS)
    with pytest.raises(BundleError, match="not finite"):
        load_reward(folder)


def said(folder: Path, **changes: object) -> None:
    path = folder / REWARD_JSON
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def larger(folder: Path) -> None:
    save_file({**load_file(folder / WEIGHTS), "reward.g.0.weight": torch.zeros(3, 3)}, folder / WEIGHTS)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / REWARD_JSON).unlink(), "holds no reward"),
        (lambda folder: (folder / REWARD_JSON).write_text("{"), "reward.json is broken"),
        (lambda folder: (folder / REWARD_JSON).write_text("[1]"), "reward.json is broken"),
        (lambda folder: said(folder, format_version=2), "format version 2.*Upgrade"),
        (lambda folder: said(folder, discount=1.0), "discount is 1.*below 1"),
        (lambda folder: said(folder, network={"hidden": [8]}), "relative_positions"),
        (lambda folder: said(folder, network={"hidden": [0], "relative_positions": True}), "sizes of layers"),
        (lambda folder: said(folder, demonstrations=[]), "reward.json is broken"),
        (lambda folder: said(folder, robot_spec="setup: [}"), "reward.json is broken"),
        (lambda folder: (folder / WEIGHTS).unlink(), "reward.safetensors does not fit"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"\x80\x04pickle"), "reward.safetensors does not fit"),
        (larger, "reward.safetensors does not fit"),
        (lambda folder: save_file({}, folder / WEIGHTS), "reward.safetensors does not fit"),
    ],
)
def test_a_broken_or_foreign_file_is_refused_in_words(folder, spoil, words):
    spoil(folder)
    with pytest.raises(BundleError, match=words):
        load_reward(folder)


def test_what_means_something_else_is_not_judged(frozen):
    faster = replace(mixed_spec(), rate_hz=20.0)
    with pytest.raises(BundleError, match="mean different things: rate_hz"):
        frozen[False].check_fits(faster, "the other robot")
    with Workers(POINT) as workers, pytest.raises(BundleError, match=r"environment Point-v0 mean different things"):
        as_told(frozen[False], workers)
