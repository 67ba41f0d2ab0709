"""Robots made of robots, such as two arms: every field of each part, under the part's name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from imitation_ros.errors import SpecError
from imitation_ros.robot.field_yaml import check_topic
from imitation_ros.robot.messages import JOINTED
from imitation_ros.robot.strict_yaml import check_names

PART_WORDS = {"robot", "namespace", "joint_prefix", "frame_prefix"}
EXAMPLE = "left: {robot: panda, namespace: left, joint_prefix: left_}"


def with_parts(
    robot: Mapping[str, Any], file: str, load_robot: Callable[[str], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Return a robot file's mapping with the fields of its `parts` among its own.

    The part `left` gives every field of its robot as left_<field>, on <namespace>/<topic>, with the part's prefixes
    before joints and frames. A tf keeps its topic, for there is one tree.

    Args:
        robot: as read from the file, with `parts:` or without.
        file: named in errors.
        load_robot: gives the mapping of another robot file, by name or path.

    Raises:
        SpecError: names the file, the part, what was found and what is allowed.
    """
    if "parts" not in robot:
        return robot
    parts, own = robot["parts"], robot.get("fields") or {}
    if not isinstance(parts, Mapping) or not parts or not isinstance(own, Mapping):
        raise SpecError(f"{file}: parts is {parts!r}; it should hold one `name: {{...}}` per robot, such as {EXAMPLE}.")
    fields: dict[str, Any] = {}
    for part, words in parts.items():
        fields.update(fields_of_part(part, words, f"{file}: part {part!r}", load_robot))
    twice = sorted(set(fields) & set(own))
    if twice:
        raise SpecError(f"{file}: the field {twice[0]!r} is one of a part's. Change it in the setup, or rename it.")
    return {**{word: value for word, value in robot.items() if word != "parts"}, "fields": {**fields, **own}}


def fields_of_part(part: Any, words: Any, where: str, load_robot: Callable[[str], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields of one part, renamed and rewired."""
    if not isinstance(part, str) or not re.fullmatch(r"[A-Za-z]\w*", part):
        raise SpecError(f"{where}: a part's name should be letters, digits and _.")
    if not isinstance(words, Mapping):
        raise SpecError(f"{where} holds {words!r}; write {EXAMPLE}.")
    check_names(words, PART_WORDS, where)
    for word in PART_WORDS:
        if not isinstance(words.get(word, ""), str) or (word == "robot" and not words.get(word)):
            raise SpecError(f"{where}: {word} is {words.get(word)!r}; it should be a text. Write {EXAMPLE}.")
    if words.get("namespace"):
        check_topic(words["namespace"], f"{where}: namespace")
    robot = load_robot(words["robot"])
    if "parts" in robot:
        raise SpecError(f"{where}: {words['robot']!r} has parts itself. Name its parts here instead.")
    found = robot.get("fields") or {}
    if not isinstance(found, Mapping) or not all(isinstance(data, Mapping) for data in found.values()):
        raise SpecError(f"{where}: {words['robot']!r} has fields that hold no `topic:` and `type:`.")
    return {f"{part}_{name}": rewired_field(data, part, words) for name, data in found.items()}


def rewired_field(data: Mapping[str, Any], part: str, words: Mapping[str, str]) -> dict[str, Any]:
    """Return one field's words as those of a part."""
    field = {**data, "part": part}
    one_tree = field.get("type") == "tf" and field.get("topic", "tf") == "tf"
    if words.get("namespace") and not one_tree:
        for word in ("topic", "executed_topic"):
            if isinstance(field.get(word), str):
                field[word] = f"{words['namespace']}/{field[word]}"
    prefixed = {"joint_prefix": field.get("type") in JOINTED, "frame_prefix": "frame" in field or "parent" in field}
    for word, asked in prefixed.items():
        if asked and words.get(word):
            field[word] = f"{words[word]}{field.get(word) or ''}"
    return field
