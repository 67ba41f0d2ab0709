"""`imitation-ros score`: episodes in, the best first out; what looks unlike the expert is named."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from imitation_ros import cli
from imitation_ros.algorithms.frozen_reward import executed_width
from imitation_ros.algorithms.reward_file import load_reward, save_reward
from imitation_ros.algorithms.rewards import RewardConfig, RewardNet
from imitation_ros.data.dataset import data_hash
from imitation_ros.data.episode import Episode
from imitation_ros.data.save import save_episodes
from imitation_ros.errors import BundleError, DataError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.plain import array_field, plain_spec
from imitation_ros.scoring import Score, run_scoring

SPEC = plain_spec("line", [array_field("x", 1)], [array_field("move", 1, [-1.0], [1.0])], 10.0)


def save_linear(folder: Path, demonstrations: list[Episode], provenance: dict[str, object] | None = None) -> Path:
    """Save a reward of 2 x, and of 1 for every step after the end, at a discount of 0.5."""
    policy = MLPPolicy(SPEC, NetworkConfig(hidden=(4,), head="gaussian"))
    net = RewardNet(policy.encoder.width, executed_width(SPEC), RewardConfig(hidden=()), discount=0.5)
    with torch.no_grad():
        net.g[0].weight.copy_(torch.tensor([[2.0, 0.0, 1.0]]))
        net.g[0].bias.zero_()
    return save_reward(folder, net, policy, provenance or {}, demonstrations)


def at(x: float, steps: int = 4, **changes: object) -> Episode:
    moves = {"move": np.zeros((steps, 1), np.float32)}
    return Episode(SPEC, {"x": np.full((steps + 1, 1), x, np.float32)}, moves, moves, **changes)


@pytest.fixture
def reward(tmp_path) -> Path:
    return save_linear(tmp_path / "reward", [at(1.0), at(1.5, steps=9)])


@pytest.fixture
def data(tmp_path) -> Path:
    """Return a folder of episodes from x = 0.5 to 3."""
    episodes = [at(0.5, success=False), at(3.0, success=True, rewards=np.full(4, -2.0, np.float32))]
    return save_episodes(tmp_path / "data", [*episodes, at(1.25, steps=2, terminated=True)])


def test_the_best_are_first_and_those_below_every_demonstration_are_unlike_the_expert(reward, data):
    scores = run_scoring(reward, data)
    assert scores == [
        Score("episode_000001.hdf5", 4, 6.0, 24.0, -8.0, True, False),
        Score("episode_000002.hdf5", 2, 2.5, 5.0 + 1.0, None, None, False),  # 1 follows its end
        Score("episode_000000.hdf5", 4, 1.0, 4.0, None, False, True),
    ]


def test_what_is_printed_names_each_and_sums_up(monkeypatch, capsys, reward, data):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["imitation-ros", "score", str(reward), "--data", str(data)])
    monkeypatch.setattr("imitation_ros.console.console.width", 120)
    cli.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == "rank episode reward per step in all steps success task's return".split()
    assert [line.split()[1] for line in lines[1:4]] == [f"episode_{number:06d}.hdf5" for number in (1, 2, 0)]
    assert "unlike the expert" in lines[3] and "unlike" not in lines[2]
    assert lines[4] == (
        "1 of 3 look unlike the expert: below 2 per step, the lowest of the 2 demonstrations (highest 3)."
    )


def test_numbers_stand_below_each_other_and_what_no_episode_has_gets_no_column(monkeypatch, capsys, tmp_path, reward):
    monkeypatch.setattr("imitation_ros.console.console.width", 120)
    run_scoring(reward, save_episodes(tmp_path / "bare", [at(100.0), at(-0.25), at(2.125, steps=12)]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == "rank episode reward per step in all steps".split()
    points = {tuple(place for place, sign in enumerate(line) if sign == ".")[1:] for line in lines[1:4]}
    assert len(points) == 1, "the decimal points are not below each other"


def test_the_demonstrations_themselves_are_called_that(capsys, tmp_path):
    shown = save_episodes(tmp_path / "shown", [at(1.0), at(1.5)])
    run_scoring(save_linear(tmp_path / "reward", [at(1.0), at(1.5)], {"data": {"sha256": data_hash(shown)}}), shown)
    out = capsys.readouterr().out
    assert "These are the demonstrations that it was learned from: 2 to 3 per step." in out and "unlike" not in out


def test_where_nothing_is_unlike_the_expert_that_is_said_without_a_zero(capsys, tmp_path, reward):
    run_scoring(reward, save_episodes(tmp_path / "good", [at(2.0)]))
    assert "None looks unlike the expert: below 2 per step" in " ".join(capsys.readouterr().out.split())


def test_the_csv_file_holds_the_same(tmp_path, reward, data):
    scores = run_scoring(reward, data, tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["episode"] for row in rows] == [score.episode for score in scores]
    assert [float(row["total_reward"]) for row in rows] == [score.total_reward for score in scores]
    assert [row["success"] for row in rows] == ["True", "", "False"]
    with pytest.raises(DataError, match="already exists"):
        run_scoring(reward, data, tmp_path / "scores.csv")


def test_episodes_of_one_file_are_numbered(tmp_path, reward):
    path = save_episodes(tmp_path / "all.hdf5", [at(0.0), at(2.0)])
    assert [score.episode for score in run_scoring(reward, path)] == ["all.hdf5:1", "all.hdf5:0"]


def test_without_demonstrations_it_only_ranks(tmp_path, capsys, data):
    scores = run_scoring(save_linear(tmp_path / "bare", []), data)
    assert {score.unlike_expert for score in scores} == {None}
    assert "so it can only rank" in " ".join(capsys.readouterr().out.split())


def test_a_demonstration_is_never_unlike_the_expert(tmp_path):
    shown = [at(float(x), steps=7) for x in np.random.default_rng(0).normal(size=8)]
    folder = save_linear(tmp_path / "reward", shown)
    scores = run_scoring(folder, save_episodes(tmp_path / "shown", shown))
    assert not any(score.unlike_expert for score in scores)
    assert math.isclose(scores[-1].mean_reward, load_reward(folder).info.demonstrations["lowest"], rel_tol=1e-6)


def test_what_cannot_be_scored_is_said_in_words(monkeypatch, capsys, tmp_path, reward, data, spec, make_episode):
    with pytest.raises(BundleError, match="holds no reward"):
        run_scoring(data, data)
    other = save_episodes(tmp_path / "other", [make_episode(spec)])
    with pytest.raises(BundleError, match=r"reward and episode_000000.hdf5 mean different things.*learned for: line"):
        run_scoring(reward, other)
    monkeypatch.setattr(sys, "argv", ["imitation-ros", "score", str(reward), "--data", str(tmp_path / "none")])
    with pytest.raises(SystemExit):
        cli.main()
    assert "does not exist" in capsys.readouterr().err
