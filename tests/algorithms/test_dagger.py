"""DAgger asks the expert where the learner goes, counts what it asked, and goes on after a kill as if nothing was."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import imitation_ros
from imitation_ros.algorithms import bc, dagger
from imitation_ros.algorithms import run as running
from imitation_ros.algorithms.recipe import load_recipe
from imitation_ros.algorithms.run import Run
from imitation_ros.console import console
from imitation_ros.data.dataset import transitions
from imitation_ros.data.episode import Episode
from imitation_ros.data.growing import GrowingData
from imitation_ros.data.load import load_episodes
from imitation_ros.data.save import save_episodes
from imitation_ros.envs.collect import Workers
from imitation_ros.envs.evaluate import evaluate_with
from imitation_ros.envs.tasks import Expert
from imitation_ros.errors import DataError, TrainingError
from imitation_ros.policies.bundle import OnnxPolicy
from imitation_ros.policies.checkpoint import save_bundle
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.policies.scripted import ConstantPolicy

SMALL = NetworkConfig(hidden=(32, 32))
QUICK = dagger.Config(
    updates=150, steps=600, steps_per_round=200, beta_schedule="exponential", beta_fall=0.5, network=SMALL
)
NOBODY = ConstantPolicy({"action": np.zeros(1, np.float32)})


@dataclass
class Pole:
    """Pushes the cart to where the pole falls, and counts how often it is asked."""

    asked: int = 0

    def act(self, observation: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.asked += 1
        position, velocity, angle, angular_velocity = (float(number) for number in observation["observation"])
        right = angle + 0.3 * angular_velocity + 0.02 * position + 0.05 * velocity > 0.0
        return {"action": np.array([1.0 if right else 0.0], np.float32)}


def run_in(folder: Path | None, workers: Workers | None = None, config=QUICK, **changes) -> Run:
    def evaluate(policy):
        return evaluate_with(workers, policy, 2, purpose="validation")

    given = {"evaluate": None if workers is None else evaluate, "report": lambda steps, measured: True, **changes}
    return Run(folder, {"algorithm": "dagger"}, config.steps, evaluate_every=1, **given)


def shown(workers: Workers, count: int = 2, steps: int = 60) -> list[Episode]:
    """Return the beginnings of the expert's episodes."""
    return [beginning(episode, steps) for episode in workers.collect(Pole(), count)]


def beginning(episode: Episode, steps: int) -> Episode:
    return replace(
        episode,
        observations={name: values[: steps + 1] for name, values in episode.observations.items()},
        actions={name: values[:steps] for name, values in episode.actions.items()},
        executed={name: values[:steps] for name, values in episode.executed.items()},
        rewards=None,
    )


def weights(policy: MLPPolicy) -> list[torch.Tensor]:
    return list(policy.state_dict().values())


def same(one: MLPPolicy, other: MLPPolicy) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@pytest.mark.parametrize(
    ("schedule", "fall", "shares"),
    [
        ("exponential", 1.0, [1, 0, 0]),
        ("exponential", 0.5, [1, 0.5, 0.25, 0.125]),
        ("linear", 0.4, [1, 0.6, 0.2, 0, 0]),
    ],
)
def test_the_experts_share_falls_from_one(schedule, fall, shares):
    config = replace(QUICK, beta_schedule=schedule, beta_fall=fall)
    assert [dagger.beta_of(number, config) for number in range(len(shares))] == pytest.approx(shares)


def test_every_tick_that_the_learner_visits_is_labelled_by_the_expert(tmp_path):
    with Workers("CartPole-v1") as workers:
        demonstrations, expert = shown(workers), Pole()
        result = dagger.train(demonstrations, workers, expert, QUICK, run_in(tmp_path))
    found = load_episodes(tmp_path / "episodes")
    disagreed = 0
    for episode in found:
        for tick in range(episode.steps):
            seen = {name: values[tick] for name, values in episode.observations.items()}
            assert episode.actions["action"][tick] == Pole().act(seen)["action"]
        disagreed += int((episode.actions["action"] != episode.executed["action"]).sum())
    assert disagreed > 0, "the learner never drove"
    assert {episode.attributes["round"] for episode in found} == set(range(1, result.state.round))
    assert expert.asked == sum(episode.steps for episode in found), "once a tick, and never for the demonstrations"


