"""Bags become episodes by the very path that a live recording takes: the same recorder, sampler and files. No ROS."""

from imitation_ros.bag_import.run import run_import

__all__ = ["run_import"]
