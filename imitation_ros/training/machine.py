"""Where a training computes, and with what."""

from __future__ import annotations

import platform

import numpy as np
import torch

from imitation_ros import __version__
from imitation_ros.errors import TrainingError


def choose_device(device: str) -> str:
    """Return cpu or cuda; auto takes a GPU where there is one.

    Raises:
        TrainingError: it is neither, or there is no GPU.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise TrainingError(f"the device {device!r} is unknown; allowed: auto, cpu, cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device is cuda, but torch sees no GPU. Install torch's CUDA build, or use auto.")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def versions() -> dict[str, str]:
    return {
        "imitation_ros": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
