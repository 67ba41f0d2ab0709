"""What stands between a setup and a recording, or a deployment: see report.py for the verb. Needs no ROS."""
