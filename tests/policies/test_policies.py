"""Policies: what goes in and out, in physical units, with normalisation inside."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imitation_ros.errors import MessageError, SpecError
from imitation_ros.policies.bundle import OnnxPolicy
from imitation_ros.policies.checkpoint import load_policy, save_bundle
from imitation_ros.policies.heads import CONTINUOUS
from imitation_ros.policies.inference import InferenceProcess
from imitation_ros.policies.networks import ImageEncoder, ObservationEncoder
from imitation_ros.policies.normalizer import CLIP, Normalizer
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.plain import array_field, category_field, image_field, plain_spec
from imitation_ros.robot.spec import load_spec

SPEC = load_spec("panda_pick_place")


def random_rows(count: int, seed: int = 0) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    observations = {f.name: torch.randn(count, f.width, generator=generator) for f in SPEC.observation}
    twist = 0.1 * torch.randn(count, 3, generator=generator)
    gripper = 0.08 * (torch.rand(count, 1, generator=generator) > 0.5).float()
    return observations, {"twist": twist, "gripper": gripper}


def fitted_policy(head: str = "deterministic", hidden: tuple[int, ...] = (16,)) -> MLPPolicy:
    torch.manual_seed(0)
    policy = MLPPolicy(SPEC, NetworkConfig(hidden=hidden, head=head))
    policy.fit(*random_rows(200))
    return policy.eval()


@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3),
    st.lists(st.floats(0.015625, 1e2, width=32), min_size=3, max_size=3),
)
def test_normalising_and_back_changes_nothing(mean, std):
    normalizer = Normalizer(3, clip=None)
    normalizer.mean.copy_(torch.tensor(mean))
    normalizer.std.copy_(torch.tensor(std))
    rows = torch.tensor([mean, [a + b for a, b in zip(mean, std, strict=True)]])
    largest = max(map(abs, [*mean, *std]))
    torch.testing.assert_close(normalizer.invert(normalizer(rows)), rows, rtol=0, atol=1e-6 * largest + 1e-6)


def test_a_constant_number_is_not_blown_up():
    normalizer = Normalizer(2)
    normalizer.fit(torch.tensor([[1.0, 5.0], [1.0, 6.0], [1.0, 7.0]]))
    assert normalizer(torch.tensor([[1.01, 6.0]]))[0, 0] == pytest.approx(0.01, rel=1e-3)


def test_a_nearly_constant_number_keeps_a_floor_of_its_range():
    rows = torch.zeros(100_000, 1)
    rows[0] = 1.0  # a standard deviation of 0.003 in a range of 1
    normalizer = Normalizer(1)
    normalizer.fit(rows)
    assert normalizer.std.item() == pytest.approx(0.01, rel=1e-3)


def test_an_observation_far_outside_the_data_saturates():
    normalizer = Normalizer(1)
    normalizer.fit(torch.linspace(-1, 1, 100)[:, None])
    assert normalizer(torch.tensor([[1e9]])).item() == CLIP


def test_positions_in_one_frame_also_enter_as_differences():
    encoder = ObservationEncoder(SPEC, relative_positions=True)
    assert ("object_pose", "goal") in encoder.pairs and ("end_effector_pose", "object_pose") in encoder.pairs
    observation = {f.name: torch.zeros(1, f.width) for f in SPEC.observation}
    observation["object_pose"][0, 0] = 0.01
    moved = encoder(observation)
    # a centimetre is small against a metre, and large in the fine features
    assert moved.abs().max() >= torch.tanh(torch.tensor(0.5)) - 1e-6


def test_actions_come_out_in_physical_units_and_a_gripper_takes_one_of_its_ends():
    policy = fitted_policy()
    observations, _ = random_rows(50, seed=1)
    for row in range(50):
        action = policy.act({name: values[row].numpy() for name, values in observations.items()})
        assert action["twist"].shape == (3,)
        assert np.isclose(action["gripper"], [0.0, 0.08], atol=1e-7).any()


@pytest.mark.parametrize("head", CONTINUOUS)
def test_one_row_at_a_time_is_the_same_as_a_batch(head):
    policy = fitted_policy(head)
    observations, _ = random_rows(20, seed=2)
    batch = policy(observations)
    for row in range(20):
        action = policy.act({name: values[row].numpy() for name, values in observations.items()})
        np.testing.assert_allclose(action["twist"], batch["twist"][row].detach().numpy(), atol=1e-5)


def test_an_unknown_head_is_named():
    with pytest.raises(SpecError, match="head is 'gausian'; allowed: deterministic, gaussian"):
        NetworkConfig(head="gausian")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"activation": "gelu"}, "activation is 'gelu'; allowed: relu, tanh"),
        ({"log_std": (1.0, -5.0, 0.0)}, r"log_std is \[1.0, -5.0, 0.0\]; it should be \[lowest, highest, first\]"),
        ({"log_std": (-5.0, 1.0, 2.0)}, "log_std is"),
        ({"log_std": (-5.0, 1.0, float("nan"))}, "log_std is"),
        ({"components": 0}, "components is 0; it should be at least 1"),
    ],
)
def test_a_network_that_cannot_be_is_refused_in_words(change, words):
    with pytest.raises(SpecError, match=words):
        NetworkConfig(**change)


@pytest.mark.parametrize("head", CONTINUOUS)
def test_a_networks_settings_come_back_from_json(head):
    config = NetworkConfig((8, 4), head, "tanh", False, (-3.0, 0.5, 0.0), 7)
    said = json.loads(json.dumps(config.as_json()))
    assert said.pop("kind") == "mlp" and NetworkConfig.from_json(said) == config


def test_a_bounded_head_keeps_the_actions_own_scale_and_the_others_fit_the_labels():
    observations, labels = random_rows(200)
    for head in CONTINUOUS:
        policy = MLPPolicy(SPEC, NetworkConfig(hidden=(8,), head=head))
        own = policy.normalizer("twist").std.clone()
        policy.fit(observations, labels)
        assert torch.equal(policy.normalizer("twist").std, own) == (head == "tanh_gaussian")
        back = policy.physical(policy.targets(labels))
        for name, wanted in labels.items():
            torch.testing.assert_close(back[name], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("head", ["gaussian", "tanh_gaussian"])
def test_the_log_prob_of_an_action_is_that_of_all_its_fields(head):
    policy = fitted_policy(head)
    observations, _ = random_rows(30, seed=1)
    encoded = policy.encoder(observations)
    actions, log_prob = policy.sample(encoded, torch.Generator().manual_seed(0))
    torch.testing.assert_close(policy.log_prob(encoded, actions), log_prob, rtol=1e-3, atol=1e-3)
    hidden = policy.trunk(encoded)
    parts = [policy.head(name).entropy(policy.head(name)(hidden)) for name in ("twist", "gripper")]
    torch.testing.assert_close(policy.entropy(encoded), parts[0] + parts[1])


def test_a_policy_says_whether_it_knows_its_densities():
    known = {head: fitted_policy(head).is_density for head in CONTINUOUS}
    assert known == {"deterministic": False, "gaussian": True, "tanh_gaussian": True, "mixture": False}


SEEN = plain_spec(
    "seen",
    [image_field("camera", (30, 41, 3)), category_field("mode", 2, 3), array_field("state", 4)],
    [category_field("choice", -1, 3), array_field("speed", 2, [-1.0, -1.0], [1.0, 1.0])],
    10.0,
)


def seen_rows(count: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "camera": torch.randint(0, 256, (count, 30, 41, 3), generator=generator, dtype=torch.uint8),
        "mode": torch.randint(2, 5, (count, 1), generator=generator).float(),
        "state": torch.randn(count, 4, generator=generator),
    }


def test_a_policy_sees_pixels_and_categories_and_its_onnx_computes_the_same(tmp_path):
    torch.manual_seed(0)
    policy = MLPPolicy(SEEN, NetworkConfig(hidden=(16,))).eval()
    rows = seen_rows(20)
    policy.fit(rows, {"choice": torch.tensor([[-1.0], [1.0]] * 10), "speed": torch.randn(20, 2)})
    samples = {name: value.numpy() for name, value in rows.items()}
    bundle = save_bundle(tmp_path / "policy", policy, {}, {}, samples)  # refuses a difference
    observation = {name: value[0] for name, value in samples.items()}
    served = OnnxPolicy(bundle).act(observation)
    assert served["choice"][0] in (-1.0, 0.0, 1.0)
    loaded = load_policy(bundle).act(observation)
    np.testing.assert_allclose(served["speed"], loaded["speed"], atol=1e-5)
    process = InferenceProcess(bundle)
    process.request(7, observation)
    tag, action = process.result(5.0)
    process.close()
    assert tag == 7
    np.testing.assert_array_equal(action["speed"], served["speed"])


def test_the_target_of_a_category_is_its_number_from_zero_and_back():
    policy = MLPPolicy(SEEN, NetworkConfig(hidden=(16,)))
    labels = {"choice": torch.tensor([[-1.0], [0.0], [1.0]]), "speed": torch.zeros(3, 2)}
    assert policy.targets(labels)["choice"].flatten().tolist() == [0.0, 1.0, 2.0]
    assert policy.normalizer("choice").invert(torch.tensor([[2.0]])).item() == 1.0


def test_keypoints_follow_a_bright_spot():
    encoder = ImageEncoder(image_field("camera", (64, 64, 1)))
    with torch.no_grad():  # the centre of each kernel passes the brightness on
        for layer, gain in zip((0, 2, 4), (1.0, 1.0, 50.0), strict=True):
            convolution = encoder.convolutions[layer]
            convolution.weight.zero_()
            convolution.bias.zero_()
            middle = convolution.weight.shape[-1] // 2
            convolution.weight[:, 0, middle, middle] = gain
    pixels = torch.full((2, 64, 64, 1), 128, dtype=torch.uint8)
    pixels[0, 4:10, 4:10] = 255
    pixels[1, 50:56, 50:56] = 255
    first, second = encoder(pixels)[:, :2]
    assert (first < -0.5).all() and (second > 0.5).all()


def test_a_network_of_larger_images_sees_their_means_and_its_onnx_computes_the_same(tmp_path):
    torch.manual_seed(0)
    spec = plain_spec("large", [image_field("camera", (200, 301, 3))], [array_field("speed", 1, [-1.0], [1.0])], 10.0)
    policy = MLPPolicy(spec, NetworkConfig(hidden=(16,))).eval()
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (70, 200, 301, 3), generator=generator, dtype=torch.uint8)
    reduced = policy.encoder.prepare({"camera": pixels})["camera pixels"]
    assert reduced.shape == (70, 100, 150, 3) and reduced.dtype == torch.uint8
    whole = pixels[:, :200, :300].float().reshape(70, 100, 2, 150, 2, 3).mean(dim=(2, 4))
    assert (reduced - whole).abs().max() <= 0.5
    save_bundle(tmp_path / "policy", policy, {}, {}, {"camera": pixels[:5].numpy()})  # refuses a difference


WORDS = ("values", "keys", "type", "training", "pop", "linear", "forward")


def test_a_field_may_be_called_as_torchs_modules_call_something_of_their_own(tmp_path):
    torch.manual_seed(0)
    seen = [image_field(name, (16, 16, 1)) for name in WORDS]
    chosen = [array_field(name, 2, [-1.0] * 2, [1.0] * 2) for name in ("items", "update", "half", "relu")]
    spec = plain_spec("words", seen, chosen, 10.0)
    policy = MLPPolicy(spec, NetworkConfig(hidden=(8,))).eval()
    samples = {name: np.full((2, 16, 16, 1), 7, np.uint8) for name in WORDS}
    bundle = save_bundle(tmp_path / "policy", policy, {}, {}, samples)
    action = OnnxPolicy(str(bundle)).act({name: values[0] for name, values in samples.items()})
    np.testing.assert_allclose(action["items"], load_policy(str(bundle)).act(
        {name: values[0] for name, values in samples.items()})["items"], atol=1e-5)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bad", "words"),
    [
        ("camera", np.full((30, 41, 3), 0.5), r"'camera' is float64 .*; it should be uint8 of shape \(30, 41, 3\)"),
        ("camera", np.zeros((41, 30, 3), np.uint8), r"'camera' is uint8 of shape \(41, 30, 3\)"),
        ("state", np.zeros((1, 4)), r"'state' is float64 of shape \(1, 4\); it should be float32 of shape \(4,\)"),
        ("state", None, "'state' is missing; there are camera, mode"),
    ],
)
def test_an_observation_that_is_not_what_the_spec_says_is_refused_in_words(name, bad, words):
    policy = MLPPolicy(SEEN, NetworkConfig(hidden=(8,))).eval()
    observation = {key: value[0].numpy() for key, value in seen_rows(1).items()} | {name: bad}
    if bad is None:
        del observation[name]
    with pytest.raises(MessageError, match=words):
        policy.act(observation)


def test_a_policy_of_a_gripper_is_made_without_a_warning():
    code = (
        "import torch, warnings; torch.set_warn_always(True); warnings.simplefilter('error');"
        "from imitation_ros.policies.policy import MLPPolicy, NetworkConfig;"
        "from imitation_ros.robot.spec import load_spec; MLPPolicy(load_spec('panda_pick_place'), NetworkConfig())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_policy_of_pixels_alone_is_all_on_its_device():
    spec = plain_spec("seen", [image_field("camera", (8, 8, 1))], [array_field("speed", 1, [-1.0], [1.0])], 10.0)
    encoder = ObservationEncoder(spec, relative_positions=True).to("meta")
    pixels = torch.zeros(2, 8, 8, 1, dtype=torch.uint8, device="meta")
    assert encoder({"camera": pixels}).device.type == "meta"
