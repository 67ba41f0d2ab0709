"""A training in an environment, from its command to its bundle: what it needs, what it leaves, and how it goes on."""

from __future__ import annotations

import csv
import errno
import json
import os
import random
import shutil
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

import gymnasium
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from imitation_ros.algorithms import bc
from imitation_ros.algorithms.recipe import changes_of, load_recipe
from imitation_ros.console import console
from imitation_ros.data.load import load_episodes
from imitation_ros.data.save import save_episodes
from imitation_ros.envs.collect import collect, spec_of
from imitation_ros.errors import BundleError, SpecError, TrainingError
from imitation_ros.info import show
from imitation_ros.paths import find_file
from imitation_ros.policies.bundle import OnnxPolicy, read_info
from imitation_ros.policies.checkpoint import load_policy
from imitation_ros.policies.driving import AnyAction
from imitation_ros.training import Job, board_folder, finish, run_training
from imitation_ros.training.picture import small_curves

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
    assert "demonstrations: return 500 (500 to 500) over 3 episodes" in words


def test_curves_are_kept_drawn_and_shown_once(whole):
    bundle, words = whole
    with (bundle / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]["steps"]) == read_info(bundle).provenance["training"]["steps"]
    assert {"ppo/policy_loss", "reward/loss", "evaluation/return", "evaluation/return_low"} <= set(rows[0])
    assert (bundle / "training.png").read_bytes()[:4] == b"\x89PNG"
    assert "selected (after" in words and "demonstrations" in words and "return (95 %)" in words
    assert (bundle / "reward" / "reward.json").is_file()


def curve_of(*rows):
    return [{"steps": 100.0 * (index + 1), "round": index + 1, **row} for index, row in enumerate(rows)]


def test_nothing_is_drawn_twice_in_the_picture_of_a_training():
    clone = {"training/twist": 0.3, "error/twist": 0.2, "validation_error": 0.2}
    assert list(small_curves(curve_of(clone))) == ["training/twist", "validation_error"]
    two = {"error/twist": 0.2, "error/gripper": 0.1, "validation_error": 0.3}
    assert list(small_curves(curve_of(two))) == list(two)
    judged = {"rollouts/return": -3.0, "rollouts/success": 0.5, "reward/loss": 1.0, "evaluation/return": -2.0}
    assert list(small_curves(curve_of({**judged, "evaluation/success": 0.6}))) == ["rollouts/return", "reward/loss"]
    assert list(small_curves(curve_of(judged))) == ["rollouts/success", "reward/loss"]


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


class Broken(gymnasium.Wrapper):
    """Gives nan once, after 7 steps: as an observation, or as a reward."""

    def __init__(self, what):
        super().__init__(gymnasium.make("CartPole-v1").unwrapped)
        self.what, self.ticks = what, 0

    def reset(self, *, seed=None, options=None):
        self.ticks = 0
        return self.env.reset(seed=seed)

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.ticks += 1
        if self.ticks == 7:
            observation, reward = (observation * np.nan, reward) if self.what == "obs" else (observation, np.nan)
        return observation, reward, terminated, truncated, info


@pytest.mark.parametrize(("what", "name"), [("obs", "the observation 'observation'"), ("reward", "the reward")])
def test_a_number_that_is_none_is_told_of_the_environment_that_gave_it(tmp_path, what, name):
    gymnasium.register(f"Broken{what}-v1", lambda: Broken(what), max_episode_steps=50)
    job = Job(load_recipe("ppo", changes_of(SMALL_PPO)), tmp_path / "policy", env=f"Broken{what}-v1", device="cpu")
    words = rf"the environment Broken{what}-v1 gave a number that is not finite: {name} after 7 of \d+ steps"
    with pytest.raises(TrainingError, match=words) as caught:
        run_training(job)
    assert "learning rate" not in str(caught.value)


