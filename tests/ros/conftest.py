"""A ROS graph of this test process's own, what it listens with, and a policy to drive with."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

# parallel workers are children of one process, so its id and the worker's number give each a domain of its own
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
LAUNCHER = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
os.environ["ROS_DOMAIN_ID"] = str(1 + 2 * (LAUNCHER % 50) + WORKER % 2)  # 1 to 100
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_LOG_DIR"] = tempfile.mkdtemp(prefix="ros_logs_")

EPISODES = 15


@pytest.fixture(scope="session")
def demonstrations(tmp_path_factory) -> Path:
    """A folder of demonstrations of reaching, recorded without ROS."""
    from imitation_ros.data.folder import episode_path
    from imitation_ros.data.hdf5 import write_episode
    from imitation_ros.envs.collect import collect
    from imitation_ros.envs.tasks import Expert

    folder = tmp_path_factory.mktemp("demonstrations")
    for index, episode in enumerate(collect("panda_reach", Expert("reach"), EPISODES, disturbance=True)):
        write_episode(episode_path(folder, index), episode)
    return folder


@pytest.fixture(scope="session")
def bundle(demonstrations, tmp_path_factory) -> Path:
    """A policy that was cloned from them, briefly."""
    from imitation_ros.algorithms.recipe import load_recipe
    from imitation_ros.training import run_bc

    config = replace(load_recipe("bc", {}), updates=800)
    return run_bc(demonstrations, tmp_path_factory.mktemp("policies") / "policy", config)


@pytest.fixture
def graph():
    """A node of the test's own in the graph, spun in the background."""
    pytest.importorskip("rclpy")
    from ros_graph import Graph

    with Graph() as graph:
        yield graph


@pytest.fixture
def programs(tmp_path):
    """Nodes that the test starts; all end with it."""
    from imitation_ros.processes import Programs

    with Programs(tmp_path / "logs", {}) as programs:
        yield programs
