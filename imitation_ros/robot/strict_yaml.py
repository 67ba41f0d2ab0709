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


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct_mapping)


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds.

    Raises:
        SpecError: not YAML, not a mapping, or a name twice; `source` is named.
    """
    loader = StrictLoader(text)
    loader.name = source
    try:
        data = loader.get_single_data()
    except yaml.YAMLError as error:
        raise SpecError(f"{source} is not valid YAML: {error}") from None
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise SpecError(f"{source} holds {type(data).__name__}; it should hold `name: value` lines.")
    return data


def load_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; see parse_yaml."""
    try:
        return parse_yaml(path.read_text(), str(path))
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}.") from None


def check_names(found: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    """Raise SpecError for the first name that is not allowed, with the nearest that is."""
    allowed = sorted(allowed)
    for name in found:
        if name not in allowed:
            raise SpecError(
                f"{where}: {name!r} is unknown.{did_you_mean(str(name), allowed)} Allowed: {', '.join(allowed)}."
            )
