"""The verdicts of `make bench-learning` on invented curves: those that must pass, and those that must not."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.benchmarks.learning import jobs
from tests.benchmarks.learning.__main__ import chosen
from tests.benchmarks.learning.jobs import Job
from tests.benchmarks.learning.measure import Found, Measurement, Score
from tests.benchmarks.learning.rows import ROWS, Row
from tests.benchmarks.learning.table import line
from tests.benchmarks.learning.verdicts import Verdict

PENDULUM = [(10_000, -900.0), (50_000, -210.0), (100_000, -230.0), (150_000, -190.0)]
SAC = [(2_500, -900.0), (15_000, -200.0), (17_500, -400.0), (20_000, -180.0), (25_000, -215.0)]
CARTPOLE = [(5_000, 100.0), (50_000, 480.0), (60_000, 455.0), (100_000, 500.0)]


def row(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


def found(curve: list[tuple[int, float]] | None = None, last: float = 0.0, seed: int = 0, **more: Any) -> Found:
    points = [(steps, value, None) for steps, value in curve or []]
    success, to_success = more.pop("success", None), more.pop("steps_to_success", None)
    score = Score(last, success, steps_to_success=to_success, episodes=100)
    return Found({"seed": seed, "commit": "c"}, {}, Measurement(curve=points, last=score, best=score, **more))


def verdict(name: str, **seeds: list[Found]) -> Verdict:
    asked = row(name)
    return asked.judge(asked.judged[0], {asked.judged[0]: seeds.pop("ours"), **seeds})


def passes(name: str, *ours: Found) -> bool | None:
    return verdict(name, ours=list(ours)).passed


GOOD_REACH = {"success": 0.9, "steps_to_success": 15.0, "expert": Score(0.0, 1.0, steps_to_success=10.0)}


@pytest.mark.parametrize(
    ("name", "curve", "last", "expected"),
    [
        ("pendulum", PENDULUM, -190.0, True),  # dips in between are allowed
        ("pendulum", PENDULUM, -221.0, False),  # not at the end
        ("pendulum", [(50_000, -300.0), (110_000, -200.0)], -190.0, False),  # too late
        ("pendulum", [(50_000, -300.0)], -190.0, False),  # never
        ("pendulum-sac", SAC, -190.0, True),
        ("pendulum-sac", [*SAC, (25_000, -221.0)], -190.0, False),  # does not stay
        ("pendulum-sac", SAC, -221.0, False),
        ("pendulum-sac", [(20_000, -230.0), (22_500, -200.0)], -190.0, False),
        ("cartpole", CARTPOLE, 500.0, True),
        ("cartpole", [*CARTPOLE, (100_000, 449.0)], 500.0, False),
        ("cartpole", [(50_000, 474.0), (100_000, 474.0)], 500.0, False),
        ("cartpole", CARTPOLE, 449.0, False),
        ("sqil", [(30_000, -219.0)], -219.0, True),
        ("sqil", [(30_000, -221.0)], -219.0, False),
    ],
)
def test_returns_are_held_against_the_bar(
    name: str, curve: list[tuple[int, float]], last: float, expected: bool
) -> None:
    assert passes(name, found(curve, last)) is expected


def test_every_seed_counts() -> None:
    assert passes("pendulum", found(PENDULUM, -190.0), found(PENDULUM, -250.0)) is False


def test_reach_needs_success_and_no_loitering() -> None:
    assert passes("reach", found(**GOOD_REACH))
    assert not passes("reach", found(**{**GOOD_REACH, "success": 0.89}))
    assert not passes("reach", found(**{**GOOD_REACH, "steps_to_success": 15.1}))
    assert not passes("reach", found(**{**GOOD_REACH, "steps_to_success": None}))


def test_windows_are_won_only_where_bc_fails() -> None:
    good, worse = [found(last=-180.0)], [found(last=-400.0)]
    assert verdict("pendulum-windows", ours=good, BC=worse).passed
    assert not verdict("pendulum-windows", ours=worse, BC=[found(last=-390.0)]).passed
    assert not verdict("pendulum-windows", ours=good, BC=[found(last=-200.0)]).passed  # BC does not fail
    assert verdict("pendulum-windows", ours=good, BC=[]).passed is None


def test_beside_stable_baselines3_both_the_return_and_the_speed_count() -> None:
    def seeds(values: list[float], minutes: float) -> list[Found]:
        return [found(last=value, cpu_minutes=minutes, updates={"policy": 100}) for value in values]

    theirs = seeds([-160.0, -150.0, -155.0], 1.6)
    assert verdict("ppo-pendulum", ours=seeds([-150.0, -160.0, -156.0], 1.0), **{"sb3 PPO": theirs}).passed
    assert not verdict("ppo-pendulum", ours=seeds([-250.0, -260.0, -256.0], 1.0), **{"sb3 PPO": theirs}).passed
    assert not verdict("ppo-pendulum", ours=seeds([-150.0, -160.0, -156.0], 1.1), **{"sb3 PPO": theirs}).passed


def test_dagger_needs_fewer_labels_than_bc_and_a_comparison() -> None:
    def cloned(success: float, labels: int) -> list[Found]:
        return [found(success=success, labels=labels)]

    bc = {"BC from 10": cloned(0.5, 500), "BC from 60": cloned(0.91, 3000), "BC from 100": cloned(0.95, 5000)}
    assert verdict("dagger", ours=cloned(0.95, 2999), **bc).passed
    assert not verdict("dagger", ours=cloned(0.95, 3000), **bc).passed
    assert not verdict("dagger", ours=cloned(0.94, 2000), **bc).passed
    weak = {"BC from 10": cloned(0.5, 500), "BC from 60": cloned(0.8, 3000)}
    assert verdict("dagger", ours=cloned(0.95, 2999), **weak).passed
    assert not verdict("dagger", ours=cloned(0.95, 3001), **weak).passed  # nobody knows what BC does with as many
    assert verdict("dagger", ours=cloned(0.95, 100), **{"BC from 10": []}).passed is None


def test_hg_dagger_needs_intervals_apart() -> None:
    figures = {"BC success": 0.5, "BC episodes": 100.0, "BC labels": 900.0}
    assert passes("hg-dagger", found(success=0.8, labels=900, figures=figures))
    assert not passes("hg-dagger", found(success=0.6, labels=900, figures=figures))


def test_speed_asks_for_every_algorithm() -> None:
    def figures(cpu: float, wall: float) -> dict[str, float]:
        rates = {"GAIL cpu": 2.5, "AIRL cpu": cpu, "AIRL wall": wall}
        return {f"{what} {key}": value for what, rate in rates.items()
                for key, value in (("ours", rate), ("imitation", 1.0), ("ratio", rate))}  # fmt: skip

    assert passes("speed", found(figures=figures(2.0, 3.0)))
    assert not passes("speed", found(figures=figures(1.9, 3.0)))
    assert not passes("speed", found(figures=figures(2.0, 2.9)))


def test_success_is_pooled_over_seeds() -> None:
    assert passes("bc-push", found(success=0.85), found(success=0.95))
    assert not passes("bc-push", found(success=0.85), found(success=0.94))


def test_one_seed_is_judged_too() -> None:
    one = {"ours": [found(last=-150.0, cpu_minutes=1.0, updates={"policy": 100})]}
    theirs = [found(last=-160.0, cpu_minutes=2.0, updates={"policy": 100})]
    assert verdict("sac-pendulum", **one, **{"sb3 SAC": theirs}).passed
    better = [found(last=-140.0, cpu_minutes=2.0, updates={"policy": 100})]
    assert not verdict("sac-pendulum", **one, **{"sb3 SAC": better}).passed


def test_the_fresh_policies_count_on_average() -> None:
    assert passes("reach-fresh", found(success=0.95), found(success=0.7), found(success=0.76))
    assert not passes("reach-fresh", found(success=0.95), found(success=0.16), found(success=0.22))


def test_every_method_can_be_chosen_by_its_name() -> None:
    for job in chosen(ROWS, []):
        for name in (job.method, job.called):
            assert job in chosen(ROWS, [name])
    assert {job.called for job in chosen(ROWS, ["GAIL, SAC", "BC from 30"])} == {"GAIL, SAC", "BC from 30"}
    assert [job.method for job in chosen([row("ppo-pendulum")], ["sb3 PPO"])] == ["PPO"] * 3


def test_an_unknown_method_is_answered_by_those_that_there_are() -> None:
    with pytest.raises(SystemExit, match=r"'GAIL SAC' is no method of these rows; there are: .*; GAIL, SAC; "):
        chosen([row("pendulum-sac")], ["GAIL SAC"])


def test_no_two_jobs_write_the_same_file() -> None:
    written = {}
    for job in (job for row in ROWS for job in row.jobs):
        assert written.setdefault(job.path, job) == job


def test_nothing_runs_beside_what_must_be_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    together: list[tuple[bool, int]] = []
    running: list[Job] = []

    def run_job(job: Job) -> str:
        running.append(job)
        time.sleep(0.01)
        together.append((job.alone, len(running)))
        running.remove(job)
        return "invented"

    monkeypatch.setattr(jobs, "run_job", run_job)
    others = [Job("halfcheetah", "PPO", seed, 1, 1, 0.1) for seed in range(4)]
    alone = [Job("halfcheetah", "PPO on +1", seed, 1, 1, 0.1, alone=True) for seed in range(2)]
    jobs.run_jobs([*others, *alone], at_once=2)
    assert together[:2] == [(True, 1), (True, 1)]
    assert max(count for _, count in together) == 2


def test_the_whole_bench_takes_at_most_90_minutes_on_two_cores() -> None:
    assert jobs.minutes_of(chosen(ROWS, []), at_once=2) <= 90


def test_each_line_says_bar_verdict_updates_network_and_minutes() -> None:
    curve, updates = [(5_000, -150.0)], {"reward": 30, "policy": 1_000}
    seeds = [found(curve, -150.0, seed, updates=updates, network="64x64", cpu_minutes=1.5) for seed in range(3)]
    cells = line(row("sqil"), "SQIL", {"SQIL": seeds}, wanted=3)
    said = {head: cells[head] for head in ("bar", "verdict", "updates", "network", "CPU min")}
    assert said == {
        "bar": "above -220 within 30k steps",
        "verdict": "passed",
        "updates": "reward 30, policy 1,000",
        "network": "64x64",
        "CPU min": "1.50",
    }


def test_no_verdict_before_all_seeds_are_there() -> None:
    cells = line(row("sqil"), "SQIL", {"SQIL": [found([(5_000, -150.0)], -150.0)]}, wanted=3)
    assert cells["verdict"] == "1 of 3 seeds"
