"""The physics: the only module that imports pybullet.

The world's origin is the robot's base, so poses are in its base frame. One client per world, without
a window. A reset and the same commands give the same bits, whatever ran in this world before.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pybullet_data
from numpy.typing import NDArray

from imitation_ros.console import silenced
from imitation_ros.envs.scene import Body, Scene
from imitation_ros.errors import SpecError, did_you_mean
from imitation_ros.robot.rotations import quaternion_to_matrix

with silenced():  # it prints when it was built, in every process
    import pybullet

Array = NDArray[np.float64]
Pose = tuple[Array, Array]
"""Position [m], shape (3,), and quaternion [x, y, z, w]."""

UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])
DAMPING = 0.005  # of the pseudo-inverse: it stays bounded where the arm is stretched out
HOLD_RATE = 5.0  # [1/s] how fast the orientation, and the elbow, return to where they were at home
GAP_M = 0.0005  # how far above where they rest objects start
PARKED_M = 10.0  # how far away objects are that nobody placed


class Bullet:
    """pybullet's functions, each for one client of its own (that of pybullet_utils prints while it connects)."""

    def __init__(self) -> None:
        self.client = pybullet.connect(pybullet.DIRECT)

    def __getattr__(self, name: str) -> partial[Any]:
        return partial(getattr(pybullet, name), physicsClientId=self.client)

    def close(self) -> None:
        if pybullet.isConnected(self.client):
            pybullet.disconnect(self.client)
        self.client = -1  # the next world gets this number: closing twice would close that one

    def __del__(self) -> None:
        self.close()


