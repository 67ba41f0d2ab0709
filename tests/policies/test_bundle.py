"""Bundles: what is trained is what is loaded, by torch and by onnxruntime; broken ones are named."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_policies import SPEC, fitted_policy, random_rows

from imitation_ros.errors import BundleError
from imitation_ros.policies.bundle import OnnxPolicy, read_info
from imitation_ros.policies.checkpoint import load_policy, onnx_difference, save_bundle

SAMPLES = {name: values.numpy() for name, values in random_rows(32, seed=3)[0].items()}
RANGES = {name: (values.min(0), values.max(0)) for name, values in SAMPLES.items()}


def make_bundle(folder: Path, head: str = "deterministic") -> Path:
    return save_bundle(folder, fitted_policy(head), {"versions": {}, "note": "test"}, RANGES, SAMPLES)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "policy")


@pytest.mark.parametrize("head", ["deterministic", "gaussian"])
def test_onnx_computes_what_torch_does(tmp_path, head):
    folder = make_bundle(tmp_path / "policy", head)
    assert onnx_difference(load_policy(folder), OnnxPolicy(folder), SAMPLES) < 1e-4


def test_a_loaded_policy_acts_as_the_saved_one_to_the_bit(bundle):
    saved, loaded = fitted_policy(), load_policy(bundle)
    for row in range(32):
        observation = {name: values[row] for name, values in SAMPLES.items()}
        for name, action in saved.act(observation).items():
            np.testing.assert_array_equal(action, loaded.act(observation)[name])


def test_the_spec_travels_with_the_policy(bundle):
    info = read_info(bundle)
    assert info.spec == SPEC
    assert info.provenance["note"] == "test"
    np.testing.assert_allclose(info.ranges["goal"][0], RANGES["goal"][0])


def test_the_robots_side_needs_no_torch(bundle):
    code = (
        "import sys; from pathlib import Path; from imitation_ros.policies.bundle import OnnxPolicy;"
        f"OnnxPolicy(Path({str(bundle)!r})); import imitation_ros.deployment, imitation_ros.recording;"
        "print(sorted({'torch', 'pybullet', 'gymnasium', 'rclpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_worker_process_loads_the_bundle_itself(bundle):
    copied = copy.copy(OnnxPolicy(bundle))  # by the same __reduce__ with which a process pool sends it
    assert copied.folder == bundle


def test_no_policy_is_overwritten(bundle):
    before = (bundle / "policy.json").read_bytes()
    with pytest.raises(BundleError, match="already exists"):
        make_bundle(bundle)
    assert (bundle / "policy.json").read_bytes() == before


def test_a_name_that_is_taken_meanwhile_costs_no_training(tmp_path, monkeypatch):
    folder = tmp_path / "policy"
    monkeypatch.setattr("imitation_ros.policies.checkpoint.onnx_difference", lambda *_: folder.mkdir() or 0.0)
    with pytest.raises(BundleError, match="appeared meanwhile and is not overwritten") as caught:
        make_bundle(folder)
    [part] = tmp_path.glob("policy.*.part")
    assert str(part) in str(caught.value)
    assert OnnxPolicy(part).spec == SPEC
    assert list(folder.iterdir()) == []


def test_a_foreign_folder_beside_the_bundle_stays(tmp_path):
    (tmp_path / "policy.part").mkdir()
    (tmp_path / "policy.part" / "thesis.tex").touch()
    make_bundle(tmp_path / "policy")
    assert (tmp_path / "policy.part" / "thesis.tex").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["policy", "policy.part"]


def test_who_may_read_the_bundle_is_up_to_the_umask(tmp_path):
    umask = os.umask(0o022)
    try:
        folder = make_bundle(tmp_path / "policy")
    finally:
        os.umask(umask)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_numbers_that_json_lacks_are_refused(tmp_path):
    with pytest.raises(BundleError, match=r"policy\.json would hold nan or inf"):
        save_bundle(tmp_path / "policy", fitted_policy(), {"validation_error": np.nan}, RANGES, SAMPLES)
    assert not (tmp_path / "policy").exists()


def test_nothing_is_left_under_the_final_name_when_export_fails(tmp_path):
    wrong = {**SAMPLES, "goal": np.full_like(SAMPLES["goal"], np.nan)}
    policy = fitted_policy()
    policy.heads["twist"].linear.weight.data.fill_(np.nan)
    with pytest.raises(BundleError, match="differs"):
        save_bundle(tmp_path / "policy", policy, {}, RANGES, wrong)
    assert not (tmp_path / "policy").exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "policy.json").unlink(), "has no policy.json"),
        (lambda folder: (folder / "policy.json").write_text("{"), "is broken"),
        (lambda folder: (folder / "policy.onnx").write_bytes(b"not a network"), "does not load"),
        (lambda folder: edit(folder, format_version=99), "format version 99"),
        (lambda folder: edit(folder, robot_spec="robot: 3"), "is broken"),
    ],
)
def test_a_broken_bundle_is_named(tmp_path, damage, words):
    folder = make_bundle(tmp_path / "policy")
    damage(folder)
    with pytest.raises(BundleError, match=words) as caught:
        OnnxPolicy(folder)
    assert str(folder) in str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path):
    folder = make_bundle(tmp_path / "policy")
    network = json.loads((folder / "policy.json").read_text())["network"]
    edit(folder, network={**network, "hidden": [8]})
    with pytest.raises(BundleError, match="does not fit"):
        load_policy(folder)


@pytest.mark.parametrize("change", [{"hidden": []}, {"head": "magic"}, {"depth": 3}])
def test_a_network_that_is_none_is_named(bundle, tmp_path, change):
    folder = shutil.copytree(bundle, tmp_path / "copy")
    network = json.loads((folder / "policy.json").read_text())["network"]
    edit(folder, network={**network, **change})
    with pytest.raises(BundleError, match=r"policy\.json has a network that is none"):
        load_policy(folder)


def edit(folder: Path, **changes) -> None:
    data = json.loads((folder / "policy.json").read_text())
    (folder / "policy.json").write_text(json.dumps({**data, **changes}))
