"""Keys of a terminal to wishes. A terminal says when a key is pressed and repeated, never when it is let go."""

from __future__ import annotations

import math
import re

from imitation_ros.teleoperation.commands import CHOSEN_JOINT

FIRST_REPEAT_S = 0.7
"""How long one press moves: keys begin to repeat after 0.25 s (console), 0.5 s (GNOME) to 0.66 s (X)."""
REPEAT_S = 0.15
"""How long a repeated press moves: keys are repeated every 0.03 s (GNOME) to 0.09 s (console)."""
GENTLE = 0.25
"""Share of the speed until a key is seen to be held, so that a tap is a small step."""
PAUSE_S = 1.0
"""How long zero is sent after a motion, before silence."""

MOTIONS = {
    **{"w": ("linear.x", 1.0), "s": ("linear.x", -1.0), "a": ("linear.y", 1.0), "d": ("linear.y", -1.0)},
    **{"r": ("linear.z", 1.0), "f": ("linear.z", -1.0), "u": ("angular.x", -1.0), "o": ("angular.x", 1.0)},
    **{"i": ("angular.y", 1.0), "k": ("angular.y", -1.0), "j": ("angular.z", 1.0), "l": ("angular.z", -1.0)},
}
JOINT_MOTIONS = {"+": (CHOSEN_JOINT, 1.0), "=": (CHOSEN_JOINT, 1.0), "-": (CHOSEN_JOINT, -1.0)}
SPEED_KEYS = {".": "faster", ",": "slower"}
KEYS = {
    **{" ": "gripper", "g": "gripper", "\r": "start", "\n": "start", "y": "success", "n": "failure", "e": "stop"},
    **{"x": "discard", "\x7f": "discard", "\b": "discard", "h": "reset", "\t": "next_joint", "?": "help"},
}
ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)  # arrows and the like: several characters


def split_keys(text: str) -> list[str]:
    """Return one entry per key pressed; an arrow or a function key is one, the empty text."""
    return list(ESCAPES.sub("\0", text).replace("\0", "\x1b"))


class Keyboard:
    """What is pressed now, as far as a terminal can say; the newest key counts, any key ends the motion of another.

    Args:
        names: the components that the setup's actions have.
        has_joints: whether + and - move the chosen joint; otherwise they change the speed.
    """

    def __init__(self, names: tuple[str, ...], has_joints: bool) -> None:
        self.motions = {key: motion for key, motion in MOTIONS.items() if motion[0] in names}
        self.events = {**KEYS, **SPEED_KEYS}
        if has_joints:
            self.motions.update(JOINT_MOTIONS)
            self.events.update({str(number): f"joint {number}" for number in range(1, 10)})
        else:
            self.events.update({"+": "faster", "=": "faster", "-": "slower"})
        self.held = ""
        self.repeats = 0
        self.pressed_s = self.moved_s = -math.inf
        self.last_event, self.event_s = "", -math.inf

    def press(self, key: str, now_s: float) -> str:
        """Take a key at a monotonic time; return the event that it asks for, if any.

        A key that is held asks once; only the speed goes on changing.
        """
        gap_s = now_s - self.pressed_s
        if key in self.motions:
            again = key == self.held and self.is_held(now_s)
            # the first repeat comes late, as a second tap would; only repeats in close order are a held key
            self.repeats = 0 if not again else max(1, self.repeats + (gap_s <= REPEAT_S))
            self.held, self.pressed_s = key, now_s
            return ""
        self.release()
        event = self.events.get(key, "")
        held = event == self.last_event and now_s - self.event_s <= FIRST_REPEAT_S
        self.last_event, self.event_s = event, now_s
        if held and event not in ("faster", "slower"):
            return ""
        if event == "gripper":
            self.moved_s = now_s
        return event

    def release(self) -> None:
        """End the motion at once, and send nothing but a last zero."""
        self.held, self.moved_s = "", -math.inf

    def is_held(self, now_s: float) -> bool:
        return bool(self.held) and now_s - self.pressed_s <= (REPEAT_S if self.repeats else FIRST_REPEAT_S)

    def wish(self, now_s: float) -> dict[str, float] | None:
        """Return what is wished: component to -1 to 1, empty for rest, None for nothing to say."""
        if self.is_held(now_s):
            self.moved_s = now_s
            name, sign = self.motions[self.held]
            return {name: sign * (1.0 if self.repeats > 1 else GENTLE)}
        self.held = ""
        return {} if now_s - self.moved_s <= PAUSE_S else None


def help_lines(keyboard: Keyboard, has_gripper: bool) -> list[str]:
    """Return which keys do what, in the setup at hand."""
    pairs: dict[str, list[str]] = {}
    for key, (name, _) in keyboard.motions.items():
        if key == "=":  # + without shift
            continue
        pairs.setdefault("the chosen joint" if name == CHOSEN_JOINT else name, []).append(key)
    moves = [f"{'/'.join(keys)} {name}" for name, keys in pairs.items()]
    joints = "1-9 or Tab choose a joint   " if "1" in keyboard.events else ""
    gripper = "space or g gripper   " if has_gripper else ""
    faster = ", . slower faster" if joints else "- + slower faster"
    return [
        f"hold to move, + and -: {'   '.join(moves)}",
        f"{joints}{gripper}{faster}   any other key stops   ? this help   Ctrl-C ends",
        "episode: h reset the simulator   Enter start   y success   n failure   e end without verdict   x discard",
    ]
