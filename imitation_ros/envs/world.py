"""The physics: a robot and what stands around it.

The world's origin is the robot's base, so poses are in its base frame. One client per world, without
a window. A reset and the same commands give the same bits, whatever ran in this world before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.body import Body, create
from imitation_ros.envs.bullet import Bullet
from imitation_ros.envs.camera import Pixels, photograph
from imitation_ros.envs.loaded_robot import LoadedRobot
from imitation_ros.envs.scene import Scene
from imitation_ros.errors import SpecError, did_you_mean
from imitation_ros.robot.rotations import quaternion_to_matrix

Array = NDArray[np.float64]
Pose = tuple[Array, Array]
"""Position [m], shape (3,), and quaternion [x, y, z, w]."""

UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])
ORIGIN = np.zeros(3)
GAP_M = 0.0005  # how far above where they rest objects start
PARKED_M = 10.0  # how far away objects are that nobody placed
CAMERA_NEAR_M = 0.01


@dataclass(frozen=True)
class Posture:
    """Where everything is, for who draws it elsewhere: joint angles, and the poses of the bodies."""

    joints: list[float]
    bodies: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]


class World:
    """A robot and what stands around it.

    Args:
        scene: what to load.
        rate_hz: control ticks per second; the scene's substep_hz is a whole multiple of it.
        own_visuals: draw the robot's visual meshes; it takes longer to load and to draw.
        window: show it in a window.

    Raises:
        SpecError: the URDF lacks a joint or link that the files name, or the rates do not fit.
    """

    def __init__(self, scene: Scene, rate_hz: float, own_visuals: bool = False, window: bool = False) -> None:
        self.scene, self.rate_hz, self.own_visuals, self.window = scene, rate_hz, own_visuals, window
        self.substeps = round(scene.substep_hz / rate_hz)
        if self.substeps < 1 or abs(self.substeps * rate_hz - scene.substep_hz) > 1e-6 * scene.substep_hz:
            raise SpecError(
                f"{scene.file}: substep_hz is {scene.substep_hz:g}; it should be a whole multiple of the setup's "
                f"rate_hz, {rate_hz:g}."
            )
        self.bullet = Bullet(window)
        self.bullet.setGravity(0, 0, -9.81)
        self.bullet.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / scene.substep_hz,
            numSolverIterations=scene.solver_iterations,
            deterministicOverlappingPairs=1,
            minimumSolverIslandSize=1,  # what rests apart from the robot stops iterating when it has converged
        )
        self.robot = LoadedRobot(self.bullet, scene.robot, own_visuals)
        self.links = self.robot.links
        self.bodies = {body.name: create(self.bullet, body, self.first_place(body)) for body in scene.bodies}
        known = [*self.bodies, *self.links]
        for name in scene.poses.values():
            if name not in known:
                raise SpecError(
                    f"{scene.file}: poses names {name!r}, neither a body nor a link."
                    f"{did_you_mean(name, known)} Known: {', '.join(known)}."
                )
        for camera in scene.cameras.values():
            if camera.link is not None and camera.link not in self.links:
                raise SpecError(
                    f"{scene.file}: the camera {camera.name!r} is mounted on {camera.link!r}, which is no link of "
                    f"{scene.robot.urdf}.{did_you_mean(camera.link, self.links)} Links: {', '.join(self.links)}."
                )
        self.gaps = {body.name: GAP_M + body.lift_m for body in scene.objects}
        # goals, and the fixed bodies that a task sees and so may place, rest on nothing
        shown = [body.name for body in scene.fixed if body.name in scene.poses.values()]
        self.gaps |= dict.fromkeys([*(body.name for body in scene.goals), *shown], 0.0)
        self.robot.go_home(None if scene.fingers is None else scene.fingers.start_m)
        self.home_rotation = self.robot.frame(scene.robot.end_effector)[1]
        self.parked = self.bullet.saveState()

    def close(self) -> None:
        self.bullet.close()

    def of(self, scene: Scene) -> World:
        """Return this world, or, where the bodies differ, a new one with these, and close this.

        A new one takes about 25 ms; it has nothing left of what ran here, so an episode stays bitwise the same.
        """
        if scene.bodies == self.scene.bodies:
            self.scene = scene  # cameras may have moved
            return self
        self.close()
        return World(scene, self.rate_hz, self.own_visuals, self.window)

    def first_place(self, body: Body) -> list[float]:
        if body in self.scene.fixed:
            return list(body.position_m)
        return list(self.parking_place(body).tolist())

    def parking_place(self, body: Body) -> Array:
        """Return a place of its own for each body, far from any contact."""
        scene = self.scene
        return PARKED_M * np.array([1.0, 1.0 + [*scene.objects, *scene.goals, *scene.fixed].index(body), 1.0])

    def reset(self, placements: Mapping[str, Pose]) -> None:
        """Put the robot at home and objects and goals where `placements` says; others are far away.

        Contacts that are left over from an earlier episode would change the last bits of this one: the
        objects leave them behind before the saved state comes back, and start just above what they rest on.
        The robot leaves its own behind too, by steps from home; one alone still shows in one episode of thirty.
        """
        self.bullet.restoreState(self.parked)
        for body in (*self.scene.objects, *self.scene.fixed):
            if body.name in self.gaps:
                self.move(body.name, (self.parking_place(body), UPRIGHT))
        for _ in range(2):
            self.bullet.stepSimulation()  # lets go of every contact of the objects
        self.bullet.restoreState(self.parked)
        for name, (position, quaternion) in placements.items():
            if name not in self.gaps:
                raise SpecError(
                    f"{self.scene.file}: {name!r} cannot be placed; objects, goals and what `poses` shows of "
                    f"`fixed`: {', '.join(self.gaps)}."
                )
            self.move(name, (position + np.array([0.0, 0.0, self.gaps[name]]), quaternion))
        self.robot.forget()

    def move(self, name: str, pose: Pose) -> None:
        """Put a body somewhere, at rest."""
        body, (position, quaternion) = self.bodies[name], pose
        self.bullet.resetBasePositionAndOrientation(body, position.tolist(), quaternion.tolist())
        self.bullet.resetBaseVelocity(body, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0])

    def joint_values(self, names: tuple[str, ...], quantity: str) -> Array:
        """Return position [rad or m], velocity or effort of joints; see LoadedRobot."""
        return self.robot.joint_values(names, quantity)

    def position(self, name: str) -> Array:
        """Return where a body or a link of the robot is [m], in the base frame."""
        if name in self.links:
            return self.robot.frame(name)[0]
        return np.array(self.bullet.getBasePositionAndOrientation(self.bodies[name])[0])

    def frame(self, name: str) -> tuple[Array, Array]:
        """Return where a body or a link of the robot is, in the base frame: position [m] and rotation matrix."""
        if name in self.links:
            return self.robot.frame(name)
        position, quaternion = self.bullet.getBasePositionAndOrientation(self.bodies[name])
        return np.array(position), quaternion_to_matrix(quaternion)

    def joint_velocity(self, linear: Array, angular: Array | None) -> Array:
        """Return the arm's joint velocities [rad/s] for a twist of the end effector, shape (joints,).

        Args:
            linear: [m/s], shape (3,).
            angular: [rad/s], shape (3,); None holds the orientation of home.
        """
        return self.robot.joint_velocity(linear, angular, self.home_rotation)

    def step(self, joint_velocity: Array, width_m: float | None = None) -> None:
        """Advance by one control tick: joint velocities of the arm [rad/s], and the fingers' distance [m]."""
        self.robot.drive_velocity(joint_velocity)
        self.drive_fingers(width_m)
        self.advance(self.substeps)

    def drive_fingers(self, width_m: float | None) -> None:
        """Drive the fingers to a distance [m]; None: to what the scene says, or as they are."""
        if width_m is None and self.scene.fingers is not None:
            width_m = self.scene.fingers.hold_m
        if width_m is not None:
            self.robot.drive_fingers(width_m)

    def advance(self, substeps: int) -> None:
        for _ in range(substeps):
            self.bullet.stepSimulation()
        self.robot.forget()

    def posture(self) -> Posture:
        """Return where everything is."""
        bodies = {name: self.bullet.getBasePositionAndOrientation(body) for name, body in self.bodies.items()}
        return Posture(self.robot.angles(), bodies)

    def take(self, posture: Posture) -> None:
        """Put everything where it is in another world of the same scene."""
        self.robot.take(posture.joints)
        for name, (position, quaternion) in posture.bodies.items():
            self.bullet.resetBasePositionAndOrientation(self.bodies[name], position, quaternion)

    def face_overview(self) -> None:
        """Let a window look from where pictures do."""
        if self.window:
            seen = self.scene.overview
            self.bullet.configureDebugVisualizer(self.bullet.COV_ENABLE_GUI, 0)
            self.bullet.resetDebugVisualizerCamera(seen.distance_m, seen.yaw_deg, seen.pitch_deg, seen.target_m)

    def camera_image(self, name: str) -> Pixels:
        """Return what one of the scene's cameras sees, shape (height, width, 3)."""
        camera = self.scene.cameras[name]
        position, rotation = ORIGIN, np.eye(3)
        if camera.link is not None:
            position, rotation = self.robot.frame(camera.link)
        view = camera.view(self.bullet, position, rotation)
        return photograph(self.bullet, view, camera.fov_deg, CAMERA_NEAR_M, *camera.size_px)

    def image(self, width: int, height: int) -> Pixels:
        """Return an overview, shape (height, width, 3)."""
        return photograph(self.bullet, self.scene.overview.view(self.bullet), 45.0, 0.05, height, width)
