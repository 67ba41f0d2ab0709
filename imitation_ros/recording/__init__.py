"""Record a teleoperated robot: stamped values in, one HDF5 file per episode out. Needs no ROS."""

from imitation_ros.data.open_episode import EXECUTED, executed_fields
from imitation_ros.recording.recorder import Recorder

__all__ = ["EXECUTED", "Recorder", "executed_fields"]
