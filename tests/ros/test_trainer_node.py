"""The trainer writes a bundle, says how far it is, and can be told to end early and to go on."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from ros_graph import Graph, wait_until

from imitation_ros.policies.bundle import OnnxPolicy, read_info
from imitation_ros.processes import Programs

RECIPE = "updates: 100000\nvalidate_every: 20\npatience: 1000000\nnetwork: {hidden: [32]}\n"


@pytest.fixture(scope="module")
def trained(demonstrations, tmp_path_factory):
    """Two trainers side by side: one does its 60 updates, one is cancelled on its long way."""
    folder = tmp_path_factory.mktemp("trainers")
    recipe = folder / "long.yaml"
    recipe.write_text(RECIPE)
    with Graph() as graph, Programs(folder / "logs", {}) as programs:
        status = graph.listen("/diagnostics", DiagnosticArray)
        given = {"data": demonstrations, "recipe": recipe}
        short = programs.node("trainer_node", "short", {**given, "output": folder / "short", "updates": 60})
        line = [sys.executable, "-m", "imitation_ros.ros.trainer_node", "--ros-args", "-r", "__node:=long_trainer"]
        for name, value in {**given, "output": folder / "long"}.items():
            line += ["-p", f"{name}:={value}"]
        long = programs.start("long", line)

        def progress(name):
            return [m.status[0] for _, m in list(status) if m.status[0].name == name]

        wait_until(lambda: progress("/long_trainer"), 180, "training")
        answer = graph.call("long_trainer/cancel")
        codes = long.process.wait(120), short.process.wait(180)
        finished = programs.node("trainer_node", "finished", {**given, "output": folder / "long", "finish": True})
        assert finished.process.wait(180) == 0, finished.log.read_text()
    return folder, answer, codes, progress("/long_trainer"), (folder / "logs" / "long.log").read_text()


def test_it_writes_a_bundle_that_runs(trained, demonstrations):
    folder, _, codes, *_ = trained
    assert codes == (0, 0)
    for name in ("short", "long"):
        assert OnnxPolicy(folder / name).spec.task == "reach"
    assert read_info(folder / "short").provenance["training"]["updates"] == 60


def test_cancelling_ends_it_early_and_finishing_makes_a_bundle_of_the_best_so_far(trained):
    folder, answer, _, _, log = trained
    assert answer.success and "the same parameters go on from there" in answer.message
    assert f"everything is saved in {folder / 'long.training'}" in log
    assert not (folder / "long.training").exists()  # after it was finished
    training = read_info(folder / "long").provenance["training"]
    assert 20 <= training["kept_update"] <= training["updates"] < 100_000


def test_it_says_on_diagnostics_how_far_it_is(trained):
    _, _, _, said, _ = trained
    values = {item.key: item.value for item in said[-1].values}
    assert said[-1].message == "training long"
    assert (values["algorithm"], values["of"]) == ("bc", "100000") and int(values["done"]) > 0
    assert any("validation" in item.key for status in said for item in status.values)


def test_a_bundle_that_exists_is_never_overwritten(programs, demonstrations, tmp_path):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "mine").touch()
    trainer = programs.node("trainer_node", "trainer", {"data": demonstrations, "output": tmp_path / "policy"})
    assert trainer.process.wait(180) == 2
    assert "already exists" in trainer.log.read_text()
    assert [path.name for path in (tmp_path / "policy").iterdir()] == ["mine"]


def test_it_learns_in_an_environment(programs, demonstrations, tmp_path):
    small = "steps=200 steps_per_round=200 validation_starts=1 last_updates=2 reward_updates=2 policy.hidden=[8]"
    given = {"recipe": "gail", "data": demonstrations, "output": tmp_path / "policy", "set": small}
    trainer = programs.node("trainer_node", "trainer", {**given, "terminate_on_success": True, "workers": 2})
    assert trainer.process.wait(300) == 0, trainer.log.read_text()
    said = read_info(tmp_path / "policy").provenance
    assert said["algorithm"] == "gail" and said["environment"]["name"] == "panda_reach"
    assert (tmp_path / "policy" / "reward").is_dir()
