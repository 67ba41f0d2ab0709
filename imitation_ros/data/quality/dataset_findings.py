"""What only shows when episodes are compared with one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from imitation_ros.data.quality import thresholds as usual
from imitation_ros.data.quality.finding import DATASET, Finding
from imitation_ros.data.quality.following import most_lag
from imitation_ros.data.quality.layout import Layout, Pair
from imitation_ros.data.quality.measures import Measures
from imitation_ros.data.quality.remedies import DELETE, LEAVE_OUT, RELABEL
from imitation_ros.data.quality.signals import SIGMA_OF_MAD, Array, peak, robust_deviations
from imitation_ros.robot.field import Field


def across_findings(
    measures: Sequence[Measures], layout: Layout, pairs: tuple[Pair, ...], scale: Array, named: bool
) -> Iterator[Finding]:
    """Yield what is wrong with a dataset as a whole, and with episodes beside the others.

    Args:
        named: whether the pairs go by their names, so that it is known what a command means.
    """
    yield from success_findings(measures)
    yield from duplicate_findings(measures)
    begun = [each for each in measures if each.steps >= usual.SHORT_STEPS]
    if not begun:
        return
    yield from constant_findings(begun, layout)
    yield from unmoved_findings(begun, layout, scale)
    yield from lag_findings(begun, layout, "warning" if named else "note")
    yield from offset_findings(begun, layout, pairs, scale)
    yield from noise_findings(begun, layout.robot_fields(pairs))
    if len(begun) >= usual.OUTLIER_EPISODES:
        yield from outlier_findings(begun, layout, scale)
        yield from jerk_findings(begun, layout.robot_fields(pairs))


def success_findings(measures: Sequence[Measures]) -> Iterator[Finding]:
    unmarked = [each.index for each in measures if each.success is None]
    failed = [each.index for each in measures if each.success is False]
    if unmarked and len(unmarked) == len(measures):
        what, do = "no episode is marked a success or a failure", f"Mark those that you know: {RELABEL}."
        yield Finding("note", "success", DATASET, "", what, f"{len(unmarked)} episodes", "all marked", do)
    elif unmarked:
        do = f"Mark it: {RELABEL}."
        for index in unmarked:
            yield Finding("warning", "success", index, "", "not marked, though others are", "no mark", "a mark", do)
    for index in failed:
        do = f"Cloning learns from it as from the others. {LEAVE_OUT}"
        yield Finding("note", "failure", index, "", "marked a failure", "failure", "success", do)


def duplicate_findings(measures: Sequence[Measures]) -> Iterator[Finding]:
    first: dict[bytes, Measures] = {}
    for each in measures:
        earlier = first.setdefault(each.digest, each)
        if earlier is not each and each.steps:
            what = "identical to an earlier episode, to the last bit"
            found = f"the same as {earlier.name}"
            do = f"It counts twice in training, and leaks from training into validation. {LEAVE_OUT}"
            yield Finding("warning", "duplicate", each.index, "", what, found, "none", do)


def constant_findings(measures: Sequence[Measures], layout: Layout) -> Iterator[Finding]:
    for field in (*layout.numbers, *layout.spec.action):
        is_action = field in layout.spec.action
        part = (layout.commanded if is_action else layout.observed)[field.name]
        low = np.array([(each.numbers.label_low if is_action else each.numbers.low)[part] for each in measures])
        high = np.array([(each.numbers.label_high if is_action else each.numbers.high)[part] for each in measures])
        if np.isnan(low).any():
            continue
        same = low.min(axis=0) == high.max(axis=0)
        if not same.any():
            continue
        names = ", ".join(name for name, one in zip(field.names, same, strict=True) if one)
        found = f"{low[0][same][0]:.4g}" if same.sum() == 1 else f"{int(same.sum())} of {field.width} numbers: {names}"
        dead = same.all() and (is_action or field.type.endswith(("JointState", "JointTrajectory")))
        what = f"{field.name!r} never changes" if same.all() else f"numbers of {field.name!r} never change"
        do = (
            "Is it the right topic, and does its driver run?"
            if dead
            else "Nothing can be learned from it: leave it out."
        )
        yield Finding("warning" if dead else "note", "constant", DATASET, field.name, what, found, "some change", do)


def unmoved_findings(measures: Sequence[Measures], layout: Layout, scale: Array) -> Iterator[Finding]:
    """Yield episodes that looked alive by themselves, but hardly move beside the others."""
    for each in measures:
        reach = (each.numbers.high - each.numbers.low)[layout.places]
        if each.motion.still <= usual.IDLE_WARNING and (reach <= usual.IDLE_RANGE * scale[layout.places]).all():
            found, do = "all numbers stay within 2 % of their range", LEAVE_OUT
            yield Finding("warning", "idle", each.index, "", "nothing moves", found, "motion", do, 1.0)


def lag_findings(measures: Sequence[Measures], layout: Layout, severity: str) -> Iterator[Finding]:
    lag = dataset_lag(measures)
    period_s = layout.spec.period_s
    if lag is None or lag[1] < usual.LAG_CORRELATION:
        return
    ticks, height, near = lag
    found = f"{ticks * period_s * 1e3:.0f} ms (correlation {height:.2f}, {near:.0%} of the episodes agree)"
    allowed = f"0 to {usual.LAG_WARNING_S * 1e3:.0f} ms"
    if ticks < 0:
        what = "the motion comes before its command"
        do = "Labels are the measured state, or stamped late. Look at the clocks, and at what the action topic carries."
        yield Finding(severity, "early", DATASET, "", what, found, allowed, do)
    elif ticks * period_s > usual.LAG_WARNING_S:
        what = "the motion comes late after its command"
        do = "Look for smoothing in the driver, a slow network, or a clock that is behind; a simulator will not lag so."
        yield Finding(severity, "lag", DATASET, "", what, found, allowed, do)


def dataset_lag(measures: Sequence[Measures]) -> tuple[int, float, float] | None:
    """Return the lag in ticks, its correlation, and the share of episodes within a tick of it."""
    curves = [each.following.curve for each in measures if each.following.curve is not None]
    if not curves:
        return None
    ticks, height = peak(np.mean(curves, axis=0))
    return ticks, height, float(np.mean([abs(peak(curve)[0] - ticks) <= 1 for curve in curves]))


def offset_findings(
    measures: Sequence[Measures], layout: Layout, pairs: tuple[Pair, ...], scale: Array
) -> Iterator[Finding]:
    same = [pair for pair in pairs if pair.same]
    quartiles = np.array([each.following.offset for each in measures if len(each.following.offset) == len(same)])
    for place, pair in enumerate(same):
        if scale[pair.observation] == 0.0:  # a dead topic is no offset
            continue
        field, name = layout.command_label(pair.action)
        column = pair.action - layout.commanded[field.name].start
        span = 2.0 * float(field.half_span[column])
        low, middle, high = np.nanmedian(quartiles[:, place], axis=0)
        nearest = min(abs(low), abs(high)) if low * high > 0 else 0.0
        percent = f"{abs(middle) / span:.1%} of its scale"
        if nearest > usual.OFFSET_SPAN * span:
            what = f"{name} of {field.name!r} is off from where the robot is"
            found = f"{middle:+.4g} {field.unit} ({percent})"
            do = "Calibrate leader and follower; blocked joints and gravity show so, too."
            allowed = f"at most {usual.OFFSET_SPAN:.0%} of its scale"
            yield Finding("warning", "offset", DATASET, field.name, what, found, allowed, do, nearest / span)
        drift = drift_of(quartiles[:, place, 1])
        if drift is not None and abs(drift) > usual.DRIFT_SPAN * span:
            what = f"{name} of {field.name!r} drifts away from where the robot is"
            found = f"{drift:+.4g} {field.unit} from the first to the last fifth of the episodes"
            do = "Calibrate leader and follower, and leave out what was recorded after it; `--report` shows since when."
            allowed = f"at most {usual.DRIFT_SPAN:.0%} of its scale"
            yield Finding("warning", "drift", DATASET, field.name, what, found, allowed, do, abs(drift) / span)


def drift_of(offsets: Array) -> float | None:
    """Return how far the median of the last fifth is from that of the first; None where that may be chance."""
    offsets = offsets[np.isfinite(offsets)]
    count = len(offsets) // 5
    if len(offsets) < 2 * usual.OUTLIER_EPISODES:
        return None
    first, last = offsets[:count], offsets[-count:]
    noise = SIGMA_OF_MAD * max(float(np.median(np.abs(part - np.median(part)))) for part in (first, last))
    drift = float(np.median(last) - np.median(first))
    return drift if abs(drift) > usual.DRIFT_NOISE * noise / count**0.5 else None


def outlier_findings(measures: Sequence[Measures], layout: Layout, scale: Array) -> Iterator[Finding]:
    lengths = np.array([each.seconds for each in measures])
    paths = path_lengths(measures, scale)
    distances = distances_of(measures, layout, scale)
    said = set()
    for kind, values, ratio, unit, what in (
        ("length", lengths, usual.OUTLIER_LENGTH, " s", "far longer or shorter than the others"),
        ("path", paths, usual.OUTLIER_PATH, " ranges", "moves far more or less than the others"),
    ):
        middle = float(np.nanmedian(values))
        far = np.abs(robust_deviations(np.log(np.maximum(values, 1e-9)), floor=0.05))
        for each, value, deviations in zip(measures, values, far, strict=True):
            beyond = value > ratio * middle or value < middle / ratio
            waits = kind == "path" and each.motion.still > usual.IDLE_WARNING  # which is said already
            if beyond and deviations > usual.ROBUST_SIGMAS and each.index not in said and not waits:
                said.add(each.index)  # the long one also moves far
                found, allowed = f"{value:.1f}{unit}", f"about {middle:.1f}{unit}"
                yield Finding("warning", kind, each.index, "", what, found, allowed, LEAVE_OUT, deviations)
    middle = float(np.nanmedian(distances))
    for each, distance in zip(measures, distances, strict=True):
        if distance > usual.OUTLIER_DISTANCE and each.motion.still <= usual.IDLE_WARNING:
            what, found = "happens elsewhere than the others", f"{distance:.1f} robust standard deviations"
            do = f"Look at it; if it does not belong here: {DELETE}."
            yield Finding("warning", "outlier", each.index, "", what, found, f"about {middle:.1f}", do, distance)


def path_lengths(measures: Sequence[Measures], scale: Array) -> Array:
    """Return how far each episode moves, in ranges of the numbers, on average over them."""
    moves = scale > 0
    if not moves.any():
        return np.zeros(len(measures))
    moved = np.array([each.motion.moved[moves] for each in measures]) / scale[moves]
    return np.asarray(
        np.nanmean(moved, axis=1) if not np.isnan(moved).all(axis=1).any() else np.nan_to_num(moved).mean(1)
    )


def distances_of(measures: Sequence[Measures], layout: Layout, scale: Array) -> Array:
    """Return how far the means of each episode lie from the usual ones, in robust standard deviations, (N,).

    Of the field that is farthest; no number counts for more than DEVIATIONS_AT_MOST, and none stands alone.
    """
    means = np.array([each.numbers.mean for each in measures], np.float64)
    far = np.nan_to_num(robust_deviations(means, floor=usual.IDLE_RANGE * scale))
    squares = np.square(np.clip(far, -usual.DEVIATIONS_AT_MOST, usual.DEVIATIONS_AT_MOST))
    parts = [squares[:, layout.observed[field.name]].sum(axis=1) / max(field.width, 3) for field in layout.numbers]
    return np.asarray(np.sqrt(np.max(parts, axis=0))) if parts else np.zeros(len(measures))


def jerk_findings(measures: Sequence[Measures], fields: Sequence[Field]) -> Iterator[Finding]:
    for field in fields:
        jerks = np.array([each.motion.jerk[field.name] for each in measures])
        middle = float(np.median(jerks))
        far = robust_deviations(jerks, floor=0.1 * middle)
        for each, jerk, deviations in zip(measures, jerks, far, strict=True):
            if middle > 0 and jerk > usual.JERK_RATIO * middle and deviations > usual.ROBUST_SIGMAS:
                what = f"{field.name!r} is far jerkier than in the others"
                found, allowed = f"{jerk / middle:.1f} times their jerk", f"at most {usual.JERK_RATIO:g} times"
                do = f"A hesitant hand, or noise. Look at it; to leave it out: {DELETE}."
                yield Finding("warning", "jerk", each.index, field.name, what, found, allowed, do, jerk / middle)


def noise_findings(measures: Sequence[Measures], fields: Sequence[Field]) -> Iterator[Finding]:
    """Yield fields that tremble in most episodes, where no disturbance was added on purpose."""
    calm = [each for each in measures if not each.motion.disturbed and each.motion.still < usual.IDLE_WARNING]
    for field in fields:
        rough = float(np.median([each.motion.rough[field.name] for each in calm])) if calm else 0.0
        if rough > usual.ROUGH:
            what, found = f"{field.name!r} trembles", f"its third differences are {rough:.1f} times its steps"
            do = f"Filter its driver's noise, or look whether two publishers alternate on {field.topic}."
            yield Finding("note", "noise", DATASET, field.name, what, found, f"below {usual.ROUGH:g}", do, rough)


def not_possible(measures: Sequence[Measures], layout: Layout, pairs: tuple[Pair, ...], named: bool) -> list[str]:
    """Return which checks could not be made, and why, as sentences."""
    said = []
    untimed = sum(each.timing is None for each in measures)
    if untimed:
        which = "They hold" if untimed == len(measures) else f"{untimed} of {len(measures)} episodes hold"
        said.append(f"{which} no stamps: gaps, stale and silent ticks, delays and clocks are not known.")
    lag = dataset_lag(measures)
    long_enough = any(each.steps >= 3 * most_lag(layout.spec.rate_hz) for each in measures)
    if lag is None and not long_enough:
        said.append(f"No episode has {3 * most_lag(layout.spec.rate_hz)} ticks: the lag of the motion is not known.")
    elif lag is None or lag[1] < usual.LAG_CORRELATION:
        most = 0.0 if lag is None else lag[1]
        said.append(f"Motion and commands have too little in common (correlation {most:.2f}): the lag is not known.")
    if not any(pair.same for pair in pairs) or not named:
        said.append("No action has the name and unit of an observation: no offset of leader and follower is known.")
    if len(measures) < usual.OUTLIER_EPISODES:
        said.append(f"With fewer than {usual.OUTLIER_EPISODES} episodes nobody can say which are unlike the others.")
    return said
