"""The machine that records, trains or deploys: what it has, and what that means for a setup."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imitation_ros.checkup.row import OK, WARNING, WRONG, Row
from imitation_ros.data.folder import LEAST_FREE_BYTES
from imitation_ros.robot.messages.images import encoded
from imitation_ros.robot.spec import RobotSpec
from imitation_ros.topic_facts import GraphFacts

NEEDED = ("numpy", "PyYAML", "h5py", "onnxruntime", "pillow")  # to record and to deploy
TRAINING = ("torch", "gymnasium", "pybullet", "safetensors")
BUSY = 0.9  # of the cores
SHORT_MIN = 30.0  # of recording that fit on the disk
RAW_SHARE = 0.1  # of an image's pixels that its JPEG takes, where none was seen
BYTES_A_NUMBER = 4
TIMES = 3 * 8  # bytes per field and tick: stamp, received, age


@dataclass(frozen=True)
class MachineFacts:
    """What was found on this machine.

    Attributes:
        folder: where recordings go; free_bytes: on its disk.
        packages: name to version, None where it is not installed.
        variables: of ROS, as they are set.
        rclpy: its version; '' without ROS.
        load: programs that want to run, the mean of a minute; cores: that can run them.
        gpu: its name; '' where torch finds none. driver: whether NVIDIA's driver is there.
    """

    folder: Path
    free_bytes: int
    python: str
    packages: Mapping[str, str | None]
    variables: Mapping[str, str]
    rclpy: str
    load: float
    cores: int
    gpu: str
    driver: bool


def look_at_machine(folder: Path) -> MachineFacts:
    """Gather what there is; torch is imported only where it is installed."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent  # what will hold it
    gpu = ""
    if importlib.util.find_spec("torch") is not None:
        import torch

        gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    wanted = (
        "ROS_DISTRO",
        "RMW_IMPLEMENTATION",
        "ROS_DOMAIN_ID",
        "ROS_AUTOMATIC_DISCOVERY_RANGE",
        "ROS_LOCALHOST_ONLY",
    )
    return MachineFacts(
        folder=folder,
        free_bytes=shutil.disk_usage(there).free,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        packages={name: version_of(name) for name in (*NEEDED, *TRAINING)},
        variables={name: os.environ[name] for name in wanted if os.environ.get(name)},
        rclpy=version_of("rclpy") or "",
        load=os.getloadavg()[0],
        cores=len(os.sched_getaffinity(0)),
        gpu=gpu,
        driver=shutil.which("nvidia-smi") is not None,
    )


def version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def judge_machine(spec: RobotSpec, graph: GraphFacts, machine: MachineFacts) -> list[Row]:
    return [
        disk(spec, graph, machine),
        processor(machine),
        gpu(machine),
        packages(machine),
        middleware(machine),
        clock(graph),
    ]


def disk(spec: RobotSpec, graph: GraphFacts, machine: MachineFacts) -> Row:
    rate = bytes_per_s(spec, graph)
    minutes = max(machine.free_bytes - LEAST_FREE_BYTES, 0) / rate / 60.0
    long = f"{minutes / 60.0:.0f} h" if minutes > 120.0 else f"{minutes:.0f} min"
    if minutes > 6000.0:
        long = "over 100 h"
    found = f"{machine.free_bytes / 1e9:.1f} GB free: {long} at {rate / 1e3:.0f} kB/s"
    if machine.free_bytes < LEAST_FREE_BYTES:
        return Row(WRONG, "disk", found, "make room, or give another --output")
    return Row(WARNING if minutes < SHORT_MIN else OK, "disk", found, "make room" if minutes < SHORT_MIN else "")


def bytes_per_s(spec: RobotSpec, graph: GraphFacts) -> float:
    """Return about what a recording of the setup takes: numbers as they are, images as JPEG."""
    newest = {each.field.name: each.newest for facts in graph.topics.values() for each in facts.fields}
    total = 0.0
    for field in spec.observation:
        value = newest.get(field.name)
        if not field.is_image:
            total += BYTES_A_NUMBER * field.width
        elif field.storage == "raw":
            total += field.width
        else:
            total += RAW_SHARE * field.width if value is None else len(encoded(value, field))
    total += sum(3 * BYTES_A_NUMBER * field.width + 1 for field in spec.action)  # scaled, as they came, as executed
    return (total + TIMES * len(spec.fields)) * spec.rate_hz


def processor(machine: MachineFacts) -> Row:
    found = f"load {machine.load:.1f} on {machine.cores} core(s)"
    if machine.load > BUSY * machine.cores:
        return Row(WARNING, "processor", f"{found}: busy", "messages may be late; `top` shows what runs")
    return Row(OK, "processor", found)


def gpu(machine: MachineFacts) -> Row:
    torch = machine.packages.get("torch")
    if torch is None:
        return Row(
            OK,
            "GPU",
            "no torch: recording and deploying need none",
            "to train here: `pip install 'imitation_ros[train]'`",
        )
    if machine.gpu:
        return Row(OK, "GPU", f"{machine.gpu}, torch {torch}")
    if machine.driver:
        return Row(WARNING, "GPU", f"there is one, but torch {torch} does not use it", "install torch's CUDA build")
    return Row(OK, "GPU", f"none (torch {torch}): trains on the CPU")


def packages(machine: MachineFacts) -> Row:
    missing = [name for name in NEEDED if machine.packages.get(name) is None]
    untrained = [name for name in TRAINING if machine.packages.get(name) is None]
    if missing:
        return Row(WRONG, "Python", f"{machine.python}, without {', '.join(missing)}", "`pip install imitation_ros`")
    if untrained:
        found = f"{machine.python}, without {', '.join(untrained)}: records and deploys"
        return Row(OK, "Python", found, "to train here: `pip install 'imitation_ros[train]'`")
    return Row(OK, "Python", f"{machine.python}, complete: record, train, deploy")


def middleware(machine: MachineFacts) -> Row:
    given = machine.variables
    domain = given.get("ROS_DOMAIN_ID", "0 (not set)")
    words = [f"{given.get('ROS_DISTRO', 'no ROS_DISTRO')}, rclpy {machine.rclpy}", f"domain {domain}"]
    words += [given[name] for name in ("RMW_IMPLEMENTATION",) if name in given]
    local = given.get("ROS_LOCALHOST_ONLY") == "1" or given.get("ROS_AUTOMATIC_DISCOVERY_RANGE") in ("LOCALHOST", "OFF")
    return Row(OK, "ROS", ", ".join(words) + (", local only" if local else ""))


def clock(graph: GraphFacts) -> Row:
    if graph.clocks:
        found = f"{len(graph.clocks)} nodes publish /clock: {', '.join(graph.clocks)}"
        return Row(WRONG, "clock", found, "end all but one, or give each a ROS_DOMAIN_ID of its own")
    if graph.sim_time:
        return Row(OK, "clock", "a simulator's: /clock is published", "record and deploy with --use-sim-time")
    return Row(OK, "clock", "the wall's: nobody publishes /clock")
