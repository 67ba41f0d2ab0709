"""gymnasium's spaces as fields of a robot spec, and their values both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from numpy.typing import NDArray

from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.plain import array_field, category_field, image_field, plain_name

Values = Mapping[str, NDArray[Any]]


class SpaceFields:
    """The fields of one space: one of its name, or one for each entry of a Dict (nested: joined by _).

    Box becomes numbers (flattened), or an image where it is uint8 of shape (H, W), (H, W, 1) or (H, W, 3); Discrete
    a category. A Box's bounds are the scale of an action; infinite ones by the rule of `array_field`.

    Args:
        space: gymnasium's.
        name: of the field, for a space that is no Dict.
        is_action: whether a scale is needed.

    Raises:
        SpecError: a kind of space that no field holds.
    """

    def __init__(self, space: Space[Any], name: str, is_action: bool) -> None:
        self.space = space
        self.leaves = leaves_of(space, name)
        self.fields = tuple(field_of(leaf_name, leaf, is_action) for leaf_name, leaf in self.leaves.items())
        self.readers = [(field.name, reader_of(field)) for field in self.fields]
        pairs = zip(self.fields, self.leaves.values(), strict=True) if is_action else ()
        self.writers = [(field.name, writer_of(leaf, field)) for field, leaf in pairs]
        self.is_dict = isinstance(space, spaces.Dict)

    def to_values(self, sample: Any) -> dict[str, NDArray[Any]]:
        """Return what the environment gave, as field name to value."""
        parts = flattened(self.space, sample) if self.is_dict else (sample,)
        return {name: read(part) for (name, read), part in zip(self.readers, parts, strict=True)}

    def from_values(self, values: Values) -> Any:
        """Return what the environment takes: within a Box's bounds, the nearest whole number where it takes those."""
        parts = [write(values[name]) for name, write in self.writers]
        return nested(self.space, iter(parts)) if self.is_dict else parts[0]


def leaves_of(space: Space[Any], name: str) -> dict[str, Space[Any]]:
    """Return the spaces that are no Dict, by the names of their fields."""
    if not isinstance(space, spaces.Dict):
        return {plain_name(name): space}
    leaves: dict[str, Space[Any]] = {}
    for entry, inner in space.spaces.items():
        for leaf_name, leaf in leaves_of(inner, str(entry)).items():
            joined = leaf_name if not isinstance(inner, spaces.Dict) else f"{plain_name(str(entry))}_{leaf_name}"
            if joined in leaves:
                raise SpecError(f"two entries of {space} would be called {joined!r}. Rename one of them.")
            leaves[joined] = leaf
    return leaves


def field_of(name: str, space: Space[Any], is_action: bool) -> Field:
    if isinstance(space, spaces.Discrete):
        return category_field(name, int(space.start), int(space.n))
    if isinstance(space, spaces.MultiBinary) and not is_action:
        return array_field(name, int(np.prod(space.shape)))
    if not isinstance(space, spaces.Box):
        raise SpecError(
            f"{name!r} is {space}; Box, Discrete and Dict are understood. Wrap the environment "
            f"(gymnasium.wrappers.FlattenObservation, TransformAction) so that it has these."
        )
    if 0 in space.shape:
        raise SpecError(f"{name!r} is {space}, which holds no number. Leave it out by a wrapper.")
    if space.dtype == np.uint8 and not is_action and (shape := image_shape(space.shape)):
        return image_field(name, shape, storage="raw")  # pixel for pixel what the environment showed
    width = int(np.prod(space.shape))
    if not is_action:
        return array_field(name, width)
    return array_field(name, width, space.low.ravel().tolist(), space.high.ravel().tolist())


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Return height, width and channels of what has the shape of an image."""
    if len(shape) == 2:
        return (*shape, 1)
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 and shape[2] in (1, 3) else None


def flattened(space: Space[Any], sample: Any) -> list[Any]:
    """Return the leaves of a sample, in the order of leaves_of; the sample's own order may be another."""
    if not isinstance(space, spaces.Dict):
        return [sample]
    return [leaf for entry, inner in space.spaces.items() for leaf in flattened(inner, sample[entry])]


def reader_of(field: Field) -> Callable[[Any], NDArray[Any]]:
    """Return what copies a leaf of a sample into a field's value; made once, for it runs at every step."""
    dtype, shape = field.dtype, field.row_shape

    def read(part: Any) -> NDArray[Any]:
        value = np.asarray(part).astype(dtype)
        return value if value.shape == shape else value.reshape(shape)

    return read


def writer_of(space: Space[Any], field: Field) -> Callable[[NDArray[Any]], Any]:
    """Return what makes a field's value into what a leaf of an action space takes; made once, as above."""
    if isinstance(space, spaces.Discrete):
        first, last = (int(end[0]) for end in field.scale)
        return lambda value: min(max(round(float(value[0])), first), last)
    assert isinstance(space, spaces.Box)  # field_of let nothing else through
    low, high, dtype, is_whole = space.low, space.high, space.dtype, np.issubdtype(space.dtype, np.integer)

    def write(value: NDArray[Any]) -> NDArray[Any]:
        numbers = np.asarray(value).reshape(low.shape)
        whole = np.rint(numbers) if is_whole else numbers
        return np.asarray(np.minimum(np.maximum(whole, low), high), dtype)  # np.clip takes twice as long

    return write


def nested(space: Space[Any], parts: Any) -> Any:
    if not isinstance(space, spaces.Dict):
        return next(parts)
    return {entry: nested(inner, parts) for entry, inner in space.spaces.items()}
