"""What stands around the robot: boxes, spheres, cylinders and sockets, from YAML into the physics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imitation_ros.envs.bullet import Bullet
from imitation_ros.envs.sim_robot import scalar, some_numbers
from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Numbers
from imitation_ros.robot.strict_yaml import check_names

SHAPES = {
    "box": ("edge along x", "edge along y", "height"),
    "sphere": ("diameter",),
    "cylinder": ("diameter", "height"),
    "socket": ("outer edge", "edge of the square hole", "height"),
}
"""Shape to what the numbers of `size_m` are."""

RGBA = ("red", "green", "blue", "opacity")

STAND_M = 0.001  # how far the ends of a cylinder are from those of the box inside it that it stands on

WORDS = {"fixed": ("position_m", "friction"), "objects": ("mass_kg", "friction"), "goals": ()}
"""Group to the words that only its bodies have."""


@dataclass(frozen=True)
class Body:
    """A shape. Objects have a mass; fixed bodies have none; goals are only seen.

    Attributes:
        lift_m: how much higher its middle rests than that of the body in the file, when its size was varied.
        solid: it can be touched.
    """

    name: str
    shape: str
    size_m: Numbers
    color: Numbers
    position_m: Numbers = (0.0, 0.0, 0.0)
    mass_kg: float = 0.0
    friction: float = 1.0
    lift_m: float = 0.0
    solid: bool = True

    @property
    def height_m(self) -> float:
        return self.size_m[-1]


def parse_bodies(data: Any, group: str, file: str) -> tuple[Body, ...]:
    """Return the bodies of one group; only objects weigh something, only fixed bodies have a position."""
    if not isinstance(data, Mapping):
        raise SpecError(f"{file}: {group} is {data!r}; it should hold one `name: {{shape: box, ...}}` per body.")
    bodies = []
    for name, body in data.items():
        where = f"{file}: {group}: {name!r}"
        if not isinstance(body, Mapping):
            raise SpecError(f"{where} is {body!r}; write {{shape: box, size_m: [0.04, 0.04, 0.04], ...}}.")
        check_names(body, {"shape", "size_m", "color", *WORDS[group]}, where)
        if body.get("shape") not in SHAPES:
            raise SpecError(f"{where}: shape is {body.get('shape')!r}; allowed: {', '.join(SHAPES)}.")
        size_m = explained(body, "size_m", SHAPES[body["shape"]], where)
        if min(size_m) <= 0.0:
            raise SpecError(f"{where}: size_m is {list(size_m)}; every length should be above 0.")
        if body["shape"] == "socket" and size_m[1] >= size_m[0]:
            raise SpecError(
                f"{where}: the hole's edge is {size_m[1]:g} m; it should be below {size_m[0]:g}, the outer."
            )
        bodies.append(
            Body(
                name=str(name),
                shape=body["shape"],
                size_m=size_m,
                color=explained({"color": [0.6, 0.6, 0.6, 1.0], **body}, "color", RGBA, where),
                position_m=some_numbers({"position_m": 0.0, **body}, "position_m", 3, where),
                mass_kg=scalar(body, "mass_kg", where, above=0.0) if group == "objects" else 0.0,
                friction=scalar({"friction": 1.0, **body}, "friction", where),
                solid=group != "goals",
            )
        )
    return tuple(bodies)


def explained(body: Mapping[str, Any], word: str, meanings: Sequence[str], where: str) -> Numbers:
    """Return numbers of which each means something else, and say what where they are wrong."""
    try:
        return some_numbers(body, word, len(meanings), where)
    except SpecError:
        found = repr(body[word]) if word in body else "missing"
        count = f"{len(meanings)} finite number{'s' if len(meanings) > 1 else ''}"
        raise SpecError(f"{where}: {word} is {found}; it should be {count}: {', '.join(meanings)}.") from None


def create(bullet: Bullet, body: Body, position: list[float]) -> int:
    """Return the id of a new body."""
    create_body = {"socket": create_socket, "cylinder": create_cylinder}.get(body.shape, create_shape)
    seen, touched = create_body(bullet, body)
    # what stands still is quicker as a plain rigid body; an object as one would not give the same bits after a reset
    rigid = body.mass_kg == 0.0
    created = int(bullet.createMultiBody(body.mass_kg, touched, seen, position, useMaximalCoordinates=rigid))
    bullet.changeDynamics(created, -1, lateralFriction=body.friction)
    return created


def create_shape(bullet: Bullet, body: Body) -> tuple[int, int]:
    """Return the ids of what is seen and of what is touched; -1 is nothing."""
    half = [0.5 * length for length in body.size_m]
    shape = bullet.GEOM_BOX if body.shape == "box" else bullet.GEOM_SPHERE
    size: dict[str, Any] = {"halfExtents": half} if body.shape == "box" else {"radius": half[0]}
    seen = bullet.createVisualShape(shape, rgbaColor=body.color, **size)
    return int(seen), int(bullet.createCollisionShape(shape, **size)) if body.solid else -1


def create_cylinder(bullet: Bullet, body: Body) -> tuple[int, int]:
    """Return the ids of what is seen and touched of a cylinder; what it stands on touches a box inside it.

    A cylinder that slides has one point of contact in pybullet, and sinks in by millimetres; a box has four.
    """
    radius, height = 0.5 * body.size_m[0], body.size_m[1]
    seen = bullet.createVisualShape(bullet.GEOM_CYLINDER, rgbaColor=body.color, radius=radius, length=height)
    if not body.solid:
        return int(seen), -1
    inside = radius / math.sqrt(2.0)
    touched = bullet.createCollisionShapeArray(
        shapeTypes=[bullet.GEOM_CYLINDER, bullet.GEOM_BOX],
        radii=[radius, 0.0],
        lengths=[height - 2.0 * STAND_M, 0.0],
        halfExtents=[[0.0, 0.0, 0.0], [inside, inside, 0.5 * height]],
        collisionFramePositions=[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    )
    return int(seen), int(touched)


def create_socket(bullet: Bullet, body: Body) -> tuple[int, int]:
    """Return the ids of what is seen and touched of a block with a square hole through it: four walls."""
    outer_m, hole_m, height_m = body.size_m
    middle, half_wall = 0.25 * (outer_m + hole_m), 0.25 * (outer_m - hole_m)
    along_x, along_y = [0.5 * outer_m, half_wall, 0.5 * height_m], [half_wall, 0.5 * hole_m, 0.5 * height_m]
    places = [[0.0, middle, 0.0], [0.0, -middle, 0.0], [middle, 0.0, 0.0], [-middle, 0.0, 0.0]]
    boxes = {"shapeTypes": [bullet.GEOM_BOX] * 4, "halfExtents": [along_x, along_x, along_y, along_y]}
    seen = bullet.createVisualShapeArray(visualFramePositions=places, rgbaColors=[body.color] * 4, **boxes)
    touched = bullet.createCollisionShapeArray(collisionFramePositions=places, **boxes) if body.solid else -1
    return int(seen), int(touched)
