"""What an episode cannot survive: a clock that jumps, and a disk that is nearly full. Needs no ROS."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path

GAP_S = 60.0  # no machine is so late with its ticks: the clock jumped, or the computer slept
BACK_S = 1.0  # a clock that is kept right by little goes back by less
FULL_BYTES = 100_000_000  # free on the disk when an episode ends: room for the images that wait to be written
LOOK_EVERY_S = 1.0
CHECK_CLOCK = "Check the clock, then ~/start again."
MAKE_ROOM = "Make room, then ~/start again."


class Guard:
    """Says, in words, why an open episode has to end now; nothing where it can go on.

    Args:
        output: the folder of the episodes.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.now_s = -math.inf  # the newest time that was seen
        self.looked_s = -math.inf  # monotonic: when the disk was looked at

    def went_back(self, now_s: float) -> str:
        """Take the time; say whether it went back, as when a simulator starts again."""
        back_s, self.now_s = self.now_s - now_s, now_s
        if not BACK_S < back_s < math.inf:
            return ""
        return f"the clock went back by {back_s:.1f} s, as when a simulator starts again."

    def jumped(self, gap_s: float) -> str:
        """Say whether more time is due at once than a busy machine can be late."""
        if gap_s <= GAP_S:
            return ""
        return f"the clock went on by {gap_s:.0f} s at once; at most {GAP_S:.0f} s can be made up for."

    def due(self) -> bool:
        """Whether it is time to look at the disk again."""
        now_s = time.monotonic()
        if now_s - self.looked_s <= LOOK_EVERY_S:
            return False
        self.looked_s = now_s
        return True

    def disk_full(self) -> str:
        """Say whether the disk is nearly full."""
        free = free_bytes(self.output)
        return "" if free is None or free >= FULL_BYTES else f"only {free / 1e6:.0f} MB are free in {self.output}."


def free_bytes(folder: Path) -> int | None:
    """Return how much room there is; None where the folder is gone, which whoever writes to it will say."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
