"""What nobody can learn from: numbers that are none, categories that a field does not have, two meanings at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import DataError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

if TYPE_CHECKING:
    from imitation_ros.data.episode import Episode


def check_values(episode: Episode, source: str) -> None:
    """Check every number of an episode; `source` names it in errors.

    Raises:
        DataError: one is NaN or infinite, or no category of its field.
    """
    spec = episode.spec
    for kind, arrays, fields in (
        ("obs", episode.observations, spec.observation),
        ("actions", episode.actions, spec.action),
        ("executed", episode.executed, spec.action),
    ):
        for field in fields:
            if field.is_image:
                continue
            check_finite(arrays[field.name], f"{source}: {kind} {field.name!r}")
            if field.kind == "category":
                check_categories(arrays[field.name], field, f"{source}: {kind} {field.name!r}")


def check_finite(values: NDArray[Any], what: str) -> None:
    if np.isfinite(values).all():
        return
    bad = np.argwhere(~np.isfinite(values))
    raise DataError(
        f"{what} holds {values[tuple(bad[0])]} at tick {bad[0][0]} ({len(bad)} such numbers). "
        f"Leave the episode out, or record it again."
    )


def check_categories(values: NDArray[Any], field: Field, what: str) -> None:
    low, high = field.scale
    wrong = (values < low) | (values > high) | (values != np.rint(values))
    if not wrong.any():
        return
    bad = np.argwhere(wrong)
    raise DataError(
        f"{what} holds {values[tuple(bad[0])]:g} at tick {bad[0][0]} ({len(bad)} such numbers); a category is one of "
        f"the whole numbers from {low[0]:g} to {high[0]:g}. Mend the data, or the field's scale_low and scale_high."
    )


def check_same_meaning(first: RobotSpec, other: RobotSpec, names: str, instead: str) -> None:
    """Check that two recordings can be used together.

    Args:
        names: of the two, for people; instead: what to do where they cannot, as a sentence.

    Raises:
        DataError: they differ in meaning.
    """
    differences = [] if other is first else first.differences(other)
    if differences:
        raise DataError(f"{names} mean different things: {'; '.join(differences[:5])}. {instead}")