def test_an_environment_with_images_is_refused_before_anybody_records_in_it(tmp_path):
    pytest.importorskip("pybullet")
    with pytest.raises(TrainingError, match=r"gail learns from numbers only, and in panda_pick_place_cameras there"):
        run_training(Job(load_recipe("gail"), tmp_path / "policy", env="panda_pick_place_cameras"))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def own_setup(tmp_path):
    """Return a setup and its scene in a folder of their own."""
    pytest.importorskip("pybullet")
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(find_file("sim/scenes", "reach"), folder / "scene.yaml")
    text = find_file("config/setups", "panda_reach").read_text().replace("scene: reach ", "scene: scene.yaml ")
    (folder / "setup.yaml").write_text(text)
    return folder / "setup.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("setup.yaml", "max_age_s: 0.2", "max_age_s: 0.3", r"setup\.fields\.goal\.max_age_s: 0\.2 there, 0\.3 here"),
        ("scene.yaml", "substep_hz: 120", "substep_hz: 240", r"scene\.physics\.substep_hz: 120 there, 240 here"),
    ],
)
def test_a_setup_that_was_edited_since_is_noticed_and_said_what_differs(own_setup, tmp_path, file, old, new, words):
    small = ["steps=400", "steps_per_round=60", "validation_starts=1", "policy.hidden=[8]"]
    job = Job(load_recipe("ppo", changes_of(small)), tmp_path / "policy", env=str(own_setup), device="cpu")
    assert run_training(job, stop_after(1)) is None
    edited = own_setup.with_name(file)
    assert old in edited.read_text()
    edited.write_text(edited.read_text().replace(old, new))
    with pytest.raises(
        TrainingError, match=rf"{words}\nGive another output to begin anew, or remove .*train as it says"
    ):
        run_training(job)
    edited.write_text(edited.read_text().replace(new, old))
    assert run_training(job, stop_after(1)) is None


def test_a_bundle_is_made_where_the_file_system_knows_no_links(tmp_path, monkeypatch):
    def no_links(source, target):
        raise PermissionError(errno.EPERM, "Operation not permitted", source)

    (tmp_path / "one").write_text("episode")
    monkeypatch.setattr(os, "link", no_links)
    finish.link_or_copy(str(tmp_path / "one"), str(tmp_path / "two"))
    assert (tmp_path / "two").read_text() == "episode" and not (tmp_path / "two").samefile(tmp_path / "one")


def test_a_disk_that_is_full_in_the_first_round_does_not_speak_of_what_was_saved(demos, tmp_path):
    job = gail_job(demos, tmp_path)
    (job.folder / "history").mkdir(parents=True)
    (job.folder / "history" / "round_000000.safetensors.part").symlink_to("/dev/full")
    with pytest.raises(TrainingError, match=r"No space left on device\. Make room.* if anything was\.$"):
        run_training(job)
    assert not job.folder.exists()


def test_a_disk_that_is_full_for_the_bundle_is_said_in_words(demos, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "training.csv")

    monkeypatch.setattr(finish, "write_curve", full)
    with pytest.raises(TrainingError, match=r"training\.csv cannot be written: No space left on device\. Make room"):
        run_training(gail_job(demos, tmp_path, "steps=100"))


@pytest.mark.parametrize("stopped_at", [1, 3])
def test_what_was_not_measured_is_not_in_the_bundle_of_a_clone_without_held_out_episodes(
    demos, tmp_path, stopped_at, monkeypatch
):
    monkeypatch.setattr(bc, "REPORT_S", 0.0)
    settings = ["updates=50", "validate_every=2", "validation_fraction=0", "network.hidden=[8]"]
    job = Job(load_recipe("bc", changes_of(settings)), tmp_path / "policy", demos, device="cpu")
    assert run_training(job, lambda update, _: update < stopped_at) is None
    bundle = run_training(job, only_finish=True)
    training = read_info(bundle).provenance["training"]
    assert "validation_error" not in training
    assert training["kept_update"] <= training["updates"] == stopped_at
    with console.capture() as captured:
        show(str(bundle))
    assert "no episode held out" in " ".join(captured.get().split())


@pytest.mark.parametrize("algorithm", ["gail_sac", "airl_sac"])
def test_an_adversarial_training_that_would_end_before_its_first_update_is_refused(tmp_path, algorithm):
    shown = save_episodes(tmp_path / "demos", collect("Pendulum-v1", AnyAction(spec_of("Pendulum-v1")), 2))
    job = Job(load_recipe(algorithm, changes_of(["steps=999"])), tmp_path / "policy", shown, device="cpu")
    with pytest.raises(TrainingError, match="steps is 999; it should be at least 1000: the first update needs 1000"):
        run_training(job)


def test_finishing_draws_no_bar_and_does_not_say_that_it_goes_on(demos, tmp_path):
    job = gail_job(demos, tmp_path)
    assert run_training(job, stop_after(1)) is None
    with console.capture() as captured:
        run_training(job, only_finish=True)
    words = " ".join(captured.get().split())
    assert "making a bundle of the best policy up to round 1" in words
    assert "going on" not in words and "/600" not in words


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
