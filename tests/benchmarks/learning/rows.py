"""The rows of the table: what is asked for, of which methods, and what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.learning.jobs import SPEED, Job
from tests.benchmarks.learning.verdicts import (
    Judge,
    above,
    as_good_as,
    better_than,
    faster,
    fewer_labels,
    fresh,
    more_per_label,
    pooled,
    succeeds,
)

SEEDS = 3
UNDISTURBED = "pick_place-undisturbed"


@dataclass(frozen=True)
class Row:
    """One row of what must be reached.

    Attributes:
        bar: what is asked for, in words.
        judged: the methods it is asked of; all others of its jobs stand beside them.
        target: of the figure's dashed line, a return or a success rate.
        by_success: draw the success rate instead of the return; drawn: whether there is a figure.
    """

    name: str
    title: str
    bar: str
    judge: Judge
    judged: tuple[str, ...]
    jobs: tuple[Job, ...]
    target: float | None = None
    by_success: bool = False
    drawn: bool = True


def seeds(
    problem: str, method: str, steps: int, every: int, minutes: float, label: str = "", count: int = SEEDS
) -> tuple[Job, ...]:
    return tuple(Job(problem, method, seed, steps, every, minutes, label=label) for seed in range(count))


def beside_sb3(problem: str, method: str, steps: int, every: int, minutes: float) -> tuple[Job, ...]:
    """Return the jobs in which ours and stable-baselines3's take turns, and the results that come with them."""
    ours = [Job(problem, method, seed, steps, every, minutes, alongside=f"sb3 {method}") for seed in range(SEEDS)]
    return (*ours, *(job.other for job in ours if job.other is not None))


CLONED = 4000  # updates of BC where it stands beside another method
CONSTANT_PENDULUM = (
    *seeds("pendulum", "PPO on +1", 150_000, 10_000, 0.25),
    *seeds("pendulum", "PPO on -1", 150_000, 10_000, 0.25),
)

REACH = seeds("reach", "AIRL and its reward", 200_000, 20_000, 5.7, label="AIRL")

