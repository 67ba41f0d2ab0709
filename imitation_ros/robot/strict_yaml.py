"""YAML as people write it, read strictly: duplicate names, unknown names and wrong types are errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from imitation_ros.errors import SpecError, did_you_mean


class StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which by itself lets the last of two equal names win."""


def construct_mapping(loader: StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    names = [key_node.value for key_node, _ in node.value]
    for name in names:
        if names.count(name) > 1:
            line = [key.start_mark.line + 1 for key, _ in node.value if key.value == name][-1]
            raise SpecError(f"{node.start_mark.name}, line {line}: {name!r} stands there twice. Keep one.")
    return loader.construct_mapping(node, deep=True)


# what PyYAML lets through for texts such as 2001-99-99, `!!bool maybe`, or a thousand open brackets
BAD_SCALARS = (ValueError, KeyError, AttributeError, TypeError, OverflowError, RecursionError)

StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct_mapping)


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds.

    Raises:
        SpecError: not YAML, not a mapping, or a name twice; `source` is named.
    """
    try:
        loader = StrictLoader(text)  # refuses control characters
        loader.name = source
        data = loader.get_single_data()
    except (yaml.YAMLError, *BAD_SCALARS) as error:
        raise SpecError(f"{source} is not valid YAML: {error or type(error).__name__}") from None
    if not isinstance(data, dict):
        raise SpecError(f"{source} holds {type(data).__name__}; it should hold `name: value` lines.")
    return data


def load_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; see parse_yaml."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not a text file: {error}.") from None
    return parse_yaml(text, str(path))


def check_names(found: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    """Raise SpecError for the first name that is not allowed, with the nearest that is."""
    allowed = sorted(allowed)
    for name in found:
        if name not in allowed:
            raise SpecError(
                f"{where}: {name!r} is unknown.{did_you_mean(str(name), allowed)} Allowed: {', '.join(allowed)}."
            )