def test_labels_are_counted_those_of_the_demonstrations_too(tmp_path):
    with Workers("CartPole-v1") as workers:
        result = dagger.train(shown(workers), workers, Pole(), QUICK, run_in(tmp_path, workers))
    state, collected = result.state, load_episodes(tmp_path / "episodes")
    assert state.notes["labels"][0] == 2 * 60
    assert sum(state.notes["labels"][1:]) == sum(episode.steps for episode in collected) == state.steps >= QUICK.steps
    curve = state.notes["curve"]
    assert [row["labels/round"] for row in curve] == state.notes["labels"]
    assert [row["labels/all"] for row in curve] == np.cumsum(state.notes["labels"]).tolist()
    assert [row["rollouts/beta"] for row in curve[1:3]] == [0.5, 0.25]
    assert all("evaluation/return" in row for row in curve)


def test_without_demonstrations_the_expert_drives_the_first_round(tmp_path):
    with Workers("CartPole-v1") as workers:
        result = dagger.train([], workers, Pole(), QUICK, run_in(tmp_path))
    first = [episode for episode in load_episodes(tmp_path / "episodes") if episode.attributes["round"] == 0]
    assert sum(episode.steps for episode in first) == result.state.notes["labels"][0]
    assert all(np.array_equal(episode.actions["action"], episode.executed["action"]) for episode in first)


def test_dagger_beats_cloning_on_as_many_labels():
    config = replace(QUICK, updates=400, steps=900, steps_per_round=300, beta_fall=1.0)
    with Workers("Pendulum-v1") as workers:
        pendulum = Swing()
        demonstrations = workers.collect(pendulum, 1)
        result = dagger.train(demonstrations, workers, pendulum, config, run_in(None))
        labels = sum(result.state.notes["labels"])
        more = workers.collect(pendulum, math.ceil(labels / 200))
        cloned = bc.train(transitions(more), config, lambda update, measured: True).policy
        ours, theirs = (evaluate_with(workers, policy, 20).mean_return for policy in (result.last, cloned))
    assert ours > theirs + 20, (ours, theirs)


class Swing:
    """Swings the pendulum up by energy, and holds it."""

    def act(self, observation: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        cosine, sine, speed = (float(number) for number in observation["observation"])
        torque = -8.0 * np.arctan2(sine, cosine) - 1.5 * speed
        if cosine < 0.8 or abs(speed) > 3.5:
            torque = (15.0 - 0.5 * speed**2 - 15.0 * cosine) * (1.0 if speed >= 0.0 else -1.0)
        return {"action": np.array([np.clip(torque, -2.0, 2.0)], np.float32)}


def test_gated_by_a_supervisor_only_what_the_expert_did_is_learned(tmp_path):
    config = replace(QUICK, human_gated=True, takes_over=0.4, hands_back=0.2, gate_ticks=1)
    with Workers("CartPole-v1") as workers:
        result = dagger.train(shown(workers), workers, Pole(), config, run_in(tmp_path))
        spec = workers.spec
    collected = load_episodes(tmp_path / "episodes")
    human = [int(episode.is_human.sum()) for episode in collected]
    assert 0 < sum(human) < sum(episode.steps for episode in collected)
    assert sum(result.state.notes["labels"]) == 2 * 60 + sum(human)
    data = GrowingData(tmp_path, spec)
    data.cut(result.state.notes["data"])
    learned = data.transitions()
    for number, episode in enumerate(collected, start=2):
        rows = learned.labels["action"][learned.episode == number].numpy()
        np.testing.assert_array_equal(rows, episode.actions["action"][episode.is_human])


def test_recordings_in_which_a_person_took_over_are_learned_from_without_a_simulator(tmp_path):
    with Workers("CartPole-v1") as workers:
        demonstrations = shown(workers)
        driven = shown(workers.collect(NOBODY, 3) and workers, 3)
    taken_over = np.arange(60) >= 40
    recorded = [replace(episode, is_human=taken_over) for episode in driven]
    data = save_episodes(tmp_path / "recorded", [*demonstrations, *recorded])
    result = dagger.train(load_episodes(data), None, None, QUICK, run_in(tmp_path / "run"))
    assert result.state.notes["labels"] == [2 * 60 + 3 * 20]
    only = [replace(episode, is_human=None) for episode in demonstrations]
    only += [part(episode, taken_over) for episode in recorded]
    cloned = bc.train(transitions(only), QUICK, lambda update, measured: True).policy
    assert same(result.last, cloned)


def part(episode: Episode, chosen: np.ndarray) -> Episode:
    """Return an episode of some ticks only."""
    rows = np.flatnonzero(chosen)
    return replace(
        episode,
        observations={name: values[[*rows, rows[-1] + 1]] for name, values in episode.observations.items()},
        actions={name: values[rows] for name, values in episode.actions.items()},
        executed={name: values[rows] for name, values in episode.executed.items()},
        is_human=None,
    )


def test_a_bundle_can_be_the_expert(tmp_path):
    with Workers("CartPole-v1") as workers:
        cloned = bc.train(transitions(shown(workers, 4, 200)), QUICK, lambda update, measured: True).policy
        samples = {"observation": np.zeros((4, 4), np.float32)}
        bundle = OnnxPolicy(save_bundle(tmp_path / "bundle", cloned, {}, {}, samples))
        result = dagger.train([], workers, bundle, replace(QUICK, steps=800), run_in(tmp_path / "run"))
    found = load_episodes(tmp_path / "run" / "episodes")[-1]
    wanted = [bundle.act({"observation": seen})["action"] for seen in found.observations["observation"][:-1]]
    np.testing.assert_array_equal(found.actions["action"], wanted)
    assert result.state.round > 1


def test_any_number_of_workers_does_the_same(tmp_path):
    for count in (1, 2):
        with Workers("two_link_push", count) as workers:
            demonstrations = workers.collect(Expert("pusher"), 2)
            config = replace(QUICK, updates=40, steps=400, steps_per_round=200)
            dagger.train(demonstrations, workers, Expert("pusher"), config, run_in(tmp_path / str(count)))
    assert files_of(tmp_path / "1") == files_of(tmp_path / "2")


def train_cartpole(folder: Path) -> None:
    torch.set_num_threads(1)
    with Workers("CartPole-v1") as workers:
        dagger.train(shown(workers), workers, Pole(), replace(QUICK, updates=40, steps=2000), run_in(folder, workers))


def files_of(folder: Path) -> dict[str, bytes]:
    suffixes = (".safetensors", ".hdf5", ".bin", ".part")
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.suffix in suffixes}