class World:
    """A robot and what stands around it.

    Args:
        scene: what to load.
        rate_hz: control ticks per second; the scene's substep_hz is a whole multiple of it.

    Raises:
        SpecError: the URDF lacks a joint or link that the files name, or the rates do not fit.
    """

    def __init__(self, scene: Scene, rate_hz: float) -> None:
        self.scene = scene
        self.substeps = round(scene.substep_hz / rate_hz)
        if self.substeps < 1 or abs(self.substeps * rate_hz - scene.substep_hz) > 1e-6 * scene.substep_hz:
            raise SpecError(
                f"{scene.file}: substep_hz is {scene.substep_hz:g}; it should be a whole multiple of the setup's "
                f"rate_hz, {rate_hz:g}."
            )
        self.bullet = Bullet()
        self.bullet.setGravity(0, 0, -9.81)
        self.bullet.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / scene.substep_hz,
            numSolverIterations=scene.solver_iterations,
            deterministicOverlappingPairs=1,
        )
        self.load_robot()
        self.bodies = {body.name: self.load_body(body) for body in (*scene.fixed, *scene.objects, *scene.goals)}
        for name in scene.poses.values():
            if name not in self.bodies and name not in self.links:
                known = [*self.bodies, *self.links]
                raise SpecError(
                    f"{scene.file}: poses names {name!r}, neither a body nor a link."
                    f"{did_you_mean(name, known)} Known: {', '.join(known)}."
                )
        self.reset_joints()
        self.home_rotation = quaternion_to_matrix(self.pose(scene.robot.end_effector)[1])
        self.parked = self.bullet.saveState()

    def close(self) -> None:
        self.bullet.close()

    def load_robot(self) -> None:
        robot = self.scene.robot
        self.bullet.setAdditionalSearchPath(pybullet_data.getDataPath())
        try:
            self.robot = self.bullet.loadURDF(robot.urdf, useFixedBase=True)
        except pybullet.error:
            raise SpecError(f"{robot.file}: pybullet cannot load the URDF {robot.urdf!r}.") from None
        self.links: dict[str, int] = {}
        self.joints: dict[str, int] = {}
        self.movable: list[str] = []  # in the order of the Jacobian's columns
        for index in range(self.bullet.getNumJoints(self.robot)):
            info = self.bullet.getJointInfo(self.robot, index)
            self.joints[info[1].decode()] = index
            self.links[info[12].decode()] = index
            if info[2] != pybullet.JOINT_FIXED:
                self.movable.append(info[1].decode())
        named = [*robot.arm.names, *(robot.gripper.joints.names if robot.gripper else ())]
        for word, known in [(name, self.movable) for name in named] + [(robot.end_effector, list(self.links))]:
            if word not in known:
                raise SpecError(
                    f"{robot.file}: {robot.urdf} has no {word!r}.{did_you_mean(word, known)} It has {', '.join(known)}."
                )
        self.arm = [self.joints[name] for name in robot.arm.names]
        self.arm_columns = [self.movable.index(name) for name in robot.arm.names]
        self.home = np.array(robot.home_rad)
        self.fingers = [self.joints[name] for name in robot.gripper.joints.names] if robot.gripper else []
        self.tie_fingers()

    def tie_fingers(self) -> None:
        gripper = self.scene.robot.gripper
        if gripper is None:
            return
        left, right = self.fingers
        gear = self.bullet.createConstraint(
            self.robot, left, self.robot, right, pybullet.JOINT_GEAR, [1, 0, 0], [0, 0, 0], [0, 0, 0])  # fmt: skip
        self.bullet.changeConstraint(gear, gearRatio=gripper.ratio, erp=gripper.erp, maxForce=gripper.gear_force)
        for finger in self.fingers:
            self.bullet.changeDynamics(self.robot, finger, lateralFriction=gripper.friction)

    def load_body(self, body: Body) -> int:
        """Return the id of a new body; goals get no collision shape."""
        shape = pybullet.GEOM_BOX if body.shape == "box" else pybullet.GEOM_SPHERE
        half = [0.5 * edge for edge in body.size_m]
        size: dict[str, Any] = {"halfExtents": half} if body.shape == "box" else {"radius": half[0]}
        seen = self.bullet.createVisualShape(shape, rgbaColor=body.color, **size)
        touched = -1
        if body not in self.scene.goals:
            touched = self.bullet.createCollisionShape(shape, **size)
        position = body.position_m if body in self.scene.fixed else self.parking_place(body)
        created = int(self.bullet.createMultiBody(body.mass_kg, touched, seen, list(position)))
        self.bullet.changeDynamics(created, -1, lateralFriction=body.friction)
        return created

    def parking_place(self, body: Body) -> Array:
        """Return a place of its own for each object, far from any contact."""
        return PARKED_M * np.array([1.0, 1.0 + [*self.scene.objects, *self.scene.goals].index(body), 1.0])

    def reset_joints(self) -> None:
        """Put the arm at home with open fingers, at rest."""
        for joint, angle in zip(self.arm, self.home.tolist(), strict=True):
            self.bullet.resetJointState(self.robot, joint, angle, 0.0)
        for finger in self.fingers:
            opened = self.bullet.getJointInfo(self.robot, finger)[9]
            self.bullet.resetJointState(self.robot, finger, opened, 0.0)

    def reset(self, placements: Mapping[str, Pose]) -> None:
        """Put the robot at home and objects and goals where `placements` says; others are far away.

        Contacts that are left over from an earlier episode would change the last bits of this one: the
        objects leave them behind before the saved state comes back, and start just above what they rest on.
        """
        for body in self.scene.objects:
            self.move(body.name, (self.parking_place(body), UPRIGHT))
        self.bullet.stepSimulation()  # lets go of every contact of the objects
        self.bullet.restoreState(self.parked)
        gaps = {**{body.name: GAP_M for body in self.scene.objects}, **{body.name: 0.0 for body in self.scene.goals}}
        for name, (position, quaternion) in placements.items():
            if name not in gaps:
                raise SpecError(f"{self.scene.file}: {name!r} cannot be placed; objects and goals: {', '.join(gaps)}.")
            self.move(name, (position + np.array([0.0, 0.0, gaps[name]]), quaternion))

    def move(self, name: str, pose: Pose) -> None:
        """Put a body somewhere, at rest."""
        body, (position, quaternion) = self.bodies[name], pose
        self.bullet.resetBasePositionAndOrientation(body, position.tolist(), quaternion.tolist())
        self.bullet.resetBaseVelocity(body, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0])

    def joint_state(self, names: tuple[str, ...]) -> tuple[Array, Array, Array]:
        """Return positions [rad or m], velocities and efforts of joints, each of shape (len(names),).

        Raises:
            SpecError: the URDF has no such joint.
        """
        for name in names:
            if name not in self.joints:
                raise SpecError(
                    f"{self.scene.robot.file}: the URDF has no joint {name!r}."
                    f"{did_you_mean(name, self.joints)} It has {', '.join(self.movable)}."
                )
        states = self.bullet.getJointStates(self.robot, [self.joints[name] for name in names])
        position, velocity, _, effort = zip(*states, strict=True)
        return np.array(position), np.array(velocity), np.array(effort)

    def pose(self, name: str) -> Pose:
        """Return where a body or a link of the robot is, in the base frame."""
        if name in self.links:
            state = self.bullet.getLinkState(self.robot, self.links[name], computeForwardKinematics=1)
            return np.array(state[4]), np.array(state[5])
        position, quaternion = self.bullet.getBasePositionAndOrientation(self.bodies[name])
        return np.array(position), np.array(quaternion)

    def joint_velocity(self, linear: Array, angular: Array | None) -> Array:
        """Return the arm's joint velocities [rad/s] for a twist of the end effector, shape (joints,).

        One damped least-squares step on the Jacobian (Nakamura and Hanafusa 1986); what the task
        leaves free pulls the elbow back to where it was at home.

        Args:
            linear: [m/s], shape (3,).
            angular: [rad/s], shape (3,); None holds the orientation of home.
        """
        angles = self.joint_state(tuple(self.movable))[0]
        zeros = [0.0] * len(angles)
        effector = self.links[self.scene.robot.end_effector]
        parts = self.bullet.calculateJacobian(self.robot, effector, [0.0] * 3, angles.tolist(), zeros, zeros)
        jacobian = np.concatenate(parts)[:, self.arm_columns]
        if angular is None:
            matrix = quaternion_to_matrix(self.pose(self.scene.robot.end_effector)[1])
            sines = 0.5 * np.cross(matrix, self.home_rotation, axis=0).sum(axis=1)  # of the rotation that is missing
            angular = HOLD_RATE * sines
        pull = HOLD_RATE * (self.home - angles[self.arm_columns])
        damped = jacobian @ jacobian.T + DAMPING**2 * np.eye(6)
        residual = np.concatenate([linear, angular]) - jacobian @ pull
        return np.asarray(pull + jacobian.T @ np.linalg.solve(damped, residual))

    def step(self, joint_velocity: Array, width_m: float | None = None) -> None:
        """Advance the physics by one control tick.

        Args:
            joint_velocity: of the arm [rad/s]; scaled down as a whole where a joint would be too fast.
            width_m: the distance between the fingers to drive to [m]; None leaves them as they are driven.
        """
        robot = self.scene.robot
        excess = float(np.max(np.abs(joint_velocity) / np.array(robot.arm.max_velocity)))
        self.bullet.setJointMotorControlArray(
            self.robot,
            self.arm,
            pybullet.VELOCITY_CONTROL,
            targetVelocities=(joint_velocity / max(1.0, excess)).tolist(),
            forces=robot.arm.max_force,
        )
        if robot.gripper is not None and width_m is not None:
            for finger, force, speed in zip(
                self.fingers, robot.gripper.joints.max_force, robot.gripper.joints.max_velocity, strict=True
            ):
                self.bullet.setJointMotorControl2(
                    self.robot, finger, pybullet.POSITION_CONTROL, targetPosition=0.5 * width_m, force=force,
                    maxVelocity=speed)  # fmt: skip
        for _ in range(self.substeps):
            self.bullet.stepSimulation()

    def image(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return what the scene's camera sees, shape (height, width, 3)."""
        camera = self.scene.camera
        view = self.bullet.computeViewMatrixFromYawPitchRoll(
            camera.target_m, camera.distance_m, camera.yaw_deg, camera.pitch_deg, 0.0, 2
        )
        projection = self.bullet.computeProjectionMatrixFOV(45.0, width / height, 0.05, 10.0)
        pixels = self.bullet.getCameraImage(width, height, view, projection, renderer=pybullet.ER_TINY_RENDERER)[2]
        seen: NDArray[np.uint8] = np.asarray(pixels, dtype=np.uint8).reshape(height, width, 4)[:, :, :3].copy()
        return seen
