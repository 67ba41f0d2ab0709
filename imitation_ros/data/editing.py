"""Change episodes after they were recorded: shorten them, take them apart, mark them, rename their fields.

Every function returns a new episode of which all that belongs to a tick was changed alike, with a sentence about it
in the attribute `edited`. Pixels and JPEG bytes stay what they are.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from imitation_ros.data.episode import Array, Episode, Timing
from imitation_ros.data.images import EncodedImages
from imitation_ros.errors import DataError, did_you_mean
from imitation_ros.robot.sampler import SAME_TIME_S
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml

EDITED = "edited"
"""The attribute that says in words what became of an episode since it was recorded."""
MARKS = {True: "a success", False: "a failure", None: "not marked"}


def cut(episode: Episode, start: int, stop: int, why: str) -> Episode:
    """Return the actions from `start` up to `stop`, with the observation after the last of them.

    Where the end is cut off, the task did not end it any more, and it was ended by `edit`.

    Raises:
        DataError: no action is left.
    """
    if not 0 <= start < stop <= episode.steps:
        raise DataError(f"ticks {start} to {stop} are no part of an episode of {episode.steps} ticks; one has to stay.")
    if (start, stop) == (0, episode.steps):
        return episode
    steps, ticks = slice(start, stop), slice(start, stop + 1)
    actions = {name: values[steps] for name, values in episode.actions.items()}
    executed = {
        name: actions[name] if values is episode.actions[name] else values[steps]
        for name, values in episode.executed.items()
    }
    part = replace(
        episode,
        observations={name: rows(values, ticks) for name, values in episode.observations.items()},
        actions=actions,
        executed=executed,
        timing=None if episode.timing is None else cut_timing(episode.timing, steps, ticks),
        rewards=None if episode.rewards is None else episode.rewards[steps],
        is_human=None if episode.is_human is None else episode.is_human[steps],
        terminated=episode.terminated and stop == episode.steps,
    )
    return noted(replace(part, attributes=cut_attributes(episode, part, start, stop)), why)


def rows(values: Array | EncodedImages, chosen: slice) -> Array | EncodedImages:
    """Return some rows of an observation; JPEGs are not decoded for it."""
    if isinstance(values, EncodedImages):
        return EncodedImages(values.jpegs[chosen], values.field, values.source)
    return values[chosen]


def cut_timing(timing: Timing, steps: slice, ticks: slice) -> Timing:
    return Timing(
        ticks_s=timing.ticks_s[ticks],
        stamps_s={name: stamps[ticks] for name, stamps in timing.stamps_s.items()},
        received_s={name: received[ticks] for name, received in timing.received_s.items()},
        silent={name: silent[steps] for name, silent in timing.silent.items()},
    )


def cut_attributes(episode: Episode, part: Episode, start: int, stop: int) -> dict[str, Any]:
    """Return the attributes of a part; what was counted over the whole episode is counted anew, or left out."""
    attributes = dict(episode.attributes)
    if stop < episode.steps and "ended_by" in attributes:
        attributes["ended_by"] = "edit"
    if "stale_ticks" in attributes:
        attributes["stale_ticks"] = int(stale_steps(part).sum())
    if attributes.get("executed_assumed_ticks"):
        del attributes["executed_assumed_ticks"]  # nobody knows in which part they were
    started_at = attributes.get("started_at")
    if start > 0 and isinstance(started_at, str):
        attributes["started_at"] = later(started_at, start * episode.spec.period_s)
    return attributes


def later(started_at: str, seconds: float) -> str:
    """Return a time of day that is so much later; what is no such time stays as it is."""
    try:
        begun = datetime.datetime.fromisoformat(started_at)
    except ValueError:
        return started_at
    precise = "auto" if "." in started_at else "seconds"
    return (begun + datetime.timedelta(seconds=seconds)).isoformat(timespec=precise)


def stale_steps(episode: Episode) -> Array:
    """Return at which steps an observation is older than its field's max_age_s, (T,)."""
    stale = np.zeros(episode.steps, np.bool_)
    if episode.timing is not None:
        for field in episode.spec.observation:
            stale |= episode.timing.age_s(field.name)[:-1] > field.max_age_s + SAME_TIME_S
    return stale


def split_at(episode: Episode, ticks: Sequence[int]) -> Iterator[Episode]:
    """Yield the parts between some ticks, each of which begins a new one.

    The mark of success is that of the end, so the last part has it; the others are not marked.

    Raises:
        DataError: a tick does not lie within the episode.
    """
    inner = sorted({*ticks})
    for tick in inner:
        if not 0 < tick < episode.steps:
            raise DataError(f"it has {episode.steps} ticks, and cannot be split at {tick}: 1 to {episode.steps - 1}.")
    ends = [0, *inner, episode.steps]
    for place, (start, stop) in enumerate(pairwise(ends)):
        why = f"ticks {start} to {stop - 1} of {episode.steps}, split off"
        part = cut(episode, start, stop, why)
        yield part if place == len(inner) else replace(part, success=None)


def relabelled(episode: Episode, success: bool | None) -> Episode:
    """Return the episode marked as a success, a failure, or not at all."""
    if success is episode.success:
        return episode
    return noted(replace(episode, success=success), f"marked {MARKS[success]}, was {MARKS[episode.success]}")


def renamed(episode: Episode, spec: RobotSpec, names: Mapping[str, str]) -> Episode:
    """Return the episode with other names for some fields; `spec` is that of renamed_spec."""

    def under(arrays: Mapping[str, Any]) -> dict[str, Any]:
        return {names.get(name, name): values for name, values in arrays.items()}

    timing, observations = episode.timing, under(episode.observations)
    for field in spec.observation:
        if isinstance(images := observations[field.name], EncodedImages):
            observations[field.name] = EncodedImages(images.jpegs, field, images.source)
    if timing is not None:
        seen = under(timing.stamps_s), under(timing.received_s)
        timing = Timing(timing.ticks_s, *seen, silent=under(timing.silent))
    changed = ", ".join(f"{old} is {new}" for old, new in names.items())
    actions, executed = under(episode.actions), under(episode.executed)
    called = replace(episode, spec=spec, observations=observations, actions=actions, executed=executed, timing=timing)
    return noted(called, f"fields renamed: {changed}")


def renamed_spec(spec: RobotSpec, names: Mapping[str, str]) -> RobotSpec:
    """Return a spec with other names for some of its fields.

    Raises:
        DataError: there is no such field, or two would have one name.
        SpecError: a name is none.
    """
    there = [field.name for field in spec.fields]
    for old in names:
        if old not in there:
            raise DataError(
                f"there is no field {old!r} to rename.{did_you_mean(old, there)} It has {', '.join(there)}."
            )
    after = [names.get(name, name) for name in there]
    for name in after:
        if after.count(name) > 1:
            raise DataError(f"two fields would be called {name!r}. Choose another name.")
    observation, action = (
        tuple(replace(field, name=names.get(field.name, field.name)) for field in fields)
        for fields in (spec.observation, spec.action)
    )
    called = replace(spec, observation=observation, action=action)
    return spec_from_yaml(called.to_yaml(), "the spec with its new names")


def noted(episode: Episode, what: str) -> Episode:
    """Return the episode with a sentence more about what became of it."""
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    before = episode.attributes.get(EDITED)
    said = f"{before}; {today}: {what}" if before else f"{today}: {what}"
    return replace(episode, attributes={**episode.attributes, EDITED: said})
