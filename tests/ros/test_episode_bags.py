"""Bags beside episodes: what they leave out is said."""

from __future__ import annotations

from imitation_ros.recording import Recorder
from imitation_ros.ros.episode_bags import EpisodeBags


def test_a_type_that_nobody_describes_is_said_before_anything_is_recorded(spec, tmp_path):
    types = {"/joint_states": "sensor_msgs/msg/JointState", "/gripper": "vendor_msgs/msg/Grip"}
    (said,) = EpisodeBags(Recorder(spec, tmp_path / "demos"), types).take_said()
    assert said.startswith("/gripper stays out of the bags") and "vendor_msgs/msg/Grip" in said
