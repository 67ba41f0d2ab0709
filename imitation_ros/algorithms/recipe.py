"""Training recipes: YAML to an algorithm's Config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from imitation_ros.algorithms import bc
from imitation_ros.errors import SpecError, TrainingError
from imitation_ros.paths import find_file
from imitation_ros.robot.strict_yaml import check_names, load_yaml

T = TypeVar("T")


def load_recipe(recipe: str | Path, changes: Mapping[str, Any] | None = None) -> bc.Config:
    """Return the Config that a recipe describes: a name in config/training, or a path.

    Args:
        changes: values that stand above the recipe's.

    Raises:
        SpecError: names the file, what was found and what is allowed.
    """
    path = find_file("config/training", recipe)
    return parse(bc.Config, {**load_yaml(path), **(changes or {})}, str(path))


def parse(kind: type[T], data: Mapping[str, Any], where: str) -> T:
    """Return a dataclass from a mapping; every value must be of its default's type.

    Raises:
        SpecError: names `where`, what was found and what is allowed.
    """
    check_names(data, {item.name for item in fields(kind)}, where)  # type: ignore[arg-type]
    defaults = kind()
    values: dict[str, Any] = {}
    for name, value in data.items():
        default = getattr(defaults, name)
        if is_dataclass(default) and isinstance(value, Mapping):
            values[name] = parse(type(default), value, f"{where}: {name}")
        elif isinstance(default, tuple) and isinstance(value, list):
            values[name] = tuple(value)
        elif isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            values[name] = float(value)
        elif type(value) is type(default):
            values[name] = value
        else:
            raise SpecError(f"{where}: {name} is {value!r}; it should be like {default!r}.")
    try:
        return kind(**values)
    except (SpecError, TrainingError) as error:  # a value of the right type, out of its range
        raise SpecError(f"{where}: {error}") from None
