"""Teach a robot by showing it: record, learn and deploy demonstrations on ROS 2."""

__version__ = "0.1.0"
