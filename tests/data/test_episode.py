"""Episodes: T actions have T + 1 observations, and nothing else is an episode."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imitation_ros.data.episode import EpisodeBuilder
from imitation_ros.errors import DataError


def test_an_episode_counts_its_actions(spec, make_episode):
    episode = make_episode(spec, steps=7)
    assert episode.steps == 7
    assert episode.unit_actions().shape == (7, 3)
    assert episode.unit_actions().dtype == np.float32


@pytest.mark.parametrize("kind", ["observations", "actions", "executed"])
def test_a_missing_or_additional_field_is_refused_by_name(spec, make_episode, kind):
    episode = make_episode(spec)
    arrays = dict(getattr(episode, kind))
    name = next(reversed(arrays))
    with pytest.raises(DataError, match=rf"fields .*the spec has .*{name}"):
        replace(episode, **{kind: {word: values for word, values in arrays.items() if word != name}})
    with pytest.raises(DataError, match="'extra'"):
        replace(episode, **{kind: {**arrays, "extra": arrays[name]}})


@pytest.mark.parametrize(
    ("kind", "name", "shape"),
    [
        ("observations", "joints", (5, 2)),  # as many as actions: the last one is missing
        ("observations", "tool", (6, 3)),
        ("actions", "gripper", (6, 1)),
        ("executed", "velocity", (5,)),
    ],
)
def test_an_array_of_another_shape_is_refused_with_both_shapes(spec, make_episode, kind, name, shape):
    episode = make_episode(spec, steps=5)
    with pytest.raises(DataError, match=rf"'{name}' has shape \({shape[0]}.*should be"):
        replace(episode, **{kind: {**getattr(episode, kind), name: np.zeros(shape, dtype=np.float32)}})


@pytest.mark.parametrize(
    "change", [{"rewards": np.zeros(6)}, {"is_human": np.zeros((5, 1), bool)}], ids=lambda change: next(iter(change))
)
def test_rewards_and_marks_have_one_number_per_action(spec, make_episode, change):
    with pytest.raises(DataError, match=next(iter(change))):
        make_episode(spec, steps=5, **change)


@pytest.mark.parametrize("kind", ["ticks_s", "stamps_s", "received_s", "silent"])
def test_times_have_the_lengths_of_what_they_time(spec, make_episode, kind):
    episode = make_episode(spec, steps=5)
    times = getattr(episode.timing, kind)
    wrong = times[:-1] if kind == "ticks_s" else {name: values[:-1] for name, values in times.items()}
    with pytest.raises(DataError, match=kind):
        replace(episode, timing=replace(episode.timing, **{kind: wrong}))
    if kind != "ticks_s":
        with pytest.raises(DataError, match=f"no {kind} for"):
            replace(episode, timing=replace(episode.timing, **{kind: {}}))


def test_ages_are_ticks_minus_stamps(spec, make_episode):
    timing = make_episode(spec).timing
    np.testing.assert_allclose(timing.age_s("joints"), timing.ticks_s - timing.stamps_s["joints"])


def test_a_builder_makes_the_episode_it_was_given(spec, make_episode):
    given = make_episode(spec, steps=4, timed=False)
    builder = EpisodeBuilder(spec)
    for k in range(5):
        builder.add_observation({name: values[k] for name, values in given.observations.items()})
        if k < 4:
            builder.add_action(
                {name: values[k] for name, values in given.actions.items()},
                {name: values[k] for name, values in given.executed.items()},
                reward=0.5 * k,
            )
    built = builder.build(terminated=True, success=True, attributes={"seed": 3})
    for kind in ("observations", "actions", "executed"):
        for name, values in getattr(given, kind).items():
            np.testing.assert_array_equal(getattr(built, kind)[name], values)
    assert built.rewards.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert (built.terminated, built.success, built.attributes) == (True, True, {"seed": 3})


def test_a_builder_without_the_last_observation_is_refused(spec, make_episode):
    given = make_episode(spec, steps=1)
    builder = EpisodeBuilder(spec)
    builder.add_observation({name: values[0] for name, values in given.observations.items()})
    row = {name: values[0] for name, values in given.actions.items()}
    builder.add_action(row, row, reward=0.0)
    with pytest.raises(DataError, match=r"T actions have T \+ 1 observations"):
        builder.build()
