"""The viewer: another process draws what this one simulates."""

from __future__ import annotations

import time

import numpy as np
import pytest

from imitation_ros.envs.robot_env import RobotEnv
from imitation_ros.envs.viewer import Viewer
from imitation_ros.errors import SpecError

SIZE = (64, 48)


def picture(viewer, env):
    """Return the picture of what the environment shows now."""
    deadline_s = time.monotonic() + 60.0
    while viewer.drawing:  # what was asked for before
        viewer.picture()
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    viewer.show(env.world.scene, env.world.posture(), SIZE)
    while (pixels := viewer.picture()) is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return pixels


def test_the_viewers_pictures_are_those_of_the_world_also_when_it_is_another():
    env = RobotEnv("panda_pick_place", randomisation=True)
    viewer = Viewer(env.world.scene, env.robot_spec.rate_hz)
    for start in range(2):
        env.begin(0, "train", start)
        for _ in range(5):
            env.apply({"twist": np.array([0.2, 0.1, -0.3]), "gripper": np.array([0.0])})
        np.testing.assert_array_equal(picture(viewer, env), env.picture(*SIZE))
    viewer.close()
    assert not viewer.process.is_alive()
    env.close()


def test_a_viewer_never_makes_the_simulation_wait_and_its_end_does_not_end_it():
    env = RobotEnv("panda_reach")
    viewer = Viewer(env.world.scene, env.robot_spec.rate_hz)
    began_s = time.monotonic()
    for _ in range(100):
        viewer.show(env.world.scene, env.world.posture(), SIZE)
        viewer.picture()
    assert time.monotonic() - began_s < 2.0
    viewer.process.kill()
    viewer.process.join()
    for _ in range(3):
        viewer.drawing = False
        viewer.show(env.world.scene, env.world.posture(), SIZE)
        assert viewer.picture() is None
    assert viewer.ended
    viewer.close()
    env.close()


def test_a_window_without_a_display_is_refused_in_words(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    env = RobotEnv("panda_reach")
    with pytest.raises(SpecError, match=r"DISPLAY is not set.*~/view"):
        Viewer(env.world.scene, env.robot_spec.rate_hz, window=True)
    env.close()
