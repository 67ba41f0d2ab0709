"""Robot files of the simulator: the URDF, its motors, and how the gripper is tied together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imitation_ros.errors import SpecError
from imitation_ros.paths import find_file
from imitation_ros.robot.field import Numbers
from imitation_ros.robot.field_yaml import numbers
from imitation_ros.robot.strict_yaml import check_names, load_yaml


@dataclass(frozen=True)
class Joints:
    """Motors that are driven together: names, and what each may exert [N m or N] and reach [rad/s or m/s]."""

    names: tuple[str, ...]
    max_force: Numbers
    max_velocity: Numbers


@dataclass(frozen=True)
class Gripper:
    """Two fingers tied by a gear constraint."""

    joints: Joints
    friction: float
    ratio: float
    erp: float
    gear_force: float


@dataclass(frozen=True)
class SimRobot:
    """What the simulator loads for a robot.

    Attributes:
        urdf: an existing path, or one inside pybullet_data.
        end_effector: the link that a twist moves; `home_rad` is also the orientation it is held at.
    """

    urdf: str
    end_effector: str
    arm: Joints
    home_rad: Numbers
    gripper: Gripper | None
    file: str


def load_sim_robot(name: str | Path) -> SimRobot:
    """Return what the simulator loads for a robot: a path, or a name in sim/robots."""
    path = find_file("sim/robots", name)
    data, file = load_yaml(path), str(path)
    check_names(data, {"urdf", "end_effector", "arm", "gripper"}, file)
    for word in ("urdf", "end_effector"):
        if not isinstance(data.get(word), str):
            raise SpecError(f"{file}: {word} is {data.get(word)!r}; it should be a text.")
    arm = section(data, "arm", ("joints", "home_rad", "max_force", "max_velocity"), file)
    beside = path.parent / data["urdf"]
    return SimRobot(
        urdf=str(beside) if beside.is_file() else data["urdf"],
        end_effector=data["end_effector"],
        arm=parse_joints(arm, f"{file}: arm"),
        home_rad=some_numbers(arm, "home_rad", len(arm["joints"]), f"{file}: arm"),
        gripper=parse_gripper(data, file) if "gripper" in data else None,
        file=file,
    )


def parse_gripper(data: Mapping[str, Any], file: str) -> Gripper:
    gripper = section(data, "gripper", ("joints", "max_force", "max_velocity", "friction", "gear"), file)
    gear = section(gripper, "gear", ("ratio", "erp", "max_force"), f"{file}: gripper")
    joints = parse_joints(gripper, f"{file}: gripper")
    if len(joints.names) != 2:
        raise SpecError(f"{file}: gripper has {len(joints.names)} joint(s); a gripper here has two fingers.")
    return Gripper(
        joints=joints,
        friction=scalar(gripper, "friction", f"{file}: gripper"),
        ratio=some_numbers(gear, "ratio", 1, f"{file}: gripper: gear")[0],
        erp=scalar(gear, "erp", f"{file}: gripper: gear"),
        gear_force=scalar(gear, "max_force", f"{file}: gripper: gear", above=0.0),
    )


def parse_joints(data: Mapping[str, Any], where: str) -> Joints:
    names = data["joints"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise SpecError(f"{where}: joints is {names!r}; it should be a list of the URDF's joint names.")
    return Joints(
        names=tuple(names),
        max_force=some_numbers(data, "max_force", len(names), where),
        max_velocity=some_numbers(data, "max_velocity", len(names), where),
    )


def section(data: Mapping[str, Any], word: str, words: tuple[str, ...], where: str) -> Mapping[str, Any]:
    """Return a mapping that holds exactly these words."""
    found = data.get(word)
    if not isinstance(found, Mapping):
        raise SpecError(f"{where}: {word} is {found!r}; it should hold {', '.join(words)}.")
    check_names(found, words, f"{where}: {word}")
    for needed in words:
        if needed not in found:
            raise SpecError(f"{where}: {word} has no `{needed}`. It holds {', '.join(words)}.")
    return found


def some_numbers(data: Mapping[str, Any], word: str, count: int, where: str) -> Numbers:
    found = numbers(data.get(word), count, f"{where}: {word}")
    if found is None:
        raise SpecError(f"{where}: {word} is missing; it should be {count} number(s).")
    return found


def scalar(data: Mapping[str, Any], word: str, where: str, above: float | None = None) -> float:
    """Return one number: at least 0, or more than `above`."""
    value = some_numbers(data, word, 1, where)[0]
    if value < 0.0 or (above is not None and value <= above):
        raise SpecError(f"{where}: {word} is {value:g}; it should be {'at least 0' if above is None else 'above 0'}.")
    return value
