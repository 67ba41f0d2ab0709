"""Axes and buttons of sensor_msgs/Joy to wishes, by a YAML file in config/operators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from imitation_ros.errors import MessageError, SpecError
from imitation_ros.paths import find_file
from imitation_ros.robot.field_yaml import is_number
from imitation_ros.robot.strict_yaml import check_names, load_yaml
from imitation_ros.teleoperation.commands import CHOSEN_JOINT, EVENTS, TWIST

STALE_S = 0.2
"""Without a message for so long nobody holds the dead-man button: joy_node repeats itself every 0.05 s."""


@dataclass(frozen=True)
class Axis:
    """One axis of the device: its number, what full deflection wishes (-1 to 1), and what counts as rest."""

    axis: int
    scale: float = 1.0
    dead_zone: float = 0.1

    def wish(self, value: float) -> float:
        """Return the wish of a deflection: 0 inside the dead zone, from there on without a step."""
        if math.isnan(value) or abs(value) <= self.dead_zone:
            return 0.0
        share = (min(abs(value), 1.0) - self.dead_zone) / (1.0 - self.dead_zone)
        return math.copysign(share, value) * self.scale


@dataclass(frozen=True)
class Layout:
    """What the axes and buttons of one kind of joystick are for.

    Attributes:
        dead_man: the button that must be held to move.
        axes: component of an action, or CHOSEN_JOINT, to the axis that moves it.
        buttons: event to the button that asks for it.
    """

    dead_man: int
    axes: Mapping[str, Axis]
    buttons: Mapping[str, int]
    file: str


def load_layout(name: str | Path, components: Sequence[str]) -> Layout:
    """Return a layout: a path, or a name in config/operators.

    Args:
        components: what the setup's actions consist of; axes may also name those of a twist.

    Raises:
        SpecError: names the file, what was found and what is allowed.
    """
    path = find_file("config/operators", name)
    data, file = load_yaml(path), str(path)
    check_names(data, {"dead_man", "axes", "buttons"}, file)
    for word in ("axes", "buttons"):
        if not isinstance(data.get(word, {}), Mapping):
            raise SpecError(f"{file}: {word} is {data[word]!r}; it should hold `name: ...` lines.")
    axes, buttons = data.get("axes", {}), data.get("buttons", {})
    check_names(axes, {*TWIST, *components, CHOSEN_JOINT}, f"{file}: axes")
    check_names(buttons, EVENTS, f"{file}: buttons")
    layout = Layout(
        dead_man=index(data.get("dead_man"), f"{file}: dead_man"),
        axes={component: parse_axis(axis, f"{file}: axes: {component}") for component, axis in axes.items()},
        buttons={event: index(button, f"{file}: buttons: {event}") for event, button in buttons.items()},
        file=file,
    )
    used = [layout.dead_man, *layout.buttons.values()]
    for button in used:
        if used.count(button) > 1:
            raise SpecError(f"{file}: button {button} is used twice. Give each button one meaning.")
    if not {*components, CHOSEN_JOINT} & set(layout.axes):
        raise SpecError(
            f"{file}: no axis moves anything of this setup, which has {', '.join(components) or 'no motion'}; the file "
            f"has {', '.join(layout.axes) or 'no axes'}. Add one of the setup's, or choose another file."
        )
    return layout


def parse_axis(data: Any, where: str) -> Axis:
    if not isinstance(data, Mapping):
        raise SpecError(f"{where} is {data!r}; write {{axis: 1, scale: 1.0, dead_zone: 0.1}}.")
    check_names(data, {field.name for field in fields(Axis)}, where)
    scale, dead_zone = data.get("scale", Axis.scale), data.get("dead_zone", Axis.dead_zone)
    if not is_number(scale) or not 0.0 < abs(scale) <= 1.0:
        raise SpecError(
            f"{where}: scale is {scale!r}; it should be from -1 to 1 and not 0: a share of the setup's scale, negative "
            f"to turn the axis round."
        )
    if not is_number(dead_zone) or not 0.0 <= dead_zone < 1.0:
        raise SpecError(f"{where}: dead_zone is {dead_zone!r}; it should be at least 0 and below 1.")
    return Axis(index(data.get("axis"), f"{where}: axis"), float(scale), float(dead_zone))


def index(value: Any, where: str) -> int:
    if type(value) is not int or value < 0:
        raise SpecError(f"{where} is {value!r}; it should be a number from 0 on, as counted in `ros2 topic echo joy`.")
    return value


class Joystick:
    """What is wished now, as far as the newest message says; it is believed for STALE_S."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.axes: dict[str, float] = {}
        self.enabled = False
        self.pressed: set[str] | None = None  # before the first message every button may be held already
        self.heard_s = -math.inf

    def hear(self, axes: Sequence[float], buttons: Sequence[int], now_s: float) -> list[str]:
        """Take a message at a monotonic time; return the events that it asks for: each once per press.

        The gripper moves only while the dead-man button is held.

        Raises:
            MessageError: the device has fewer axes or buttons than the layout uses.
        """
        self.check(len(axes), len(buttons))
        self.heard_s = now_s
        self.enabled = bool(buttons[self.layout.dead_man])
        self.axes = {name: axis.wish(axes[axis.axis]) for name, axis in self.layout.axes.items()}
        pressed = {event for event, button in self.layout.buttons.items() if buttons[button]}
        new = set() if self.pressed is None else pressed - self.pressed
        self.pressed = pressed
        return [event for event in self.layout.buttons if event in new and (self.enabled or event != "gripper")]

    def check(self, axes: int, buttons: int) -> None:
        layout = self.layout
        uses = [(f"axes: {name}", "axis", axis.axis, axes) for name, axis in layout.axes.items()]
        uses += [(f"buttons: {event}", "button", button, buttons) for event, button in layout.buttons.items()]
        for where, what, number, count in [*uses, ("dead_man", "button", layout.dead_man, buttons)]:
            if number >= count:
                raise MessageError(
                    f"{layout.file}: {where} is {what} {number}, but this joystick has {axes} axes and {buttons} "
                    f"buttons, counted from 0. `ros2 topic echo joy` shows which is which; mend the file, or a copy."
                )

    def wish(self, now_s: float) -> dict[str, float] | None:
        """Return what is wished: component to -1 to 1; None where the dead-man button is not held or not heard."""
        return self.axes if self.enabled and not self.stale(now_s) else None

    def stale(self, now_s: float) -> bool:
        return now_s - self.heard_s > STALE_S
