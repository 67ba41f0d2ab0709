"""One named quantity of a robot: what its numbers mean, and where they come from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from dataclasses import field as dataclass_field
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import SpecError, did_you_mean
from imitation_ros.robot.messages import COMPONENTS, POSITION
from imitation_ros.robot.rotations import ROTATIONS
from imitation_ros.robot.strict_yaml import check_names

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Limits:
    """What a command may never exceed, per number, in the field's unit and its time derivatives.

    Safety, not meaning: a deployment may tighten them, never loosen them.
    """

    position_low: Numbers | None = None
    position_high: Numbers | None = None
    velocity: Numbers | None = None
    acceleration: Numbers | None = None


@dataclass(frozen=True)
class Field:
    """One named quantity of the robot spec.

    Attributes:
        topic: relative, so that namespaces work.
        type: the ROS message type, such as sensor_msgs/msg/JointState.
        names: what each number is: joints, axes. Their count is the field's width.
        quantity: position, velocity or effort: what the numbers are, and which limits apply.
        unit: one word for all numbers (rad, m/s), for people.
        frame: tf frame that the numbers are given in; None where there is none.
        rotation: rotation_6d or rotvec where a message holds an orientation; None leaves it out.
        kind: continuous, or binary (a gripper: either scale_low or scale_high).
        scale_low, scale_high: what -1 and 1 in a recording's `actions` mean; actions only.
        relative: the action is a difference from the present value.
        reduce: which command stands for a tick: the last, or the time-weighted mean.
        timeout_s: how long a command stays in force [s].
        when_silent: what holds after that: hold (the last command) or zero.
        max_age_s: an older observation is stale [s].
        stamp: header (received where there is none), or received.
        downstream_timeout_s: what follows this node stops by itself after so long [s].
        executed_topic: where the robot says what it was told after noise or limits.
        file: where it was defined, for messages.
    """

    name: str
    topic: str
    type: str
    names: tuple[str, ...]
    quantity: str = "position"
    unit: str = ""
    frame: str | None = None
    rotation: str | None = None
    kind: str = "continuous"
    scale_low: Numbers | None = None
    scale_high: Numbers | None = None
    relative: bool = False
    limits: Limits = Limits()
    reduce: str = "last"
    timeout_s: float = 0.5
    when_silent: str = "hold"
    max_age_s: float = 0.2
    stamp: str = "header"
    downstream_timeout_s: float | None = None
    executed_topic: str | None = None
    file: str = dataclass_field(default="", compare=False)

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def position_slice(self) -> slice | None:
        """Where the field holds a position [m], for the types that do."""
        return slice(0, 3) if self.names[:3] == POSITION else None

    def to_unit(self, values: NDArray[Any]) -> NDArray[Any]:
        """Map physical values, shape (..., width), to [-1, 1] by the field's scale."""
        low, high = self.scale
        return 2.0 * (values - low) / (high - low) - 1.0

    def from_unit(self, values: NDArray[Any]) -> NDArray[Any]:
        """Map values in [-1, 1], shape (..., width), to physical ones; a binary field takes the nearer end."""
        low, high = self.scale
        if self.kind == "binary":
            return np.where(values > 0.0, high, low)
        return low + 0.5 * (values + 1.0) * (high - low)

    @property
    def scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self.scale_low is None or self.scale_high is None:
            raise SpecError(
                f"{self.file}: the action {self.name!r} has no scale. Give scale_low and scale_high, "
                f"{self.width} number(s) each: what -1 and 1 mean."
            )
        return np.array(self.scale_low), np.array(self.scale_high)

    def meaning(self) -> dict[str, Any]:
        """Return what must match exactly between data, policy and robot."""
        words = ("names", "quantity", "unit", "frame", "rotation", "kind", "scale_low", "scale_high", "relative")
        return {word: getattr(self, word) for word in words}


