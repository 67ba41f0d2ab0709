"""Record a teleoperated robot: stamped values in, one HDF5 file per episode out. Needs no ROS."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from imitation_ros.data.folder import check_room, episode_path, how_to_recover, prepare_folder, put_aside
from imitation_ros.data.hdf5 import EpisodeWriter
from imitation_ros.data.open_episode import OpenEpisode, executed_fields
from imitation_ros.errors import DataError, RecordingError
from imitation_ros.recording.arrivals import check_stamped, forget_everything, forget_idle, joined, silent_fields
from imitation_ros.recording.guarding import CHECK_CLOCK, MAKE_ROOM, Guard, free_bytes
from imitation_ros.recording.watching import Trouble, Watch
from imitation_ros.robot.sampler import Sampler
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]

ON_GAP = ("warn", "discard", "stop")


class Recorder:
    """Turns stamped values into episode files, one per `start` ... `stop`.

    States: idle; armed (started, waiting for the first command, which makes tick 0); recording.

    Args:
        spec: the fields to record.
        output: the folder for the episodes; must not hold any yet, unless `append`.
        task, operator: who did what; stored with each episode.
        lockstep: close ticks by completeness (see Sampler), for a simulator that waits.
        episode_s: longest episode [s]; at the limit it waits for `stop` or `discard`.
        source: the bag that the values are from; empty where a robot sends them.
        wall_s: tells the time of day for `started_at` [s since 1970].
        watch: judges what arrives of each field, live; none for a bag, of which not every value is read.
        on_gap: what follows when an observation is older than its max_age_s at a tick: warn (the tick is marked),
            stop (the episode ends before it) or discard (the episode is thrown away).

    Attributes:
        closed: the episodes saved since it began, but for those that were undone.
        gaps: how many episodes ended at a gap.

    Raises:
        RecordingError: the folder holds episodes or cannot be written to, or episode_s or on_gap is none.
    """

    def __init__(
        self,
        spec: RobotSpec,
        output: Path,
        *,
        append: bool = False,
        task: str = "",
        operator: str = "",
        lockstep: bool = False,
        episode_s: float | None = None,
        source: str = "",
        wall_s: Callable[[], float] = time.time,
        watch: Watch | None = None,
        on_gap: str = "warn",
    ) -> None:
        self.spec, self.output = spec, output
        if on_gap not in ON_GAP:
            raise RecordingError(f"on_gap is {on_gap!r}; it should be one of {', '.join(ON_GAP)}.")
        self.watch, self.on_gap = watch or Watch([], []), on_gap
        self.source, self.wall_s = source, wall_s
        self.task, self.operator = task or spec.task, operator
        self.lockstep = lockstep
        if episode_s is not None and not 0.0 < episode_s < math.inf:
            raise RecordingError(f"episode_s is {episode_s:g}; it should be a time above 0 s, or left out: no limit.")
        self.limit_steps = None if episode_s is None else max(1, round(episode_s * spec.rate_hz))
        self.next_index = prepare_folder(output, append)
        actions = [*spec.action, *executed_fields(spec)]
        self.sampler = Sampler(spec.observation, actions, spec.period_s, spec.wait_s, lockstep)
        self.armed = False
        self.open: OpenEpisode | None = None
        self.closed: list[Path] = []
        self.gaps = 0
        self.guard = Guard(output)
        left = how_to_recover(output).strip()
        self.notices: list[str] = [left] if left else []

    def put(self, name: str, data: Array, stamp_s: float | None, received_s: float) -> None:
        """Take a value of a field (or of `field/executed`); the first command after `start` makes tick 0.

        Where no episode can begin, the recorder is idle again and a notice says why.

        Raises:
            MessageError: its stamp lies in the future or long ago, or (lock-step) an observation has none.
        """
        if stamp_s is None and self.lockstep and name in self.sampler.observation:
            check_stamped(self.sampler.observation[name].field)
        self.sampler.put(name, data, stamp_s, received_s)
        self.say_trouble(self.watch.hear(name, data, stamp_s, received_s), received_s)
        says_when = stamp_s is not None or not self.lockstep  # in lock-step only a header names the tick
        # a label begins an episode; what was executed may be that of the one before
        if self.armed and says_when and any(field.name == name for field in self.spec.action):
            try:
                self.begin(received_s if stamp_s is None else stamp_s)
            except RecordingError as error:  # whoever publishes commands can do nothing about it
                self.notices.append(str(error))

    def say_trouble(self, found: Iterable[Trouble], now_s: float) -> None:
        """Say what got worse during the episode, and mark it in the file."""
        for trouble in found:
            self.notices.append(str(trouble))
            if self.open is not None and trouble.to_do:
                self.open.mark(now_s, trouble.found)

    def silent_fields(self, now_s: float) -> list[str]:
        """Return the observation fields that were not heard within their max_age_s, with how to look."""
        return silent_fields(self.sampler, now_s)

    def start(self, now_s: float) -> str:
        """Arm the recorder: the next command begins an episode. Returns what happens next, in words.

        Raises:
            RecordingError: an episode is open, a field is silent, or the disk is nearly full.
        """
        if self.open is not None or self.armed:
            raise RecordingError("an episode is already being recorded: call ~/stop or ~/discard first.")
        silent = self.silent_fields(now_s)
        if silent:
            raise RecordingError("not started, because these fields are silent: " + "; ".join(joined(silent)) + ".")
        check_room(self.output)
        if self.lockstep:
            self.sampler.clear_commands()  # they are counted from here; in real time a held one stays in force
        self.armed = True
        return f"episode {self.next_index} is armed and begins with the first command"

    def begin(self, start_s: float) -> None:
        began_at = datetime.datetime.fromtimestamp(self.wall_s(), datetime.timezone.utc).isoformat(timespec="seconds")
        attributes = {"task": self.task, "operator": self.operator, "started_at": began_at}
        if self.source:
            attributes["source"] = self.source
        self.armed = False
        try:
            writer = EpisodeWriter(episode_path(self.output, self.next_index), self.spec, attributes, timed=True)
        except (OSError, RuntimeError, DataError) as error:
            raise RecordingError(
                f"episode {self.next_index} cannot be written: {str(error).rstrip('.')}. Check the disk "
                f"(`df -h {self.output}`), then call ~/start again."
            ) from None
        self.open = OpenEpisode(writer, self.sampler, start_s, self.limit_steps, ends_at_gap=self.on_gap != "warn")
        self.watch.begin()

    def close_ticks(self, now_s: float) -> None:
        """Write every step that is due by now: by stamp, as many as there are.

        Where that fails the recorder is idle again and a notice says why.
        """
        try:
            if what := self.guard.went_back(now_s):
                self.begin_anew(what)
            self.write_due(now_s)
        except RecordingError as error:
            self.notices.append(str(error))
        if self.open is None or self.open.final is not None:
            forget_idle(self.sampler, now_s)

    def write_due(self, now_s: float) -> None:
        """Write every step that is due by now.

        Raises:
            RecordingError: the disk takes no more, the clock jumped, or a gap ends it; the episode is closed then.
        """
        if self.open is None or self.open.final is not None:
            return
        streams = (*self.sampler.observation.values(), *self.sampler.action.values())
        until_s = min(stream.newest_s for stream in streams) if self.lockstep else now_s
        gap_s = until_s - self.open.next_tick_s
        if (what := self.guard.jumped(gap_s)) and not self.open.full:
            raise RecordingError(self.end_early(self.open, what, "clock", CHECK_CLOCK))
        try:
            self.open.write_due(now_s)
        except RecordingError:
            self.let_go(self.open)
            raise
        if self.open.gap:
            self.gaps += 1
            raise RecordingError(self.end_at_gap(self.open))
        if self.guard.due():
            self.open.marks = self.watch.marks()
            if what := self.guard.disk_full():
                raise RecordingError(self.end_early(self.open, what, "disk", MAKE_ROOM))

    def begin_anew(self, what: str) -> None:
        """End what is open where time went back, and forget what came before.

        Raises:
            RecordingError: an episode was open; it is closed.
        """
        try:
            if self.open is not None:
                raise RecordingError(self.end_early(self.open, what, "clock", CHECK_CLOCK))
        finally:
            forget_everything(self.sampler)
            self.watch.forget()

    def let_go(self, episode: OpenEpisode) -> None:
        """Be idle again; the number of what is written, or was not to be written, is never used again."""
        self.notices += episode.notices
        self.open, self.next_index = None, self.next_index + 1
        self.watch.end()

    def drop(self, episode: OpenEpisode) -> None:
        """Throw an episode away and be idle again; its number is used for the next."""
        self.notices += episode.notices
        episode.writer.discard()
        self.open = None
        self.watch.end()

    def end_early(self, episode: OpenEpisode, what: str, ended_by: str, to_do: str) -> str:
        """Close an episode that cannot go on; return what happened, in words."""
        if episode.steps == 0:
            self.drop(episode)
            return f"{what} The episode had no tick yet and is discarded. {to_do}"
        path = self.save(episode, ended_by)
        return f"{what} The episode is kept up to there, as {path}. {to_do}"

    def end_at_gap(self, episode: OpenEpisode) -> str:
        """Close or throw away an episode in which an observation fell silent; return what happened, in words."""
        if self.on_gap == "stop":
            return self.end_early(episode, episode.gap, "gap", "Then ~/start again.")
        self.drop(episode)
        return f"{episode.gap} The episode is discarded, as on_gap says. Then ~/start again."

    @property
    def state(self) -> str:
        return "armed" if self.armed else "idle" if self.open is None else "recording"

    @property
    def full(self) -> bool:
        """Whether the open episode has reached its time limit."""
        return self.open is not None and self.open.full

    @property
    def steps(self) -> int:
        """How many ticks of the open episode are written."""
        return 0 if self.open is None else self.open.steps

    def mark_success(self, success: bool = True) -> str:
        if self.open is None:
            raise RecordingError("no episode is open: call ~/start first.")
        self.open.success = success
        return f"episode {self.next_index} is marked a {'success' if success else 'failure'}"

    def stop(self, now_s: float, ended_by: str = "operator") -> Path:
        """Close the open episode and return its file.

        Raises:
            RecordingError: none is open, it has no step yet, (lock-step) its last ticks are still to come, or it
                cannot be written.
        """
        return self.save(self.finish(now_s), ended_by)

    def save(self, episode: OpenEpisode, ended_by: str) -> Path:
        episode.marks = self.watch.marks()
        self.let_go(episode)  # also where it cannot be written
        path = episode.close(ended_by)
        self.closed.append(path)
        return path

    def undo(self) -> str:
        """Put the last episode of this recorder aside, and its bag; its number is not used again.

        Raises:
            RecordingError: an episode is open, there is none to undo, or it cannot be renamed.
        """
        if self.open is not None:
            raise RecordingError("an episode is being recorded: ~/discard throws that one away.")
        while self.closed and not self.closed[-1].exists():  # somebody else put it away
            self.closed.pop()
        if not self.closed:
            raise RecordingError("this recorder has saved no episode that could be undone.")
        aside = put_aside(self.closed[-1])
        return f"{self.closed.pop().name} is put aside as {aside.name}; give it its name back to have it again"

    def discard(self, now_s: float) -> str:
        """Throw the open episode away; its number is used again."""
        if self.armed:
            self.armed = False
            return "nothing was recorded yet; the recorder is idle"
        self.drop(self.finish(now_s, keep=False))
        return f"episode {self.next_index} is discarded"

    def finish(self, now_s: float, keep: bool = True) -> OpenEpisode:
        """Write what is due and return the open episode, if it can end now."""
        if keep:
            self.write_due(now_s)
        else:
            self.close_ticks(now_s)
        if self.armed and keep:
            self.armed = False
            raise RecordingError("nothing was recorded: no command came since ~/start.")
        if self.open is None:
            raise RecordingError("no episode is open: call ~/start first.")
        if keep and self.open.steps == 0:
            raise RecordingError("the episode has no complete tick yet: call ~/stop a little later, or ~/discard.")
        if self.lockstep:
            self.open.check_complete(now_s, keep)
        return self.open

    def shut_down(self, now_s: float) -> Path | None:
        """Close what is open when the node goes away; return its file, if it had a complete tick.

        Where it cannot be written there is no file, and a notice says why.
        """
        self.close_ticks(now_s)
        if self.open is None:
            return None
        if self.open.steps == 0:
            self.drop(self.open)
            return None
        try:
            return self.save(self.open, ended_by="shutdown")  # what is there is what there will be
        except RecordingError as error:
            self.notices.append(str(error))
            return None

    def take_notices(self) -> list[str]:
        """Return what happened since the last call, in words, for a log."""
        notices, self.notices = self.notices, []
        if self.open is not None:
            notices += self.open.notices
            self.open.notices.clear()
        return notices

    def summary(self) -> Mapping[str, str]:
        """Return the state in words, for /diagnostics."""
        said = {
            "state": self.state,
            "episode": str(self.next_index),
            "ticks": str(self.steps),
            "output": str(self.output),
        }
        if (free := free_bytes(self.output)) is not None:
            said["disk_free_gb"] = f"{free / 1e9:.1f}"
        if self.open is not None and self.open.writer.image_fields:
            said["images"] = self.open.waiting_images()
        return said
