"""What every node's start and end have in common: parameters, errors, Ctrl-C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.exceptions import (
    InvalidParameterTypeException,
    NameValidationException,
    ParameterUninitializedException,
)
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from imitation_ros.errors import ImitationRosError, SpecError

Parameters = Mapping[str, Any]
WORDS = {bool: "true or false", int: "a whole number", float: "a number"}


def overrides(parameters: Parameters | None) -> list[Parameter]:
    """Return parameters given from Python as rclpy takes them; None values are left out."""
    return [Parameter(name, value=value) for name, value in (parameters or {}).items() if value is not None]


def parameter(node: Node, name: str, default: Any, description: str) -> Any:
    """Declare a parameter and return its value; its type is the default's.

    Raises:
        SpecError: somebody set it to a value of another type; 2 for 2.0 or for the text "2" is understood.
    """
    try:
        return node.declare_parameter(name, default, ParameterDescriptor(description=description)).value
    except InvalidParameterTypeException:
        descriptor = ParameterDescriptor(description=description, dynamic_typing=True)
        value = node.declare_parameter(name, default, descriptor).value
    if isinstance(default, str) or (isinstance(default, float) and type(value) is int):
        return type(default)(value)
    raise SpecError(
        f"the parameter {name!r} of {node.get_name()} is {value!r}; it should be "
        f"{WORDS[type(default)]}, such as {str(default).lower()}: {description}."
    )


def required(node: Node, name: str, description: str) -> str:
    """Declare a text parameter that has no default.

    Raises:
        SpecError: nobody set it.
    """
    descriptor = ParameterDescriptor(description=description, dynamic_typing=True)  # a folder may be called 7
    try:
        value = node.declare_parameter(name, None, descriptor).value
    except ParameterUninitializedException:
        value = None
    if not value:
        raise SpecError(
            f"the parameter {name!r} of {node.get_name()} is not set: {description}. Give it as {name}:=... to "
            f"`ros2 launch`, or as `--ros-args -p {name}:=...`."
        )
    return str(value)


def spin(make: Callable[[], Any], work: Callable[[Any], None] | None = None, arguments: list[str] | None = None) -> int:
    """Run one node until it is told to end; return the exit status.

    A node may raise ImitationRosError to end itself: its words are printed, without a traceback. If it has
    `close()`, that is called at the end in any case.

    Args:
        make: makes the node.
        work: what the node does in a loop of its own, instead of being spun.
        arguments: of ROS; those of the command line if None.
    """
    # our own handlers: rclpy's would pull the context away in the middle of a callback, or of a file
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    # asked once is enough: a launch and the terminal both send SIGINT, and a file may be closing
    asked = False

    def end(number: int, frame: Any) -> None:
        nonlocal asked
        first, asked = not asked, True
        if work is not None and first:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    node = None
    try:
        node = make()
        if work is not None:
            work(node)
            return 0
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while not asked:
            executor.spin_once(timeout_sec=0.2)
    except KeyboardInterrupt:
        return 130
    except RuntimeError:
        if not asked:
            raise
        return 130  # Ctrl-C in the middle of a call into rclpy comes out like this
    except (ImitationRosError, NameValidationException) as error:  # the latter: of a topic or node, from a parameter
        name = getattr(make, "func", make).__name__.removesuffix("Node").lower() if node is None else node.get_name()
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return 2
    finally:
        if node is not None and hasattr(node, "close"):
            node.close()
        rclpy.try_shutdown()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second one would change the exit status of a clean end
    return 0


def diagnostics(node: Node, level: bytes, message: str, values: Mapping[str, Any]) -> DiagnosticArray:
    """Return one status for /diagnostics."""
    status = DiagnosticStatus(
        level=level,
        name=node.get_fully_qualified_name(),
        message=message,
        values=[KeyValue(key=name, value=str(value)) for name, value in values.items()],
    )
    array = DiagnosticArray(status=[status])
    array.header.stamp = node.get_clock().now().to_msg()
    return array
