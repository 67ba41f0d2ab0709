"""What can be set of an algorithm: for `imitation-ros train ALGORITHM --help`."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from imitation_ros.algorithms.recipe import algorithm_of, load_recipe
from imitation_ros.console import console, print_table

LEARNERS = ("ppo", "sac")  # of adversarial learning: one of them improves the policy, the other's settings do nothing


@dataclass(frozen=True)
class Setting:
    """One value of a Config, or the heading of those of a part of it.

    Attributes:
        name: as --set takes it, such as ppo.clip.
        value: as YAML says it; empty of a heading.
        says: its docstring.
    """

    name: str
    value: str
    says: str

    @property
    def is_heading(self) -> bool:
        return not self.value


def print_settings(recipe: str) -> None:
    """Print the settings of a recipe that comes with the package: names, values, and what they are."""
    config = load_recipe(recipe)
    unused = [name for name in LEARNERS if name != getattr(config, "learner", name)]
    settings = [each for each in settings_of(config) if each.name.split(".")[0] not in unused]
    rows = [
        (each.name, each.value, each.says, "bold" if each.is_heading else "")
        for each in sorted(settings, key=lambda each: each.is_heading or "." in each.name)
    ]
    what = f"{recipe}" if recipe == algorithm_of(config) else f"{recipe}, a recipe of {algorithm_of(config)}"
    console.print(f"Settings of {what}, for --set NAME=VALUE or a recipe of your own:\n", highlight=False, markup=False)
    print_table(("name", "value", "what it is"), rows, drop=(), fold="what it is")
    for name in unused:
        console.print(f"\nWith learner={name} its settings, {name}.*, count instead.", highlight=False, markup=False)


def settings_of(config: Any, before: str = "") -> Iterator[Setting]:
    """Yield every value of a Config, in its order, those of a part of it after the part's heading."""
    says = docstrings(type(config))
    for field in fields(config):
        name, value = f"{before}{field.name}", getattr(config, field.name)
        if is_dataclass(value):
            yield Setting(name, "", says.get(field.name, ""))
            yield from settings_of(value, f"{name}.")
        else:
            yield Setting(name, as_yaml(value), says.get(field.name, ""))


def docstrings(kind: type[Any]) -> dict[str, str]:
    """Return the text below each field of a dataclass, and of those that it is derived from; Python keeps none."""
    found: dict[str, str] = {}
    for base in reversed([base for base in kind.__mro__ if is_dataclass(base)]):
        whole = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(whole, ast.ClassDef)
        for field, text in zip(whole.body, whole.body[1:], strict=False):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def as_yaml(value: Any) -> str:
    """Return a value as a person would write it into a recipe."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(as_yaml(item) for item in value)}]"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "''"
