"""Training recipes: YAML to the Config of the algorithm that it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import yaml

from imitation_ros.errors import SpecError, TrainingError, did_you_mean
from imitation_ros.paths import find_file, names_in
from imitation_ros.robot.strict_yaml import BAD_SCALARS, check_names, load_yaml

ALGORITHMS = ("bc", "dagger", "gail", "airl", "sqil", "ppo", "sac")
"""Each is a module beside this one, with a Config and a train()."""
FOLDER = "config/training"
ALGORITHM = "algorithm"  # what a recipe says that is not named after its algorithm
T = TypeVar("T")


def load_recipe(recipe: str | Path, changes: Mapping[str, Any] | None = None, algorithm: str = "") -> Any:
    """Return the Config that a recipe describes: a name in config/training, or a path.

    It is for the algorithm that its `algorithm:` says, or its name; else for bc.

    Args:
        changes: values that stand above the recipe's; nested ones by mappings.
        algorithm: the one that it has to be for; empty: any, and one that does not say is for this one.

    Raises:
        SpecError: names the file, what was found and what is allowed.
    """
    path = find_file(FOLDER, recipe)
    data, changes = load_yaml(path), changes or {}
    said = data.pop(ALGORITHM, path.stem if path.stem in ALGORITHMS else algorithm or "bc")
    if said not in ALGORITHMS:
        raise SpecError(
            f"{path}: algorithm is {said!r}.{did_you_mean(str(said), ALGORITHMS)} Allowed: {', '.join(ALGORITHMS)}."
        )
    if algorithm not in ("", said):
        raise SpecError(f"{path} is a recipe of {said}, not of {algorithm}. Give one of {algorithm}, or train {said}.")
    if said == "bc" and "steps" in changes:
        raise SpecError(
            f"steps is {changes['steps']}; bc takes no steps of an environment. Give updates, of the weights."
        )
    return parse(parse(config_of(said)(), data, str(path)), changes, f"settings above {path.name}")


def asked_for(what: str, recipe: str, data: str) -> tuple[str, str, str]:
    """Return what a command names: the algorithm (empty: that of the recipe), the recipe, and the data.

    Args:
        what: an algorithm, or a recipe of the package; or, as it once was, a recording to clone.

    Raises:
        SpecError: it is none of these.
    """
    if what in ALGORITHMS:
        return what, recipe or what, data
    if what in recipe_names() and not recipe:
        return "", what, data
    if not data and Path(what).exists():
        return "", recipe or "bc", what
    if what == "mce_irl":
        raise SpecError("mce_irl learns from tables: use imitation_ros.algorithms.mce_irl from Python.")
    names = list(dict.fromkeys((*ALGORITHMS, *recipe_names())))
    raise SpecError(
        f"{what!r} is no algorithm and no recording.{did_you_mean(what, names)} There are {', '.join(names)}. "
        f"`imitation-ros record` makes recordings."
    )


def config_of(algorithm: str) -> type[Any]:
    """Return an algorithm's Config."""
    config: type[Any] = import_module(f"imitation_ros.algorithms.{algorithm}").Config
    return config


def algorithm_of(config: object) -> str:
    """Return the name of the algorithm whose Config this is."""
    return type(config).__module__.rsplit(".", 1)[-1]


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return names_in(FOLDER)


def changes_of(settings: Sequence[str], options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what stands above a recipe, as nested mappings.

    Args:
        settings: texts such as `ppo.clip=0.1`, whose values are read as YAML.
        options: by name, what was asked for otherwise; None: it was not, so the recipe's stands.

    Raises:
        SpecError: a setting is no `name=value`, or contradicts another, or an option.
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        name, is_one, text = setting.partition("=")
        value = read_value(setting, text) if is_one else None
        if not all(name.split(".")) or value is None:
            raise SpecError(f"--set is {setting!r}; it should be name=value, such as learning_rate=0.001.")
        changes = merged(changes, nested(name.split("."), value), "--set")
    for name, value in (options or {}).items():
        if value is not None and changes.setdefault(name, value) != value:
            raise SpecError(f"{name} is {value!r}, and by --set {changes[name]!r}. Say it once.")
    return changes


def read_value(setting: str, text: str) -> Any:
    """Return the value of a setting.

    Raises:
        SpecError: YAML cannot read it.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, *BAD_SCALARS):
        raise SpecError(
            f"--set is {setting!r}, and {text!r} is no value of YAML. A list is [64, 64]; a text with signs in it "
            f"stands in quotes of its own: --set 'start=\"[old] policy\"'."
        ) from None


def nested(names: Sequence[str], value: Any) -> dict[str, Any]:
    return {names[0]: value if len(names) == 1 else nested(names[1:], value)}


def merged(below: Mapping[str, Any], above: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return nested values in which those above stand for those below."""
    values = dict(below)
    for name, value in above.items():
        old = values.get(name)
        if isinstance(value, Mapping) and old is not None and not isinstance(old, Mapping):
            raise SpecError(f"{where}: {name} is {old!r}, which has no {next(iter(value), 'parts')}.")
        values[name] = merged(old or {}, value, where) if isinstance(value, Mapping) else value
    return values


def parse(defaults: T, data: Mapping[str, Any], where: str) -> T:
    """Return a dataclass with the values of a mapping in place of its own; each must be of the other's type.

    Raises:
        SpecError: names `where`, what was found and what is allowed.
    """
    check_names(data, {item.name for item in fields(defaults)}, where)  # type: ignore[arg-type]
    values = {name: converted(value, getattr(defaults, name), f"{where}: {name}") for name, value in data.items()}
    try:
        return replace(defaults, **values)  # type: ignore[type-var]
    except (SpecError, TrainingError) as error:  # a value of the right type, out of its range
        raise SpecError(f"{where}: {error}") from None


def converted(value: Any, default: Any, where: str) -> Any:
    """Return a value as its default is: YAML knows no tuples, calls 1 no float, and 1e-3 a text.

    Raises:
        SpecError: it is of another kind.
    """
    if is_dataclass(default) and isinstance(value, Mapping):
        return parse(default, value, where)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(converted(item, default[0], where) for item in value) if default else tuple(value)
    if type(value) is type(default):
        return value
    number = number_of(value) if isinstance(default, float) else None
    if number is None:
        raise SpecError(f"{where} is {value!r}; it should be like {default!r}.")
    return number


def number_of(value: Any) -> float | None:
    """Return what YAML read, an int or a text such as 1e-3, as a float; None if it says no number."""
    try:
        return float(value) if type(value) in (int, str) else None
    except (ValueError, OverflowError):
        return None
