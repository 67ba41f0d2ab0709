"""What the action fields of a spec do to the simulated robot."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.scene import Scene
from imitation_ros.envs.world import World
from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec

Array = NDArray[np.float64]

TWISTS = ("geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped")
WIDTH = "std_msgs/msg/Float64"
JOINTS = (
    "sensor_msgs/msg/JointState",
    "trajectory_msgs/msg/JointTrajectory",
    "std_msgs/msg/Float64MultiArray",
    "control_msgs/msg/JointJog",
)
DOES = (
    "a Twist or TwistStamped of the end effector; positions or velocities of the arm's joints, as JointState, "
    "JointTrajectory or Float64MultiArray (velocities also as JointJog); a Float64 for the distance between the fingers"
)


class Motors:
    """Drives a world's robot by the action fields.

    Raises:
        SpecError: a field that the simulator cannot do, two for the arm, or one that leaves a joint out.
    """

    def __init__(self, spec: RobotSpec, scene: Scene) -> None:
        self.fields, self.scene = spec.action, scene
        self.arm = scene.robot.arm.names
        for field in self.fields:
            self.check(field)
        moving = [field.name for field in self.fields if field.type != WIDTH]
        if len(moving) > 1:
            raise SpecError(
                f"{spec.name}: the actions {' and '.join(moving)} both move the arm. The simulator has one at a time."
            )
        joints = {field.name: field.names for field in self.fields if field.type in JOINTS}
        self.twists = {field.name: twist_places(field) for field in self.fields if field.type in TWISTS}
        self.order = {name: [names.index(joint) for joint in self.arm] for name, names in joints.items()}

    def check(self, field: Field) -> None:
        """Raise SpecError where the simulator cannot do what a field says."""
        gripper = field.type == WIDTH
        does = field.type in TWISTS or gripper or (field.type in JOINTS and field.quantity != "effort")
        displaces = field.type.endswith("JointJog") and field.quantity != "velocity"
        if not does or displaces or field.relative:
            raise SpecError(
                f"{field.file}: the simulator cannot do {field.name!r}: {'relative ' if field.relative else ''}"
                f"{field.quantity} as {field.type}. It does {DOES}; none of them relative."
            )
        if gripper and self.scene.robot.gripper is None:
            raise SpecError(
                f"{field.file}: {field.name!r} moves a gripper, and {self.scene.robot.file} has none. Give it a "
                f"`gripper:`, or leave the action out."
            )
        if field.type not in JOINTS:
            return
        for joint in self.arm:
            if joint not in field.names:
                raise SpecError(
                    f"{field.file}: {field.name!r} lacks the joint {joint!r} of the simulated arm; it has "
                    f"{', '.join(field.names)}. Name every joint of the arm."
                )
        for joint in field.names:
            if joint not in self.arm:
                raise SpecError(
                    f"{field.file}: {field.name!r} names the joint {joint!r}, which is not of the arm in "
                    f"{self.scene.robot.file}: {', '.join(self.arm)}. Leave it out, or add it to the arm."
                )

    def resting(self) -> dict[str, Array]:
        """Return the action of an episode in which nobody has commanded anything yet: the arm stays, open fingers."""
        home = dict(zip(self.arm, self.scene.robot.home_rad, strict=True))
        resting = {}
        for field in self.fields:
            values = np.zeros(field.width)
            if field.type == WIDTH:
                values = field.scale[1]
            elif field.type in JOINTS and field.quantity == "position":
                values = np.array([home[name] for name in field.names])
            resting[field.name] = values
        return resting

    def drive(self, world: World, action: Mapping[str, Array]) -> None:
        """Set the motors for an action, in physical units."""
        width_m, driven = None, False
        for field in self.fields:
            values = action[field.name]
            if field.type == WIDTH:
                width_m = float(values[0])
                continue
            driven = True
            if field.type in TWISTS:
                world.robot.drive_velocity(world.joint_velocity(*self.split_twist(field, values)))
            elif field.quantity == "velocity":
                world.robot.drive_velocity(values[self.order[field.name]])
            else:
                world.robot.drive_position(values[self.order[field.name]])
        if not driven:
            world.robot.drive_velocity(np.zeros(len(self.arm)))
        world.drive_fingers(width_m)

    def split_twist(self, field: Field, values: Array) -> tuple[Array, Array | None]:
        """Return linear [m/s] and angular [rad/s]; None where the field has no angular part: hold the orientation."""
        places, turns = self.twists[field.name]
        twist = np.zeros(6)
        twist[places] = values
        return twist[:3], twist[3:] if turns else None


def twist_places(field: Field) -> tuple[list[int], bool]:
    """Return where a field's numbers are in a twist, linear before angular, and whether it has an angular part."""
    places = [
        ("linear", "angular").index(part) * 3 + "xyz".index(axis)
        for part, axis in (name.split(".") for name in field.names)
    ]
    return places, max(places) >= 3
