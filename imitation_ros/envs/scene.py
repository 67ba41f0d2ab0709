"""Scene files of the simulator: what stands around the robot, and what each spec field shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imitation_ros.envs.sim_robot import SimRobot, load_sim_robot, scalar, section, some_numbers
from imitation_ros.errors import SpecError
from imitation_ros.paths import find_file
from imitation_ros.robot.field import Numbers
from imitation_ros.robot.strict_yaml import check_names, load_yaml

SHAPES = {"box": 3, "sphere": 1}
"""Shape to how many numbers `size_m` has: the edges, or the diameter."""


@dataclass(frozen=True)
class Body:
    """A shape. Objects have a mass; fixed bodies have none; goals are only seen."""

    name: str
    shape: str
    size_m: Numbers
    color: Numbers
    position_m: Numbers = (0.0, 0.0, 0.0)
    mass_kg: float = 0.0
    friction: float = 1.0


@dataclass(frozen=True)
class Camera:
    target_m: Numbers
    distance_m: float
    yaw_deg: float
    pitch_deg: float


@dataclass(frozen=True)
class Disturbance:
    """Noise on the executed action (DART, Laskey et al. 2017).

    Attributes:
        std: standard deviation, as a fraction of half the action's scale.
        correlation_s: time constant after which noise is forgotten [s]; 0 is white.
    """

    std: float
    correlation_s: float


@dataclass(frozen=True)
class Scene:
    """One scene file: the robot, what stands around it, and physics.

    Attributes:
        poses: spec field to the object, goal or link whose pose it shows.
        substep_hz: rate of the physics; a whole multiple of the setup's rate.
    """

    robot: SimRobot
    fixed: tuple[Body, ...]
    objects: tuple[Body, ...]
    goals: tuple[Body, ...]
    poses: Mapping[str, str]
    substep_hz: float
    solver_iterations: int
    disturbance: Disturbance
    camera: Camera
    file: str


def load_scene(name: str | Path) -> Scene:
    """Return a scene: a path, or a name in sim/scenes.

    Raises:
        SpecError: names the file, what was found and what is allowed.
    """
    path = find_file("sim/scenes", name)
    data, file = load_yaml(path), str(path)
    check_names(data, {"robot", "physics", "fixed", "objects", "goals", "poses", "disturbance", "camera"}, file)
    if not isinstance(data.get("robot"), str):
        raise SpecError(f"{file}: robot is {data.get('robot')!r}; name one of sim/robots, or a YAML file beside this.")
    beside = path.parent / data["robot"]
    physics = section(data, "physics", ("substep_hz", "solver_iterations"), file)
    groups = {group: parse_bodies(data.get(group) or {}, group, file) for group in ("fixed", "objects", "goals")}
    names = [body.name for bodies in groups.values() for body in bodies]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"{file}: two bodies are called {name!r}. Rename one.")
    return Scene(
        robot=load_sim_robot(beside if beside.is_file() else data["robot"]),
        **groups,
        poses=parse_poses(data.get("poses", {}), file),
        substep_hz=scalar(physics, "substep_hz", f"{file}: physics", above=0.0),
        solver_iterations=int(scalar(physics, "solver_iterations", f"{file}: physics", above=0.0)),
        disturbance=parse_disturbance({"disturbance": {"std": 0.0, "correlation_s": 0.0}, **data}, file),
        camera=parse_camera(data, file),
        file=file,
    )


def parse_disturbance(data: Mapping[str, Any], file: str) -> Disturbance:
    words = ("std", "correlation_s")
    noise = section(data, "disturbance", words, file)
    return Disturbance(*(scalar(noise, word, f"{file}: disturbance") for word in words))


def parse_camera(data: Mapping[str, Any], file: str) -> Camera:
    camera, where = section(data, "camera", ("target_m", "distance_m", "yaw_deg", "pitch_deg"), file), f"{file}: camera"
    return Camera(
        target_m=some_numbers(camera, "target_m", 3, where),
        distance_m=scalar(camera, "distance_m", where, above=0.0),
        yaw_deg=some_numbers(camera, "yaw_deg", 1, where)[0],
        pitch_deg=some_numbers(camera, "pitch_deg", 1, where)[0],
    )


def parse_bodies(data: Any, group: str, file: str) -> tuple[Body, ...]:
    """Return the bodies of one group; only objects weigh something, only fixed bodies have a position."""
    if not isinstance(data, Mapping):
        raise SpecError(f"{file}: {group} is {data!r}; it should hold one `name: {{shape: box, ...}}` per body.")
    own = {"fixed": ("position_m", "friction"), "objects": ("mass_kg", "friction"), "goals": ()}[group]
    bodies = []
    for name, body in data.items():
        where = f"{file}: {group}: {name!r}"
        if not isinstance(body, Mapping):
            raise SpecError(f"{where} is {body!r}; write {{shape: box, size_m: [0.04, 0.04, 0.04], ...}}.")
        check_names(body, {"shape", "size_m", "color", *own}, where)
        if body.get("shape") not in SHAPES:
            raise SpecError(f"{where}: shape is {body.get('shape')!r}; allowed: {', '.join(SHAPES)}.")
        bodies.append(
            Body(
                name=str(name),
                shape=body["shape"],
                size_m=some_numbers(body, "size_m", SHAPES[body["shape"]], where),
                color=some_numbers({"color": [0.6, 0.6, 0.6, 1.0], **body}, "color", 4, where),
                position_m=some_numbers({"position_m": 0.0, **body}, "position_m", 3, where),
                mass_kg=scalar(body, "mass_kg", where, above=0.0) if group == "objects" else 0.0,
                friction=scalar({"friction": 1.0, **body}, "friction", where),
            )
        )
    return tuple(bodies)


def parse_poses(data: Any, file: str) -> dict[str, str]:
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data.values()):
        raise SpecError(f"{file}: poses is {data!r}; it should map fields to bodies or links: {{object_pose: cube}}.")
    return {str(field): str(name) for field, name in data.items()}
