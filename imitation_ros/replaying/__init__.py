"""Run what was executed again in the simulator, and say how far the result is from the recording."""

from imitation_ros.replaying.run import run_replay

__all__ = ["run_replay"]
