"""A robot in the physics: its joints, links and motors."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.bullet import DATA, Bullet, BulletError
from imitation_ros.envs.fixed_links import Mount
from imitation_ros.envs.sim_robot import SimRobot
from imitation_ros.envs.urdf import prepared_urdf
from imitation_ros.errors import SpecError, did_you_mean
from imitation_ros.robot.rotations import quaternion_to_matrix

Array = NDArray[np.float64]

DAMPING = 0.005  # of the pseudo-inverse: it stays bounded where the arm is stretched out
HOLD_RATE = 5.0  # [1/s] how fast the orientation, and the elbow, return to where they were at home
BASE = -1  # pybullet's index of the link that all others hang on
HOLD_FORCE = 100.0  # N m or N, of joints that nobody drives and whose URDF says no effort
POSITION, VELOCITY, EFFORT = 0, 1, 3  # where they are in pybullet's state of a joint
QUANTITIES = {"position": POSITION, "velocity": VELOCITY, "effort": EFFORT}


class LoadedRobot:
    """A robot in a client of pybullet, fixed to the origin.

    Joints that are neither of the arm nor of the gripper are held where they are at the start. What was read is
    kept, and read again only after `forget`.

    Raises:
        SpecError: the URDF does not load, or lacks a joint or link that the file names.
    """

    def __init__(self, bullet: Bullet, robot: SimRobot, own_visuals: bool) -> None:
        self.bullet, self.robot = bullet, robot
        self.id, mounts = load(bullet, robot, own_visuals)
        indices = {bullet.getBodyInfo(self.id)[0].decode(): BASE}
        self.joints: dict[str, int] = {}  # those that move, in the order of the Jacobian's columns
        infos = [bullet.getJointInfo(self.id, index) for index in range(bullet.getNumJoints(self.id))]
        for index, info in enumerate(infos):
            indices[info[12].decode()] = index
            if info[2] != bullet.JOINT_FIXED:
                self.joints[info[1].decode()] = index
        self.links = {name: (indices[mount.carrier], mount) for name, mount in mounts.items()}
        fingers = robot.gripper.joints.names if robot.gripper else ()
        named, moved = [*robot.arm.names, *fingers], [name for name, (index, _) in self.links.items() if index != BASE]
        for word, known in [(name, list(self.joints)) for name in named] + [(robot.end_effector, moved)]:
            if word not in known:
                raise SpecError(
                    f"{robot.file}: {robot.urdf} has no {word!r}.{did_you_mean(word, known)} It has {', '.join(known)}."
                )
        self.arm = [self.joints[name] for name in robot.arm.names]
        self.columns = {name: column for column, name in enumerate(self.joints)}
        self.arm_columns = one_slice([self.columns[name] for name in robot.arm.names])
        self.moving = list(self.joints.values())
        self.home = np.array(robot.home_rad)
        self.max_velocity = np.array(robot.arm.max_velocity)
        self.fingers = [self.joints[name] for name in fingers]
        self.zeros = [0.0] * len(self.moving)
        self.damping = DAMPING**2 * np.eye(6)
        self.effector, self.reach = self.point_of(robot.end_effector)
        self.forget()
        self.tie_fingers()
        self.opened = {finger: infos[finger][9] for finger in self.fingers}
        self.hold([infos[index] for index in self.moving if index not in (*self.arm, *self.fingers)])

    def point_of(self, link: str) -> tuple[int, list[float]]:
        """Return the index of a link's carrier, and its origin there as pybullet's Jacobian takes it [m]."""
        index, mount = self.links[link]
        centre, turn = self.bullet.getLinkState(self.id, index)[2:4]  # of mass, in the carrier's frame
        return index, (quaternion_to_matrix(np.array(turn)).T @ (mount.position - centre)).tolist()

    def forget(self) -> None:
        """The robot has moved: what was read is old."""
        self.states: tuple[tuple[Any, ...], ...] | None = None
        self.frames: dict[str, tuple[Array, Array]] = {}

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
        self.forget()

    def joint_states(self) -> tuple[tuple[Any, ...], ...]:
        """Return what pybullet says of each joint that moves."""
        if self.states is None:
            self.states = self.bullet.getJointStates(self.id, self.moving)
        return self.states

    def angles(self) -> list[float]:
        """Return the positions of all movable joints."""
        return [state[POSITION] for state in self.joint_states()]

    def take(self, angles: list[float]) -> None:
        """Put all movable joints somewhere, at rest."""
        for joint, angle in zip(self.moving, angles, strict=True):
            self.bullet.resetJointState(self.id, joint, angle, 0.0)
        self.forget()

    def joint_values(self, names: tuple[str, ...], quantity: str) -> Array:
        """Return position [rad or m], velocity or effort of joints, shape (len(names),).

        Raises:
            SpecError: the URDF has no such joint.
        """
        states, index = self.joint_states(), QUANTITIES[quantity]
        try:
            return np.array([states[self.columns[name]][index] for name in names])
        except KeyError as error:
            name = str(error.args[0])
            raise SpecError(
                f"{self.robot.file}: the URDF has no joint {name!r} that moves.{did_you_mean(name, self.joints)} It "
                f"has {', '.join(self.joints)}."
            ) from None

    def frame(self, name: str) -> tuple[Array, Array]:
        """Return position [m] and rotation matrix of a link's frame."""
        if name not in self.frames:
            index, mount = self.links[name]
            position, rotation = mount.position, mount.rotation
            if index != BASE:
                state = self.bullet.getLinkState(self.id, index, computeForwardKinematics=1)
                turn = quaternion_to_matrix(state[5])
                position, rotation = state[4] + turn @ position, turn @ rotation
            self.frames[name] = position, rotation
        return self.frames[name]

    def joint_velocity(self, linear: Array, angular: Array | None, hold: Array) -> Array:
        """Return the arm's joint velocities [rad/s] for a twist of the end effector, shape (joints,).

        One damped least-squares step on the Jacobian (Nakamura and Hanafusa 1986); what the task
        leaves free pulls the elbow back to where it was at home.

        Args:
            linear: [m/s], shape (3,).
            angular: [rad/s], shape (3,); None holds the orientation `hold`, a matrix.
        """
        angles = self.angles()
        parts = self.bullet.calculateJacobian(self.id, self.effector, self.reach, angles, self.zeros, self.zeros)
        jacobian = np.array(parts[0] + parts[1])[:, self.arm_columns]
        if angular is None:
            angular = HOLD_RATE * missing_rotation(self.frame(self.robot.end_effector)[1], hold)
        pull = HOLD_RATE * (self.home - np.array(angles)[self.arm_columns])
        damped = jacobian @ jacobian.T + self.damping
        residual = np.concatenate((linear, angular)) - jacobian @ pull
        return np.asarray(pull + jacobian.T @ np.linalg.solve(damped, residual))

    def drive_velocity(self, joint_velocity: Array) -> None:
        """Drive the arm [rad/s]; slower as a whole where a joint would be too fast."""
        excess = float((np.abs(joint_velocity) / self.max_velocity).max())
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


def load(bullet: Bullet, robot: SimRobot, own_visuals: bool) -> tuple[int, dict[str, Mount]]:
    """Return the id of the robot, and where each of its URDF's links is."""
    urdf = Path(robot.urdf) if Path(robot.urdf).is_file() else DATA / robot.urdf
    text, mounts = prepared_urdf(urdf, robot.file, own_visuals)
    with tempfile.NamedTemporaryFile("w", suffix=".urdf", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            return int(bullet.loadURDF(file.name, useFixedBase=True)), mounts
        except BulletError:
            raise SpecError(f"{robot.file}: pybullet cannot load the URDF {robot.urdf!r}.") from None
