"""What a row asks for, held against what its jobs found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median, variance

from imitation_ros.envs.evaluate import wilson_interval
from tests.benchmarks.learning.measure import Found, Measurement

Seeds = Sequence[Found]
"""One method's results, one for each seed."""


@dataclass(frozen=True)
class Verdict:
    """Attributes:
    passed: None where nothing was asked for.
    words: what was found, of each seed.
    """

    passed: bool | None
    words: str


Judge = Callable[[str, Mapping[str, Seeds]], Verdict]
"""Judges one method, given all methods' results."""


def above(bar: float, by_steps: int, stays: float | None = None, ever_since: bool = False) -> Judge:
    """Ask for a return of `bar` by so many steps, and of the last policy on the test starts.

    Args:
        stays: also of every evaluation from `by_steps` on, this much, and of the last policy instead of `bar`;
        ever_since: from the first that reached the bar on.
    """

    def judge(method: str, found: Mapping[str, Seeds]) -> Verdict:
        words, passed = [], True
        for each in found[method]:
            first = crossing(each.measured, bar)
            if first is None:
                words.append("never")
                passed = False
                continue
            text = f"at {first / 1000:.3g}k"
            held = first <= by_steps and final(each.measured) >= (bar if stays is None else stays)
            if stays is not None:
                since = first if ever_since else by_steps
                later = [value for steps, value, _ in each.measured.curve if steps >= since]
                text += f", from {since / 1000:.3g}k on {min(later):.0f} or more" if later else ""
                held = held and min(later, default=stays) >= stays
            words.append(f"{text}, {final(each.measured):.0f} at the end")
            passed = passed and held
        return Verdict(passed, f"reaches {bar:g} " + "; ".join(words))

    return judge


def better_than(other: str, which_fails: float) -> Judge:
    """Ask for a higher return than another method's, at the end and on every seed; and that the other stays below
    some return on every seed, else the problem shows nothing."""

    def judge(method: str, found: Mapping[str, Seeds]) -> Verdict:
        if len(found[other]) < len(found[method]):
            return Verdict(None, f"{other} is missing")
        pairs = zip(found[method], found[other], strict=False)
        margins = [final(one.measured) - final(two.measured) for one, two in pairs]
        others = [final(each.measured) for each in found[other]]
        words = f"{', '.join(f'{margin:+.0f}' for margin in margins)} beside {other}"
        words += f" ({', '.join(f'{value:.0f}' for value in others)})"
        fails = all(value < which_fails for value in others)
        if not fails:
            words += f", which does not fail: it should be below {which_fails:g} on every seed"
        return Verdict(fails and all(margin > 0 for margin in margins), words)

    return judge


def succeeds(rate: float, slower: float | None = None) -> Judge:
    """Ask for a success rate at the end, and where told for a time to success within a multiple of the expert's."""

    def judge(method: str, found: Mapping[str, Seeds]) -> Verdict:
        words, passed = [], True
        for each in found[method]:
            last, expert = each.measured.last, each.measured.expert
            assert last is not None and last.success is not None
            text = f"{100 * last.success:.0f} %"
            passed = passed and last.success >= rate
            if slower is not None and expert is not None and expert.steps_to_success is not None:
                ratio = (
                    float("inf") if last.steps_to_success is None else last.steps_to_success / expert.steps_to_success
                )
                text += f" in {ratio:.2f} x the expert's time"
                passed = passed and ratio <= slower
            words.append(text)
        return Verdict(passed, "; ".join(words))

    return judge


def pooled(rate: float) -> Judge:
    """Ask for a success rate over all seeds' episodes together."""

    def judge(method: str, found: Mapping[str, Seeds]) -> Verdict:
        successes, trials = successes_of(found[method])
        low, high = wilson_interval(successes, trials)
        words = f"{successes} of {trials} ({100 * low:.0f} to {100 * high:.0f} %)"
        return Verdict(successes >= rate * trials, words)

    return judge


def successes_of(seeds: Seeds) -> tuple[int, int]:
    """Return how many episodes of all seeds succeeded, and how many there were."""
    lasts = [each.measured.last for each in seeds]
    return (
        sum(round((last.success or 0.0) * last.episodes) for last in lasts if last is not None),
        sum(last.episodes for last in lasts if last is not None),
    )


