"""Domain randomisation: another scene, and later and noisier numbers, in every episode.

What is drawn depends on the episode's own random numbers alone, and each part has numbers of its own: switching
one on moves neither the placements nor what the others draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from imitation_ros.envs.body import Body
from imitation_ros.envs.camera import Camera
from imitation_ros.envs.sim_robot import scalar, some_numbers
from imitation_ros.errors import SpecError
from imitation_ros.robot.rotations import rotvec_to_matrix
from imitation_ros.robot.strict_yaml import check_names

if TYPE_CHECKING:
    from imitation_ros.envs.scene import Scene

Range = tuple[float, float]

SHARES = ("mass", "friction", "size", "color")
WORDS = {*SHARES, "camera_m", "camera_deg", "command_latency_s", "observation_delay_s", "noise"}


@dataclass(frozen=True)
class Randomisation:
    """How far an episode may differ from the scene file; everything is uniform in its range, but noise is normal.

    Attributes:
        mass, size: of objects, as a share: 0.3 multiplies by 0.7 to 1.3; a size in all directions at once.
        friction: of objects and fixed bodies, as a share.
        color: of every body, added to red, green and blue, which go from 0 to 1.
        camera_m, camera_deg: how far a camera is moved along, and turned about, each axis.
        command_latency_s: after which a command is executed; what was in force before goes on until then.
        observation_delay_s: field to how old its values are, though they are stamped as new.
        noise: field to a standard deviation in its unit (m of a pose, whose rotation is left alone; grey levels,
            of 255, of an image).
    """

    mass: float = 0.0
    friction: float = 0.0
    size: float = 0.0
    color: float = 0.0
    camera_m: float = 0.0
    camera_deg: float = 0.0
    command_latency_s: Range = (0.0, 0.0)
    observation_delay_s: Mapping[str, Range] | None = None
    noise: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Variation:
    """What one episode drew.

    Attributes:
        scene: as this episode has it.
        drawn: what was drawn, for people: `cube.mass_kg` to number.
    """

    scene: Scene
    command_latency_s: float
    observation_delay_s: Mapping[str, float]
    noise: Mapping[str, float]
    noise_rngs: Mapping[str, np.random.Generator]
    drawn: Mapping[str, float]


def unvaried(scene: Scene) -> Variation:
    """Return the scene as it is in its file."""
    return Variation(scene, 0.0, {}, {}, {}, {})


def vary(scene: Scene, sequence: np.random.SeedSequence) -> Variation:
    """Return what an episode with these random numbers has."""
    ranges = scene.randomisation
    if ranges is None:
        return unvaried(scene)
    noise, delays = ranges.noise or {}, ranges.observation_delay_s or {}
    *sequences, times, noisy = sequence.spawn(len(scene.bodies) + len(scene.cameras) + 2)
    rngs = iter([np.random.default_rng(each) for each in sequences])
    drawn: dict[str, float] = {}
    bodies = {body.name: vary_body(body, ranges, next(rngs), drawn) for body in scene.bodies}
    cameras = {name: vary_camera(camera, ranges, next(rngs), drawn) for name, camera in scene.cameras.items()}
    rng = np.random.default_rng(times)
    drawn["command_latency_s"] = latency_s = float(rng.uniform(*ranges.command_latency_s))
    delay_s = {name: float(rng.uniform(*delays[name])) for name in sorted(delays)}
    drawn |= {f"{name}.observation_delay_s": delay for name, delay in delay_s.items()}
    names = sorted(noise)
    noise_rngs = {name: np.random.default_rng(each) for name, each in zip(names, noisy.spawn(len(names)), strict=True)}
    varied = replace(
        scene,
        fixed=tuple(bodies[body.name] for body in scene.fixed),
        objects=tuple(bodies[body.name] for body in scene.objects),
        goals=tuple(bodies[body.name] for body in scene.goals),
        cameras=cameras,
    )
    return Variation(varied, latency_s, delay_s, noise, noise_rngs, drawn)


def vary_body(body: Body, ranges: Randomisation, rng: np.random.Generator, drawn: dict[str, float]) -> Body:
    mass, friction, size, *color = rng.uniform(-1.0, 1.0, 6).tolist()
    changes: dict[str, Any] = {}
    if body.mass_kg > 0.0 and ranges.mass:
        drawn[f"{body.name}.mass_kg"] = changes["mass_kg"] = body.mass_kg * (1.0 + ranges.mass * mass)
    if body.mass_kg > 0.0 and ranges.size:
        factor = 1.0 + ranges.size * size
        changes["size_m"] = tuple(length * factor for length in body.size_m)
        changes["lift_m"] = 0.5 * (factor - 1.0) * body.height_m  # or it would begin inside what it rests on
        drawn[f"{body.name}.size"] = factor
    if body.solid and ranges.friction:
        drawn[f"{body.name}.friction"] = changes["friction"] = body.friction * (1.0 + ranges.friction * friction)
    if ranges.color:
        shifted = np.clip(np.array(body.color[:3]) + ranges.color * np.array(color), 0.0, 1.0)
        changes["color"] = (*shifted.tolist(), body.color[3])
    return replace(body, **changes)


def vary_camera(camera: Camera, ranges: Randomisation, rng: np.random.Generator, drawn: dict[str, float]) -> Camera:
    shift, turn = ranges.camera_m * rng.uniform(-1.0, 1.0, 3), ranges.camera_deg * rng.uniform(-1.0, 1.0, 3)
    if not (shift.any() or turn.any()):
        return camera
    for axis, name in enumerate("xyz"):
        drawn[f"{camera.name}.{name}_m"], drawn[f"{camera.name}.r{name}_deg"] = float(shift[axis]), float(turn[axis])
    position, target = np.array(camera.position_m), np.array(camera.target_m)
    rotation = rotvec_to_matrix(np.radians(turn))
    looks_at = position + shift + rotation @ (target - position)
    up = rotation @ np.array(camera.up)
    return replace(
        camera, position_m=tuple((position + shift).tolist()), target_m=tuple(looks_at.tolist()), up=tuple(up.tolist())
    )


def parse_randomisation(data: Any, file: str) -> Randomisation:
    where = f"{file}: randomisation"
    if not isinstance(data, Mapping):
        raise SpecError(f"{where} is {data!r}; write {{mass: 0.3, friction: 0.3, ...}}. Words: {', '.join(WORDS)}.")
    check_names(data, WORDS, where)
    zero = dict.fromkeys((*SHARES, "camera_m", "camera_deg"), 0.0)
    ranges = {word: scalar({**zero, **data}, word, where) for word in zero}
    for word in SHARES:
        if ranges[word] >= 1.0 and word != "color":
            raise SpecError(f"{where}: {word} is {ranges[word]:g}; as a share it should be below 1.")
    return Randomisation(
        **ranges,
        command_latency_s=time_range({"command_latency_s": 0.0, **data}, "command_latency_s", where),
        observation_delay_s=by_field(data, "observation_delay_s", where, time_range),
        noise=by_field(data, "noise", where, scalar),
    )


def by_field(data: Mapping[str, Any], word: str, where: str, parse: Any) -> dict[str, Any]:
    """Return field name to what `parse` makes of its number(s)."""
    found = data.get(word) or {}
    if not isinstance(found, Mapping):
        raise SpecError(f"{where}: {word} is {found!r}; write one per field, such as {{joint_position: 0.002}}.")
    return {str(name): parse({str(name): value}, str(name), f"{where}: {word}") for name, value in found.items()}


def time_range(data: Mapping[str, Any], word: str, where: str) -> Range:
    """Return the lowest and highest time [s]; one number stands for both."""
    low, high = some_numbers(data, word, 2, where)
    if not 0.0 <= low <= high <= 1.0:
        raise SpecError(f"{where}: {word} is {data[word]!r}; write [low, high] in seconds, from 0 to 1.")
    return low, high
