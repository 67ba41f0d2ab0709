"""Scene files of the simulator: what stands around the robot, and what each spec field shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imitation_ros.envs.body import Body, parse_bodies
from imitation_ros.envs.camera import Camera, Overview, parse_cameras, parse_overview
from imitation_ros.envs.disturbance import Disturbance, parse_disturbance
from imitation_ros.envs.randomisation import Randomisation, parse_randomisation
from imitation_ros.envs.sim_robot import SimRobot, load_sim_robot, scalar, section, some_numbers
from imitation_ros.errors import SpecError, did_you_mean
from imitation_ros.paths import find_file, is_file
from imitation_ros.robot.field import Numbers
from imitation_ros.robot.spec import RobotSpec
from imitation_ros.robot.strict_yaml import check_names, load_yaml

WORDS = {"robot", "physics", "fixed", "objects", "goals", "poses", "cameras", "spawn", "time_limit_s", "fingers"}
WORDS |= {"disturbance", "randomisation", "camera"}
DEFAULTS = {
    "disturbance": {"std": 0.0, "correlation_s": 0.0},
    "camera": {"target_m": [0.3, 0.0, 0.3], "distance_m": 1.5, "yaw_deg": 65.0, "pitch_deg": -25.0},
}


@dataclass(frozen=True)
class Fingers:
    """How a gripper is held that the setup has no action for.

    Attributes:
        start_m: distance of the fingers at the start of an episode.
        hold_m: distance that they are driven to from then on; less than an object is wide holds it.
    """

    start_m: float
    hold_m: float


@dataclass(frozen=True)
class Box:
    """Where a body is put at the start of an episode: a uniform draw of its middle [m]."""

    low_m: Numbers
    high_m: Numbers


@dataclass(frozen=True)
class Scene:
    """One scene file: the robot, what stands around it, and physics.

    Attributes:
        poses: spec field to the object, goal or link whose pose it shows.
        cameras: image field to the camera that it shows.
        spawn: object or goal to where it is put, instead of where the task would put it.
        time_limit_s: of an episode without a task; None: the default.
        substep_hz: rate of the physics; a whole multiple of the setup's rate.
        fingers: None starts with open fingers and leaves them there.
        randomisation: None where the file has none.
        overview: where films, windows and `~/view` look from.
    """

    robot: SimRobot
    fixed: tuple[Body, ...]
    objects: tuple[Body, ...]
    goals: tuple[Body, ...]
    poses: Mapping[str, str]
    cameras: Mapping[str, Camera]
    spawn: Mapping[str, Box]
    time_limit_s: float | None
    substep_hz: float
    solver_iterations: int
    fingers: Fingers | None
    disturbance: Disturbance
    randomisation: Randomisation | None
    overview: Overview
    file: str

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (*self.fixed, *self.objects, *self.goals)


def scene_path(setup: str | Path, spec: RobotSpec) -> Path:
    """Return where the scene of a setup is: beside its file, or in sim/scenes.

    Raises:
        SpecError: it is in neither.
    """
    beside = find_file("config/setups", setup).parent / spec.scene
    return beside if is_file(beside) else find_file("sim/scenes", spec.scene)


def load_scene(name: str | Path) -> Scene:
    """Return a scene: a path, or a name in sim/scenes.

    Raises:
        SpecError: names the file, what was found and what is allowed.
    """
    path = find_file("sim/scenes", name)
    data, file = load_yaml(path), str(path)
    check_names(data, WORDS, file)
    data = {**DEFAULTS, **data}
    if not isinstance(data.get("robot"), str):
        raise SpecError(f"{file}: robot is {data.get('robot')!r}; name one of sim/robots, or a YAML file beside this.")
    beside = path.parent / data["robot"]
    physics = section(data, "physics", ("substep_hz", "solver_iterations"), file)
    groups = {group: parse_bodies(data.get(group) or {}, group, file) for group in ("fixed", "objects", "goals")}
    names = [body.name for bodies in groups.values() for body in bodies]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"{file}: two bodies are called {name!r}. Rename one.")
    sim_robot = load_sim_robot(beside if beside.is_file() else data["robot"])
    if "fingers" in data and sim_robot.gripper is None:
        raise SpecError(f"{file}: fingers is given, but {sim_robot.file} has no gripper. Leave it out.")
    movable = [body.name for body in (*groups["objects"], *groups["goals"])]
    return Scene(
        robot=sim_robot,
        **groups,
        poses=parse_poses(data.get("poses") or {}, file),
        cameras=parse_cameras(data.get("cameras") or {}, file),
        spawn=parse_spawn(data.get("spawn") or {}, movable, file),
        time_limit_s=scalar(data, "time_limit_s", file, above=0.0) if "time_limit_s" in data else None,
        substep_hz=scalar(physics, "substep_hz", f"{file}: physics", above=0.0),
        solver_iterations=int(scalar(physics, "solver_iterations", f"{file}: physics", above=0.0)),
        fingers=parse_fingers(data, file) if "fingers" in data else None,
        disturbance=parse_disturbance(data, file),
        randomisation=parse_randomisation(data["randomisation"], file) if "randomisation" in data else None,
        overview=parse_overview(data, file),
        file=file,
    )


def parse_fingers(data: Mapping[str, Any], file: str) -> Fingers:
    words = ("start_m", "hold_m")
    fingers = section(data, "fingers", words, file)
    return Fingers(*(scalar(fingers, word, f"{file}: fingers") for word in words))


def parse_poses(data: Any, file: str) -> dict[str, str]:
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data.values()):
        raise SpecError(f"{file}: poses is {data!r}; it should map fields to bodies or links: {{object_pose: cube}}.")
    return {str(field): str(name) for field, name in data.items()}


def parse_spawn(data: Any, movable: Iterable[str], file: str) -> dict[str, Box]:
    """Return object or goal to the box that its middle is drawn from."""
    if not isinstance(data, Mapping):
        raise SpecError(f"{file}: spawn is {data!r}; write {{goal: {{low_m: [...], high_m: [...]}}}}.")
    boxes = {}
    for name in data:
        if name not in movable:
            raise SpecError(
                f"{file}: spawn names {name!r}, which is no object or goal.{did_you_mean(str(name), movable)} "
                f"There are: {', '.join(movable) or 'none'}."
            )
        box, where = section(data, name, ("low_m", "high_m"), f"{file}: spawn"), f"{file}: spawn: {name!r}"
        low_m, high_m = (some_numbers(box, word, 3, where) for word in ("low_m", "high_m"))
        if any(low > high for low, high in zip(low_m, high_m, strict=True)):
            raise SpecError(f"{where}: low_m is {list(low_m)}; no number of it should be above high_m, {list(high_m)}.")
        boxes[str(name)] = Box(low_m, high_m)
    return boxes