def reported(wanted: float) -> Judge:
    """Report success rates at the end, and hold their mean against what is wanted."""

    def judge(method: str, found: Mapping[str, Seeds]) -> Verdict:
        rates = [each.measured.last.success or 0.0 for each in found[method] if each.measured.last is not None]
        words = f"{', '.join(f'{100 * rate:.0f} %' for rate in rates)}: {100 * mean(rates):.0f} % on average"
        return Verdict(mean(rates) >= wanted, words)

    return judge


def faster(**bars: float) -> Judge:
    """Ask for multiples of a peer's speed, of every algorithm measured."""

    def judge(method: str, found: Mapping[str, Seeds]) -> Verdict:
        figures, load = found[method][0].measured.figures, found[method][0].measured.settings
        words, passed = [load] if load else [], True
        for what in (name.removesuffix(" ratio") for name in figures if name.endswith(" ratio")):
            ours, theirs, ratio = (figures[f"{what} {which}"] for which in ("ours", "imitation", "ratio"))
            words.append(f"{what} {ours:.0f} beside {theirs:.0f}: {ratio:.2f} x")
            passed = passed and ratio >= bars[what.split()[-1]]
        return Verdict(passed, "; ".join(words))

    return judge


def as_good_as(other: str, cpu: float) -> Judge:
    """Ask for a return no worse than another's by more than chance over seeds, and for a multiple of its speed."""

    def judge(method: str, found: Mapping[str, Seeds]) -> Verdict:
        ours, theirs = found[method], found[other]
        if len(theirs) < len(ours):
            return Verdict(None, f"{other} is missing")
        returns, peers = ([final(each.measured) for each in seeds] for seeds in (ours, theirs))
        error = standard_error(returns, peers)
        pairs = zip(theirs, ours, strict=False)  # each took turns with the other, on the same seed
        ratio = median(per_update(one.measured) / per_update(two.measured) for one, two in pairs)
        words = f"{mean(returns):.4g} beside {mean(peers):.4g} (standard error {error:.2g}); {ratio:.2f} x its speed"
        return Verdict(mean(returns) >= mean(peers) - 2 * error and ratio >= cpu, words)

    return judge


def standard_error(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return that of the difference of two means; of a single seed nobody knows what chance does: 0."""
    return math.sqrt(sum(variance(values) / len(values) for values in (ours, theirs) if len(values) > 1))


def per_update(measured: Measurement) -> float:
    """Return the CPU time of an update, rollouts included: ours takes a few steps for its normaliser first."""
    return measured.cpu_minutes / measured.updates["policy"]


def fewer_labels(rate: float, other: str, other_rate: float) -> Judge:
    """Ask for a success rate with fewer labels than another method needs for its rate, of those that were tried."""

    def judge(method: str, found: Mapping[str, Seeds]) -> Verdict:
        successes, trials = successes_of(found[method])
        labels = mean_labels(found[method])
        others = [seeds for name, seeds in found.items() if name.startswith(other)]
        if not all(others):
            return Verdict(None, f"{other} is missing")
        tried = {mean_labels(seeds): successes_of(seeds) for seeds in others}
        enough = sorted(count for count, (won, of) in tried.items() if won >= other_rate * of)
        words = f"{successes} of {trials} with {labels:.0f} labels; {other} needs "
        words += f"{enough[0]:.0f} for {100 * other_rate:.0f} %" if enough else "more than were tried"
        return Verdict(successes >= rate * trials and labels < min(enough, default=max(tried)), words)

    return judge


def mean_labels(seeds: Seeds) -> float:
    return mean(each.measured.labels or 0 for each in seeds)


def more_per_label(method: str, found: Mapping[str, Seeds]) -> Verdict:
    """Ask for more successes than BC had with as many labels, which each job found out: intervals apart."""
    successes, trials = successes_of(found[method])
    figures = [each.measured.figures for each in found[method]]
    cloned_trials = round(sum(each["BC episodes"] for each in figures))
    cloned = round(sum(each["BC success"] * each["BC episodes"] for each in figures))
    low, high = wilson_interval(successes, trials)[0], wilson_interval(cloned, cloned_trials)[1]
    labels = f"{mean_labels(found[method]):.0f} labels; BC {cloned} of {cloned_trials} with "
    words = f"{successes} of {trials} with {labels}{mean(each['BC labels'] for each in figures):.0f}"
    return Verdict(low > high, words)


def crossing(measured: Measurement, bar: float) -> int | None:
    """Return the steps of the first evaluation that is at or above the bar."""
    return next((steps for steps, value, _ in measured.curve if value >= bar), None)


def final(measured: Measurement) -> float:
    assert measured.last is not None
    return measured.last.mean_return
