"""What `ros2 run imitation_ros <name>` and launch files start: a node each, or words on what it lacks."""

from __future__ import annotations

import sys

from imitation_ros.cli_nodes import how_to_install, ros_module
from imitation_ros.errors import ImitationRosError


def run(module: str) -> None:
    """Run the main function of a module of imitation_ros.ros; what is not installed is said without a traceback."""
    node = module.removesuffix("_node")
    try:
        ros_module(module).main()
    except ModuleNotFoundError as error:
        print(f"{node}: {how_to_install(error)}", file=sys.stderr)
    except ImitationRosError as error:
        print(f"{node}: {error}", file=sys.stderr)
    sys.exit(2)


def record() -> None:
    run("recorder_node")


def train() -> None:
    run("trainer_node")


def policy() -> None:
    run("policy_node")


def gripper() -> None:
    run("gripper_node")


def simulate() -> None:
    run("simulator_node")


def operate() -> None:
    run("operator_node")


def operate_keyboard() -> None:
    run("keyboard_node")


def operate_joystick() -> None:
    run("joystick_node")
