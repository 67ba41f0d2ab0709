"""The main job, end to end: teleoperate, record, learn, deploy, report; each node a process, talking DDS."""

from __future__ import annotations

import json
import random
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imitation_ros.console import bar, console
from imitation_ros.envs.evaluate import wilson_interval
from imitation_ros.envs.tasks import find_task
from imitation_ros.errors import ImitationRosError, did_you_mean
from imitation_ros.processes import Programs, terminated_as_interrupt
from imitation_ros.report import Examination, TaskResult, write_report

MARKER = ".imitation_ros_demo"
LOCKSTEP = {"lockstep": True, "use_sim_time": True}


@dataclass(frozen=True)
class Plan:
    """How much of everything a task gets."""

    demonstrations: int
    updates: int  # of the weights
    episodes: int  # of the deployed policy, with and again without the disturbance


PLANS = {"reach": Plan(50, 5_000, 50), "pick_place": Plan(100, 15_000, 50)}
QUICK = {"reach": Plan(25, 2_500, 20), "pick_place": Plan(100, 8_000, 20)}


def run_demo(output: Path, tasks: tuple[str, ...], quick: bool) -> Path:
    """Teach the simulated robot each task, and return the path of the report.

    Raises:
        ImitationRosError: the output folder is somebody else's, or a node died; with its last words.
    """
    started_s = time.monotonic()
    plans = QUICK if quick else PLANS
    tasks = tuple(dict.fromkeys(tasks))
    if not tasks:
        raise ImitationRosError(f"no task is given; there are {', '.join(plans)}.")
    for task in tasks:
        if task not in plans:
            hint = did_you_mean(task, plans)
            raise ImitationRosError(f"the demo does not teach {task!r}, but {' and '.join(plans)}.{hint}")
    console.print(
        f"Teaching a simulated arm to {' and to '.join(task.replace('_', ' and ') for task in tasks)}, each node a "
        f"process of its own: about {'2' if quick else '3'} minutes on two cores. Ctrl-C ends all of it.",
        highlight=False,
    )
    prepare(output)
    results = []
    with terminated_as_interrupt():
        for task in tasks:
            results.append(teach(task, plans[task], output / task))
    wall_s = time.monotonic() - started_s
    (output / "results.json").write_text(json.dumps(as_json(results, wall_s), indent=2) + "\n")
    report = write_report(output / "report.html", results, wall_s)
    for result in results:
        console.print(
            f"[bold]{result.task}[/bold]: {result.clean.successes} of {result.clean.episodes} succeeded "
            f"({result.disturbed.successes} of {result.disturbed.episodes} under disturbance)"
        )
    console.print(f"The report is [bold]{report}[/bold], after {wall_s / 60:.1f} minutes.")
    return report


def prepare(output: Path) -> None:
    """Make the output folder; an earlier demo's is kept as *.previous, anything else is left alone."""
    foreign = output.exists() and not (output / MARKER).is_file()
    if foreign and (not output.is_dir() or any(output.iterdir())):
        raise ImitationRosError(f"{output} exists and was not made by a demo. Choose another output, or move it away.")
    previous = output.with_name(output.name + ".previous")
    try:
        if (output / MARKER).is_file():
            if (previous / MARKER).is_file():
                shutil.rmtree(previous)
            output.rename(previous)
        output.mkdir(parents=True, exist_ok=True)
        (output / MARKER).touch()
    except OSError as error:
        raise ImitationRosError(f"{output} cannot be made: {error}. Choose another output.") from None


def environment(output: Path) -> dict[str, str]:
    """Return the nodes' variables: a graph of their own on this machine, whatever robot the shell is set up for."""
    return {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(output / "logs" / "ros"),
    }


def free_domain() -> int:
    """Return a ROS domain in which nobody on this machine takes part now.

    The first participant of domain d listens on UDP port 7410 + 250 d (DDSI-RTPS 2.5, section 9.6.2.3).
    """
    for domain in random.sample(range(1, 102), 101):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", 7410 + 250 * domain))
            except OSError:
                continue
            return domain
    raise ImitationRosError("every ROS domain from 1 to 101 is in use on this machine. End some nodes.")


