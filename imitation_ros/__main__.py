"""`python3 -m imitation_ros`: the command line, where no script is on the PATH (a colcon workspace)."""

from imitation_ros.cli import main

main()
