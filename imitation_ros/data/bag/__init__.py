"""rosbag2 recordings, sqlite3 and mcap, without ROS; the only folder that imports rosbags."""

from imitation_ros.data.bag.reading import Bag, BagMessage, bag_messages, bag_topics, opened
from imitation_ros.data.bag.types import stamp_at_start

__all__ = ["Bag", "BagMessage", "bag_messages", "bag_topics", "opened", "stamp_at_start"]
