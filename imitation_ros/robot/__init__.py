"""What the robot's numbers mean."""
