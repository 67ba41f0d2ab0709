"""Evaluate a policy in the simulator, without ROS: a bundle or the expert in, a success rate out."""

from __future__ import annotations

import time
from pathlib import Path

from imitation_ros.console import console
from imitation_ros.envs.collect import spec_of
from imitation_ros.envs.evaluate import Evaluation, evaluate
from imitation_ros.envs.tasks import Expert
from imitation_ros.errors import BundleError, SpecError
from imitation_ros.policies.bundle import OnnxPolicy
from imitation_ros.policies.policy import Policy

EXPERT = "expert"


def run_evaluation(
    policy: Path, setup: str, starts: int, seed: int, disturbance: bool, randomisation: bool, workers: int
) -> Evaluation:
    """Run a policy on fixed test starts, and print how often it succeeds.

    Args:
        policy: a bundle's folder, or "expert".
        setup: whose robot, scene and task, or an id of gymnasium's; the bundle's own if empty.
        starts: how many of the test starts.

    Raises:
        BundleError: the bundle means something else than the setup.
        SpecError: the expert has no setup to work in, or a number is too small.
    """
    for name, value, least in (("starts", starts, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if value < least:
            raise SpecError(f"{name} is {value}; it should be at least {least}.")
    driver: Policy
    if str(policy) == EXPERT:
        if not setup:
            raise SpecError("the expert needs a setup: add `--setup panda_reach`, or another.")
        task = spec_of(setup).task
        if not task:
            raise SpecError(f"{setup} names no task, so there is no scripted expert. Evaluate a policy instead.")
        driver = Expert(task)
    else:
        driver = OnnxPolicy(policy)
        setup = setup or driver.spec.name
        differences = driver.spec.differences(spec_of(setup))
        if differences:
            raise BundleError(f"{policy} and the setup {setup} mean different things: {'; '.join(differences[:5])}.")
    started_s = time.monotonic()
    with console.status(f"{starts} episodes of {setup} in {workers} processes"):
        evaluation = evaluate(setup, driver, starts, seed, "test", workers, disturbance, randomisation)
    wall_s = time.monotonic() - started_s
    console.print(
        f"{setup}: {evaluation}{' under disturbance' if disturbance else ''}, in {wall_s:.0f} s.", soft_wrap=True
    )
    return evaluation
