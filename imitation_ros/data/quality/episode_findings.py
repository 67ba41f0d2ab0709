"""From what was measured of one episode to what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from imitation_ros.data.quality import thresholds as usual
from imitation_ros.data.quality.finding import Finding
from imitation_ros.data.quality.layout import Layout
from imitation_ros.data.quality.measures import Measures
from imitation_ros.data.quality.remedies import DELETE, LEAVE_OUT, TRIM, hz
from imitation_ros.data.quality.signals import Array


@dataclass(frozen=True)
class Says:
    """Makes findings of one episode."""

    episode: int

    def __call__(
        self, severity: str, kind: str, field: str, what: str, found: str, allowed: str, do: str, weight: float
    ) -> Finding:
        return Finding(severity, kind, self.episode, field, what, found, allowed, do, weight)


def episode_findings(measures: Measures, layout: Layout, scale: Array, robot: Collection[str]) -> list[Finding]:
    """Return what is wrong with one episode by itself.

    Args:
        scale: the range of each observed number over the dataset.
        robot: the fields that are the robot's own motion.
    """
    says = Says(measures.index)
    if measures.steps < usual.SHORT_STEPS:
        what, allowed = "ended when it had hardly begun", f"at least {usual.SHORT_STEPS}"
        return [says("warning", "short", "", what, f"{measures.steps} ticks", allowed, LEAVE_OUT, 1.0)]
    parts: tuple[Callable[[Measures, Layout, Says], Iterator[Finding]], ...] = (
        number_findings,
        rotation_findings,
        scale_findings,
        motion_findings,
        grid_findings,
        timing_findings,
    )
    found = [finding for part in parts for finding in part(measures, layout, says)]
    return [*found, *spike_findings(measures, layout, says, scale), *frozen_findings(measures, layout, says, robot)]


def number_findings(measures: Measures, layout: Layout, says: Says) -> Iterator[Finding]:
    numbers = measures.numbers
    for name, count in numbers.bad.items():
        is_category = layout.spec.field(name).kind == "category"
        what = f"{name!r} holds numbers that are none" + (", or no category" if is_category else "")
        do = f"Training refuses it. {LEAVE_OUT}"
        yield says("error", "not a number", name, what, f"{count} of them", "none", do, count)


def spike_findings(measures: Measures, layout: Layout, says: Says, scale: Array) -> Iterator[Finding]:
    ranges = layout.leap_ranges(scale)
    high = {
        column: spike
        for column, spike in measures.numbers.spikes.items()
        if spike[2] > usual.SPIKE_RANGE * ranges[column]  # which has grown while the dataset was read
    }
    for field in layout.numbers:
        part = layout.observed[field.name]
        inside = [(*high[column], column) for column in high if part.start <= column < part.stop]
        if inside:
            tick, _, _, column = min(inside)
            count = max(spike[1] for spike in inside)
            found = f"{count} tick(s), the first {tick}, in {field.names[column - part.start]}"
            do = f"Look for a loose cable, or two publishers on {field.topic}. {LEAVE_OUT}"
            yield says("warning", "spike", field.name, f"{field.name!r} leaps away and back", found, "never", do, count)


def rotation_findings(measures: Measures, layout: Layout, says: Says) -> Iterator[Finding]:
    numbers = measures.numbers
    for name, error in numbers.skewed.items():
        if error > usual.ROTATION_TOLERANCE:
            what, do = f"the rotation of {name!r} is none", "Its two columns should be perpendicular, of length 1."
            yield says("warning", "rotation", name, what, f"off by {error:.2g}", "below 0.02", do, error)
    for name, count in numbers.wraps.items():
        if count:
            what = f"{name!r} leaps by a turn"
            do = "Networks take neighbouring angles for distant ones. Use `rotation: rotation_6d`, or unwrap the angle."
            yield says("warning", "wrap", name, what, f"{count} time(s)", "never", do, count)


def scale_findings(measures: Measures, layout: Layout, says: Says) -> Iterator[Finding]:
    numbers = measures.numbers
    for field in layout.spec.action:
        if field.kind != "continuous":
            continue
        part = layout.commanded[field.name]
        clipped, saturated = numbers.clipped[part], numbers.saturated[part]
        widen = f"Widen scale_low and scale_high of {field.name!r} in the robot file, and record again."
        if clipped.any():
            name, most = field.names[int(clipped.argmax())], float(clipped.max())
            severity = "warning" if most > usual.CLIPPED_WARNING else "note"
            found = f"{name} in {most:.1%} of the ticks"
            what = f"labels of {field.name!r} lie beyond their scale and are clipped in `actions`"
            yield says(
                severity, "clipping", field.name, what, found, f"at most {usual.CLIPPED_WARNING:.0%}", widen, most
            )
        elif saturated.max(initial=0.0) > usual.SATURATED_WARNING:
            name, most = field.names[int(saturated.argmax())], float(saturated.max())
            found = f"{name} in {most:.0%} of the ticks"
            what = f"labels of {field.name!r} are at an end of their scale"
            allowed = f"at most {usual.SATURATED_WARNING:.0%}"
            yield says("warning", "saturation", field.name, what, found, allowed, widen, most)


def motion_findings(measures: Measures, layout: Layout, says: Says) -> Iterator[Finding]:
    motion = measures.motion
    if motion.still > usual.IDLE_NOTE:
        still_s = motion.still * measures.seconds
        severity = "warning" if motion.still > usual.IDLE_WARNING and still_s > usual.IDLE_LONG_S else "note"
        ends = f"{motion.still_start_s:.1f} s at the start, {motion.still_end_s:.1f} s at the end"
        at_ends = motion.still_start_s + motion.still_end_s > 0.5 * still_s
        do = f"Policies learn to wait. {TRIM} cuts the ends." if at_ends else f"Policies learn to wait. Or {DELETE}."
        found = f"{motion.still:.0%} of the ticks; {ends}"
        allowed = f"at most {usual.IDLE_WARNING:.0%}"
        yield says(severity, "idle", "", "nothing moves", found, allowed, do, motion.still)


def frozen_findings(measures: Measures, layout: Layout, says: Says, robot: Collection[str]) -> Iterator[Finding]:
    for name, (length_s, tick) in measures.motion.frozen.items():
        field = layout.spec.field(name)
        severity = "warning" if field.is_image or name in robot else "note"  # a thing may lie still until it is hit
        what = f"{name!r} repeats itself to the last bit while it should change"
        do = f"Its driver publishes old values with new stamps: restart it, see {hz(field.topic)}. {LEAVE_OUT}"
        found = f"{length_s:.1f} s from tick {tick} on"
        yield says(severity, "frozen", name, what, found, f"below {usual.FROZEN_S} s", do, length_s)


def grid_findings(measures: Measures, layout: Layout, says: Says) -> Iterator[Finding]:
    timing, spec = measures.timing, layout.spec
    if timing is None:
        return
    rate = 1.0 / timing.tick_s if timing.tick_s > 0 else float("inf")
    if abs(rate / spec.rate_hz - 1.0) > usual.RATE_TOLERANCE:
        do = "Set rate_hz to what the loop really reached, or import it again at the true times."
        what = "ticks have another rate than the robot spec says"
        allowed = f"{spec.rate_hz:g} Hz, to {usual.RATE_TOLERANCE:.0%}"
        yield says("error", "rate", "", what, f"{rate:.4g} Hz", allowed, do, abs(rate / spec.rate_hz - 1.0))
    elif timing.irregular > usual.JITTER_TOLERANCE:
        what, do = "ticks are no even grid", f"Import it again, so that it is sampled. {LEAVE_OUT}"
        found = f"off by {timing.irregular:.0%} of a period"
        yield says("warning", "grid", "", what, found, f"at most {usual.JITTER_TOLERANCE:.0%}", do, timing.irregular)
    for name, silent in timing.silent.items():
        if silent > 0:
            severity = "warning" if silent > usual.SILENT_WARNING else "note"
            field = spec.field(name)
            held = "zero" if field.when_silent == "zero" else "the last command"
            what = f"no command of {name!r} was in force"
            do = f"{held.capitalize()} stands there as the label. See {hz(field.topic)}, or raise its timeout_s."
            allowed = f"at most {usual.SILENT_WARNING:.0%}"
            yield says(severity, "silent", name, what, f"{silent:.0%} of the ticks", allowed, do, silent)


def timing_findings(measures: Measures, layout: Layout, says: Says) -> Iterator[Finding]:
    if measures.timing is None:
        return
    for name, timing in measures.timing.fields.items():
        field = layout.spec.field(name)
        gap = f"longest gap {timing.longest_s:.2f} s, until tick {timing.longest_at}"
        if timing.stale > usual.STALE_NOTE:
            lost = timing.stale
            severity = "error" if lost > usual.STALE_ERROR else "warning" if lost > usual.STALE_WARNING else "note"
            what = f"{name!r} is older than its max_age_s, {field.max_age_s:g} s"
            do = f"Training leaves these ticks out. See {hz(field.topic)} and the network. {LEAVE_OUT}"
            found = f"{lost:.1%} of the ticks; {gap}"
            yield says(severity, "stale", name, what, found, f"at most {usual.STALE_WARNING:.0%}", do, lost)
        elif timing.gaps:
            what = f"messages of {name!r} are missing"
            found = f"{timing.gaps} gap(s); {gap}; usually {timing.interval_s or 0.0:.3f} s"
            do = f"No tick is stale by it. See {hz(field.topic)}, and drops in `/diagnostics`."
            yield says("note", "gap", name, what, found, "none", do, timing.longest_s)
        if timing.backwards:
            what, do = f"the stamps of {name!r} run backwards", "Its publisher's clock jumped: synchronise it (chrony)."
            yield says("error", "backwards", name, what, f"{timing.backwards} time(s)", "never", do, timing.backwards)
        if timing.repeated > usual.SLOW_TOPIC and timing.interval_s is not None and not timing.stale:
            what = f"{name!r} comes less often than every second tick"
            do = "Several ticks see the same value. Lower rate_hz, or let its driver publish more often."
            found = f"{1.0 / timing.interval_s:.1f} Hz"
            yield says("note", "slow", name, what, found, f"{layout.spec.rate_hz:g} Hz", do, timing.repeated)
        if timing.delay_s is None:
            continue
        if timing.delay_s < -usual.SKEW_S:
            what = f"{name!r} arrives before it is stamped"
            do = "The clocks of two machines disagree: synchronise them (chrony), or set `stamp: received`."
            found = f"{-timing.delay_s * 1e3:.0f} ms before"
            yield says("warning", "clock", name, what, found, "never", do, -timing.delay_s)
        elif timing.delay_s > usual.DELAY_SHARE * field.max_age_s and not timing.stale:
            what, do = f"{name!r} is long on its way", f"See {hz(field.topic)} and the network, or raise max_age_s."
            found, allowed = f"{timing.delay_s * 1e3:.0f} ms", f"half of max_age_s, {field.max_age_s / 2 * 1e3:.0f} ms"
            yield says("warning", "delay", name, what, found, allowed, do, timing.delay_s)
