"""A robot in the physics: its joints, links and motors."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.bullet import DATA, Bullet, BulletError
from imitation_ros.envs.sim_robot import SimRobot
from imitation_ros.envs.urdf import prepared_urdf
from imitation_ros.errors import SpecError, did_you_mean
from imitation_ros.robot.rotations import quaternion_to_matrix

Array = NDArray[np.float64]

DAMPING = 0.005  # of the pseudo-inverse: it stays bounded where the arm is stretched out
HOLD_RATE = 5.0  # [1/s] how fast the orientation, and the elbow, return to where they were at home
ORIGIN = (0.0, 0.0, 0.0)
BASE = -1  # pybullet's index of the link that all others hang on
HOLD_FORCE = 100.0  # N m or N, of joints that nobody drives and whose URDF says no effort


class LoadedRobot:
    """A robot in a client of pybullet, fixed to the origin.

    Joints that are neither of the arm nor of the gripper are held where they are at the start.

    Raises:
        SpecError: the URDF does not load, or lacks a joint or link that the file names.
    """

    def __init__(self, bullet: Bullet, robot: SimRobot, own_visuals: bool) -> None:
        self.bullet, self.robot = bullet, robot
        self.id = load(bullet, robot, own_visuals)
        self.links = {bullet.getBodyInfo(self.id)[0].decode(): BASE}
        self.joints: dict[str, int] = {}
        self.movable: list[str] = []  # in the order of the Jacobian's columns
        infos = [bullet.getJointInfo(self.id, index) for index in range(bullet.getNumJoints(self.id))]
        for index, info in enumerate(infos):
            self.joints[info[1].decode()] = index
            self.links[info[12].decode()] = index
            if info[2] != bullet.JOINT_FIXED:
                self.movable.append(info[1].decode())
        fingers = robot.gripper.joints.names if robot.gripper else ()
        named = [*robot.arm.names, *fingers]
        for word, known in [(name, self.movable) for name in named] + [(robot.end_effector, list(self.links)[1:])]:
            if word not in known:
                raise SpecError(
                    f"{robot.file}: {robot.urdf} has no {word!r}.{did_you_mean(word, known)} It has {', '.join(known)}."
                )
        self.arm = [self.joints[name] for name in robot.arm.names]
        self.arm_columns = one_slice([self.movable.index(name) for name in robot.arm.names])
        self.moving = [self.joints[name] for name in self.movable]
        self.home = np.array(robot.home_rad)
        self.max_velocity = np.array(robot.arm.max_velocity)
        self.fingers = [self.joints[name] for name in fingers]
        self.zeros = [0.0] * len(self.movable)
        self.damping = DAMPING**2 * np.eye(6)
        self.tie_fingers()
        self.opened = {finger: infos[finger][9] for finger in self.fingers}
        self.hold([infos[index] for index in self.moving if index not in (*self.arm, *self.fingers)])

    def tie_fingers(self) -> None:
        gripper = self.robot.gripper
        if gripper is None:
            return
        left, right = self.fingers
        gear = self.bullet.createConstraint(
            self.id, left, self.id, right, self.bullet.JOINT_GEAR, [1, 0, 0], [0, 0, 0], [0, 0, 0])  # fmt: skip
        self.bullet.changeConstraint(gear, gearRatio=gripper.ratio, erp=gripper.erp, maxForce=gripper.gear_force)
        for finger in self.fingers:
            self.bullet.changeDynamics(self.id, finger, lateralFriction=gripper.friction)

    def hold(self, infos: list[tuple[float, ...]]) -> None:
        """Hold joints at zero, or at the end of their range that is nearest to it."""
        for info in infos:
            joint, low, high, effort = int(info[0]), info[8], info[9], info[10]
            angle = min(max(0.0, low), high) if low < high else 0.0
            self.bullet.resetJointState(self.id, joint, angle, 0.0)
            self.bullet.setJointMotorControl2(
                self.id, joint, self.bullet.POSITION_CONTROL, targetPosition=angle, force=effort or HOLD_FORCE
            )

    def go_home(self, width_m: float | None) -> None:
        """Put the arm at home, at rest, and the fingers at a distance [m]; open for None."""
        for joint, angle in zip(self.arm, self.home.tolist(), strict=True):
            self.bullet.resetJointState(self.id, joint, angle, 0.0)
        for finger in self.fingers:
            place = self.opened[finger] if width_m is None else 0.5 * width_m
            self.bullet.resetJointState(self.id, finger, place, 0.0)

    def angles(self) -> tuple[float, ...]:
        """Return the positions of all movable joints."""
        return tuple(state[0] for state in self.bullet.getJointStates(self.id, self.moving))

    def take(self, angles: tuple[float, ...]) -> None:
        """Put all movable joints somewhere, at rest."""
        for joint, angle in zip(self.moving, angles, strict=True):
            self.bullet.resetJointState(self.id, joint, angle, 0.0)

    def joint_state(self, names: tuple[str, ...]) -> tuple[Array, Array, Array]:
        """Return positions [rad or m], velocities and efforts of joints, each of shape (len(names),).

        Raises:
            SpecError: the URDF has no such joint.
        """
        try:
            joints = [self.joints[name] for name in names]
        except KeyError as error:
            name = str(error.args[0])
            raise SpecError(
                f"{self.robot.file}: the URDF has no joint {name!r}.{did_you_mean(name, self.joints)} It has "
                f"{', '.join(self.movable)}."
            ) from None
        position, velocity, _, effort = zip(*self.bullet.getJointStates(self.id, joints), strict=True)
        return np.array(position), np.array(velocity), np.array(effort)

    def link_pose(self, name: str) -> tuple[Array, Array]:
        """Return position [m] and quaternion of a link's frame."""
        if self.links[name] == BASE:
            return np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])
        state = self.bullet.getLinkState(self.id, self.links[name], computeForwardKinematics=1)
        return np.array(state[4]), np.array(state[5])

    def joint_velocity(self, linear: Array, angular: Array | None, hold: Array) -> Array:
        """Return the arm's joint velocities [rad/s] for a twist of the end effector, shape (joints,).

        One damped least-squares step on the Jacobian (Nakamura and Hanafusa 1986); what the task
        leaves free pulls the elbow back to where it was at home.

        Args:
            linear: [m/s], shape (3,).
            angular: [rad/s], shape (3,); None holds the orientation `hold`, a matrix.
        """
        angles = self.angles()
        effector = self.links[self.robot.end_effector]
        parts = self.bullet.calculateJacobian(self.id, effector, ORIGIN, angles, self.zeros, self.zeros)
        jacobian = np.array(parts).reshape(6, -1)[:, self.arm_columns]
        if angular is None:
            matrix = quaternion_to_matrix(self.link_pose(self.robot.end_effector)[1])
            angular = HOLD_RATE * missing_rotation(matrix, hold)
        pull = HOLD_RATE * (self.home - np.array(angles)[self.arm_columns])
        damped = jacobian @ jacobian.T + self.damping
        residual = np.concatenate((linear, angular)) - jacobian @ pull
        return np.asarray(pull + jacobian.T @ np.linalg.solve(damped, residual))

    def drive_velocity(self, joint_velocity: Array) -> None:
        """Drive the arm [rad/s]; slower as a whole where a joint would be too fast."""
        excess = float(np.max(np.abs(joint_velocity) / self.max_velocity))
        self.bullet.setJointMotorControlArray(
            self.id,
            self.arm,
            self.bullet.VELOCITY_CONTROL,
            targetVelocities=(joint_velocity / max(1.0, excess)).tolist(),
            forces=self.robot.arm.max_force,
        )

    def drive_position(self, positions: Array) -> None:
        """Drive the arm to positions [rad], no joint faster than it may be."""
        for joint, position, force, speed in zip(
            self.arm, positions.tolist(), self.robot.arm.max_force, self.robot.arm.max_velocity, strict=True
        ):
            self.drive_joint(joint, position, force, speed)

    def drive_fingers(self, width_m: float) -> None:
        """Drive the fingers to a distance [m]."""
        gripper = self.robot.gripper
        if gripper is None:
            return
        for finger, force, speed in zip(
            self.fingers, gripper.joints.max_force, gripper.joints.max_velocity, strict=True
        ):
            self.drive_joint(finger, 0.5 * width_m, force, speed)

    def drive_joint(self, joint: int, position: float, force: float, speed: float) -> None:
        self.bullet.setJointMotorControl2(
            self.id, joint, self.bullet.POSITION_CONTROL, targetPosition=position, force=force, maxVelocity=speed
        )


def one_slice(indices: list[int]) -> slice | list[int]:
    """Return neighbours as a slice, which numpy takes without copying."""
    first = indices[0]
    return slice(first, first + len(indices)) if indices == list(range(first, first + len(indices))) else indices


def missing_rotation(matrix: Array, wanted: Array) -> Array:
    """Return the sines about each axis of the rotation from one orientation to another.

    Half the sum of the cross products of the axes, which is what is skew in `matrix @ wanted.T`.
    """
    (_, ab, ac), (ba, _, bc), (ca, cb, _) = (matrix @ wanted.T).tolist()
    return np.array([0.5 * (bc - cb), 0.5 * (ca - ac), 0.5 * (ab - ba)])


def load(bullet: Bullet, robot: SimRobot, own_visuals: bool) -> int:
    """Return the id of the robot."""
    urdf = Path(robot.urdf) if Path(robot.urdf).is_file() else DATA / robot.urdf
    text = prepared_urdf(urdf, robot.file, own_visuals)
    with tempfile.NamedTemporaryFile("w", suffix=".urdf", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            return int(bullet.loadURDF(file.name, useFixedBase=True))
        except BulletError:
            raise SpecError(f"{robot.file}: pybullet cannot load the URDF {robot.urdf!r}.") from None
