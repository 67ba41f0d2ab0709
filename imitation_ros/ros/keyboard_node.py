"""Teleoperate a robot with the keys of the terminal that this runs in."""

from __future__ import annotations

import signal
import sys
import time

from rclpy.node import Node

from imitation_ros.robot.spec import load_spec
from imitation_ros.ros.node import Parameters, overrides, parameter, required, spin
from imitation_ros.ros.teleoperation import Teleoperation
from imitation_ros.ros.topics import steady_timer
from imitation_ros.teleoperation.commands import CHOSEN_JOINT
from imitation_ros.teleoperation.keyboard import Keyboard, help_lines, split_keys
from imitation_ros.teleoperation.terminal import Terminal

START_SPEED = 0.2  # a key is all or nothing


class KeyboardNode(Node):
    """Keys to commands at the setup's rate, and to the recorder's and the simulator's services."""

    def __init__(self, parameters: Parameters | None = None) -> None:
        super().__init__("operator", parameter_overrides=overrides(parameters))
        spec = load_spec(required(self, "setup", "a name in config/setups, or the path of a setup"))
        recorder = parameter(self, "recorder", "recorder", "the recorder node; empty: do not record")
        simulator = parameter(self, "simulator", "simulator", "the simulator node, which a key resets; empty: none")
        self.teleoperation = Teleoperation(self, spec, START_SPEED, recorder, simulator, self.say)
        commands = self.teleoperation.commands
        self.keyboard = Keyboard(commands.names, bool(commands.joints))
        self.help = help_lines(self.keyboard, bool(commands.grippers))
        steady_timer(self, spec.period_s, self.tick)
        self.terminal = Terminal()  # last: from here on `close` is called in any case
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes is noticed when it is read
        self.say("\n".join([f"{spec.name} at {spec.rate_hz:g} Hz", *self.help]))

    def say(self, text: str) -> None:
        self.terminal.say(text)

    def tick(self) -> None:
        now_s = time.monotonic()
        for key in split_keys(self.terminal.read()):
            event = self.keyboard.press(key, now_s)
            if event == "help":
                self.say("\n".join(self.help))
            elif event:
                self.teleoperation.handle(event)
        wish = self.keyboard.wish(now_s)
        self.teleoperation.tick(wish)
        self.terminal.show(f"{self.teleoperation.status()} | {self.motion(wish)}")

    def motion(self, wish: dict[str, float] | None) -> str:
        if wish is None:
            return "silent"
        commands = self.teleoperation.commands
        chosen = {CHOSEN_JOINT: commands.joints[commands.joint]} if commands.joints else {}
        moved = [f"{'+' if value > 0.0 else '-'}{chosen.get(name, name)}" for name, value in wish.items()]
        return " ".join(moved) or "rest"

    def close(self) -> None:
        try:
            self.teleoperation.close()
        finally:
            self.terminal.close()


def main() -> None:
    sys.exit(spin(KeyboardNode))


if __name__ == "__main__":
    main()
