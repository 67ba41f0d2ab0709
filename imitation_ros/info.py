"""Say what a recording, a policy bundle or a setup holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape

from imitation_ros.console import console, print_table
from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.images import EncodedImages
from imitation_ros.data.load import iterate_episodes
from imitation_ros.errors import SpecError
from imitation_ros.policies.bundle import POLICY_JSON, BundleInfo, read_info
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec, load_spec

Array = NDArray[Any]
REWARD_JSON = "reward.json"  # as algorithms/reward_file.py calls it, which imports torch


def show(path: str) -> None:
    """Print a summary of a dataset, a policy bundle, a reward, or the setup of that name."""
    if not path.strip():
        raise SpecError("info was given an empty name. Give a recording, a policy, or a setup such as panda_reach.")
    folder = Path(path)
    if (folder / POLICY_JSON).is_file():
        show_bundle(folder, read_info(folder))
    elif (folder / REWARD_JSON).is_file():
        show_reward(folder)
    elif folder.is_dir() or folder.suffix in (".hdf5", ".h5", ".part"):
        show_dataset(folder, iterate_episodes(folder))
    else:
        show_spec(load_spec(path))


@dataclass
class Summary:
    """What is said of one field of a dataset; episodes are added one at a time, so that any number may follow.

    Attributes:
        low, high: the lowest and highest of each number, (width,).
        stored_bytes: what its values take, without their times; images as they are.
        images: how many there are.
        fresh, span_s: how many values an observation took anew, and in what time [s]; 0 without times.
        oldest_s: the highest age of an observation [s]; None without times.
        silent: in how many ticks no command was in force; None without times.
    """

    low: Array
    high: Array
    stored_bytes: int = 0
    images: int = 0
    fresh: int = 0
    span_s: float = 0.0
    oldest_s: float | None = None
    silent: int | None = None

    def add(self, values: Array | EncodedImages, is_image: bool) -> None:
        self.stored_bytes += values.nbytes
        if is_image:
            self.images += len(values)
        elif len(values):
            self.low, self.high = np.minimum(self.low, np.min(values, 0)), np.maximum(self.high, np.max(values, 0))

    def add_times(self, stamps_s: Array, ages_s: Array) -> None:
        self.oldest_s = max(self.oldest_s or 0.0, float(ages_s.max()))
        self.fresh += int(np.count_nonzero(np.diff(stamps_s)))
        self.span_s += float(stamps_s[-1] - stamps_s[0])

    @property
    def rate(self) -> str:
        return f"{self.fresh / self.span_s:.1f} Hz" if self.span_s > 0.0 else ""

    @property
    def timing(self) -> str:
        if self.silent is not None:
            return f"{self.silent} silent ticks"
        return "" if self.oldest_s is None else f"oldest {self.oldest_s:.3f} s"


def show_dataset(path: Path, episodes: Iterable[Episode]) -> None:
    steps: list[int] = []
    marked: list[bool | None] = []
    summaries: dict[str, Summary] = {}
    for episode in episodes:
        spec = episode.spec
        steps.append(episode.steps)
        marked.append(episode.success)
        for field in spec.fields:
            nothing = np.full(field.width if not field.is_image else 0, np.inf)
            add_episode(summaries.setdefault(field.name, Summary(nothing, -nothing)), episode, field)
    size = sum(file.stat().st_size for file in dataset_files(path))
    range_of = f"{min(steps)} to {max(steps)}" if min(steps) < max(steps) else f"{steps[0]}"
    each = f"{range_of} each, " if len(steps) > 1 else ""
    console.print(
        f"[bold]{escape(str(path))}[/bold]: {len(steps)} episode{'s' if len(steps) > 1 else ''} of {spec.name} at "
        f"{spec.rate_hz:g} Hz, {sum(steps)} ticks ({each}{sum(steps) / spec.rate_hz:.0f} s in all), {in_bytes(size)}"
    )
    console.print(
        f"marked a success: {marked.count(True)}, a failure: {marked.count(False)}, not marked: {marked.count(None)}"
    )
    print_fields(spec, summaries)
    heads = ("field", "number", "lowest", "highest", "unit")
    rows = [row for field in spec.fields if not field.is_image for row in rows_of(field, summaries[field.name])]
    if rows:
        console.print()
        print_table(heads, rows, drop=("unit",), fold="number")
    console.print(f"\nWhat is wrong with it says `imitation-ros check {escape(str(path))}`.", soft_wrap=True)


def add_episode(summary: Summary, episode: Episode, field: Field) -> None:
    timing = episode.timing
    if field in episode.spec.observation:
        summary.add(episode.observations[field.name], field.is_image)
        if timing is not None:
            summary.add_times(timing.stamps_s[field.name], timing.age_s(field.name))
        return
    labels, executed = episode.actions[field.name], episode.executed[field.name]
    summary.add(labels, is_image=False)
    if executed is not labels:  # or the file holds them once
        summary.stored_bytes += executed.nbytes
    if timing is not None:
        summary.silent = (summary.silent or 0) + int(timing.silent[field.name].sum())


def print_fields(spec: RobotSpec, summaries: Mapping[str, Summary]) -> None:
    """Print what holds for whole fields: how often a new value came, how old one was, and what is stored."""
    rows = []
    for field in spec.fields:
        summary = summaries[field.name]
        shape = " x ".join(str(length) for length in field.row_shape)
        stored = in_bytes(summary.stored_bytes)
        if field.is_image:
            stored += f" ({field.storage}, {summary.stored_bytes / max(summary.images, 1) / 1e3:.1f} kB each)"
        role = "observation" if field in spec.observation else "action"
        rows.append((field.name, role, shape, summary.rate, summary.timing, stored))
    heads = ["field", "role", "holds", "rate", "timing", "stored"]
    empty = {place for place in range(len(heads)) if not any(row[place] for row in rows)}  # without times
    kept = [place for place in range(len(heads)) if place not in empty]
    shown = [tuple(row[place] for place in kept) for row in rows]
    print_table([heads[place] for place in kept], shown, drop=("role", "holds"), fold="stored")


def in_bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def rows_of(field: Field, summary: Summary) -> Iterator[tuple[str, ...]]:
    """Yield a row for each number of a field."""
    for index, name in enumerate(field.names):
        low, high = summary.low[index], summary.high[index]
        ends = (f"{low:.3g}", f"{high:.3g}") if low <= high else ("-", "-")
        yield field.name if index == 0 else "", name, *ends, field.unit


def show_bundle(path: Path, info: BundleInfo) -> None:
    provenance = info.provenance
    training = provenance.get("training", {})
    kind = str(info.network.get("kind"))
    kind = f"{'an' if kind.startswith(('a', 'e', 'i', 'o', 'u', 'mlp')) else 'a'} {kind}"
    console.print(f"[bold]{path}[/bold]: {kind} policy for {info.spec.name}")
    console.print(f"learned by {provenance.get('algorithm')} from {source_of(provenance)}; {effort_of(training)}")
    for name, figure in provenance.get("evaluation", {}).items():
        console.print(f"{name}: {figures_of(figure)} over {figure['episodes']} episodes")
    console.print(
        "versions: " + ", ".join(f"{name} {version}" for name, version in provenance.get("versions", {}).items())
    )
    show_spec(info.spec)


def figures_of(figure: Mapping[str, Any]) -> str:
    """Return how a policy did, with 95 % intervals as far as the bundle has them."""
    said = f"return {figure['return']:.4g}"
    if "return_interval" in figure:
        said += " ({:.4g} to {:.4g})".format(*figure["return_interval"])
    if "success" not in figure:
        return said
    success = f"success {100 * figure['success']:.0f} %"
    if "success_interval" in figure:
        success += " ({:.0f} to {:.0f})".format(*(100 * end for end in figure["success_interval"]))
    return f"{success}, {said}"


def show_reward(path: Path) -> None:
    from imitation_ros.algorithms.reward_file import read_reward_info  # which imports torch

    info = read_reward_info(path)
    provenance, shown = info.provenance, info.demonstrations
    console.print(f"[bold]{path}[/bold]: a reward for {info.spec.name}, of a discount of {info.discount:g}")
    if "algorithm" in provenance:
        console.print(f"learned by {provenance['algorithm']} from {source_of(provenance)}")
    if shown:
        console.print(
            f"the {shown['episodes']:.0f} demonstrations are worth {shown['lowest']:.4g} to {shown['highest']:.4g} per "
            f"step; `imitation-ros score {path} --data DATA` says what others are"
        )
    show_spec(info.spec)


def source_of(provenance: Mapping[str, Any]) -> str:
    """Return what a policy was learned from: recordings, an environment, or both."""
    data, environment = provenance.get("data", {}), provenance.get("environment") or {}
    recorded = f"{data.get('episodes')} episodes ({data.get('transitions')} ticks) of "
    recorded += str(data.get("folder") or data.get("source"))
    practised = f"practice in {environment['name']}" if environment else ""
    return " and ".join(part for part in (recorded if "episodes" in data else "", practised) if part)


def effort_of(training: Mapping[str, Any]) -> str:
    """Return how long a policy was trained, and which one was kept."""
    if "kept_update" in training:
        error = training.get("validation_error")
        held_out = "no episode held out" if error is None else f"validation error {error:.4f}"
        return f"{training.get('updates')} updates, kept number {training['kept_update']}, {held_out}"
    return f"{training.get('steps')} steps, kept the policy after {training.get('kept_steps')}"


def show_spec(spec: RobotSpec) -> None:
    console.print(f"[bold]{spec.name}[/bold]: robot {spec.robot}, {spec.rate_hz:g} Hz, task {spec.task or 'not named'}")
    rows = []
    for role, fields in (("observation", spec.observation), ("action", spec.action)):
        for field in fields:
            short = field.type.replace("/msg/", "/")
            frame = f" in {field.frame_id}" if field.frame_id else ""
            frame = f" of {field.child_frame_id}{frame}" if field.child else frame
            size = " x ".join(str(length) for length in field.row_shape)
            rows.append((field.name, f"{role}\n{size} {field.unit}", f"{field.topic}\n{short}{frame}"))
    print_table(("field", "role and numbers", "topic and type"), rows, drop=(), fold="topic and type")
