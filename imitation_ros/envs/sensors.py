"""What the observation fields of a spec show of the simulated world: at once, or late and noisy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.camera import check_size, grey
from imitation_ros.envs.randomisation import Variation
from imitation_ros.envs.scene import Scene
from imitation_ros.envs.world import World
from imitation_ros.errors import SpecError, did_you_mean
from imitation_ros.robot.field import Field
from imitation_ros.robot.rotations import ROTATIONS
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[Any]

POSES = ("geometry_msgs/msg/Pose", "geometry_msgs/msg/PoseStamped")
WIDTH = "std_msgs/msg/Float64"
JOINTS = ("sensor_msgs/msg/JointState", "trajectory_msgs/msg/JointTrajectory", "std_msgs/msg/Float64MultiArray")
SHOWS = (
    "joints (JointState, JointTrajectory, Float64MultiArray), the distance between the fingers (Float64), what "
    "`poses` in the scene names (Pose, PoseStamped) and what `cameras` does (Image, CompressedImage)"
)


class Sensors:
    """Reads the fields of a spec, each at most once per tick, and only when somebody asks.

    Raises:
        SpecError: a field that the simulator cannot show, or that the scene does not say how to.
    """

    def __init__(self, spec: RobotSpec, scene: Scene) -> None:
        self.fields = {field.name: field for field in spec.observation}
        self.readers = {field.name: reader(field, scene) for field in spec.observation}
        self.true: dict[str, Array] = {}
        self.late: dict[str, deque[Array]] = {}
        self.noise: dict[str, Array] = {}

    def begin(self, world: World, variation: Variation) -> None:
        """Begin an episode in a world that was just reset."""
        self.world, self.variation = world, variation
        hz = world.scene.substep_hz
        self.delays = {
            name: divmod(round(delay_s * hz), world.substeps) for name, delay_s in variation.observation_delay_s.items()
        }
        self.true = {}
        self.late = {
            name: deque([self.readers[name](world)] * (ticks + 1), maxlen=ticks + 1)
            for name, (ticks, _) in self.delays.items()
        }
        self.draw_noise()

    def moments(self) -> list[tuple[int, Callable[[], None]]]:
        """Return the substeps of a tick after which a late field is to be read, and what reads it."""
        substeps = self.world.substeps
        return [(substeps - rest, partial(self.read_late, name)) for name, (_, rest) in self.delays.items()]

    def read_late(self, name: str) -> None:
        self.late[name].append(self.readers[name](self.world))

    def tick(self) -> None:
        """A tick has passed: what was read is old, and noise is fresh."""
        self.true = {}
        self.draw_noise()

    def draw_noise(self) -> None:
        """Draw every field's noise of this tick, whether somebody asks for the field or not."""
        for name, std in self.variation.noise.items():
            shape = self.fields[name].row_shape
            self.noise[name] = std * self.variation.noise_rngs[name].standard_normal(shape)

    def truth(self, name: str) -> Array:
        """Return what a field would show now without delay and noise."""
        if name not in self.true:
            self.true[name] = self.readers[name](self.world)
        return self.true[name]

    def show(self, name: str) -> Array:
        """Return what a field shows now: float64 of shape (width,), or an image's uint8."""
        value = self.late[name][0] if name in self.late else self.truth(name)
        return noisy(value, self.noise[name], self.fields[name]) if name in self.noise else value


def noisy(value: Array, noise: Array, field: Field) -> Array:
    if field.is_image:
        return np.asarray(np.clip(np.rint(value + noise), 0, 255), dtype=np.uint8)
    if field.position_slice is not None:
        shown: Array = value.copy()
        shown[field.position_slice] += noise[field.position_slice]
        return shown
    return np.asarray(value + noise)


def reader(field: Field, scene: Scene) -> Callable[[World], Array]:
    """Return what reads a field from a world.

    Raises:
        SpecError: the simulator cannot show it.
    """
    if field.is_image:
        return image_reader(field, scene)
    if field.type in POSES:
        return pose_reader(field, scene)
    if field.type in JOINTS:
        return lambda world: world.joint_values(field.names, field.quantity)
    if field.type == WIDTH and scene.robot.gripper is not None:
        fingers = scene.robot.gripper.joints.names
        return lambda world: world.joint_values(fingers, "position").sum(keepdims=True)
    without = "; this robot has no gripper" if field.type == WIDTH else ""
    raise SpecError(
        f"{field.file}: the simulator cannot show {field.name!r}, a {field.type}{without}. It shows {SHOWS}."
    )


def pose_reader(field: Field, scene: Scene) -> Callable[[World], Array]:
    if field.name not in scene.poses:
        hint = did_you_mean(field.name, scene.poses)
        raise SpecError(f"{scene.file}: poses has no {field.name!r}.{hint} Say which body or link it shows.")
    shown = scene.poses[field.name]
    if field.rotation is None:
        return lambda world: world.position(shown)
    from_matrix = ROTATIONS[field.rotation][0]

    def read(world: World) -> Array:
        position, rotation = world.frame(shown)
        return np.concatenate([position, from_matrix(rotation)])

    return read


def image_reader(field: Field, scene: Scene) -> Callable[[World], Array]:
    if field.name not in scene.cameras:
        raise SpecError(
            f"{scene.file}: cameras has no {field.name!r}, which {field.file} observes."
            f"{did_you_mean(field.name, scene.cameras)} There are: {', '.join(scene.cameras) or 'none'}."
        )
    check_size(scene.cameras[field.name], field, scene.file)
    if field.row_shape[2] == 1:
        return lambda world: grey(world.camera_image(field.name))
    return lambda world: world.camera_image(field.name)


def check_randomised(scene: Scene, fields: dict[str, Field]) -> None:
    """Raise SpecError where the scene delays or disturbs a field that nobody observes."""
    for word in ("observation_delay_s", "noise"):
        for name in getattr(scene.randomisation, word):
            if name not in fields:
                raise SpecError(
                    f"{scene.file}: randomisation: {word} names {name!r}, which is not observed."
                    f"{did_you_mean(name, fields)} Observed: {', '.join(fields)}."
                )
