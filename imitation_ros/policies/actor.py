"""A network's policy in NumPy, for one observation at a time: what collects rollouts.

On a small network torch's overhead is ten times the arithmetic, and its import takes a second in every
worker. A parity test holds the two together. Numbers and categories only: no images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import SpecError
from imitation_ros.policies.driving import Choice

if TYPE_CHECKING:  # a worker needs no torch
    from torch import Tensor, nn

    from imitation_ros.policies.heads import Head
    from imitation_ros.policies.policy import MLPPolicy

Array = NDArray[Any]
Layer = tuple[Array, Array]


class Reading(Protocol):
    """What a head's numbers mean, (numbers,) -> (A,), as heads learn actions. The heads of the same kind say more."""

    def mode(self, out: Array) -> Array: ...

    def draw(self, out: Array, generator: np.random.Generator) -> Array: ...


class Value:
    """Of a DeterministicHead."""

    def mode(self, out: Array) -> Array:
        return out

    def draw(self, out: Array, generator: np.random.Generator) -> Array:
        return out


@dataclass(frozen=True)
class Normal:
    """Of a GaussianHead; std, (A,)."""

    std: Array

    def mode(self, out: Array) -> Array:
        return out

    def draw(self, out: Array, generator: np.random.Generator) -> Array:
        return out + self.std * generator.standard_normal(len(out), np.float32)


