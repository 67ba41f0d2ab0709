"""`imitation-ros check`: a dataset's findings as a table in the terminal, and as one HTML file."""

from imitation_ros.checking.run import Checked, check_dataset, run_check

__all__ = ["Checked", "check_dataset", "run_check"]