ROWS = (  # the cheap and telling ones first, since jobs run in this order
    Row(
        "speed",
        "Pendulum-v1: environment steps/s beside imitation's",
        "2 x in CPU time, same networks, rollout and updates; 3 x in wall time, as ours is tuned",
        faster(cpu=2.0, wall=3.0),
        (SPEED,),
        (Job("pendulum", SPEED, 0, 24_000, 24_000, 1.5, alone=True),),
    ),
    Row(
        "pendulum",
        "Pendulum-v1, 10 demonstrations, PPO learns",
        "every seed above -220 by 100k steps, and at the end of 150k",
        above(-220.0, 100_000),
        ("GAIL", "AIRL"),
        (
            *seeds("pendulum", "GAIL", 150_000, 10_000, 0.4),
            *seeds("pendulum", "AIRL", 150_000, 10_000, 0.6),
            *seeds("pendulum", "BC", CLONED, CLONED, 0.1),
            *CONSTANT_PENDULUM,
            *seeds("pendulum", "imitation GAIL", 150_000, 10_000, 0.6),
            *seeds("pendulum", "imitation AIRL", 150_000, 10_000, 0.7),
        ),
        target=-220.0,
    ),
    Row(
        "pendulum-windows",
        "Pendulum-v1, one demonstration cut to 20 windows of 10 steps, PPO learns",
        "GAIL and AIRL beat BC on every seed; BC fails (below -220) on every seed",
        better_than("BC", which_fails=-220.0),
        ("GAIL", "AIRL"),
        (
            *seeds("pendulum-windows", "GAIL", 150_000, 10_000, 0.4),
            *seeds("pendulum-windows", "AIRL", 150_000, 10_000, 0.6),
            *seeds("pendulum-windows", "BC", CLONED, CLONED, 0.1),
            *CONSTANT_PENDULUM,
            *seeds("pendulum-windows", "imitation GAIL", 150_000, 10_000, 0.6),
            *seeds("pendulum-windows", "imitation AIRL", 150_000, 10_000, 0.7),
        ),
    ),
    Row(
        "cartpole",
        "CartPole-v1, 5 demonstrations, episodes of varying length, PPO learns",
        "475 by 100k steps; every evaluation after the first crossing at 450 or more",
        above(475.0, 100_000, stays=450.0, ever_since=True),
        ("GAIL", "AIRL"),
        (
            *seeds("cartpole", "GAIL", 100_000, 5_000, 0.5),
            *seeds("cartpole", "AIRL", 100_000, 5_000, 0.6),
            *seeds("cartpole", "BC", CLONED, CLONED, 0.1),
            *seeds("cartpole", "PPO on +1", 100_000, 5_000, 0.3),
            *seeds("cartpole", "PPO on -1", 100_000, 5_000, 0.3),
            *seeds("cartpole", "imitation GAIL", 100_000, 5_000, 0.55),
            *seeds("cartpole", "imitation AIRL", 100_000, 5_000, 0.55),
        ),
        target=475.0,
    ),
    Row(
        "sqil",
        "Pendulum-v1, 10 demonstrations, SQIL",
        "above -220 within 30k steps",
        above(-220.0, 30_000),
        ("SQIL",),
        (
            *seeds("pendulum", "SQIL", 30_000, 2_500, 0.9),
            *seeds("pendulum", "BC", CLONED, CLONED, 0.1),
        ),
        target=-220.0,
    ),
    Row(
        "ppo-pendulum",
        "Pendulum-v1, PPO on the task's reward",
        "not worse than stable-baselines3's, 1.5 x its speed",
        as_good_as("sb3 PPO", cpu=1.5),
        ("PPO",),
        beside_sb3("pendulum", "PPO", 100_000, 10_000, 0.5),
    ),
    Row(
        "ppo-halfcheetah",
        "HalfCheetah-v5, PPO on the task's reward",
        "not worse than stable-baselines3's, 1.5 x its speed",
        as_good_as("sb3 PPO", cpu=1.5),
        ("PPO",),
        beside_sb3("halfcheetah", "PPO", 100_000, 10_000, 0.9),
    ),
    Row(
        "bc-reach",
        "reach, BC from 100 demonstrations",
        "97 % of 3 seeds x 100 starts",
        pooled(0.97),
        ("BC by its recipe",),
        seeds("reach-100", "BC by its recipe", 5_000, 5_000, 0.5),
    ),
    Row(
        "bc-push",
        "push, BC from 100 demonstrations",
        "90 % of 3 seeds x 100 starts",
        pooled(0.90),
        ("BC by its recipe",),
        seeds("push-100", "BC by its recipe", 15_000, 15_000, 1.0),
    ),
    Row(
        "bc-pick_place",
        "pick_place, BC from 100 demonstrations",
        "92 % of 3 seeds x 100 starts",
        pooled(0.92),
        ("BC by its recipe",),
        seeds("pick_place-100", "BC by its recipe", 15_000, 15_000, 1.0),
    ),
    Row(
        "pendulum-sac",
        "Pendulum-v1, 10 demonstrations, SAC learns",
        "above -220 by 20k steps, and it stays",
        above(-220.0, 20_000, stays=-220.0),
        ("GAIL, SAC", "AIRL, SAC"),
        (
            *seeds("pendulum", "GAIL, SAC", 25_000, 2_500, 1.0),
            *seeds("pendulum", "AIRL, SAC", 25_000, 2_500, 1.0),
            *seeds("pendulum", "BC", CLONED, CLONED, 0.1),
            *CONSTANT_PENDULUM,
            *seeds("pendulum", "imitation GAIL, SAC", 25_000, 2_500, 3.0, count=2),
            *seeds("pendulum", "imitation AIRL, SAC", 25_000, 2_500, 3.0, count=2),
        ),
        target=-220.0,
    ),
    Row(
        "reach",
        "reach that ends at success, 20 demonstrations, PPO learns",
        "90 % success within 200k steps, in at most 1.5 x the expert's time",
        succeeds(0.9, slower=1.5),
        ("AIRL",),
        (
            *REACH,
            *seeds("reach", "BC", CLONED, CLONED, 0.2),
            *seeds("reach", "PPO on +1", 60_000, 10_000, 0.8),
            *seeds("reach", "PPO on -1", 60_000, 10_000, 0.8),
            *seeds("reach", "imitation AIRL", 200_000, 20_000, 2.4),
        ),
        target=0.9,
        by_success=True,
    ),
    Row(
        "reach-fresh",
        "reach: a fresh policy on AIRL's frozen reward, 200k steps",
        "80 % wanted",
        fresh(0.8),
        ("AIRL",),
        REACH,
        drawn=False,
    ),
    Row(
        "dagger",
        "pick_place, DAgger from 10 demonstrations without noise",
        "95 % of 3 seeds x 100 starts, with fewer labels than BC needs for 90 %",
        fewer_labels(0.95, "BC", 0.90),
        ("DAgger",),
        (
            *seeds(f"{UNDISTURBED}-10", "DAgger", 4_400, 500, 2.8),
            *(
                job
                for count in (10, 30, 60, 90, 120)
                for job in seeds(
                    f"{UNDISTURBED}-{count}", "BC as DAgger fits", 10_000, 10_000, 0.3, label=f"BC from {count}"
                )
            ),
        ),
        drawn=False,
    ),
    Row(
        "hg-dagger",
        "pick_place, HG-DAgger with a scripted supervisor, from 10 demonstrations without noise",
        "better than BC on as many human labels, intervals disjoint",
        more_per_label,
        ("HG-DAgger",),
        seeds(f"{UNDISTURBED}-10", "HG-DAgger", 3_000, 500, 2.2),
        drawn=False,
    ),
    Row(
        "sac-pendulum",
        "Pendulum-v1, SAC on the task's reward",
        "not worse than stable-baselines3's, 1.3 x its speed",
        as_good_as("sb3 SAC", cpu=1.3),
        ("SAC",),
        beside_sb3("pendulum", "SAC", 10_000, 1_000, 1.0),
    ),
    Row(
        "sac-halfcheetah",
        "HalfCheetah-v5, SAC on the task's reward",
        "not worse than stable-baselines3's, 1.3 x its speed",
        as_good_as("sb3 SAC", cpu=1.3),
        ("SAC",),
        beside_sb3("halfcheetah", "SAC", 100_000, 10_000, 3.5),
    ),
)
