"""The only module that imports pybullet: one client of the physics, or of a picture."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pybullet_data

from imitation_ros.console import silenced

with silenced():  # it prints when it was built, in every process
    import pybullet

DATA = Path(pybullet_data.getDataPath())
"""Where pybullet keeps robots of its own."""

BulletError = pybullet.error


class Bullet:
    """pybullet's functions, each for one client of its own (that of pybullet_utils prints while it connects).

    Args:
        window: show it in a window; only one per process, and it needs a display.
    """

    def __init__(self, window: bool = False) -> None:
        self.client = pybullet.connect(pybullet.GUI if window else pybullet.DIRECT)

    def __getattr__(self, name: str) -> Any:
        found = getattr(pybullet, name)
        if callable(found):
            found = partial(found, physicsClientId=self.client)
        self.__dict__[name] = found  # found at once from now on
        return found

    @property
    def is_open(self) -> bool:
        return self.client >= 0 and bool(pybullet.isConnected(self.client))

    def close(self) -> None:
        if self.is_open:
            pybullet.disconnect(self.client)
        self.client = -1  # the next world gets this number: closing twice would close that one

    def __del__(self) -> None:
        self.close()
