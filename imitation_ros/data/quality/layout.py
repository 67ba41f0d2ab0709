"""Which numbers a spec has, side by side, and which observed number follows which commanded one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imitation_ros.data.quality.signals import Array, correlations, peak
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

RATES = {"velocity", "effort"}  # quantities that say nothing about where something is


@dataclass(frozen=True)
class Pair:
    """A commanded number and the observed one that should follow it.

    Attributes:
        action, observation: their columns.
        same: both are the same quantity, so that their difference is an offset; else the command is a rate.
        sign: of the motion that a positive command causes.
    """

    action: int
    observation: int
    same: bool
    sign: float = 1.0


@dataclass(frozen=True)
class Layout:
    """The numbers of a spec in columns: those of the observation, without images; those of the action."""

    spec: RobotSpec
    numbers: tuple[Field, ...]
    cameras: tuple[Field, ...]
    observed: Mapping[str, slice]
    commanded: Mapping[str, slice]
    places: Array  # which observed columns say where something is
    pairs: tuple[Pair, ...]

    @property
    def width(self) -> int:
        return sum(field.width for field in self.numbers)

    def leap_ranges(self, scale: Array) -> Array:
        """Return the range that a leap of each observed number is judged by, (observed numbers,).

        Numbers of one unit share the widest of theirs, so that a cube that is pushed 4 mm up is no glitch; those of a
        rotation have 1.
        """
        ranges: Array = scale.copy()
        for field in self.numbers:
            part = ranges[self.observed[field.name]]
            turns = {"rotation_6d": 6, "rotvec": 3}.get(field.rotation or "", 0)
            places = part[: field.width - turns]
            if len(places) and (field.unit or field.position_slice is not None):
                places[:] = places.max()
            part[field.width - turns :] = np.maximum(part[field.width - turns :], 1.0)
        return ranges

    def robot_fields(self, pairs: tuple[Pair, ...]) -> list[Field]:
        """Return the observed fields that are the robot's own motion: those that commands move, and its joints.

        What it handles may be knocked and roll, and is no measure of how somebody moved.
        """
        moved = {pair.observation for pair in pairs}
        own = [f for f in self.numbers if moved & {*range(self.observed[f.name].start, self.observed[f.name].stop)}]
        joints = [f for f in self.numbers if f.type.endswith("JointState") and f.width >= 3 and f not in own]
        return [*own, *joints]

    def label(self, column: int) -> str:
        """Return what an observed column is called."""
        for field in self.numbers:
            part = self.observed[field.name]
            if part.start <= column < part.stop:
                return f"{field.name} {field.names[column - part.start]}"
        raise IndexError(column)

    def command_label(self, column: int) -> tuple[Field, str]:
        """Return the field of an action's column, and what the number is called."""
        for field in self.spec.action:
            part = self.commanded[field.name]
            if part.start <= column < part.stop:
                return field, field.names[column - part.start]
        raise IndexError(column)


def layout_of(spec: RobotSpec) -> Layout:
    numbers = tuple(field for field in spec.observation if not field.is_image)
    observed, commanded = columns(numbers), columns(spec.action)
    is_place = [np.full(f.width, f.quantity not in RATES and "/s" not in f.unit, np.bool_) for f in numbers]
    places = np.concatenate(is_place) if is_place else np.zeros(0, np.bool_)
    return Layout(
        spec=spec,
        numbers=numbers,
        cameras=tuple(field for field in spec.observation if field.is_image),
        observed=observed,
        commanded=commanded,
        places=places if places.any() else ~places,
        pairs=tuple(named_pairs(spec.action, numbers, commanded, observed)),
    )


def columns(fields: tuple[Field, ...]) -> dict[str, slice]:
    ends = np.cumsum([0, *(field.width for field in fields)]).tolist()
    return {field.name: slice(ends[n], ends[n + 1]) for n, field in enumerate(fields)}


def named_pairs(
    actions: tuple[Field, ...],
    numbers: tuple[Field, ...],
    commanded: Mapping[str, slice],
    observed: Mapping[str, slice],
) -> list[Pair]:
    """Return the pairs whose names, units and frames agree: a joint and its target, an axis and its speed."""
    pairs = []
    for action in (field for field in actions if field.kind == "continuous"):
        for n, name in enumerate(action.names):
            for seen in numbers:
                kind = relation(action, seen)
                shorts = [short(each) for each in seen.names]
                if kind and short(name) in shorts:
                    place = observed[seen.name].start + shorts.index(short(name))
                    pairs.append(Pair(commanded[action.name].start + n, place, kind == "same"))
                    break
    return pairs


def short(name: str) -> str:
    """Return a number's name without what says whether it is a place or a speed."""
    for prefix in ("pose.", "twist.", "position.", "linear."):
        name = name.removeprefix(prefix)
    return name


def relation(action: Field, seen: Field) -> str:
    """Return how an action's numbers relate to those of an observation: same, rate, or not at all."""
    if action.frame != seen.frame or action.part != seen.part or seen.quantity in RATES or "/s" in seen.unit:
        return ""
    if action.quantity == "velocity" or action.unit.endswith("/s") or action.relative:
        return "rate"
    return "same" if action.unit == seen.unit and action.quantity == seen.quantity and action.unit else ""


def strongest_pairs(commands: Array, seen: Array, most: int, least: float) -> tuple[Pair, ...]:
    """Return for each command the observed number whose motion follows it or its changes best, if any does.

    For specs in which no names agree. Chosen on one episode and kept for the others, so that the best of many
    chance correlations is not taken for a finding.
    """
    motion, found = np.diff(seen, axis=0), []
    for column in range(commands.shape[1]):
        best: tuple[float, Pair] | None = None
        for same in (False, True):
            cause = np.repeat(drive(commands[:, column], same)[:, None], motion.shape[1], axis=1)
            curves = correlations(cause, motion, most)
            place = int(np.argmax(np.abs(curves).max(axis=0)))
            sign = 1.0 if curves[:, place].max() >= -curves[:, place].min() else -1.0
            height = peak(sign * curves[:, place])[1]
            if height >= least and (best is None or height > best[0]):
                best = height, Pair(column, place, same, sign)
        if best is not None:
            found.append(best[1])
    return tuple(found)


def drive(command: Array, same: bool) -> Array:
    """Return what moves the robot: a rate itself, of a target its change."""
    return np.diff(command, axis=0, prepend=command[:1]) if same else command
