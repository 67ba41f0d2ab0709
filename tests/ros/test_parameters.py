"""Parameters of nodes that make no sense: each node ends at once, and says which and why, without a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("rclpy")

WRONG = [
    ("simulator_node", {"setup": "panda_reach", "real_time_factor": ".inf"}, "real_time_factor is inf"),
    ("simulator_node", {"setup": "panda_reach", "real_time_factor": "1.0e-300"}, "it should be from 0.001 to 1000"),
    ("simulator_node", {"setup": "panda_reach", "seed": -1}, "seed is -1; it should be at least 0"),
    ("simulator_node", {"setup": "panda_reach", "first_start": -1}, "first_start is -1"),
    ("simulator_node", {"setup": "panda_reach", "lockstep": 3}, "'lockstep' of simulator is 3; it should be true or"),
    ("operator_node", {"setup": "panda_reach", "episodes": 0}, "episodes is 0; it should be at least 1"),
    ("joystick_node", {"setup": "panda_reach", "recorder": "bad name"}, "Invalid service name"),
    ("recorder_node", {"setup": "panda_reach", "output": "x", "episode_s": ".nan"}, "episode_s is nan"),
    ("recorder_node", {"setup": "[panda_reach]", "output": "x"}, "panda_reach"),
    ("policy_node", {"policy": "nowhere", "speed_scale": "fast"}, "'speed_scale' of policy is 'fast'"),
]


@pytest.mark.parametrize(("module", "parameters", "words"), WRONG)
def test_a_parameter_that_makes_no_sense_ends_the_node_in_words(tmp_path, module, parameters, words):
    given = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
    line = [sys.executable, "-m", f"imitation_ros.ros.{module}", "--ros-args", *given]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert words in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 2
