"""What a robot needs is small: without torch and a simulator, the installed package records and deploys."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from ros_graph import FakeRobot, wait_until
from test_packaging import make_wheel

from imitation_ros.data.hdf5 import read_episode
from imitation_ros.processes import Programs
from imitation_ros.ros.topics import to_stamp

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SETUP, COMMANDS = "panda_reach", "servo_node/delta_twist_cmds"
TRAINING = ("torch", "gymnasium", "pybullet", "safetensors", "tensorboard", "onnx", "matplotlib")
# the ROS wheels set these for the Python that they started, and another environment's must not inherit them
OWN = {"LD_LIBRARY_PATH": "", "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "", "PYTHONPATH": ""}
SPEED = 0.05  # [m/s], of the person who teleoperates


def constraints() -> Path:
    """Return the tested versions with the ROS distribution that this test itself runs with."""
    try:
        jazzy = version("ros-rclpy").startswith("7.")
    except PackageNotFoundError:  # ROS is installed some other way
        jazzy = False
    return ROOT / ("constraints-jazzy.txt" if jazzy else "constraints.txt")


@pytest.fixture
def bare(tmp_path):
    """The programs of a fresh environment into which pip installed our wheel and ROS, and nothing else."""
    wheel = make_wheel(tmp_path / "wheel")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    programs = tmp_path / "venv" / "bin"

    def pip(*arguments):
        command = [programs / "python", "-m", "pip", "-q", "--timeout", "20", "--retries", "1", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    index = pip("download", "--no-deps", "--dest", tmp_path, "tyro")
    if index.returncode != 0:
        pytest.skip(f"no package index can be reached: {index.stderr.strip().splitlines()[-1]}")
    done = pip("install", "--no-compile", "-c", constraints(), f"{wheel}[ros]")
    assert done.returncode == 0, f"pip cannot install the wheel:\n{done.stderr}"
    return programs


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Programs of that environment; they start where no source tree lies that they could import instead."""
    monkeypatch.chdir(tmp_path)
    with Programs(tmp_path / "logs", OWN) as programs:
        yield programs


def test_the_installed_package_alone_records_an_episode_and_drives_a_robot(
    bare, programs, graph, demonstrations, bundle, tmp_path
):
    assert installed(bare, programs, ["imitation_ros", "onnxruntime", *TRAINING]) == {"imitation_ros", "onnxruntime"}
    episode = read_episode(sorted(demonstrations.glob("*.hdf5"))[0])
    robot = FakeRobot(graph, episode.spec, {name: rows[0] for name, rows in episode.observations.items()})
    recorded = record(bare, programs, graph, tmp_path / "episodes")
    assert recorded.steps > 10
    for name, rows in recorded.observations.items():
        np.testing.assert_allclose(rows[0], robot.values[name], atol=1e-5)
    np.testing.assert_allclose(recorded.actions["twist"][5:, 0], SPEED, atol=1e-3)
    speeds = deploy(bare, programs, graph, bundle)
    assert np.isfinite(speeds).all() and max(speeds) > 0.01


def installed(bare, programs, names):
    """Return which of the packages are there, in the environment itself."""
    code = f"""
from importlib.util import find_spec
found = [spec for spec in map(find_spec, {names}) if spec is not None]
print(*(spec.name for spec in found if spec.origin.startswith({str(bare.parent)!r})))
"""
    program = programs.start("installed", [str(bare / "python"), "-c", code])
    programs.wait(program)
    return set(program.log.read_text().split())


def record(bare, programs, graph, output):
    """Record a person who moves the hand at SPEED; return the episode."""
    recorder = programs.start("recorder", [str(bare / "imitation-ros"), "record", SETUP, "--output", str(output)])
    publisher = graph.node.create_publisher(TwistStamped, COMMANDS, 10)

    def command():
        message = TwistStamped()
        message.header.frame_id, message.header.stamp = "panda_link0", to_stamp(time.time())
        message.twist.linear.x = SPEED
        publisher.publish(message)

    timer = graph.node.create_timer(0.05, command)
    wait_until(lambda: graph.call("recorder/start").success, what="an episode's start", why=recorder.log.read_text)
    time.sleep(1.5)
    stopped = graph.call("recorder/stop")
    assert stopped.success, stopped.message
    end(recorder)
    graph.node.destroy_timer(timer)
    graph.node.destroy_publisher(publisher)  # a policy is not activated beside another commander
    (path,) = output.iterdir()
    return read_episode(path)


def deploy(bare, programs, graph, bundle):
    """Let a policy drive; return the speeds that it commanded."""
    heard = graph.listen(COMMANDS, TwistStamped)
    policy = programs.start("policy", [str(bare / "imitation-ros"), "deploy", str(bundle)])

    def change(transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        return graph.call("policy/change_state", ChangeState, request).success

    assert change(Transition.TRANSITION_CONFIGURE), policy.log.read_text()
    wait_until(lambda: change(Transition.TRANSITION_ACTIVATE), what="activation", why=policy.log.read_text)
    wait_until(lambda: len(heard) > 20, what="driving", why=policy.log.read_text)
    assert change(Transition.TRANSITION_DEACTIVATE)
    end(policy)
    return [np.linalg.norm([m.twist.linear.x, m.twist.linear.y, m.twist.linear.z]) for _, m in heard]


def end(program):
    program.process.send_signal(signal.SIGINT)
    assert program.process.wait(timeout=20.0) == 0, program.log.read_text()
