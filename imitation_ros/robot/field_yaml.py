"""YAML to Field and back, and what is wrong with it, in words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeGuard

from imitation_ros.errors import SpecError, did_you_mean
from imitation_ros.robot.field import Field, Limits, Numbers
from imitation_ros.robot.field_names import component_names
from imitation_ros.robot.messages import COMPONENTS, IMAGES, JOINTED, QUANTITIES, STAMPED
from imitation_ros.robot.rotations import ROTATIONS
from imitation_ros.robot.strict_yaml import check_names

CHOICES: dict[str, tuple[str, ...]] = {
    "quantity": ("position", "velocity", "effort"),
    "rotation": tuple(ROTATIONS),
    "kind": ("continuous", "binary", "category", "image"),
    "reduce": ("last", "mean"),
    "when_silent": ("hold", "zero"),
    "stamp": ("header", "received", "required"),
    "storage": ("jpeg", "raw"),
}
POSITIVE = ("timeout_s", "max_age_s", "downstream_timeout_s", "time_from_start_s")
TOPIC = r"[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*"  # design.ros2.org/articles/topic_and_service_names.html
TEXTS = ("topic", "type", "unit", "frame", "executed_topic", "joint_prefix", "frame_prefix", "part", "child")
EXAMPLES = {"topic": "joint_states", "type": "sensor_msgs/msg/JointState"}
SHORT = {"parent": "frame", "beams": "names"}
"""Words of YAML that stand for others: a tf's `parent`, and how many `beams` a LaserScan is reduced to."""


def parse_field(name: str, data: Any, file: str) -> Field:
    """Return the field that a mapping from YAML describes.

    Raises:
        SpecError: names the file, the field, what was found and what is allowed.
    """
    where = f"{file}: field {name!r}"
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise SpecError(f"{where}: a field's name should be letters, digits and _; quote words such as 'on'.")
    if not isinstance(data, Mapping):
        raise SpecError(f"{where} holds {data!r}; it should hold `topic:`, `type:` and more.")
    check_names(data, {field.name for field in fields(Field)} - {"name", "file"} | set(SHORT), where)
    values = {word: value for word, value in data.items() if value is not None}  # null takes a word back
    parse_tf(values, where)
    for word in ("topic", "type"):
        if word not in values:
            raise SpecError(f"{where} has no `{word}`. Add one, such as `{word}: {EXAMPLES[word]}`.")
    check_words(values, where)
    parse_image(values, where)
    values["names"] = component_names(values, where)
    values.setdefault("quantity", QUANTITIES.get(values["type"], "position"))
    width = len(values["names"])
    for word in ("scale_low", "scale_high"):
        values[word] = numbers(values.get(word), width, f"{where}: {word}")
    if (values["scale_low"] is None) != (values["scale_high"] is None):
        raise SpecError(f"{where} has one end of its scale only. Give scale_low and scale_high, or neither.")
    check_order(values["names"], values["scale_low"], values["scale_high"], f"{where}: scale_low", "scale_high")
    values["limits"] = parse_limits(values.get("limits", {}), values["names"], f"{where}: limits")
    check_kind(values, where)
    return Field(name=name, file=file, **values)


def parse_tf(values: dict[str, Any], where: str) -> None:
    """Read `{type: tf, parent: base_link, child: tool0}`, which needs no topic: every tf has the same."""
    if values.get("type") != "tf":
        for word in ("parent", "child"):
            if word in values:
                raise SpecError(f"{where} has `{word}`, which only `type: tf` has. Leave it out.")
        return
    if "parent" in values:
        if values.get("frame", values["parent"]) != values["parent"]:
            raise SpecError(f"{where} has parent and frame, which say the same for a tf. Keep one.")
        values["frame"] = values.pop("parent")
    for word, given in (("parent", values.get("frame")), ("child", values.get("child"))):
        if not given:
            raise SpecError(
                f"{where} is a tf and has no `{word}`. Write {{type: tf, parent: base_link, child: tool0}}."
            )
    if values["frame"] == values["child"]:
        raise SpecError(f"{where} looks for {values['child']!r} in itself. Give two frames.")
    values.setdefault("topic", "tf")


def parse_image(values: dict[str, Any], where: str) -> None:
    """Check what only images have: `shape: [height, width, channels]`."""
    if values["type"] not in IMAGES:
        if values.get("kind") == "image" or "shape" in values:
            raise SpecError(f"{where}: a {values['type']} is no image. Image types: {', '.join(sorted(IMAGES))}.")
        return
    values["kind"] = "image"
    shape: Any = values.get("shape")
    sizes = isinstance(shape, list | tuple) and len(shape) == 3 and all(type(n) is int and n > 0 for n in shape)
    if not sizes or shape[2] not in (1, 3):
        raise SpecError(
            f"{where}: shape is {shape!r}; an image needs `shape: [height, width, channels]`, such as [480, 640, 3], "
            f"with 3 channels (RGB) or 1 (grey)."
        )
    values["shape"] = tuple(shape)
    quality = values.get("jpeg_quality", 90)
    if type(quality) is not int or not 1 <= quality <= 95:
        raise SpecError(f"{where}: jpeg_quality is {quality!r}; it should be a whole number from 1 to 95.")


