"""The two critics of SAC, evaluated as one.

Shapes: B rows of a batch, E encoded observation, U numbers of all actions, 2 for the twin critics, H hidden.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Layers = list[tuple[Tensor, Tensor]]
"""Weight (2, in, out) and bias (2, 1, out) of each."""


class TwinCritic(nn.Module):
    """Two networks for Q(s, a) that differ in their weights only, side by side: one batched product per layer.

    Args:
        width: numbers of an encoded observation and an action.
        hidden: sizes of the hidden layers.
    """

    def __init__(self, width: int, hidden: Sequence[int]) -> None:
        super().__init__()
        sizes = list(zip((width, *hidden), (*hidden, 1), strict=True))
        pairs = [(nn.Linear(*size), nn.Linear(*size)) for size in sizes]
        self.weights = nn.ParameterList([torch.stack([one.weight.detach().T for one in pair]) for pair in pairs])
        self.biases = nn.ParameterList([torch.stack([one.bias.detach()[None] for one in pair]) for pair in pairs])

    def layers(self) -> Layers:
        """Return weight (2, in, out) and bias (2, 1, out) of each layer, as they learn."""
        return list(zip(self.weights, self.biases, strict=True))

    def fixed_layers(self) -> Layers:
        """Return the same tensors, always up to date, for what must not teach them."""
        return [(weight.detach(), bias.detach()) for weight, bias in self.layers()]


def values(layers: Layers, observations_BE: Tensor, actions_BU: Tensor) -> Tensor:
    """Return both critics' Q(s, a), (2, B)."""
    rows_2BH = torch.cat([observations_BE, actions_BU], dim=1).expand(2, -1, -1)
    for weight, bias in layers[:-1]:
        rows_2BH = torch.baddbmm(bias, rows_2BH, weight).relu_()
    weight, bias = layers[-1]
    return torch.baddbmm(bias, rows_2BH, weight)[:, :, 0]
