"""What a person asks a recorder for, by foot pedals or buttons (sensor_msgs/Joy) and by the keys of a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imitation_ros.errors import MessageError, SpecError
from imitation_ros.paths import find_file
from imitation_ros.robot.field_yaml import check_topic
from imitation_ros.robot.strict_yaml import check_names, load_yaml
from imitation_ros.teleoperation.joystick import index
from imitation_ros.teleoperation.keyboard import FIRST_REPEAT_S, split_keys

EVENTS = ("start", "stop", "toggle", "success", "failure", "discard", "undo")
"""What a button can ask for: success and failure end the episode, toggle starts one or ends it."""
KEYS = {
    **{" ": "toggle", "\r": "start", "\n": "start", "e": "stop", "y": "success", "n": "failure"},
    **{"x": "discard", "\x7f": "discard", "\b": "discard", "u": "undo"},
}
HELP = "space start or end   y success   n failure   x discard   u undo the last   Ctrl-C ends"


@dataclass(frozen=True)
class Buttons:
    """Which buttons of which Joy topic ask a recorder for what."""

    topic: str
    numbers: Mapping[str, int]
    file: str


def load_buttons(name: str | Path) -> Buttons:
    """Return what the buttons are for: a path, or a name in config/operators.

    Raises:
        SpecError: names the file, what was found and what is allowed.
    """
    path = find_file("config/operators", name)
    data, file = load_yaml(path), str(path)
    check_names(data, {"topic", "buttons"}, file)
    numbers, topic = data.get("buttons"), data.get("topic", "joy")
    if not isinstance(numbers, Mapping) or not numbers:
        raise SpecError(f"{file}: buttons is {numbers!r}; it should hold lines such as `toggle: 0`.")
    check_names(numbers, EVENTS, f"{file}: buttons")
    check_topic(str(topic), f"{file}: topic")
    found = {event: index(number, f"{file}: buttons: {event}") for event, number in numbers.items()}
    for number in found.values():
        if list(found.values()).count(number) > 1:
            raise SpecError(f"{file}: button {number} is used twice. Give each button one meaning.")
    return Buttons(str(topic), found, file)


class Presses:
    """Turns messages of a joystick into events: each once per press."""

    def __init__(self, buttons: Buttons) -> None:
        self.buttons = buttons
        self.pressed: set[str] | None = None  # before the first message every button may be held already

    def hear(self, states: Sequence[int]) -> list[str]:
        """Take whether each button is pressed; return what is asked for.

        Raises:
            MessageError: the device has fewer buttons.
        """
        for event, number in self.buttons.numbers.items():
            if number >= len(states):
                raise MessageError(
                    f"{self.buttons.file}: {event} is button {number}, but this device has {len(states)}, counted from "
                    f"0. `ros2 topic echo {self.buttons.topic}` shows which is which; mend the file, or a copy."
                )
        pressed = {event for event, number in self.buttons.numbers.items() if states[number]}
        new = set() if self.pressed is None else pressed - self.pressed
        self.pressed = pressed
        return [event for event in self.buttons.numbers if event in new]


class Keys:
    """Turns what is typed into events; a key that is held asks once."""

    def __init__(self) -> None:
        self.last, self.pressed_s = "", -math.inf

    def typed(self, text: str, now_s: float) -> list[str]:
        """Return what is asked for by what was typed at a monotonic time."""
        events = []
        for key in split_keys(text):
            held = key == self.last and now_s - self.pressed_s <= FIRST_REPEAT_S
            self.last, self.pressed_s = key, now_s
            if not held and key in KEYS:
                events.append(KEYS[key])
        return events