CHOICES: dict[str, tuple[str, ...]] = {
    "quantity": ("position", "velocity", "effort"),
    "rotation": tuple(ROTATIONS),
    "kind": ("continuous", "binary"),
    "reduce": ("last", "mean"),
    "when_silent": ("hold", "zero"),
    "stamp": ("header", "received"),
}
POSITIVE = ("timeout_s", "max_age_s", "downstream_timeout_s")
TOPIC = r"[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*"  # design.ros2.org/articles/topic_and_service_names.html
TEXTS = ("topic", "type", "unit", "frame", "executed_topic")


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
    check_names(data, {field.name for field in fields(Field)} - {"name", "file"}, where)
    values = {word: value for word, value in data.items() if value is not None}  # null takes a word back
    for word in ("topic", "type"):
        if word not in values:
            raise SpecError(f"{where} has no `{word}`. Add one, such as `{word}: {EXAMPLES[word]}`.")
    check_words(values, where)
    values["names"] = component_names(values, where)
    values.setdefault("quantity", "velocity" if "Twist" in values["type"] else "position")
    width = len(values["names"])
    for word in ("scale_low", "scale_high"):
        values[word] = numbers(values.get(word), width, f"{where}: {word}")
    if (values["scale_low"] is None) != (values["scale_high"] is None):
        raise SpecError(f"{where} has one end of its scale only. Give scale_low and scale_high, or neither.")
    check_order(values["names"], values["scale_low"], values["scale_high"], f"{where}: scale_low", "scale_high")
    values["limits"] = parse_limits(values.get("limits", {}), values["names"], f"{where}: limits")
    if values.get("kind") == "binary" and width != 1:
        raise SpecError(f"{where} is binary and has {width} numbers; a binary field has one.")
    return Field(name=name, file=file, **values)


EXAMPLES = {"topic": "joint_states", "type": "sensor_msgs/msg/JointState"}


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
        if not is_number(value) or not value > 0:
            raise SpecError(f"{where}: {word} is {value!r}; it should be a time above 0 s.")
    for word in ("topic", "executed_topic"):
        if values.get(word) == "":
            raise SpecError(f"{where}: {word} is empty; it should name a topic.")
        if values.get(word, "").startswith("/"):
            raise SpecError(f"{where}: {word} is {values[word]!r}; leave out the leading /, so that namespaces work.")
        if values.get(word) is not None and not re.fullmatch(TOPIC, values[word]):
            raise SpecError(
                f"{where}: {word} is {values[word]!r}; a topic is made of letters, digits and _, with / between its "
                f"parts, and no part begins with a digit."
            )
    if not isinstance(values.get("relative", False), bool):
        raise SpecError(f"{where}: relative is {values['relative']!r}; allowed: true, false.")


def component_names(values: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Return what each number of the field is called; their count is its width."""
    fixed = COMPONENTS[values["type"]]
    given = values.get("names")
    if given is not None:
        if not isinstance(given, list | tuple) or not given or not all(isinstance(name, str) for name in given):
            raise SpecError(f"{where}: names is {given!r}; it should be a list of texts.")
        for name in given:
            if list(given).count(name) > 1:
                raise SpecError(f"{where}: names holds {name!r} twice.")
    if values.get("rotation") is not None and fixed != POSITION:
        raise SpecError(f"{where}: rotation is {values['rotation']!r}, but a {values['type']} holds no orientation.")
    if fixed is None:
        if given is None:
            raise SpecError(f"{where}: {values['type']} needs `names`, such as `names: [joint1, joint2]`.")
        return tuple(given)
    if values.get("rotation") is not None:
        fixed = fixed + ROTATIONS[values["rotation"]][2]
    if given is None or tuple(given) == fixed:
        return fixed
    unknown = [name for name in given if name not in fixed]
    if unknown:
        raise SpecError(f"{where}: names holds {unknown[0]!r}; {values['type']} has {', '.join(fixed)}.")
    if fixed[:3] == POSITION:
        raise SpecError(f"{where}: a pose is recorded whole; leave out `names`.")
    return tuple(given)


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
