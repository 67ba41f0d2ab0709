"""What turns an observation into the numbers that a head reads.

Shapes: B batch, E encoded observation, H hidden, K keypoints of an image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imitation_ros.policies.normalizer import Normalizer
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

FINE_M = 0.02  # within this distance a gripper's millimetres matter; beyond it, only the direction
STATE = "encoded numbers"  # no field can be called so
SMALL_PIXELS = 96  # about the shorter side that larger images are reduced to
REDUCED_AT_ONCE = 64  # images, as floats on the way
KEYPOINTS = 16
TAKEN = frozenset(dir(nn.ModuleDict()))  # words, such as `values`, under which it keeps no module


class ObservationEncoder(nn.Module):
    """Observation fields side by side, normalised; positions also as differences, coarse and fine.

    Where things are relative to each other is what manipulation is about, and a network fed absolute
    positions of a metre's spread has to learn differences of a millimetre. So every two positions given
    in the same frame also enter as their difference, normalised, and as tanh(difference / FINE_M).
    A category enters as one number for each of its values, an image as keypoints (see ImageEncoder).

    Args:
        spec: the observation fields, in order.
        relative_positions: whether to add the differences.
    """

    def __init__(self, spec: RobotSpec, relative_positions: bool) -> None:
        super().__init__()
        self.fields = [field.name for field in spec.observation]
        self.categories = [field for field in spec.observation if field.kind == "category"]
        self.numbers = [field for field in spec.observation if not field.is_image and field.kind != "category"]
        positioned = [field for field in self.numbers if field.position_slice is not None]
        self.pairs = [
            (one.name, other.name)
            for one, other in combinations(positioned, 2)
            if relative_positions and one.frame == other.frame
        ]
        raw = sum(field.width for field in self.numbers) + 3 * len(self.pairs)
        self.normalizer = Normalizer(raw)
        self.pictures = [field.name for field in spec.observation if field.is_image]
        self.images = nn.ModuleDict({module_name(f.name): ImageEncoder(f) for f in spec.observation if f.is_image})
        self.width = raw + 3 * len(self.pairs) + sum(field.categories for field in self.categories)
        self.width += 2 * KEYPOINTS * len(self.images)

    def raw(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Return numbers and differences in physical units, shape (B, raw)."""
        parts = [observation[field.name] for field in self.numbers]
        parts += self.differences(observation)
        if parts:
            return torch.cat(parts, dim=-1)
        return torch.zeros(len(next(iter(observation.values()))), 0, device=self.normalizer.mean.device)

    def differences(self, observation: Mapping[str, Tensor]) -> list[Tensor]:
        return [observation[other][..., :3] - observation[one][..., :3] for one, other in self.pairs]

    def fit(self, observation: Mapping[str, Tensor]) -> None:
        """Fit the normaliser to observations of shape (N, width) per field."""
        if self.normalizer.mean.numel():
            self.normalizer.fit(self.raw(observation))

    def prepare(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what never changes while the network learns: encoded numbers (B, S), and reduced pixels."""
        parts = [self.normalizer(self.raw(observation))]
        parts += [torch.tanh(difference / FINE_M) for difference in self.differences(observation)]
        parts += [one_hot(observation[field.name], field) for field in self.categories]
        pixels = {f"{name} pixels": self.image_encoder(name).reduced(observation[name]) for name in self.pictures}
        return {STATE: torch.cat(parts, dim=-1), **pixels}

    def image_encoder(self, name: str) -> ImageEncoder:
        encoder = self.images[module_name(name)]
        assert isinstance(encoder, ImageEncoder)
        return encoder

    def join(self, prepared: Mapping[str, Tensor]) -> Tensor:
        """Return what the trunk reads, (B, E), of what `prepare` made."""
        if not self.pictures:
            return prepared[STATE]
        seen = [self.image_encoder(name)(prepared[f"{name} pixels"]) for name in self.pictures]
        return torch.cat([prepared[STATE], *seen], dim=-1)

    def forward(self, observation: Mapping[str, Tensor]) -> Tensor:
        return self.join(self.prepare(observation))


def module_name(name: str) -> str:
    """Return a field's name as a ModuleDict takes it."""
    return f"{name}_" if name in TAKEN else name


def one_hot(value_B1: Tensor, field: Field) -> Tensor:
    """Return one number for each value that a category can have: 1 for the one it has."""
    low = field.scale[0][0]
    return (torch.round(value_B1 - low) == torch.arange(field.categories, device=value_B1.device)).float()


class ImageEncoder(nn.Module):
    """Pixels to the image coordinates of learned keypoints (spatial softmax, Levine et al. 2016), (B, 2 K).

    For manipulation, where something is matters more than what it looks like. So a first stride of 4 and few channels
    do: a third of the work of 5 x 5, 3 x 3 and 3 x 3 of strides 2, 2, 1 with twice the channels, and as exact.
    Larger images are reduced before (see `reduced`).
    """

    grid: Tensor

    def __init__(self, field: Field) -> None:
        super().__init__()
        height, width, channels = field.row_shape
        self.factor = max(1, round(min(height, width) / SMALL_PIXELS))
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, 16, 5, stride=4, padding=2), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
            nn.Conv2d(16, KEYPOINTS, 3, padding=1))  # fmt: skip
        rows, columns = (math.ceil(side // self.factor / 4) for side in (height, width))  # the stride
        y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
        self.register_buffer("grid", torch.stack([x.flatten(), y.flatten()], dim=1), persistent=False)

    def reduced(self, pixels_BHWC: Tensor) -> Tensor:
        """Return pixels at a whole fraction of their size: means, so that nothing small falls between two pixels."""
        if self.factor == 1:
            return pixels_BHWC
        parts = []
        for part_BHWC in torch.split(pixels_BHWC, REDUCED_AT_ONCE):
            means_BCHW = F.avg_pool2d(part_BHWC.permute(0, 3, 1, 2).float(), self.factor)
            parts.append(means_BCHW.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous())
        return torch.cat(parts)

    def forward(self, pixels_BHWC: Tensor) -> Tensor:
        """Return keypoints of reduced pixels."""
        image = pixels_BHWC.permute(0, 3, 1, 2).float() / 255.0 - 0.5
        heat_BKP = self.convolutions(image).flatten(2).softmax(dim=-1)
        keypoints_BK2: Tensor = heat_BKP @ self.grid
        return keypoints_BK2.flatten(1)


ACTIVATIONS: Mapping[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


def mlp(width: int, hidden: tuple[int, ...], activation: str = "relu") -> nn.Sequential:
    """Return linear layers with an activation between and after, (B, width) -> (B, hidden[-1])."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), ACTIVATIONS[activation]()]
        width = size
    return nn.Sequential(*layers)


def scalar_network(width: int, hidden: tuple[int, ...], activation: str) -> nn.Sequential:
    """Return a network with one number out, (B, width) -> (B, 1): a value, or a reward."""
    return nn.Sequential(*mlp(width, hidden, activation), nn.Linear(hidden[-1] if hidden else width, 1))
