"""What each number of a field is called: fixed by the message type, or named by the spec."""

from __future__ import annotations

import re
from typing import Any

from imitation_ros.errors import SpecError
from imitation_ros.robot.messages import COMPONENTS, IMAGES, NAME_PATTERNS, ORIENTED, WHOLE
from imitation_ros.robot.rotations import ROTATIONS


def component_names(values: dict[str, Any], where: str) -> tuple[str, ...]:
    """Return what each number of the field is called; their count is its width (an image has none)."""
    kind, fixed, given = values["type"], COMPONENTS[values["type"]], values.get("names")
    if "beams" in values:
        if given is not None:
            raise SpecError(f"{where} has names and beams, which say the same. Keep one; `names: null` takes one back.")
        given = beam_names(kind, values.pop("beams"), where)
    if given is not None and not (kind in IMAGES and given in ([], ())):
        check_list(given, where)
    if values.get("rotation") is not None and kind not in ORIENTED:
        raise SpecError(f"{where}: rotation is {values['rotation']!r}, but a {kind} holds no orientation.")
    if fixed is None:
        if given is None:
            raise SpecError(
                f"{where}: {kind} needs `names`, such as `names: {NAME_EXAMPLES.get(kind, '[joint1, joint2]')}`."
            )
        for name in given:
            if kind in NAME_PATTERNS and not re.fullmatch(NAME_PATTERNS[kind], name):
                raise SpecError(f"{where}: names holds {name!r}; a {kind} has names such as {NAME_EXAMPLES[kind]}.")
        if kind == "sensor_msgs/msg/LaserScan" and list(given) != beam_names(kind, len(given), where):
            raise SpecError(
                f"{where}: the beams of a LaserScan are beam0, beam1 and so on. Write `beams: {len(given)}`."
            )
        return tuple(given)
    turned = ROTATIONS[values["rotation"]][2] if values.get("rotation") is not None else ()
    if given is None or tuple(given) == fixed + turned:
        return fixed + turned
    for name in given:
        if name not in fixed + turned:
            raise SpecError(f"{where}: names holds {name!r}; {kind} has {', '.join(fixed + turned) or 'none'}.")
    if kind in WHOLE:
        raise SpecError(f"{where}: a {kind} is recorded whole; leave out `names`.")
    return (*(name for name in given if name not in turned), *turned)  # the numbers of a rotation stay together


NAME_EXAMPLES = {
    "sensor_msgs/msg/Joy": "[axes.0, axes.1, buttons.4]",
    "sensor_msgs/msg/LaserScan": "[beam0, beam1], or `beams: 36`",
}


def beam_names(kind: str, count: Any, where: str) -> list[str]:
    if kind != "sensor_msgs/msg/LaserScan":
        raise SpecError(f"{where}: beams is {count!r}, but a {kind} has none.")
    if type(count) is not int or not 1 <= count <= 4096:
        raise SpecError(f"{where}: beams is {count!r}; it should be a whole number from 1 to 4096.")
    return [f"beam{index}" for index in range(count)]


def check_list(given: Any, where: str) -> None:
    if not isinstance(given, list | tuple) or not given or not all(isinstance(name, str) for name in given):
        raise SpecError(f"{where}: names is {given!r}; it should be a list of texts.")
    seen: set[str] = set()
    for name in given:
        if name in seen:
            raise SpecError(f"{where}: names holds {name!r} twice.")
        seen.add(name)
