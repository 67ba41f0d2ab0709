"""The command line: `imitation-ros <verb>`. Each verb is one function here; what it needs is imported by it alone."""

from __future__ import annotations

import inspect
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

from imitation_ros import __version__
from imitation_ros.cli_nodes import deploy, doctor, how_to_install, new_robot, operate, record, simulate
from imitation_ros.errors import ImitationRosError, SpecError, did_you_mean


def demo(output: Path = Path("demo"), quick: bool = False, tasks: tuple[str, ...] = ("reach", "pick_place")) -> None:
    """Teach a simulated robot, from teleoperation to the deployed policy, and write a report.

    Args:
        output: the folder for everything that is made; one of an earlier demo is kept as *.previous.
        quick: fewer demonstrations, updates and episodes.
        tasks: what to teach.
    """
    from imitation_ros.demo import run_demo

    run_demo(output, tasks, quick)


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
    from imitation_ros.training import board_folder, run_bc

    if updates < 0:
        raise SpecError(f"--updates is {updates}; it should be at least 1.")
    changes = {"seed": seed, **({"updates": updates} if updates else {})}
    folder = run_bc(data, output, load_recipe(recipe, changes), device)
    console.print(
        f"The policy is in {folder}. Look at it with `imitation-ros info {folder}`, and at its curves with "
        f"`tensorboard --logdir {board_folder(folder)}`.",
        highlight=False,
        soft_wrap=True,
    )


def evaluate(
    policy: Path,
    /,
    setup: str = "",
    starts: int = 100,
    seed: int = 0,
    disturbance: bool = False,
    randomisation: bool = False,
    workers: int = 2,
) -> None:
    """Run a policy in the simulator on fixed starts, without ROS, and say how often it succeeds.

    Args:
        policy: a policy bundle, or `expert` for the task's scripted expert.
        setup: a name in config/setups, or a path; the policy's own if empty.
        starts: how many; the same ones every time, disjoint from those of training.
        seed: of the starts.
        disturbance: add the scene's noise to what the robot executes.
        randomisation: vary masses, colours, cameras and more in every episode, as the scene says.
        workers: processes.
    """
    from imitation_ros.evaluation import run_evaluation

    run_evaluation(policy, setup, starts, seed, disturbance, randomisation, workers)


def info(path: str, /) -> None:
    """Say what a recording, a policy bundle or a setup holds.

    Args:
        path: a dataset, a bundle, or the name or path of a setup.
    """
    from imitation_ros.info import show

    show(path)


VERBS: dict[str, Callable[..., None]] = {
    verb.__name__.replace("_", "-"): verb
    for verb in (demo, new_robot, doctor, record, train, evaluate, info, simulate, operate, deploy)
}


def usage() -> str:
    lines = [f"imitation_ros {__version__}: teach a robot by showing it.", "", "imitation-ros <verb> [options]", ""]
    for name, verb in VERBS.items():
        lines.append(f"  {name:<11} {(verb.__doc__ or '').splitlines()[0]}")
    return "\n".join([*lines, "", "`imitation-ros <verb> --help` says more."])


def name_positionals(verb: Callable[..., None]) -> None:
    """Let --help call a positional argument SETUP or POLICY, where tyro would say STR or PATH."""
    import tyro

    for name, parameter in inspect.signature(verb).parameters.items():
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            kind = get_type_hints(verb)[name]
            verb.__annotations__[name] = Annotated[kind, tyro.conf.arg(metavar=name.upper())]


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

    name_positionals(verb)
    try:
        tyro.cli(verb, prog=f"imitation-ros {arguments[0]}", args=arguments[1:])
    except ImitationRosError as error:
        print(f"imitation-ros {arguments[0]}: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        print(f"imitation-ros {arguments[0]}: {how_to_install(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