@dataclass(frozen=True)
class TanhNormal:
    """Of a TanhGaussianHead; curve as in Bounds."""

    curve: tuple[float, float, float]

    def mode(self, out: Array) -> Array:
        return np.tanh(out[: len(out) // 2])

    def draw(self, out: Array, generator: np.random.Generator) -> Array:
        mean, spread = out[: len(out) // 2], out[len(out) // 2 :]
        middle, half, offset = self.curve
        std = np.exp(middle + half * np.tanh(spread + offset))
        return np.tanh(mean + std * generator.standard_normal(len(mean), np.float32))


@dataclass(frozen=True)
class Mixed:
    """Of a MixtureHead; std, (K, A)."""

    std: Array

    def mode(self, out: Array) -> Array:
        weights, means = self.split(out)
        heaviest: Array = means[weights.argmax()]
        return heaviest

    def draw(self, out: Array, generator: np.random.Generator) -> Array:
        weights, means = self.split(out)
        chosen = any_of(weights, generator)
        drawn: Array = means[chosen] + self.std[chosen] * generator.standard_normal(self.std.shape[1], np.float32)
        return drawn

    def split(self, out: Array) -> tuple[Array, Array]:
        """Return the logits of the weights, (K,), and the means, (K, A)."""
        return out[: len(self.std)], out[len(self.std) :].reshape(self.std.shape)


class Ends:
    """Of a BinaryHead."""

    def mode(self, out: Array) -> Array:
        return (out > 0).astype(np.float32)

    def draw(self, out: Array, generator: np.random.Generator) -> Array:
        chance = 0.5 + 0.5 * np.tanh(0.5 * out)  # the sigmoid, without overflow
        return (generator.random(len(out)) < chance).astype(np.float32)


class Values:
    """Of a CategoryHead."""

    def mode(self, out: Array) -> Array:
        return np.array([out.argmax()], np.float32)

    def draw(self, out: Array, generator: np.random.Generator) -> Array:
        return np.array([any_of(out, generator)], np.float32)


def any_of(logits: Array, generator: np.random.Generator) -> int:
    """Return which of several is drawn."""
    chances = np.exp(logits - logits.max()).cumsum()
    return int(np.searchsorted(chances, generator.random() * float(chances[-1]), side="right"))


@dataclass(frozen=True)
class ActorHead:
    """One action field: its last layer, what that means, and the mean and std of the action's normaliser, (A,)."""

    name: str
    layer: Layer
    reading: Reading
    mean: Array
    std: Array


class Actor:
    """A picklable copy of a policy's network as it is now.

    Args:
        policy: without images.

    Raises:
        SpecError: an observation is an image.
    """

    def __init__(self, policy: MLPPolicy) -> None:
        from imitation_ros.policies.networks import FINE_M  # which imports torch

        encoder = policy.encoder
        if encoder.pictures:
            raise SpecError(
                f"{policy.spec.name}: {encoder.pictures[0]!r} is an image; learning in an environment takes numbers "
                f"only. Leave it out of `observation`, or learn by bc."
            )
        self.numbers = [field.name for field in encoder.numbers]
        self.pairs, self.fine_m = list(encoder.pairs), FINE_M
        self.categories = [(f.name, float(f.scale[0][0]), np.arange(f.categories)) for f in encoder.categories]
        self.mean, self.std = array(encoder.normalizer.mean), array(encoder.normalizer.std)
        self.clip = encoder.normalizer.clip
        self.is_tanh = policy.config.activation == "tanh"
        self.layers = [layer_of(module) for module in policy.trunk if hasattr(module, "weight")]
        self.heads = [
            ActorHead(
                name=name,
                layer=layer_of(policy.head(name).linear),
                reading=reading_of(policy.head(name)),
                mean=array(policy.normalizer(name).mean),
                std=array(policy.normalizer(name).std),
            )
            for name in policy.chosen
        ]

    def encode(self, observation: Mapping[str, Array]) -> Array:
        """Return what the trunk reads, (E,); see ObservationEncoder.prepare."""
        parts = [observation[name] for name in self.numbers]
        differences = [observation[other][:3] - observation[one][:3] for one, other in self.pairs]
        raw = np.concatenate([*parts, *differences]) if parts else np.zeros(0, np.float32)
        normal = raw - self.mean
        normal /= self.std  # in place, here and below: a quick environment waits for this most of its time
        if self.clip is not None:
            np.maximum(normal, -self.clip, out=normal)
            np.minimum(normal, self.clip, out=normal)
        fine = [np.tanh(difference / self.fine_m) for difference in differences]
        hot = [np.round(observation[name] - low) == values for name, low, values in self.categories]
        whole = np.concatenate([normal, *fine, *hot]) if fine or hot else normal
        return whole.astype(np.float32, copy=False)

    def outs(self, observation: Mapping[str, Array]) -> list[tuple[ActorHead, Array]]:
        """Return every head with the numbers that it reads."""
        hidden = self.encode(observation)
        for weight, bias in self.layers:
            hidden = hidden @ weight
            hidden += bias
            hidden = np.tanh(hidden, out=hidden) if self.is_tanh else np.maximum(hidden, 0.0, out=hidden)
        return [(head, hidden @ head.layer[0] + head.layer[1]) for head in self.heads]

    def act(self, observation: Mapping[str, Array]) -> dict[str, Array]:
        """Return the most likely action, field name to (A,), in physical units."""
        return {head.name: head.reading.mode(out) * head.std + head.mean for head, out in self.outs(observation)}

    def begin(self, generator: np.random.Generator) -> Callable[[Mapping[str, Array]], Choice]:
        """Return what draws an action at every tick of one episode."""

        def choose(observation: Mapping[str, Array]) -> Choice:
            drawn = {
                head.name: head.reading.draw(out, generator) * head.std + head.mean
                for head, out in self.outs(observation)
            }
            return Choice(drawn, drawn)

        return choose


def reading_of(head: Head) -> Reading:
    from imitation_ros.policies import continuous_heads as continuous  # which import torch
    from imitation_ros.policies import discrete_heads as discrete

    if isinstance(head, continuous.GaussianHead | continuous.MixtureHead):
        std = np.exp(array(head.log_std).clip(head.bounds.low, head.bounds.high))
        return Normal(std) if isinstance(head, continuous.GaussianHead) else Mixed(std)
    if isinstance(head, continuous.TanhGaussianHead):
        return TanhNormal(head.bounds.curve)
    if isinstance(head, discrete.BinaryHead):
        return Ends()
    return Values() if isinstance(head, discrete.CategoryHead) else Value()


def layer_of(module: nn.Module) -> Layer:
    """Return a linear layer's weight, (in, out), and bias."""
    return np.ascontiguousarray(array(module.weight).T), array(module.bias)  # type: ignore[arg-type]


def array(tensor: Tensor) -> Array:
    return tensor.detach().cpu().numpy().astype(np.float32)  # a copy: the policy goes on learning