def check_kind(values: Mapping[str, Any], where: str) -> None:
    """Check what binary and category fields need."""
    kind, width, low = values.get("kind"), len(values["names"]), values["scale_low"]
    if kind not in ("binary", "category"):
        return
    if width != 1:
        raise SpecError(f"{where} is {kind} and has {width} numbers; a {kind} field has one.")
    if values.get("reduce") == "mean":
        raise SpecError(f"{where} is {kind}: there is no mean of its values. Take `reduce: last`.")
    if kind == "category" and (low is None or low[0] % 1 or values["scale_high"][0] % 1):
        raise SpecError(f"{where} is a category: give whole numbers as scale_low and scale_high, such as 0 and 3.")


def check_words(values: Mapping[str, Any], where: str) -> None:
    """Check everything but numbers: choices, texts, times."""
    if not isinstance(values["type"], str) or values["type"] not in COMPONENTS:
        hint = did_you_mean(str(values["type"]), COMPONENTS)
        raise SpecError(
            f"{where}: the message type {values['type']!r} is unknown.{hint} Known: {', '.join(sorted(COMPONENTS))}."
        )
    for word, allowed in CHOICES.items():
        if word in values and values[word] not in allowed:
            raise SpecError(f"{where}: {word} is {values[word]!r}; allowed: {', '.join(allowed)}.")
    for word in TEXTS:
        if word in values and not isinstance(values[word], str):
            raise SpecError(f"{where}: {word} is {values[word]!r}; it should be a text.")
    for word in POSITIVE:
        value = values.get(word, 1.0)
        endless = value == math.inf and word == "time_from_start_s"
        if not is_number(value) or not value > 0 or endless:
            raise SpecError(f"{where}: {word} is {value!r}; it should be a time above 0 s.")
    for word in ("topic", "executed_topic"):
        if word in values:
            check_topic(values[word], f"{where}: {word}")
    if values.get("joint_prefix") and values["type"] not in JOINTED:
        raise SpecError(f"{where}: joint_prefix is {values['joint_prefix']!r}, but a {values['type']} names no joints.")
    if values.get("stamp") == "required" and values["type"] not in STAMPED:
        raise SpecError(f"{where}: stamp is 'required', but a {values['type']} has no header. Take `stamp: received`.")
    if not isinstance(values.get("relative", False), bool):
        raise SpecError(f"{where}: relative is {values['relative']!r}; allowed: true, false.")


def check_topic(topic: str, where: str) -> None:
    if topic == "":
        raise SpecError(f"{where} is empty; it should name a topic.")
    if topic.startswith("/"):
        raise SpecError(f"{where} is {topic!r}; leave out the leading /, so that namespaces work.")
    if not re.fullmatch(TOPIC, topic):
        raise SpecError(
            f"{where} is {topic!r}; a topic is made of letters, digits and _, with / between its parts, and no part "
            f"begins with a digit."
        )


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether YAML gave a number that a float can hold; nan and inf are numbers here."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        float(value)
    except OverflowError:  # YAML's integers have any length
        return False
    return True


def numbers(value: Any, width: int, where: str) -> Numbers | None:
    """Return `width` numbers; one number stands for all of them."""
    if value is None:
        return None
    listed = list(value) if isinstance(value, list | tuple) else [value] * width
    if not all(is_number(item) and math.isfinite(item) for item in listed):
        raise SpecError(f"{where} is {value!r}; it should be {width} finite number(s).")
    if len(listed) != width:
        raise SpecError(f"{where} holds {len(listed)} number(s); the field has {width}.")
    return tuple(float(item) for item in listed)


def check_order(names: tuple[str, ...], low: Numbers | None, high: Numbers | None, where: str, other: str) -> None:
    if low is None or high is None:
        return
    for name, below, above in zip(names, low, high, strict=True):
        if below >= above:
            raise SpecError(f"{where} is {below:g} for {name!r}; it should be below {other}, {above:g}.")


def parse_limits(data: Any, names: tuple[str, ...], where: str) -> Limits:
    if not isinstance(data, Mapping):
        raise SpecError(f"{where} is {data!r}; write {{velocity: 0.5, acceleration: 2.0}}.")
    check_names(data, {field.name for field in fields(Limits)}, where)
    limits = Limits(**{word: numbers(value, len(names), f"{where}: {word}") for word, value in data.items()})
    check_order(names, limits.position_low, limits.position_high, f"{where}: position_low", "position_high")
    for word in ("velocity", "acceleration"):
        for value in getattr(limits, word) or ():
            if value <= 0:
                raise SpecError(f"{where}: {word} is {value:g}; it should be above 0.")
    return limits


def field_to_dict(field: Field) -> dict[str, Any]:
    """Return the mapping that parse_field reads back to the same field; defaults are left out."""
    result: dict[str, Any] = {}
    for item in fields(Field):
        value = getattr(field, item.name)
        if item.name in ("name", "file") or (item.default is not MISSING and value == item.default):
            continue
        if isinstance(value, Limits):
            value = {
                limit.name: list(getattr(value, limit.name)) for limit in fields(Limits) if getattr(value, limit.name)
            }
        result[item.name] = list(value) if isinstance(value, tuple) else value
    result["quantity"] = field.quantity  # its default depends on the type
    return result
