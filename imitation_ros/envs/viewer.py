"""A process of its own that looks at a world: it draws pictures, or a window, and takes no time from the physics."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection

from imitation_ros.console import silenced
from imitation_ros.envs.camera import Pixels
from imitation_ros.envs.scene import Scene
from imitation_ros.envs.world import Posture, World
from imitation_ros.errors import SpecError

Size = tuple[int, int]
"""Width and height."""


class Viewer:
    """Shows postures of a world as they come, and leaves out those that come while it is still drawing.

    Args:
        scene, rate_hz: of the world.
        window: show it in a window too.

    Raises:
        SpecError: a window is asked for, and there is no display.
    """

    def __init__(self, scene: Scene, rate_hz: float, window: bool = False) -> None:
        if window and sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
            raise SpecError(
                "a window needs a display, and DISPLAY is not set. On a machine without a screen, leave `gui` off and "
                "look at the simulator's ~/view in rqt_image_view or RViz."
            )
        context = multiprocessing.get_context("spawn")  # a fork would share the state of the physics
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=look, args=(theirs, scene, rate_hz, window), daemon=True)
        self.process.start()
        theirs.close()
        self.drawing = True  # until it has said that it is ready
        self.ended = False

    def show(self, scene: Scene, posture: Posture, picture: Size | None = None) -> None:
        """Show a posture, unless the last one is still being drawn; with a size, a picture of it will follow."""
        if self.drawing or self.ended:
            return
        self.drawing = True
        try:
            self.pipe.send((scene, posture, picture))
        except OSError:
            self.ended = True

    def picture(self) -> Pixels | None:
        """Return a picture that was asked for, shape (height, width, 3), once it is there; never waits."""
        try:
            if self.ended or not self.pipe.poll():
                return None
            self.drawing = False
            drawn: Pixels | None = self.pipe.recv()
        except (EOFError, OSError):  # somebody closed the window
            self.ended = True
            return None
        return drawn

    def close(self) -> None:
        self.ended = True
        self.pipe.close()
        self.process.join(2.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def look(pipe: Connection, scene: Scene, rate_hz: float, window: bool) -> None:
    """Draw what comes through the pipe until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the simulator, which closes the pipe
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # pybullet tells what it found of OpenGL
    with silenced():
        world = World(scene, rate_hz, own_visuals=True, window=window)
    world.face_overview()
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            scene, posture, size = pipe.recv()
            if not world.bullet.is_open:
                return
            world = world.of(scene)
            world.take(posture)
            pipe.send(None if size is None else world.image(*size))