def dies_at(folder: Path, event: int):
    """Return what kills this process before it opens, renames or cuts its n-th file of the folder."""
    left = event

    def hook(name: str, values: tuple) -> None:
        nonlocal left
        if name in ("open", "os.rename", "os.truncate", "os.remove") and str(values[0]).startswith(str(folder)):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def test_a_training_that_is_killed_again_and_again_ends_as_one_that_never_was(tmp_path):
    train_cartpole(tmp_path / "whole")
    whole, killed = files_of(tmp_path / "whole"), tmp_path / "killed"
    root = str(Path(imitation_ros.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    kills, found = map(int, subprocess.check_output([sys.executable, __file__, killed], env=environment).split())
    assert kills >= 5 and found >= 3, "too few kills, or all in one round"
    again = files_of(killed)
    assert again.keys() == whole.keys()
    assert [name for name in whole if whole[name] != again[name]] == []


def train_and_die(folder: Path) -> None:
    """Train in children that are killed ever later, until one ends; print how many were, and in how many states."""
    kills, states = 0, set()
    for event in (3, 6, 15, 19, 14, 25, 13, 10**9):
        child = os.fork()
        if not child:
            console.quiet = True
            running.SAVE_SHARE = math.inf  # saves every round
            sys.addaudithook(dies_at(folder, event))
            train_cartpole(folder)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            break
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        kills += 1
        states.add(len(list(folder.rglob("*.hdf5"))))
    print(kills, len(states))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"beta_fall": 0.0}, "beta_fall is 0; it should be above 0, and at most 1"),
        ({"beta_schedule": "cosine"}, "beta_schedule is 'cosine'; allowed: exponential, linear"),
        ({"hands_back": 0.6}, "hands_back is 0.6; it should be above 0, and at most takes_over"),
        ({"steps_per_round": 0}, "steps_per_round is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, words):
    with pytest.raises(TrainingError, match=words):
        dagger.Config(**change)


def test_nobody_to_learn_from_is_said_in_words(tmp_path):
    with Workers("CartPole-v1") as workers:
        with pytest.raises(TrainingError, match="nobody to learn from"):
            dagger.train(shown(workers), workers, None, QUICK, run_in(None))
        with pytest.raises(TrainingError, match="nobody to learn from"):
            dagger.train([], None, Pole(), QUICK, run_in(None))
        driven = [replace(episode, is_human=np.zeros(60, bool)) for episode in shown(workers)]
        with pytest.raises(DataError, match="no labelled tick"):
            dagger.train(driven, None, None, QUICK, run_in(None))
        with Workers("Pendulum-v1") as others, pytest.raises(DataError, match="mean different things"):
            dagger.train(shown(workers), others, Swing(), QUICK, run_in(None))


def test_a_recipe_says_what_cloning_says_too():
    config = load_recipe("dagger", {"updates": 100, "beta_fall": 0.5, "network": {"hidden": [8]}})
    assert isinstance(config, dagger.Config)
    assert (config.updates, config.beta_fall, config.network.hidden) == (100, 0.5, (8,))


if __name__ == "__main__":
    train_and_die(Path(sys.argv[1]))
