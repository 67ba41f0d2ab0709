"""Look at an episode: in Rerun, or in Foxglove through an mcap."""

from imitation_ros.viewing.run import run_view

__all__ = ["run_view"]
