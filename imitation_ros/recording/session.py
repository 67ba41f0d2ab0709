"""A person at a recorder: what is asked for, the pause between episodes, and what is to be heard. Needs no ROS."""

from __future__ import annotations

import math
from collections.abc import Callable

from imitation_ros.errors import RecordingError
from imitation_ros.recording import Recorder
from imitation_ros.topic_facts import without_numbers

TRY_AGAIN_S = 1.0  # where the next episode cannot begin yet
DONE, TROUBLE = 1, 3
"""How often the terminal's bell rings."""


class Session:
    """Does with a recorder what a person asks for, and starts the next episode after a pause.

    Args:
        recorder: what is asked.
        problems: what stands against a start, in words.
        reset_s: after an episode, the next is started by itself after so many seconds; 0: it is not.
        ring: rings the terminal's bell so often.

    Raises:
        RecordingError: reset_s is no time.
    """

    def __init__(
        self, recorder: Recorder, problems: Callable[[], list[str]], reset_s: float, ring: Callable[[int], None]
    ) -> None:
        if not 0.0 <= reset_s < math.inf:
            raise RecordingError(f"reset_s is {reset_s:g}; it should be a time, or 0: start by hand.")
        self.recorder, self.problems, self.reset_s, self.ring = recorder, problems, reset_s, ring
        self.starts_s = math.inf  # monotonic: when the next episode is started by itself
        self.refused = ""  # why it was not, without its numbers
        self.gaps = 0  # episodes that ended at a gap so far

    def do(self, event: str, now_s: float, monotonic_s: float) -> str:
        """Do what is asked for; return what happened, in words.

        Args:
            event: one of controls.EVENTS, or mark_success, mark_failure: the episode goes on then.

        Raises:
            RecordingError: it cannot be done now; its words say why.
        """
        done = self.act(event, now_s, monotonic_s)
        self.ring(DONE)
        return done

    def act(self, event: str, now_s: float, monotonic_s: float) -> str:
        recorder = self.recorder
        if event == "toggle":
            event = "stop" if recorder.open is not None else "discard" if recorder.armed else "start"
        if event == "start":
            return self.start(now_s)
        if event == "undo":
            return recorder.undo()
        if event.startswith("mark_"):
            return recorder.mark_success(event == "mark_success")
        if event in ("stop", "discard") and self.starts_s < math.inf and recorder.state == "idle":
            self.starts_s = math.inf
            return "the next episode does not start by itself any more: start it"
        if event == "discard":
            done = recorder.discard(now_s)
        else:
            if event != "stop":
                recorder.mark_success(event == "success")
            done = self.stop(now_s, "operator")
        self.pause(monotonic_s)
        return done + self.announced()

    def start(self, now_s: float) -> str:
        found = self.problems()
        if found and self.recorder.open is None:
            raise RecordingError(f"not started: {'; '.join(found)}.")
        done = self.recorder.start(now_s)
        self.starts_s, self.refused = math.inf, ""
        return done

    def stop(self, now_s: float, ended_by: str) -> str:
        episode = self.recorder.open
        path = self.recorder.stop(now_s, ended_by)
        return f"saved {path}: {0 if episode is None else episode.steps} ticks"

    def pause(self, monotonic_s: float) -> None:
        if self.reset_s:
            self.starts_s = monotonic_s + self.reset_s

    def announced(self) -> str:
        return f"; the next starts in {self.reset_s:g} s" if self.starts_s < math.inf else ""

    def pause_left_s(self, monotonic_s: float) -> float:
        """Return how long it is until the next episode starts by itself; infinite where it does not."""
        return max(self.starts_s - monotonic_s, 0.0)

    def tick(self, now_s: float, monotonic_s: float) -> list[str]:
        """Do what is due without anybody asking; return what happened, in words."""
        said = []
        if self.recorder.gaps > self.gaps:  # which the recorder has said
            self.gaps = self.recorder.gaps
            self.pause(monotonic_s)
        episode = self.recorder.open
        if self.reset_s and not self.recorder.lockstep and self.recorder.full and episode and episode.final:
            try:
                said.append(self.stop(now_s, "time limit"))
                self.ring(DONE)
            except RecordingError as error:
                said.append(str(error))
            self.pause(monotonic_s)
        if monotonic_s >= self.starts_s and self.recorder.state == "idle":
            said += self.start_next(now_s, monotonic_s)
        return said

    def start_next(self, now_s: float, monotonic_s: float) -> list[str]:
        try:
            said = self.start(now_s)
        except RecordingError as error:
            self.starts_s = monotonic_s + TRY_AGAIN_S
            before, self.refused = self.refused, without_numbers(str(error))
            if before == self.refused:
                return []
            self.ring(TROUBLE)
            return [str(error)]
        self.ring(DONE)
        return [said]
