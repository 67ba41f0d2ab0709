"""Train a policy: recordings, an environment, or both in, a bundle out. Needs no ROS."""

from imitation_ros.training.cloning import learn
from imitation_ros.training.curves import board_folder
from imitation_ros.training.job import Job
from imitation_ros.training.running import run_bc, run_training

__all__ = ["Job", "board_folder", "learn", "run_bc", "run_training"]
