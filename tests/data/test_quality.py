"""The quality of recordings: clean ones have no finding, each fault has its own, and the measures obey their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quality_faults import FAULTS, LAG, at, clean_episodes, observed, one, replace

from imitation_ros.data.quality import Survey, grouped, numbers_of_episodes
from imitation_ros.data.quality.dataset_findings import dataset_lag
from imitation_ros.data.quality.signals import (
    correlations,
    longest_run,
    peak,
    robust_deviations,
    roughness,
    spikes,
    still,
)

CLEAN = clean_episodes()


def surveyed(episodes) -> Survey:
    survey = Survey(episodes[0].spec)
    for index, episode in enumerate(episodes):
        survey.add(episode, index, f"episode_{index:06d}")
    return survey


@pytest.fixture
def episodes():
    return list(CLEAN)


def said(survey) -> set[tuple[str, str, str]]:
    return {(finding.severity, finding.kind, finding.field) for finding in survey.findings()}


def test_clean_recordings_have_no_finding(episodes):
    assert [finding for finding in surveyed(episodes).findings() if finding.kind != "constant"] == []
    assert said(surveyed(episodes)) == {("note", "constant", "tool")}  # two numbers of its rotation


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_nothing_else(episodes, fault):
    put_in, expected = FAULTS[fault]
    found = said(surveyed(put_in(list(episodes))))
    assert found - {("note", "constant", "tool")} == expected - {("note", "constant", "tool")}
    assert expected <= found


@pytest.mark.parametrize(
    "fault", [name for name, (put_in, _) in FAULTS.items() if put_in.__qualname__.startswith("one.")]
)
def test_a_fault_of_one_episode_names_that_episode(episodes, fault):
    put_in, expected = FAULTS[fault]
    for finding in surveyed(put_in(list(episodes))).findings():
        if (finding.severity, finding.kind, finding.field) in expected:
            assert finding.episode == 5


def test_without_stamps_it_says_what_cannot_be_checked(episodes):
    survey = surveyed([replace(episode, timing=None) for episode in episodes])
    assert said(survey) == {("note", "constant", "tool")}
    assert "no stamps" in " ".join(survey.not_possible())


def test_with_few_episodes_nobody_is_called_an_outlier(episodes):
    put_in, _ = FAULTS["a short episode"]
    survey = surveyed(put_in(list(episodes))[4:8])
    assert "length" not in {finding.kind for finding in survey.findings()}
    assert "fewer than 8" in " ".join(survey.not_possible())


def test_the_lag_of_a_dataset_is_that_of_its_robot(episodes):
    survey = surveyed(episodes)
    ticks, correlation, agree = dataset_lag(survey.measures)
    assert ticks == LAG and correlation > 0.9 and agree == 1.0


def test_an_episode_that_happens_elsewhere_is_an_outlier(episodes):
    shift = np.array([1.5, 1.5, 1.5], np.float32)

    def away(episode):
        labels = {"leader": episode.actions["leader"] - shift}
        seen = {**episode.observations, "joints": episode.observations["joints"] - shift}
        return replace(episode, observations=seen, actions=labels, executed=labels)

    kinds = {(f.kind, f.episode) for f in surveyed(one(away)(list(episodes))).findings() if f.severity == "warning"}
    assert ("outlier", 5) in kinds


def test_findings_do_not_depend_on_the_order_of_the_episodes(episodes):
    for fault in ("a glitch", "a forgotten stop", "a frozen sensor", "a trembling hand"):
        put_in, _ = FAULTS[fault]
        changed = put_in(list(episodes))
        assert (
            said(surveyed(changed))
            == said(surveyed(changed[::-1]))
            == said(surveyed([changed[5], *changed])) - {("warning", "duplicate", "")}
        )


def test_a_record_of_an_episode_stays_small_however_long_it_is():
    def size(record) -> int:
        if isinstance(record, np.ndarray):
            return record.nbytes
        parts = record.values() if isinstance(record, dict) else getattr(record, "__dict__", {}).values()
        return 16 + sum(size(part) for part in parts)

    short, long = (size(surveyed(clean_episodes(steps=steps)[:1]).measures[0]) for steps in (200, 2000))
    assert long == short < 6_000


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 11, 40])
@pytest.mark.parametrize("timed", [True, False])
def test_no_episode_is_too_short_or_too_odd_to_be_measured(spec, camera_spec, make_episode, steps, timed):
    only_cameras = replace(camera_spec, observation=camera_spec.observation[2:])
    for kind in (spec, camera_spec, only_cameras):
        survey = surveyed([make_episode(kind, steps=steps, seed=n, timed=timed) for n in range(9)])
        assert all(finding.found for finding in survey.findings()) and len(survey.measures) == 9
        assert isinstance(survey.not_possible(), list)


@given(
    place=st.integers(0, 40),
    value=st.sampled_from([np.nan, np.inf, -np.inf, 3e38]),
    name=st.sampled_from(["joints", "tool"]),
)
def test_numbers_that_are_none_break_nothing(place, value, name):
    bad = one(lambda e: observed(e, name, at((place, 0), value)))(CLEAN[:9])
    found = {(finding.kind, finding.field) for finding in surveyed(bad).findings()}
    assert (("not a number", name) in found) == (not np.isfinite(value))


# the laws of the measures


@given(shift=st.integers(-20, 20), seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_the_lag_of_a_shifted_signal_is_found_exactly_at_any_scale(shift, seed, scale):
    cause = np.random.default_rng(seed).normal(size=(300, 1))
    effect = scale * np.roll(cause, shift, axis=0)
    lag, height = peak(correlations(cause, effect, 20)[:, 0])
    assert lag == shift and 0.85 < height <= 1.0 + 1e-9


@given(seed=st.integers(0, 1000), most=st.integers(1, 30))
def test_correlations_are_those_of_the_definition(seed, most):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 80, 1))
    x, y = a - a.mean(), b - b.mean()
    direct = [
        np.sum(x[max(0, -lag) : 80 - max(0, lag)] * y[max(0, lag) : 80 - max(0, -lag)])
        for lag in range(-most, most + 1)
    ]
    np.testing.assert_allclose(
        correlations(a, b, most)[:, 0], np.array(direct) / np.sqrt((x**2).sum() * (y**2).sum()), atol=1e-12
    )


@given(scale=st.floats(1e-6, 1e6), offset=st.floats(-10, 10), seed=st.integers(0, 1000))
def test_roughness_has_no_scale_and_no_offset(scale, offset, seed):
    values = np.random.default_rng(seed).normal(size=(200, 2)).cumsum(axis=0)
    assert roughness(scale * (values + offset)) == pytest.approx(roughness(values), rel=1e-6)


def test_roughness_is_0_for_a_straight_line_and_sqrt_10_for_white_noise():
    assert roughness(np.outer(np.arange(100.0), [1.0, 2.0])) == pytest.approx(0.0, abs=1e-9)
    assert roughness(np.random.default_rng(0).normal(size=(20_000, 1))) == pytest.approx(np.sqrt(10), rel=0.02)


@given(st.lists(st.booleans(), max_size=60))
def test_the_longest_run_is_the_longest(mask):
    begin, length = longest_run(np.array(mask, np.bool_))
    assert all(mask[begin : begin + length])
    text = "".join("x" if each else " " for each in mask)
    assert length == max((len(run) for run in text.split()), default=0)


@given(scale=st.floats(1e-3, 1e3), begin=st.integers(0, 60), length=st.integers(20, 60))
def test_a_stretch_without_motion_is_still_to_the_tick_at_any_scale(scale, begin, length):
    steps = np.ones(150)
    steps[begin : begin + length] = 0.0
    values = scale * np.concatenate([[0.0], steps.cumsum()])[:, None]
    calm = still(values, np.array([scale]), 5, 0.5)
    expected = np.zeros(151, np.bool_)
    expected[begin : begin + length + 1] = True
    np.testing.assert_array_equal(calm, expected)


@given(place=st.integers(1, 98), sign=st.sampled_from([-1, 1]))
def test_a_spike_is_found_where_it_is_and_a_step_is_none(place, sign):
    smooth = np.sin(np.arange(100) / 10)[:, None]
    spiked, stepped = smooth.copy(), smooth.copy()
    spiked[place] += 5.0 * sign
    stepped[place:] += 5.0 * sign
    height = np.array([0.4])
    assert np.flatnonzero(spikes(spiked, 10.0, height)).tolist() == [place]
    assert not spikes(stepped, 10.0, height).any() and not spikes(smooth, 10.0, height).any()


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
def test_robust_deviations_have_no_scale(scale, seed):
    values = np.random.default_rng(seed).normal(size=(30, 2))
    np.testing.assert_allclose(robust_deviations(scale * values), robust_deviations(values), rtol=1e-6)


@given(st.sets(st.integers(0, 40)))
def test_episode_numbers_are_written_so_that_nothing_is_lost(numbers):
    read = set()
    for part in numbers_of_episodes(numbers).split():
        first, _, last = part.partition("-")
        read |= set(range(int(first), int(last or first) + 1))
    assert read == numbers


def test_findings_of_one_kind_are_one_group_with_the_worst_first(episodes):
    put_in, _ = FAULTS["no commands"]
    survey = surveyed([put_in(list(episodes))[5] for _ in range(3)])
    group = next(group for group in grouped(survey.findings()) if group.worst.kind == "silent")
    assert group.episodes == (0, 1, 2) and group.worst.weight == max(each.weight for each in group.findings)
