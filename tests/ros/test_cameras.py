"""Cameras of the simulator, recorded over DDS."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")

from imitation_ros.data.hdf5 import read_episode, write_episode
from imitation_ros.envs.collect import collect
from imitation_ros.envs.tasks import Expert

SETUP = "panda_pick_place_cameras"


def test_pictures_that_were_recorded_over_dds_are_those_that_one_process_collects_and_stores(programs, tmp_path):
    """A raw camera and one that sends JPEG: both files hold the same bytes for the same scene."""
    folder = tmp_path / "episodes"
    programs.node("simulator_node", "simulator", {"setup": SETUP, "lockstep": True})
    given = {"setup": SETUP, "output": folder, "episode_s": 5, "lockstep": True, "use_sim_time": True}
    programs.node("recorder_node", "recorder", given)
    programs.wait(programs.node("operator_node", "operator", {"setup": SETUP, "episodes": 1}))
    recorded = read_episode(folder / "episode_000000.hdf5")
    write_episode(tmp_path / "collected.hdf5", collect(SETUP, Expert("pick_place"), 1)[0])
    collected = read_episode(tmp_path / "collected.hdf5")
    assert recorded.observations["wrist_camera"].shape == (101, 96, 96, 3)
    for name, values in collected.observations.items():
        np.testing.assert_array_equal(recorded.observations[name], values, err_msg=name)
