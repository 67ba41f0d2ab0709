"""The command line: `imitation-ros <verb>`. Each verb is one function here; what it needs is imported by it alone."""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

from imitation_ros import __version__
from imitation_ros.cli_data import check, edit, import_bag, merge, pack, recover, replay, split, view
from imitation_ros.cli_nodes import deploy, doctor, how_to_install, new_robot, operate, record, simulate
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


def train(
    algorithm: str,
    /,
    output: Path,
    data: str = "",
    env: str = "",
    recipe: str = "",
    set: tuple[tuple[str, ...], ...] = (),
    steps: int | None = None,
    updates: int | None = None,
    seed: int | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    workers: int = 1,
    terminate_on_success: bool = False,
    disturbance: bool = False,
    expert: str = "",
    reward: str = "",
    start: str = "",
    finish: bool = False,
) -> None:
    """Learn a policy: by cloning (bc), dagger, gail, airl or sqil from recordings, by ppo or sac from a reward.

    Interrupted, by Ctrl-C or in any other way, the same command goes on where it was. With an algorithm's name or a
    recipe's, --help also lists its settings.

    Args:
        algorithm: its name, or that of a recipe in config/training; a recording alone means bc.
        output: the folder for the policy bundle; must not exist.
        data: demonstrations: one HDF5 file, or a folder of them; ppo and sac need none.
        env: where to practise: a setup, or an id of gymnasium's; that of the data if empty.
        recipe: a name in config/training, or the path of a recipe: the settings; that of the algorithm if empty.
        set: values that stand above the recipe's, such as ppo.clip=0.1.
        steps: of the environment.
        updates: of the weights.
        seed: of all that is drawn: weights, batches, rollouts.
        device: where to compute; auto takes a GPU where there is one.
        workers: processes that run the environment; the policy is the same for any number.
        terminate_on_success: end episodes at success, instead of at the time limit.
        disturbance: add the scene's noise to what the robot executes while it practises.
        expert: whom dagger asks: `expert` for the task's scripted one, or a bundle.
        reward: a learned reward for ppo and sac: a bundle that gail or airl made; the task's own if empty.
        start: a bundle whose policy to go on from.
        finish: make a bundle of the best that an interrupted training has found, without going on.
    """
    from imitation_ros.algorithms.recipe import asked_for, changes_of, load_recipe
    from imitation_ros.console import console
    from imitation_ros.training import Job, board_folder, run_training

    name, recipe, data = asked_for(algorithm, recipe, data)
    options = {"steps": steps, "updates": updates, "seed": seed, "start": start or None}
    changes = changes_of([setting for settings in set for setting in settings], options)
    job = Job(
        load_recipe(recipe, changes, name),
        output,
        data=Path(data) if data else None,
        env=env,
        expert=expert,
        reward=reward,
        device=device,
        workers=workers,
        disturbance=disturbance,
        terminate_on_success=terminate_on_success,
    )
    folder = run_training(job, only_finish=finish)
    if folder is None:
        sys.exit(128 + signal.SIGINT)
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


def score(reward: Path, /, data: Path, csv: str = "") -> None:
    """Rank episodes by a learned reward, and say which look unlike the expert.

    Args:
        reward: the folder of a reward, or the bundle of the policy that airl or gail learned with it.
        data: one HDF5 file, or a folder of them.
        csv: a file to write the table to, which must not exist; none if empty.
    """
    from imitation_ros.scoring import run_scoring

    run_scoring(reward, data, Path(csv) if csv else None)


def info(path: str, /) -> None:
    """Say what a recording, a policy bundle or a setup holds.

    Args:
        path: a dataset, a bundle, or the name or path of a setup.
    """
    from imitation_ros.info import show

    show(path)


VERBS: dict[str, Callable[..., None]] = {
    verb.__name__.replace("_", "-"): verb
    for verb in (
        demo,
        new_robot,
        doctor,
        record,
        recover,
        import_bag,
        train,
        evaluate,
        score,
        info,
        check,
        edit,
        pack,
        merge,
        split,
        view,
        replay,
        simulate,
        operate,
        deploy,
    )
}


def usage() -> str:
    lines = [f"imitation_ros {__version__}: teach a robot by showing it.", "", "imitation-ros <verb> [options]", ""]
    for name, verb in VERBS.items():
        lines.append(f"  {name:<11} {(verb.__doc__ or '').splitlines()[0]}")
    return "\n".join([*lines, "", "`imitation-ros <verb> --help` says more."])


def describe(verb: Callable[..., None]) -> None:
    """Let --help call a positional argument SETUP or POLICY, where tyro would say STR, and lists be given in parts.

    A number that is None unless it is given is a recipe's to choose.
    """
    import tyro

    for name, parameter in inspect.signature(verb).parameters.items():
        kind = get_type_hints(verb)[name]
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            verb.__annotations__[name] = Annotated[kind, tyro.conf.arg(metavar=name.upper())]
        elif name == "set":
            verb.__annotations__[name] = Annotated[kind, tyro.conf.UseAppendAction]
        elif kind == int | None:
            hint = tyro.conf.arg(metavar="INT", help_behavior_hint="(default: the recipe's)")
            verb.__annotations__[name] = Annotated[kind, hint]


def settings_help(recipe: str) -> None:
    """Print the settings of the algorithm, or of the recipe, whose --help somebody asked for; if it is one."""
    from imitation_ros.algorithms.recipe import recipe_names

    if recipe in recipe_names():
        from imitation_ros.training.settings import print_settings  # imports torch

        print()
        print_settings(recipe)


def main() -> None:
    try:
        run(sys.argv[1:])
    except BrokenPipeError:  # who reads what is printed has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


def run(arguments: list[str]) -> None:
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

    describe(verb)
    try:
        tyro.cli(verb, prog=f"imitation-ros {arguments[0]}", args=arguments[1:])
    except SystemExit as ended:
        if verb is train and not ended.code and {"-h", "--help"} & {*arguments}:
            settings_help(arguments[1])
        raise
    except ImitationRosError as error:
        print(f"imitation-ros {arguments[0]}: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        print(f"imitation-ros {arguments[0]}: {how_to_install(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