def teach(task: str, plan: Plan, output: Path) -> TaskResult:
    """Record, train, deploy and examine one task."""
    console.rule(task)
    output.mkdir()
    nodes = Programs(output / "logs", environment(output))
    record(task, plan, output, nodes)
    train(plan, output, nodes)
    clean = examine(task, plan, output, nodes, disturbance=False)
    disturbed = examine(task, plan, output, nodes, disturbance=True)
    return TaskResult(task, plan.demonstrations, output, clean, disturbed)


def record(task: str, plan: Plan, output: Path, nodes: Programs) -> None:
    """A scripted operator teleoperates the robot; the recorder writes one file per demonstration."""
    setup, data = f"panda_{task}", output / "demonstrations"
    episode_s = find_task(task).TIME_LIMIT_S
    with nodes, bar("teleoperating and recording", plan.demonstrations) as shown:
        nodes.node("simulator_node", "record_simulator", {"setup": setup, "disturbance": True, "lockstep": True})
        parameters = {"setup": setup, "output": data, "episode_s": episode_s, "operator": "scripted expert"}
        nodes.node("recorder_node", "record_recorder", {**parameters, **LOCKSTEP})
        operator = nodes.node("operator_node", "record_operator", {"setup": setup, "episodes": plan.demonstrations})
        nodes.wait(operator, lambda: shown.show(len(list(data.glob("*.hdf5")))))


def train(plan: Plan, output: Path, nodes: Programs) -> None:
    """The trainer clones the demonstrations; it shows its own bar."""
    parameters = {"data": output / "demonstrations", "output": output / "policy", "updates": plan.updates}
    with nodes:
        nodes.wait(nodes.node("trainer_node", "train_trainer", parameters, quiet=False))


def examine(task: str, plan: Plan, output: Path, nodes: Programs, disturbance: bool) -> Examination:
    """The policy node drives the same simulator over the same topics, from starts that it never saw."""
    name = "disturbed" if disturbance else "clean"
    results = output / f"{name}.jsonl"
    parameters = {
        "setup": f"panda_{task}",
        "lockstep": True,
        "purpose": "test",
        "disturbance": disturbance,
        "film": "" if disturbance else output / "films",
    }
    title = "driving under disturbance" if disturbance else "driving with the policy"
    with nodes, bar(title, plan.episodes) as shown:
        nodes.node("simulator_node", f"{name}_simulator", parameters)
        nodes.node("policy_node", f"{name}_policy", {"policy": output / "policy", "check_start": False, **LOCKSTEP})
        examiner = nodes.node("evaluation_node", f"{name}_evaluation", {"episodes": plan.episodes, "results": results})

        def show() -> None:
            episodes = read_results(results)
            shown.show(len(episodes), f"{sum(episode['success'] for episode in episodes)} succeeded")

        nodes.wait(examiner, show)
    episodes = read_results(results)
    successes = sum(episode["success"] for episode in episodes)
    latencies_s = np.concatenate([episode["latencies_s"] for episode in episodes])
    return Examination(successes, len(episodes), wilson_interval(successes, len(episodes)), latencies_s)


def read_results(path: Path) -> list[dict[str, Any]]:
    """Return the episodes that are complete in a file that is still being written."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def as_json(results: list[TaskResult], wall_s: float) -> dict[str, Any]:
    tasks = {
        result.task: {
            "success_rate": result.clean.rate,
            "success_rate_disturbed": result.disturbed.rate,
            "episodes": result.clean.episodes,
            "demonstrations": result.demonstrations,
            "latency_p50_s": result.clean.latency_s(50),
            "latency_p99_s": result.clean.latency_s(99),
        }
        for result in results
    }
    return {"tasks": tasks, "wall_s": wall_s}
