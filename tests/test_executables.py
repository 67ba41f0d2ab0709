"""What `ros2 run` starts: every node is there, and what is not installed is said in words."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import imitation_ros.ros
from imitation_ros import executables

NODES = Path(imitation_ros.ros.__file__).parent
NAMES = [
    name for name, each in inspect.getmembers(executables, inspect.isfunction) if name not in ("run", "ros_module")
]
NAMES = [name for name in NAMES if getattr(executables, name).__module__ == executables.__name__]


@pytest.mark.parametrize("name", NAMES)
def test_every_executable_runs_a_module_with_a_main_function(monkeypatch, name):
    modules = []
    monkeypatch.setattr(executables, "run", modules.append)
    getattr(executables, name)()
    tree = ast.parse((NODES / f"{modules[0]}.py").read_text(encoding="utf-8"))
    assert "main" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(
    ("name", "absent", "words"),
    [
        ("train", "torch", "'torch', which is not installed: `pip install 'imitation_ros[train]'`"),
        ("simulate", "gymnasium", "'gymnasium', which is not installed: `pip install 'imitation_ros[train]'`"),
        ("simulate", "pybullet", "'pybullet', which is not installed: `pip install 'imitation_ros[train]'`"),
        ("record", "rclpy", "'rclpy' is not there. On a robot: `source /opt/ros/"),
    ],
)
def test_what_is_not_installed_is_said_without_a_traceback(name, absent, words):
    if absent != "rclpy":
        pytest.importorskip("rclpy")
    code = f"import sys; sys.modules[{absent!r}] = None; from imitation_ros.executables import {name}; {name}()"
    command = [sys.executable, "-c", code, "--ros-args", "-p", "setup:=panda_reach", "-p", "data:=x", "-p", "output:=y"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    print(done.stdout, done.stderr)
    assert words in done.stderr and "Traceback" not in done.stderr
    assert done.returncode == 2
