"""What a dataset's splits say stands above a recipe's validation_fraction."""

from __future__ import annotations

import dataclasses
import json

import pytest

from imitation_ros.data.save import save_episodes
from imitation_ros.data.splits import write_splits_json
from imitation_ros.editing.packing import run_pack
from imitation_ros.errors import TrainingError

pytest.importorskip("torch")

from imitation_ros.algorithms import bc
from imitation_ros.data.dataset import data_hash
from imitation_ros.data.load import iterate_episodes
from imitation_ros.policies.policy import NetworkConfig
from imitation_ros.training import run_bc
from imitation_ros.training.held_out import without_tests

CONFIG = bc.Config(updates=4, validate_every=2, validation_fraction=0.4, network=NetworkConfig(hidden=(8,)))


@pytest.fixture
def demos(tmp_path, spec, make_episode):
    episodes = [make_episode(spec, 20, seed, timed=False, success=seed != 1) for seed in range(6)]
    return save_episodes(tmp_path / "demos", episodes)


def learned(data, output):
    run_bc(data, output, CONFIG, "cpu")
    return json.loads((output / "policy.json").read_text())["provenance"]["data"]


@pytest.mark.parametrize("packed", [False, True])
def test_cloning_holds_out_what_the_splits_say_and_never_sees_the_test(demos, tmp_path, capsys, packed):
    names = {"train": [0, 1], "valid": [2, 4], "test": [5]}  # 3 was added later; 1 is a failure, so numbers shift
    write_splits_json(demos, {part: [f"episode_{n:06d}" for n in numbers] for part, numbers in names.items()})
    data = demos
    if packed:
        run_pack(demos, data := tmp_path / "packed.hdf5")
    found = learned(data, tmp_path / "policy")
    assert (found["training_episodes"], found["validation_episodes"]) == ([0, 2], [1, 3])
    assert found["episodes"] == 4 and found["failures_left_out"] == 1
    assert "2 demonstration(s) are held out to validate by, 1 are for tests" in capsys.readouterr().out.replace(
        "\n", " "
    )


def test_without_splits_the_recipe_says_how_many(demos, tmp_path):
    found = learned(demos, tmp_path / "policy")
    assert len(found["validation_episodes"]) == 2 and found["episodes"] == 5


def test_other_splits_are_other_data(demos):
    before = data_hash(demos)
    write_splits_json(demos, {"train": ["episode_000000"], "valid": ["episode_000001"]})
    assert data_hash(demos) != before


def test_holding_out_everything_is_refused(demos):
    from imitation_ros.data.dataset import transitions
    from imitation_ros.data.load import load_episodes

    rows = transitions(load_episodes(demos))
    config = dataclasses.replace(CONFIG, updates=1)
    with pytest.raises(TrainingError, match="all 6 demonstrations are held out"):
        bc.train(rows, config, lambda update, measured: True, validation=range(6))


def test_what_is_for_tests_is_learned_from_by_nobody(demos):
    write_splits_json(demos, {"train": [f"episode_{n:06d}" for n in (0, 2)], "test": ["episode_000003"]})
    kept, all_of_them = list(without_tests(demos)), list(iterate_episodes(demos))
    assert [episode.attributes for episode in kept] == [all_of_them[n].attributes for n in (0, 1, 2, 4, 5)]
