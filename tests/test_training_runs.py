"""A training in an environment, from its command to its bundle: what it needs, what it leaves, and how it goes on."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from imitation_ros.algorithms.recipe import changes_of, load_recipe
from imitation_ros.console import console
from imitation_ros.data.load import load_episodes
from imitation_ros.data.save import save_episodes
from imitation_ros.envs.collect import collect
from imitation_ros.errors import BundleError, SpecError, TrainingError
from imitation_ros.info import show
from imitation_ros.policies.bundle import OnnxPolicy, read_info
from imitation_ros.policies.checkpoint import load_policy
from imitation_ros.training import Job, board_folder, finish, run_training

SMALL = ["steps=600", "steps_per_round=100", "evaluate_every=200", "validation_starts=3", "policy.hidden=[8]"]
SMALL_PPO = [*SMALL, "ppo.epochs=2", "ppo.batch_size=50"]
SMALL_GAIL = [*SMALL_PPO, "reward_updates=3", "batch_size=16", "last_updates=5", "reward.hidden=[8]"]


class Balancing:
    """Pushes where the pole falls, and a little towards the middle: 500 of 500 steps."""

    def act(self, observation):
        place, speed, angle, turn = observation["observation"]
        return {"action": np.array([float(angle + 0.3 * turn + 0.02 * place + 0.05 * speed > 0.0)])}


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    return save_episodes(tmp_path_factory.mktemp("data") / "demos", collect("CartPole-v1", Balancing(), 3))


@pytest.fixture(autouse=True)
def few_test_starts(monkeypatch):
    monkeypatch.setattr(finish, "TEST_STARTS", 4)


def gail_job(demos, folder, *settings, **changes):
    config = load_recipe("gail", changes_of([*SMALL_GAIL, *settings]))
    return replace(Job(config, folder / "policy", demos, device="cpu"), **changes)


def stop_after(rounds):
    """Return what stops a training after so many rounds."""
    heard = []
    return lambda steps, measured: heard.append(steps) or len(heard) < rounds


def contents(folder):
    """Return what has to be the same to the bit in two bundles of one training."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def whole(demos, tmp_path_factory):
    """A training that nobody interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finish, "TEST_STARTS", 4)
        with console.capture() as captured:
            bundle = run_training(gail_job(demos, tmp_path_factory.mktemp("whole")))
    return bundle, captured.get()


def test_a_bundle_says_where_it_came_from_and_what_it_can_do(whole, demos):
    bundle, _ = whole
    said = read_info(bundle).provenance
    assert said["algorithm"] == "gail" and said["config"]["ppo"]["epochs"] == 2
    assert said["environment"] == {"name": "CartPole-v1", "disturbance": False, "terminate_on_success": False}
    assert (said["data"]["episodes"], said["data"]["transitions"]) == (3, 1500) and len(said["data"]["sha256"]) == 64
    training = said["training"]
    assert training["steps"] >= 600 and training["of"] == 600 and training["kept_steps"] <= training["steps"]
    assert training["updates_of_each"]["reward"] == 3 * training["rounds"] + 5
    assert [row["steps"] for row in training["curve"]][-1] == training["steps"]
    assert set(said["evaluation"]) == {"selected", "last", "demonstrations"}
    assert said["evaluation"]["demonstrations"]["return"] == 500.0
    assert said["evaluation"]["selected"]["episodes"] == 4
    assert read_info(bundle).ranges["observation"][0].shape == (4,)
    assert OnnxPolicy(bundle).spec.name == "CartPole-v1"
    with console.capture() as captured:
        show(str(bundle))
    words = " ".join(captured.get().split())
    assert "learned by gail from 3 episodes (1500 ticks)" in words and "practice in CartPole-v1" in words
    assert "demonstrations: return 500 over 3 episodes" in words


def test_curves_are_kept_drawn_and_shown_once(whole):
    bundle, words = whole
    with (bundle / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]["steps"]) == read_info(bundle).provenance["training"]["steps"]
    assert {"ppo/policy_loss", "reward/loss", "evaluation/return", "evaluation/return_low"} <= set(rows[0])
    assert (bundle / "training.png").read_bytes()[:4] == b"\x89PNG"
    assert "selected (after" in words and "demonstrations" in words and "return (95 %)" in words
    assert (bundle / "reward" / "reward.json").is_file()


def test_a_training_that_was_stopped_twice_ends_as_one_that_was_not(whole, demos, tmp_path):
    job = gail_job(demos, tmp_path, workers=2)
    with console.capture() as captured:
        assert run_training(job, stop_after(2)) is None
        assert run_training(job, stop_after(1)) is None
    words = " ".join(captured.get().split())
    assert f"everything is saved in {job.folder}" in words and "The same command goes on from there" in words
    assert "going on after round 2" in words and not job.output.exists()
    bundle = run_training(job)
    assert not job.folder.exists()
    ours, theirs = contents(bundle), contents(whole[0])
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name] and name != "training.png"] == []
    points = EventAccumulator(str(board_folder(bundle))).Reload().Scalars("ppo/policy_loss")
    steps = [point.step for point in points]
    assert steps == sorted(set(steps)) and len(steps) == read_info(bundle).provenance["training"]["rounds"]


def test_another_training_does_not_go_on_from_this_one(demos, tmp_path):
    assert run_training(gail_job(demos, tmp_path), stop_after(1)) is None
    with pytest.raises(TrainingError, match=r"another training:\n  config\.ppo\.clip: 0\.2 there, 0\.1 here"):
        run_training(gail_job(demos, tmp_path, "ppo.clip=0.1"))
    with pytest.raises(TrainingError, match=r"environment\.name: .*CartPole-v1.* there, .*CartPole-v0.* here"):
        run_training(gail_job(demos, tmp_path, env="CartPole-v0"))


def test_what_a_stopped_training_found_is_made_a_bundle_on_request(demos, tmp_path):
    job = gail_job(demos, tmp_path)
    with pytest.raises(TrainingError, match="there is nothing to finish"):
        run_training(job, only_finish=True)
    assert not job.folder.exists()
    assert run_training(job, stop_after(2)) is None
    training = read_info(run_training(job, only_finish=True)).provenance["training"]
    assert training["rounds"] == 2 and training["steps"] < training["of"] == 600
    with pytest.raises(BundleError, match="already exists"):
        run_training(job)


def test_ctrl_c_saves_and_says_how_to_go_on(demos, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with console.capture() as captured:
        job = gail_job(demos, tmp_path)
        assert run_training(job, lambda *_: os.kill(os.getpid(), signal.SIGINT) or True) is None
    assert "Ctrl-C again ends at once" in captured.get() and "The same command goes on" in captured.get()
    assert (job.folder / "state.safetensors").is_file() and signal.getsignal(signal.SIGINT) is before


def test_a_training_that_breaks_keeps_the_best_and_says_how_to_get_it(demos, tmp_path, monkeypatch):
    from imitation_ros.algorithms.ppo import PPO

    improve = PPO.improve

    def breaks(self, rollouts, reward, left):
        measured = improve(self, rollouts, reward, left)
        return measured | ({"ppo/value_loss": float("nan")} if left < 0.6 else {})

    monkeypatch.setattr(PPO, "improve", breaks)
    job = gail_job(demos, tmp_path)
    with pytest.raises(TrainingError, match=r"ppo/value_loss is nan in round .*The same command with --finish makes"):
        run_training(job)
    assert read_info(run_training(job, only_finish=True)).provenance["training"]["steps"] < 600


def test_ppo_needs_no_data_and_a_learned_reward_stands_for_the_tasks(whole, tmp_path):
    config = load_recipe("ppo", changes_of(SMALL_PPO))
    own = run_training(Job(config, tmp_path / "own", env="CartPole-v1", device="cpu"))
    said = read_info(own)
    assert set(said.provenance["evaluation"]) == {"selected", "last"} and said.provenance["data"] == {}
    assert said.ranges["observation"][0].shape == (4,)
    job = Job(config, tmp_path / "fresh", env="CartPole-v1", reward=str(whole[0]), device="cpu")
    assert read_info(run_training(job)).provenance["reward"] == str(whole[0])


def test_training_goes_on_from_a_policy_that_was_cloned(demos, tmp_path):
    cloning = load_recipe("bc", changes_of(["updates=3", "network.hidden=[8]", "network.head=gaussian"]))
    cloned = run_training(Job(cloning, tmp_path / "cloned", demos, device="cpu"))
    job = gail_job(demos, tmp_path, f"start={cloned}", "ppo.learning_rate=1e-30")
    weights, tuned = (load_policy(bundle).state_dict() for bundle in (cloned, run_training(job)))
    assert all(bool((weights[name] == tuned[name]).all()) for name in weights)


def test_cloning_in_an_environment_is_judged_there(demos, tmp_path):
    config = load_recipe("bc", changes_of(["updates=40", "validate_every=10", "network.hidden=[8]"]))
    said = read_info(run_training(Job(config, tmp_path / "cloned", demos, env="CartPole-v1", device="cpu"))).provenance
    assert set(said["evaluation"]) == {"selected", "last", "demonstrations"}
    assert [row["steps"] for row in said["training"]["curve"]] == [10, 20, 30, 40]


def test_what_dagger_asked_the_expert_is_counted_and_kept(tmp_path):
    pytest.importorskip("pybullet")
    settings = ["steps=60", "steps_per_round=30", "updates=4", "network.hidden=[8]", "validation_starts=1"]
    job = Job(load_recipe("dagger", changes_of(settings)), tmp_path / "policy", env="panda_reach", expert="expert")
    bundle = run_training(replace(job, device="cpu", terminate_on_success=True))
    training = read_info(bundle).provenance["training"]
    kept = load_episodes(bundle / "episodes")
    assert training["labels"]["all"] == sum(training["labels"]["per_round"]) == sum(e.steps for e in kept)
    assert len(training["collected_sha256"]) == 64


@pytest.mark.parametrize(
    ("algorithm", "changes", "words"),
    [
        ("gail", {"env": "CartPole-v1"}, "gail learns from demonstrations: add --data"),
        ("dagger", {"env": "CartPole-v1"}, "dagger learns from demonstrations: add --data.* Or an expert"),
        ("ppo", {}, "ppo practises in an environment: add --env"),
        ("gail", {"data": "{demos}", "expert": "expert"}, "gail asks no expert"),
        ("gail", {"data": "{demos}", "reward": "x"}, "gail learns from no reward that is given"),
        (
            "gail",
            {"data": "{demos}", "env": "Pendulum-v1"},
            r"mean different things:\n  rate_hz: 50.0 != 20.0\n  observation.names",
        ),
        ("gail", {"data": "{demos}", "workers": 0}, "workers is 0"),
        ("bc", {"data": "{demos}", "disturbance": True}, "--disturbance needs an environment"),
        ("gail", {"data": "{demos}", "disturbance": True}, "CartPole-v1 has no disturbance"),
        ("ppo", {"env": "Nothing-v3"}, "gymnasium cannot make 'Nothing-v3'"),
        ("dagger", {"data": "{demos}", "expert": "expert"}, "names no task, so there is no scripted expert"),
    ],
)
def test_what_cannot_work_is_refused_in_words_before_anything_is_done(demos, tmp_path, algorithm, changes, words):
    given = {name: demos if value == "{demos}" else value for name, value in changes.items()}
    with pytest.raises((TrainingError, SpecError), match=words):
        run_training(Job(load_recipe(algorithm), tmp_path / "policy", device="cpu", **given))
    assert list(tmp_path.iterdir()) == []


def test_images_are_refused_where_they_cannot_be_learned_from(tmp_path, camera_spec, make_episode):
    data = save_episodes(tmp_path / "demos", [make_episode(camera_spec)])
    with pytest.raises(TrainingError, match=r"which is not in config/setups\. Add `--env FILE`"):
        run_training(Job(load_recipe("gail"), tmp_path / "policy", data))
    with pytest.raises(TrainingError, match=r"airl learns from numbers only.*'wrist', 'front'"):
        run_training(Job(load_recipe("airl"), tmp_path / "policy", data, env="CartPole-v1"))


def test_demonstrations_that_all_failed_are_too_few(tmp_path, demos):
    failed = [replace(episode, success=False) for episode in load_episodes(demos)]
    data = save_episodes(tmp_path / "failed", failed)
    with pytest.raises(TrainingError, match=r"holds 0 demonstration\(s\) \(3 marked as failures\); at least 1 is"):
        run_training(gail_job(data, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["failed"]


def command(demos: Path, output: Path, workers: int) -> list[str]:
    line = [sys.executable, "-m", "imitation_ros", "train", "airl", "--data", str(demos), "--output", str(output)]
    return [*line, "--device", "cpu", "--workers", str(workers), "--set", *SMALL_GAIL, "steps=3000"]


def test_a_training_that_was_killed_anywhere_ends_with_the_same_bytes(demos, tmp_path):
    """By SIGKILL at random moments; the one that was not killed ran in one process, the other in two."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(demos, whole, 1), check=True, env=environment, timeout=600, capture_output=True)
    moments, kills = random.Random(0), 0
    for _ in range(3):
        process = subprocess.Popen(command(demos, killed, 2), env=environment, stdout=subprocess.DEVNULL)
        state = killed.with_name("killed.training") / "state.safetensors"
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None and not (state.exists() and state.stat().st_mtime_ns > before):
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 0.5))
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    assert kills, "it was always done before it was killed: train for longer"
    if not killed.exists():
        subprocess.run(command(demos, killed, 1), check=True, env=environment, timeout=600, capture_output=True)
    ours, theirs = contents(killed), contents(whole)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name] and name != "training.png"] == []
    assert json.loads(ours["policy.json"])["provenance"]["training"]["steps"] >= 3000
