"""Say what a recording, a policy bundle or a setup holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from imitation_ros.console import console
from imitation_ros.data.episode import Episode
from imitation_ros.data.folder import dataset_files
from imitation_ros.data.load import load_episodes
from imitation_ros.errors import SpecError
from imitation_ros.policies.bundle import POLICY_JSON, BundleInfo, read_info
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec, load_spec


def show(path: str) -> None:
    """Print a summary of a dataset, a bundle, or the setup of that name."""
    if not path.strip():
        raise SpecError("info was given an empty name. Give a recording, a policy, or a setup such as panda_reach.")
    folder = Path(path)
    if (folder / POLICY_JSON).is_file():
        show_bundle(folder, read_info(folder))
    elif folder.is_dir() or folder.suffix in (".hdf5", ".h5", ".part"):
        show_dataset(folder, load_episodes(folder))
    else:
        show_spec(load_spec(path))


def show_dataset(path: Path, episodes: list[Episode]) -> None:
    spec, steps = episodes[0].spec, [episode.steps for episode in episodes]
    marked = [episode.success for episode in episodes]
    size = sum(file.stat().st_size for file in dataset_files(path))
    console.print(
        f"[bold]{path}[/bold]: {len(episodes)} episode(s) of {spec.name} at {spec.rate_hz:g} Hz, {sum(steps)} ticks "
        f"({min(steps)} to {max(steps)} each, {sum(steps) / spec.rate_hz:.0f} s in all), {size / 1e6:.1f} MB"
    )
    console.print(
        f"marked a success: {marked.count(True)}, a failure: {marked.count(False)}, not marked: {marked.count(None)}"
    )
    table = Table("field", "number", "lowest", "highest", "unit", "timing", padding=(0, 1), box=None)
    timed = [episode.timing for episode in episodes if episode.timing is not None]
    for field in spec.observation:
        values = np.concatenate([episode.observations[field.name] for episode in episodes])
        oldest_s = max((float(timing.age_s(field.name).max()) for timing in timed), default=0.0)
        add_rows(table, field, values, f"{oldest_s:.3f} s old at most" if timed else "")
    for field in spec.action:
        values = np.concatenate([episode.actions[field.name] for episode in episodes])
        silent = sum(int(timing.silent[field.name].sum()) for timing in timed)
        add_rows(table, field, values, f"{silent} silent ticks" if timed else "")
    console.print(table)


def add_rows(table: Table, field: Field, values: np.ndarray[Any, Any], timing: str) -> None:
    """Add a row for each number of a field; what holds for the whole field stands in the first."""
    for index, name in enumerate(field.names):
        ends = (f"{values[:, index].min():.3g}", f"{values[:, index].max():.3g}") if len(values) else ("-", "-")
        first = index == 0
        table.add_row(field.name if first else "", name, *ends, field.unit, timing if first else "")


def show_bundle(path: Path, info: BundleInfo) -> None:
    provenance = info.provenance
    data, training = provenance.get("data", {}), provenance.get("training", {})
    console.print(f"[bold]{path}[/bold]: a {info.network.get('kind')} policy for {info.spec.name}")
    console.print(
        f"learned by {provenance.get('algorithm')} from {data.get('episodes')} episodes ({data.get('transitions')} "
        f"ticks) of {data.get('folder')}; {training.get('updates')} updates, kept number "
        f"{training.get('kept_update')}, validation error {training.get('validation_error', float('nan')):.4f}"
    )
    console.print(
        "versions: " + ", ".join(f"{name} {version}" for name, version in provenance.get("versions", {}).items())
    )
    show_spec(info.spec)


def show_spec(spec: RobotSpec) -> None:
    console.print(f"[bold]{spec.name}[/bold]: robot {spec.robot}, {spec.rate_hz:g} Hz, task {spec.task or 'not named'}")
    table = Table("field", "role", "topic and type", "numbers", padding=(0, 1), box=None)
    for role, fields in (("observation", spec.observation), ("action", spec.action)):
        for field in fields:
            short = field.type.replace("/msg/", "/")
            frame = f" in {field.frame}" if field.frame else ""
            table.add_row(field.name, role, f"{field.topic}\n{short}{frame}", f"{field.width} {field.unit}")
    console.print(table)
