"""A person at a device: keys, axes and buttons become commands. Needs no ROS."""
