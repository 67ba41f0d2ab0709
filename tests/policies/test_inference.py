"""Inference in a process of its own: the same numbers, and nothing that happens to it hangs the parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from imitation_ros.errors import BundleError, DeploymentError
from imitation_ros.policies.bundle import OnnxPolicy
from imitation_ros.policies.checkpoint import save_bundle
from imitation_ros.policies.inference import InferenceProcess
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.spec import load_spec

SPEC = load_spec("panda_pick_place")


def observation(seed):
    rng = np.random.default_rng(seed)
    return {field.name: rng.normal(size=field.width).astype(np.float32) for field in SPEC.observation}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A policy that was never trained."""
    samples = {name: value[None] for name, value in observation(0).items()}
    ranges = {name: (value[0], value[0]) for name, value in samples.items()}
    policy = MLPPolicy(SPEC, NetworkConfig(hidden=(16,)))
    return save_bundle(tmp_path_factory.mktemp("bundles") / "policy", policy, {}, ranges, samples)


@pytest.fixture
def inference(bundle):
    inference = InferenceProcess(bundle)
    yield inference
    inference.close()
    assert inference.process.poll() is not None


def gone(pid, seconds=5.0):
    """Whether a process ends within the time; a zombie has ended."""
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_it_answers_what_the_same_bundle_answers_in_this_process(inference, bundle):
    policy = OnnxPolicy(bundle)
    for tag in range(1, 20):
        inference.request(tag, observation(tag))
        answered, action = inference.result(5.0)
        assert answered == tag
        for name, values in policy.act(observation(tag)).items():
            np.testing.assert_array_equal(action[name], values)


def test_answers_come_in_the_order_of_the_questions_with_their_tags(inference):
    for tag in (7, 2**40, 3):
        inference.request(tag, observation(0))
    assert [inference.result(5.0)[0] for _ in range(3)] == [7, 2**40, 3]
    assert inference.result() is None


def test_there_is_no_answer_without_a_question_and_asking_for_one_does_not_wait(inference):
    began_s = time.monotonic()
    assert inference.result() is None
    assert time.monotonic() - began_s < 0.1


def test_ctrl_c_is_left_to_the_parent(inference):
    inference.process.send_signal(signal.SIGINT)
    inference.request(1, observation(0))
    assert inference.result(5.0)[0] == 1


def test_it_ends_when_its_parent_is_killed(bundle):
    script = (
        "import sys, time; from pathlib import Path; from imitation_ros.policies.inference import InferenceProcess\n"
        "inference = InferenceProcess(Path(sys.argv[1])); print(inference.process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(bundle)], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert not gone(child, 0.1)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(child)


def test_a_killed_process_is_an_error_in_words(inference):
    inference.process.kill()
    inference.process.wait()
    with pytest.raises(DeploymentError, match="ended"):
        inference.request(1, observation(0))
    with pytest.raises(DeploymentError, match="ended with exit code -9"):
        inference.result(1.0)


def test_a_hang_costs_no_more_than_the_time_it_is_waited_for_and_close_ends_it(bundle):
    inference = InferenceProcess(bundle)
    os.kill(inference.process.pid, signal.SIGSTOP)
    inference.request(1, observation(0))
    began_s = time.monotonic()
    assert inference.result(0.2) is None
    assert 0.15 < time.monotonic() - began_s < 0.6
    began_s = time.monotonic()
    inference.close()
    assert time.monotonic() - began_s < 4.0
    assert inference.process.poll() == -signal.SIGKILL


def test_questions_to_a_process_that_hangs_never_block(inference):
    os.kill(inference.process.pid, signal.SIGSTOP)
    began_s = time.monotonic()
    with pytest.raises(DeploymentError, match="hangs"):
        for tag in range(100_000):  # more than any pipe holds
            inference.request(tag, observation(0))
    assert time.monotonic() - began_s < 10.0


def test_closing_twice_is_allowed(bundle):
    inference = InferenceProcess(bundle)
    inference.close()
    inference.close()


def test_a_missing_bundle_is_named_before_any_process_is_started(tmp_path):
    with pytest.raises(BundleError, match=r"nowhere is no policy bundle.*imitation-ros train"):
        InferenceProcess(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("policy.json", lambda text: text[: len(text) // 2]),
        ("policy.json", lambda text: json.dumps({**json.loads(text), "format_version": 99})),
        ("policy.onnx", lambda text: "not a network"),
        ("policy.onnx", None),
    ],
    ids=["half a policy.json", "a newer policy.json", "a broken policy.onnx", "no policy.onnx"],
)
def test_a_broken_bundle_is_named_with_the_file_that_is_broken(bundle, tmp_path, file, change):
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in bundle.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    if change is None:
        (broken / file).unlink()
    else:
        (broken / file).write_text(change((bundle / file).read_bytes().decode(errors="replace")))
    with pytest.raises(BundleError, match=f"broken/{file}"):
        InferenceProcess(broken)
