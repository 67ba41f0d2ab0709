"""A learned reward on the disk, for use without the policy that it was learned with.

reward.json          network, robot spec, discount, provenance, what the demonstrations were worth
reward.safetensors   the reward's network, and the observation normaliser that it was learned with
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from imitation_ros.algorithms.frozen_reward import FrozenReward, RewardInfo
from imitation_ros.algorithms.rewards import RewardConfig, RewardNet
from imitation_ros.algorithms.tensor_file import alone
from imitation_ros.data.episode import Episode
from imitation_ros.errors import BundleError
from imitation_ros.policies.bundle import check_new_folder, new_part, publish_folder, read_json
from imitation_ros.policies.policy import MLPPolicy
from imitation_ros.robot.spec import spec_from_yaml

FORMAT_VERSION = 1
REWARD_JSON, WEIGHTS = "reward.json", "reward.safetensors"
BESIDE_POLICY = "reward"  # the folder of a reward in the bundle of the policy that was learned with it


def save_reward(
    folder: Path,
    reward_net: RewardNet,
    policy: MLPPolicy,
    provenance: Mapping[str, Any] | None = None,
    demonstrations: Iterable[Episode] = (),
) -> Path:
    """Write a reward into a folder of its own.

    Args:
        folder: must not exist.
        policy: the one that the reward was learned with; only its encoder is kept.
        provenance: as in policy.json.
        demonstrations: whose rewards `score` compares with.

    Raises:
        BundleError: the folder exists, or a weight is not finite.
    """
    check_new_folder(folder)
    parts = {"encoder.": policy.encoder, "reward.": reward_net}
    weights = alone({start + name: value for start, part in parts.items() for name, value in part.state_dict().items()})
    if not all(torch.isfinite(value).all() for value in weights.values()):
        raise BundleError(f"{folder} is not written: a weight of the reward is not finite. Train it again.")
    info = RewardInfo(
        spec=policy.spec,
        config=reward_net.config,
        relative_positions=policy.config.relative_positions,
        discount=reward_net.discount,
        provenance=dict(provenance or {}),
        demonstrations={},
    )
    info = replace(info, demonstrations=worth_of(FrozenReward(info, weights), demonstrations))
    part = new_part(folder)
    write_reward_info(part, info)
    (part / WEIGHTS).write_bytes(save(weights))
    publish_folder(part, folder)
    return folder


def load_reward(folder: str | Path, shaped: bool = False) -> FrozenReward:
    """Return the reward in a folder, or in the bundle of the policy that was learned with it.

    Args:
        shaped: see FrozenReward.

    Raises:
        BundleError: missing, broken, or newer than this package.
    """
    folder = reward_folder(Path(folder))
    info = read_reward_info(folder)
    try:
        weights = load_file(folder / WEIGHTS)
        reward = FrozenReward(info, weights, shaped)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise BundleError(f"{folder / WEIGHTS} does not fit its {REWARD_JSON}: {error}. Train it again.") from None
    if not all(torch.isfinite(value).all() for value in weights.values()):
        raise BundleError(f"{folder / WEIGHTS} has a weight that is not finite. Train it again.")
    return reward


def reward_folder(folder: Path) -> Path:
    """Return the folder of the reward that a folder is or, as the bundle of a policy, holds."""
    return folder / BESIDE_POLICY if is_reward(folder / BESIDE_POLICY) else folder


def is_reward(folder: Path) -> bool:
    return (folder / REWARD_JSON).is_file()


def read_reward_info(folder: Path) -> RewardInfo:
    """Return what the reward in a folder says of itself.

    Raises:
        BundleError: it is missing, broken, or newer than this package.
    """
    path = folder / REWARD_JSON
    if not path.is_file():
        raise BundleError(f"{folder} holds no reward: it has no {REWARD_JSON}. `imitation-ros train airl` makes one.")
    return read_json(path, FORMAT_VERSION, reward_info, "Train it again.")


def reward_info(path: Path, data: Mapping[str, Any]) -> RewardInfo:
    network = dict(data["network"])
    relative_positions = bool(network.pop("relative_positions"))
    discount = float(data["discount"])
    if not 0.0 < discount < 1.0:
        raise ValueError(f"the discount is {discount:g}; it should be above 0 and below 1")
    return RewardInfo(
        spec=spec_from_yaml(data["robot_spec"], f"{path} (robot_spec)"),
        config=RewardConfig(**{**network, "hidden": tuple(network["hidden"])}),
        relative_positions=relative_positions,
        discount=discount,
        provenance=dict(data["provenance"]),
        demonstrations={name: float(value) for name, value in data["demonstrations"].items()},
    )


def write_reward_info(folder: Path, info: RewardInfo) -> None:
    data = {
        "format_version": FORMAT_VERSION,
        "network": {**asdict(info.config), "relative_positions": info.relative_positions},
        "discount": info.discount,
        "robot_spec": info.spec.to_yaml(),
        "provenance": dict(info.provenance),
        "demonstrations": dict(info.demonstrations),
    }
    (folder / REWARD_JSON).write_text(json.dumps(data, indent=2) + "\n")


def worth_of(reward: FrozenReward, demonstrations: Iterable[Episode]) -> dict[str, float]:
    """Return what `RewardInfo.demonstrations` says; one episode at a time, for they may come from files."""
    means = [float(reward.of_episodes([episode])[0].mean()) for episode in demonstrations if episode.steps]
    if not means:
        return {}
    return {"lowest": min(means), "mean": statistics.fmean(means), "highest": max(means), "episodes": len(means)}
