"""Episode to file and back: the only package that imports h5py.

A file is one that robomimic reads as it is (demo_0, demo_1, ... under /data), plus the robot spec, the
stamps and what the robot was really told. While it is written it is called `*.part`; it gets its name
when it is complete and on the disk, so a file without `.part` is always whole. A crash leaves the part as it was at its
last flush (atomic.py), and recovery.py makes an episode of it.

The recorder streams one episode into a file of its own (streaming.py); whole episodes are written at
once, one or many to a file (whole.py); reading.py reads both.
"""

from imitation_ros.data.hdf5.layout import FORMAT_VERSION
from imitation_ros.data.hdf5.reading import read_episode, read_episodes
from imitation_ros.data.hdf5.streaming import BUFFER_ROWS, EpisodeWriter
from imitation_ros.data.hdf5.whole import write_episode, write_episodes

__all__ = [
    "BUFFER_ROWS",
    "FORMAT_VERSION",
    "EpisodeWriter",
    "read_episode",
    "read_episodes",
    "write_episode",
    "write_episodes",
]
