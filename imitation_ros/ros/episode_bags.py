"""The raw messages of each episode, as an mcap beside it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping

from imitation_ros.data.bag.raw import Item, RawBag
from imitation_ros.data.bag.writing import Messages
from imitation_ros.data.open_episode import OpenEpisode
from imitation_ros.errors import DataError
from imitation_ros.recording import Recorder

BEFORE_NS = 500_000_000  # what came before tick 0 is in the bag, too: an import needs it
LATCHED = "_static"


class EpisodeBags:
    """Writes what a recorder hears into a bag per episode, off the sampling path.

    Args:
        recorder: whose episodes they are.
        types: full topic to message type.

    Raises:
        DataError: rosbags is not installed.
    """

    def __init__(self, recorder: Recorder, types: Mapping[str, str]) -> None:
        self.recorder, self.types, self.messages = recorder, types, Messages()
        self.recent: deque[Item] = deque()
        self.newest: dict[str, list[Item]] = {}  # before those: commands that are held, static transforms
        self.bag: RawBag | None = None
        self.episode: OpenEpisode | None = None
        self.ending: list[threading.Thread] = []
        unknown = {topic: kind for topic, kind in types.items() if not self.messages.known(kind)}
        self.said = [
            f"{topic} stays out of the bags: nobody describes {kind} to rosbags. `ros2 bag record {topic}` keeps it."
            for topic, kind in unknown.items()
        ]

    def put(self, topic: str, data: bytes, received_ns: int) -> None:
        """Take a message."""
        self.look()
        if self.bag is not None:
            self.bag.put(topic, data, received_ns)
        self.recent.append((topic, data, received_ns))
        while received_ns - self.recent[0][2] > BEFORE_NS:
            item = self.recent.popleft()
            kept = self.newest.setdefault(item[0], [])
            if not item[0].endswith(LATCHED):
                kept.clear()
            kept.append(item)

    def look(self) -> None:
        """Begin a bag where an episode began, and end it where it ended."""
        episode = self.recorder.open
        if episode is self.episode:
            return
        if self.bag is not None and self.episode is not None:
            thread = threading.Thread(target=self.end, args=(self.bag, self.episode), name="bag")
            self.ending = [each for each in self.ending if each.is_alive()] + [thread]
            thread.start()
        self.bag, self.episode = None, episode
        if episode is not None:
            self.begin(episode)

    def begin(self, episode: OpenEpisode) -> None:
        try:
            self.bag = RawBag(episode.writer.path.with_suffix(".mcap"), self.types, self.messages)
        except DataError as error:
            self.said.append(str(error))
            return
        before = [item for kept in self.newest.values() for item in kept]
        for item in (*sorted(before, key=lambda item: item[2]), *self.recent):
            self.bag.put(*item)

    def end(self, bag: RawBag, episode: OpenEpisode) -> None:
        try:
            if not episode.writer.path.exists() and not episode.writer.part.exists():
                bag.discard()
                return
            path = bag.close()
            if bag.left_out:
                self.said.append(f"{path} lacks {bag.left_out} message(s): the disk does not keep up.")
        except DataError as error:
            self.said.append(str(error))

    def take_said(self) -> list[str]:
        """Return what went wrong since the last call."""
        said, self.said = self.said, []
        return said

    def close(self) -> None:
        """Wait until every bag is written; the recorder is shut down by now."""
        self.look()
        for thread in self.ending:
            thread.join()
