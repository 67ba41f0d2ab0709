"""Training from recordings: what was left out is said, and stands in the bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from imitation_ros import cli
from imitation_ros.algorithms import bc
from imitation_ros.console import console
from imitation_ros.data.folder import episode_path
from imitation_ros.data.hdf5 import write_episode
from imitation_ros.errors import BundleError, DataError, SpecError, TrainingError
from imitation_ros.policies.bundle import read_info
from imitation_ros.policies.policy import NetworkConfig
from imitation_ros.robot.spec import spec_from_yaml
from imitation_ros.training import Job, learn, run_bc, run_training

FAST = bc.Config(updates=4, validate_every=2, batch_size=8, network=NetworkConfig(hidden=(8,)))


def stale(episode, ticks):
    """Return the episode with a joint observation of one second ago at these ticks."""
    stamps_s = dict(episode.timing.stamps_s)
    stamps_s["joints"] = stamps_s["joints"] - np.isin(np.arange(episode.steps + 1), ticks)
    return replace(episode, timing=replace(episode.timing, stamps_s=stamps_s))


def silent(episode, ticks):
    marks = {field.name: np.isin(np.arange(episode.steps), ticks) for field in episode.spec.action}
    return replace(episode, timing=replace(episode.timing, silent=marks))


def record(folder, episodes):
    for index, episode in enumerate(episodes):
        write_episode(episode_path(folder, index), episode)
    return folder


def test_what_was_left_out_is_said_and_stands_in_the_bundle(tmp_path, spec, make_episode):
    episodes = [silent(make_episode(spec, steps=10, seed=seed), []) for seed in range(5)]
    episodes[0] = replace(episodes[0], success=False)
    episodes[1] = silent(stale(episodes[1], [0, 1, 2]), [2, 3, 4])  # tick 2 is left out, so it is not kept
    episodes[2] = stale(episodes[2], range(10))
    data = tmp_path / "demos"
    data.mkdir()
    record(data, episodes)
    with console.capture() as captured:
        bundle = run_bc(data, tmp_path / "policy", FAST, device="cpu")
    words = captured.get()
    assert "1 episode(s) marked as failures, 13 stale tick(s); 2 silent tick(s) are kept." in words
    said = read_info(bundle).provenance["data"]
    assert (said["episodes"], said["transitions"]) == (3, 27)
    assert (said["failures_left_out"], said["stale_ticks_left_out"], said["silent_ticks_kept"]) == (1, 13, 2)
    assert sorted(said["training_episodes"] + said["validation_episodes"]) == [0, 2, 3]


def test_one_episode_with_a_fresh_tick_is_too_few(tmp_path, spec, make_episode):
    record(tmp_path, [make_episode(spec, seed=1), stale(make_episode(spec, seed=2), range(5))])
    with pytest.raises(TrainingError, match="1 demonstration with a fresh observation; at least 2 are needed"):
        run_bc(tmp_path, tmp_path / "policy", FAST, device="cpu")
    assert not (tmp_path / "policy").exists()


@pytest.mark.parametrize(
    ("starts", "seed", "workers", "words"),
    [
        (0, 0, 1, "starts is 0; it should be at least 1"),
        (1, -1, 1, "seed is -1; it should be at least 0"),
        (1, 0, 0, "workers is 0; it should be at least 1"),
    ],
)
def test_an_evaluation_of_nothing_is_refused(starts, seed, workers, words):
    pytest.importorskip("pybullet")
    from imitation_ros.evaluation import run_evaluation

    with pytest.raises(SpecError, match=words):
        run_evaluation("expert", "panda_reach", starts, seed, False, False, workers)


def test_what_cannot_be_learned_from_together_is_refused_in_memory_too(spec, tiny_yaml, make_episode):
    other = spec_from_yaml(tiny_yaml.replace("unit: rad", "unit: deg"), "other.yaml")
    with pytest.raises(DataError, match=r"episodes 0 and 1 mean different things: joints\.unit: rad != deg"):
        learn([make_episode(spec), make_episode(other)], config=FAST)
    with pytest.raises(DataError, match="episode 0 is a tuple; episode_from_arrays makes an Episode of it"):
        learn([(spec, {})], config=FAST)
    broken = make_episode(spec)
    broken.actions["velocity"][3, 1] = np.nan
    with pytest.raises(DataError, match="episode 1: actions 'velocity' holds nan at tick 3"):
        learn([make_episode(spec), broken], config=FAST)


def test_a_bundle_is_written_where_a_text_says(tmp_path, spec, make_episode):
    learn([make_episode(spec, seed=seed, timed=False) for seed in range(2)], str(tmp_path / "policy"), FAST)
    assert read_info(tmp_path / "policy").provenance["data"]["source"] == "episodes in memory"


def test_between_two_looks_it_is_said_how_far_training_is_and_it_can_be_stopped(
    tmp_path, spec, make_episode, monkeypatch
):
    monkeypatch.setattr(bc, "REPORT_S", 0.0)
    data, heard = tmp_path / "demos", []
    data.mkdir()
    record(data, [make_episode(spec, seed=seed, timed=False) for seed in range(3)])

    def progress(update, measured):
        heard.append((update, bool(measured)))
        return update < 5

    job = Job(replace(FAST, updates=1000, validate_every=3), tmp_path / "policy", data, device="cpu")
    assert run_training(job, progress) is None and not job.output.exists()
    looks = [(1, False), (2, False), (3, True), (4, False), (5, False), (5, True)]
    assert heard == looks
    bundle = run_training(job, only_finish=True)
    training = read_info(bundle).provenance["training"]
    assert (training["updates"], training["kept_update"]) == (5, 3) and np.isfinite(training["validation_error"])
    assert [line.split(",")[0] for line in (bundle / "training.csv").read_text().splitlines()] == ["update", "3"]
    assert not job.folder.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my_setup", "'my_setup', which is not in config/setups"),
        ("ur5e_insert", "'ur5e_insert', which has no `scene:`"),
    ],
)
def test_a_policy_whose_setup_cannot_be_simulated_is_told_to_name_one_that_can(spec, name, words):
    pytest.importorskip("pybullet")
    from imitation_ros.evaluation import own_setup

    with pytest.raises(BundleError, match=rf"policy was trained for the setup {words}\. Give `--setup FILE`"):
        own_setup(Path("policy"), replace(spec, name=name))
    assert own_setup(Path("policy"), replace(spec, name="panda_reach")) == "panda_reach"


def test_training_says_where_its_curves_are(tmp_path, spec, make_episode, monkeypatch, capsys):
    data = tmp_path / "demos"
    data.mkdir()
    record(data, [make_episode(spec, seed=seed, timed=False) for seed in range(3)])
    recipe = tmp_path / "quick.yaml"
    recipe.write_text("updates: 4\nvalidate_every: 2\nbatch_size: 8\n")
    cli.train(str(data), output=tmp_path / "policy", recipe=str(recipe), device="cpu")
    folder = tmp_path / "tensorboard" / "policy"
    assert f"`tensorboard --logdir {folder}`" in capsys.readouterr().out
    assert list(folder.glob("events*"))


class Balancing:
    """Pushes where the pole falls, and a little towards the middle: 500 of 500 steps."""

    def act(self, observation):
        place, speed, angle, turn = observation["observation"]
        return {"action": np.array([float(angle + 0.3 * turn + 0.02 * place + 0.05 * speed > 0.0)])}


def test_a_clone_of_an_expert_in_cartpole_reaches_its_return():
    pytest.importorskip("gymnasium")
    from imitation_ros.envs.collect import collect
    from imitation_ros.envs.evaluate import evaluate

    def mean_return(config):
        return evaluate("CartPole-v1", learn(episodes, config=config, device="cpu"), 5).mean_return

    episodes = collect("CartPole-v1", Balancing(), 5)
    config = bc.Config(updates=1000, network=NetworkConfig(hidden=(32, 32)))
    assert evaluate("CartPole-v1", Balancing(), 5).mean_return == 500.0
    assert mean_return(config) > 450.0  # measured: 500
    assert mean_return(replace(config, updates=1, validate_every=1)) < 250.0  # measured: 9; so it was learned
