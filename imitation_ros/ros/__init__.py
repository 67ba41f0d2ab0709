"""The only folder that imports ROS: topics and services around the verbs."""
