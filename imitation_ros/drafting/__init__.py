"""Draft a robot file and a setup from what a live graph or a bag says; see files.py for the verb. Needs no ROS."""
