"""An episode in Rerun: images, curves of every number and what is known of it; the only module that imports rerun."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.data.episode import Episode
from imitation_ros.data.images import EncodedImages
from imitation_ros.errors import DataError
from imitation_ros.robot.field import Field
from imitation_ros.viewing.episode_times import times_of

APPLICATION = "imitation_ros"
ABOUT = "episode"


class RerunLog:
    """Puts one episode into a recording of Rerun's, over its time and its ticks.

    Args:
        save: the file to write; a window if None.

    Raises:
        DataError: rerun is not installed, there is no display for a window, or the file cannot be written.
    """

    def __init__(self, episode: Episode, title: str, save: Path | None) -> None:
        try:
            import rerun  # type: ignore[import-not-found, unused-ignore]
            import rerun.blueprint  # type: ignore[import-not-found, unused-ignore]
        except ModuleNotFoundError as error:
            package = (error.name or "rerun").split(".")[0]
            raise DataError(
                f"episodes are shown by {package!r}, which is not installed: `pip install 'imitation_ros[view]'`. "
                f"`--save FILE.mcap` does without, and Foxglove shows such a file."
            ) from None
        self.rr, self.episode, self.title = rerun, episode, title
        ticks_s = times_of(episode).ticks_s
        self.seconds: NDArray[np.float64] = ticks_s - ticks_s[0]
        self.stream = rerun.RecordingStream(APPLICATION)
        try:
            if save is None:
                check_display()
                self.stream.spawn(default_blueprint=self.layout())
            else:
                self.stream.save(save, default_blueprint=self.layout())
        except (OSError, RuntimeError) as error:
            raise DataError(f"Rerun cannot {'write ' + str(save) if save else 'be opened'}: {error}.") from None

    def write(self) -> None:
        """Log everything, and wait until it is there."""
        episode, spec = self.episode, self.episode.spec
        self.stream.log(ABOUT, self.rr.TextDocument(self.about(), media_type="text/markdown"), static=True)
        for field in spec.observation:
            values = episode.observations[field.name]
            if field.is_image:
                self.images(f"observation/{field.name}", values)
            else:
                self.curves(f"observation/{field.name}", values, field.names)
        for field in spec.action:
            self.curves(f"action/{field.name}", episode.actions[field.name], field.names)
            if self.was_changed(field):
                names = [f"{name}, executed" for name in field.names]
                self.curves(f"executed/{field.name}", episode.executed[field.name], names)
        if episode.rewards is not None:
            self.curves("reward", episode.rewards, ["reward"])
        if episode.is_human is not None:
            self.curves("is_human", episode.is_human, ["is_human"])
        if episode.timing is not None:
            timing = episode.timing
            ages = [timing.age_s(field.name) for field in spec.observation]
            self.curves("timing/age_s", np.stack(ages, axis=1), [field.name for field in spec.observation])
            silent = [timing.silent[field.name] for field in spec.action]
            self.curves("timing/silent", np.stack(silent, axis=1), [field.name for field in spec.action])
        self.stream.flush()
        self.stream.disconnect()

    def was_changed(self, field: Field) -> bool:
        return not np.array_equal(self.episode.actions[field.name], self.episode.executed[field.name])

    def curves(self, path: str, values: Any, names: Any) -> None:
        """Log numbers, (ticks, width) or (ticks,), as a line each."""
        rows = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
        if not rows.size:
            return
        self.stream.log(path, self.rr.SeriesLines(names=list(names)), static=True)
        numbers = self.rr.Scalars.columns(scalars=rows.ravel()).partition([rows.shape[1]] * len(rows))
        ticks = self.rr.TimeColumn("tick", sequence=np.arange(len(rows)))
        times = self.rr.TimeColumn("time", duration=self.seconds[: len(rows)])
        self.stream.send_columns(path, indexes=[times, ticks], columns=numbers)

    def images(self, path: str, images: Any) -> None:
        for tick in range(len(images)):
            self.stream.set_time("tick", sequence=tick)
            self.stream.set_time("time", duration=float(self.seconds[tick]))
            if isinstance(images, EncodedImages):
                shown = self.rr.EncodedImage(contents=images.jpegs[tick].tobytes(), media_type="image/jpeg")
            else:
                pixels = images[tick]
                shown = self.rr.Image(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
            self.stream.log(path, shown)

    def about(self) -> str:
        """Return what is known of the episode, as Markdown."""
        episode = self.episode
        said = {None: "not marked", True: "a success", False: "a failure"}[episode.success]
        ended = episode.attributes.get("ended_by", "not said")
        lines = [f"# {self.title}", f"**{said}**, ended by: {ended}", ""]
        lines.append(f"{episode.spec.name}, {episode.steps} ticks at {episode.spec.rate_hz:g} Hz")
        lines += ["", *(f"* {word}: {value}" for word, value in sorted(episode.attributes.items()))]
        return "\n".join(lines)

    def layout(self) -> Any:
        """Return where what is shown: images and words to the left, curves to the right."""
        spec, views = self.episode.spec, self.rr.blueprint
        seen = [f"observation/{field.name}" for field in spec.observation if not field.is_image]
        left = [
            views.Spatial2DView(origin=f"observation/{field.name}", name=field.name)
            for field in spec.observation
            if field.is_image
        ]
        curves = [views.TimeSeriesView(origin=path, name=path.split("/")[1]) for path in seen]
        curves += [
            views.TimeSeriesView(
                origin="/", name=field.name, contents=[f"action/{field.name}", f"executed/{field.name}"]
            )
            for field in spec.action
        ]
        words = views.TextDocumentView(origin=ABOUT, name="episode")
        return views.Blueprint(views.Horizontal(views.Vertical(*left, words), views.Grid(*curves)))


def check_display() -> None:
    """Refuse a window where there is no screen: the viewer would end without a word."""
    if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & {*os.environ}:
        raise DataError(
            "a window needs a display, and DISPLAY is not set. Write a file with `--save episode.rrd`, and look at it "
            "with `rerun episode.rrd` where there is a screen."
        )
