"""The command line: `imitation-ros <verb>`. Each verb is one function here; what it needs is imported by it alone."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from imitation_ros import __version__
from imitation_ros.errors import ImitationRosError, did_you_mean


def demo(output: Path = Path("demo"), quick: bool = False, tasks: tuple[str, ...] = ("reach", "pick_place")) -> None:
    """Teach a simulated robot, from teleoperation to the deployed policy, and write a report.

    Args:
        output: the folder for everything that is made; one of an earlier demo is kept as *.previous.
        quick: fewer demonstrations, updates and episodes.
        tasks: what to teach.
    """
    from imitation_ros.demo import run_demo

    run_demo(output, tasks, quick)


def record(
    setup: str,
    /,
    output: Path,
    append: bool = False,
    task: str = "",
    operator: str = "",
    episode_s: float = 0.0,
    lockstep: bool = False,
    use_sim_time: bool = False,
) -> None:
    """Record a teleoperated robot: topics in, one HDF5 file per episode out.

    Start, stop, discard and mark episodes with `ros2 service call /recorder/start std_srvs/srv/Trigger`, and so on.

    Args:
        setup: a name in config/setups, or the path of a setup.
        output: the folder for the episodes.
        append: add to a folder that already holds episodes.
        task: what is demonstrated; the setup's task if empty.
        operator: who demonstrates.
        episode_s: longest episode [s]; 0: no limit.
        lockstep: the simulator waits for each command.
        use_sim_time: take the time from /clock, as a simulator publishes it.
    """
    given = {"setup": setup, "output": str(output), "append": append, "task": task, "operator": operator}
    clock = {"lockstep": lockstep, "use_sim_time": use_sim_time}
    run_node("recorder_node", "RecorderNode", {**given, "episode_s": episode_s, **clock})


def train(
    data: Path,
    /,
    output: Path,
    recipe: str = "bc",
    updates: int = 0,
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> None:
    """Learn a policy from recordings by behavioural cloning.

    Args:
        data: one HDF5 file, or a folder of them.
        output: the folder for the policy bundle; must not exist.
        recipe: a name in config/training, or the path of a recipe: the algorithm's settings.
        updates: of the weights; 0: as many as the recipe says.
        seed: of the weights, the batches and the split into training and validation.
        device: where to compute; auto takes a GPU where there is one.
    """
    from imitation_ros.algorithms.recipe import load_recipe
    from imitation_ros.console import console
    from imitation_ros.training import run_bc

    changes = {"seed": seed, **({"updates": updates} if updates else {})}
    folder = run_bc(data, output, load_recipe(recipe, changes), device)
    console.print(f"The policy is in {folder}. Look at it with `imitation-ros info {folder}`.")


def evaluate(
    policy: Path,
    /,
    setup: str = "",
    starts: int = 100,
    seed: int = 0,
    disturbance: bool = False,
    workers: int = 2,
) -> None:
    """Run a policy in the simulator on fixed starts, without ROS, and say how often it succeeds.

    Args:
        policy: a policy bundle, or `expert` for the task's scripted expert.
        setup: a name in config/setups, or a path; the policy's own if empty.
        starts: how many; the same ones every time, disjoint from those of training.
        seed: of the starts.
        disturbance: add the scene's noise to what the robot executes.
        workers: processes.
    """
    from imitation_ros.evaluation import run_evaluation

    run_evaluation(policy, setup, starts, seed, disturbance, workers)


def info(path: str, /) -> None:
    """Say what a recording, a policy bundle or a setup holds.

    Args:
        path: a dataset, a bundle, or the name or path of a setup.
    """
    from imitation_ros.info import show

    show(path)


def simulate(
    setup: str,
    /,
    lockstep: bool = False,
    real_time_factor: float = 1.0,
    disturbance: bool = False,
    seed: int = 0,
    purpose: Literal["train", "validation", "test", "rollout"] = "train",
) -> None:
    """Simulate a setup's robot behind its topics, with /clock.

    Args:
        setup: a name in config/setups, or the path of a setup.
        lockstep: step only after a command for the current tick, for programs that answer every observation.
        real_time_factor: simulated seconds per second, without lockstep.
        disturbance: add the scene's noise to what the robot executes.
        seed: of the starts.
        purpose: of the starts; those of different purposes are disjoint.
    """
    given = {"setup": setup, "lockstep": lockstep, "real_time_factor": real_time_factor, "disturbance": disturbance}
    run_node("simulator_node", "SimulatorNode", {**given, "seed": seed, "purpose": purpose})


def operate(
    setup: str,
    /,
    episodes: int = 10,
    recorder: str = "recorder",
    simulator: str = "simulator",
    lockstep: bool = True,
) -> None:
    """Let the task's scripted expert teleoperate the simulated robot, as a person would.

    Args:
        setup: a name in config/setups, or the path of a setup.
        episodes: how many demonstrations to give; failures are discarded and not counted.
        recorder: the recorder node; empty: do not record.
        simulator: the simulator node, which is reset before each episode.
        lockstep: simulator and recorder work in lock-step too: every tick has to be recorded.
    """
    given = {"setup": setup, "episodes": episodes, "recorder": recorder, "simulator": simulator, "lockstep": lockstep}
    run_node("operator_node", "OperatorNode", given, work="demonstrate")


def deploy(
    policy: Path,
    /,
    speed_scale: float = 1.0,
    check_start: bool = True,
    lockstep: bool = False,
    use_sim_time: bool = False,
) -> None:
    """Serve a policy to a robot: a lifecycle node that somebody else has to configure and activate.

    `ros2 lifecycle set /policy configure`, then `ros2 lifecycle set /policy activate`. This is no certified safety
    function: a hardware stop belongs in the circuit.

    Args:
        policy: the policy bundle.
        speed_scale: share of the velocity limits that is used.
        check_start: refuse a start that lies outside what was demonstrated.
        lockstep: answer every observation; the simulator waits.
        use_sim_time: take the time from /clock, as a simulator publishes it.
    """
    given = {"policy": str(policy), "speed_scale": speed_scale, "check_start": check_start}
    run_node("policy_node", "PolicyNode", {**given, "lockstep": lockstep, "use_sim_time": use_sim_time})


VERBS: dict[str, Callable[..., None]] = {
    verb.__name__: verb for verb in (demo, record, train, evaluate, info, simulate, operate, deploy)
}


def run_node(module: str, name: str, parameters: dict[str, Any], work: str | None = None) -> None:
    """Run a node in this process with parameters from the command line."""
    import functools
    import importlib

    try:
        from imitation_ros.ros.node import spin
    except ModuleNotFoundError as error:
        raise ImitationRosError(
            f"this verb needs ROS 2, and {error.name!r} is not there. On a robot: `source "
            f"/opt/ros/<distribution>/setup.bash`; without a ROS installation: `pip install 'imitation_ros[ros]'`."
        ) from None
    node = getattr(importlib.import_module(f"imitation_ros.ros.{module}"), name)
    status = spin(functools.partial(node, parameters), None if work is None else getattr(node, work), arguments=[])
    sys.exit(status)


def usage() -> str:
    lines = [f"imitation_ros {__version__}: teach a robot by showing it.", "", "imitation-ros <verb> [options]", ""]
    for name, verb in VERBS.items():
        lines.append(f"  {name:<10} {(verb.__doc__ or '').splitlines()[0]}")
    return "\n".join([*lines, "", "`imitation-ros <verb> --help` says more."])


def main() -> None:
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        sys.exit(0 if arguments else 2)
    if arguments[0] == "--version":
        print(__version__)
        sys.exit(0)
    verb = VERBS.get(arguments[0])
    if verb is None:
        print(f"{arguments[0]!r} is no verb.{did_you_mean(arguments[0], VERBS)}\n\n{usage()}", file=sys.stderr)
        sys.exit(2)
    import tyro

    try:
        tyro.cli(verb, prog=f"imitation-ros {arguments[0]}", args=arguments[1:])
    except ImitationRosError as error:
        print(f"imitation-ros {arguments[0]}: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("imitation_ros"):
            raise
        print(
            f"imitation-ros {arguments[0]}: this verb needs {error.name!r}, which is not installed: "
            f"`pip install 'imitation_ros[train]'`.",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
