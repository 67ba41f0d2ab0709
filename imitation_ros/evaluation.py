"""Evaluate a policy in the simulator, without ROS: a bundle or the expert in, a success rate out."""

from __future__ import annotations

import time
from pathlib import Path

from imitation_ros.console import console
from imitation_ros.envs.collect import gymnasium_id, spec_of
from imitation_ros.envs.evaluate import Evaluation, evaluate
from imitation_ros.envs.tasks import Expert
from imitation_ros.errors import BundleError, SpecError
from imitation_ros.paths import names_in
from imitation_ros.policies.bundle import OnnxPolicy
from imitation_ros.policies.policy import Policy
from imitation_ros.robot.spec import RobotSpec, check_scene, load_spec

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
        spec = spec_of(setup)
        if gymnasium_id(setup) is None:
            check_scene(spec, setup)
        task = spec.task
        if not task:
            raise SpecError(f"{setup} names no task, so there is no scripted expert. Evaluate a policy instead.")
        driver = Expert(task)
    else:
        driver = OnnxPolicy(policy)
        setup = setup or own_setup(policy, driver.spec)
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


def own_setup(policy: Path, spec: RobotSpec) -> str:
    """Return the name of the setup that a policy was trained for, where it is there to be simulated.

    Raises:
        BundleError: it is the user's own, or has no scene.
    """
    if not (why := why_not_simulated(spec)):
        return spec.name
    raise BundleError(
        f"{policy} was trained for the setup {spec.name!r}, which {why}. Give `--setup FILE`: a setup of the same "
        f"meaning, with a `scene:` to simulate it in."
    )


def why_not_simulated(spec: RobotSpec) -> str:
    """Return why the setup of a spec's name cannot be simulated; empty if it can."""
    if gymnasium_id(spec.name) is not None:
        return ""
    if spec.name not in names_in("config/setups"):
        return "is not in config/setups"
    return "" if load_spec(spec.name).scene else "has no `scene:`"
