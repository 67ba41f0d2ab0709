"""A robot, a scene and a task as a gymnasium environment; its spaces come from the robot spec.

The simulator node and `step` go the same way: `observe` and `apply`, in physical units.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.scene import load_scene
from imitation_ros.envs.tasks import find_task
from imitation_ros.envs.world import World
from imitation_ros.errors import SpecError, did_you_mean
from imitation_ros.robot.field import Field
from imitation_ros.robot.rotations import ROTATIONS, quaternion_to_matrix
from imitation_ros.robot.spec import load_spec

Array = NDArray[np.float64]

PURPOSES = {"train": 0, "validation": 1, "test": 2, "rollout": 3}
"""What a start is for: starts of different purposes never share random numbers."""


class RobotEnv(gymnasium.Env[dict[str, Any], NDArray[np.float32]]):
    """One episode after another of a setup's task, each of the task's time limit.

    Observations are in SI units, actions in [-1, 1] in the spec's order. `info` holds `success`
    (the task's condition has held for its dwell) and `executed` (the action after the disturbance).

    Args:
        setup: a name in config/setups, or a path.
        disturbance: add the scene's noise to the executed action.
        terminate_on_success: end the episode at success, instead of at the time limit.
        render_mode: "rgb_array" or None.

    Raises:
        SpecError: the setup has no task or scene, or a field that the simulator cannot show or do.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012 gymnasium's own form

    def __init__(
        self,
        setup: str | Path = "panda_reach",
        disturbance: bool = False,
        terminate_on_success: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self.robot_spec = load_spec(setup)
        for word in ("task", "scene"):
            if not getattr(self.robot_spec, word):
                raise SpecError(f"the setup {setup} has no `{word}:`, so it cannot be simulated. Add one.")
        self.task = find_task(self.robot_spec.task)
        self.scene = load_scene(self.robot_spec.scene)
        self.disturbance = disturbance
        self.terminate_on_success = terminate_on_success
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": round(self.robot_spec.rate_hz)}
        self.check_fields()
        self.time_limit = round(self.task.TIME_LIMIT_S * self.robot_spec.rate_hz)
        widths = {field.name: field.width for field in self.robot_spec.observation}
        self.observation_space = gymnasium.spaces.Dict(
            {name: gymnasium.spaces.Box(-np.inf, np.inf, (width,), np.float32) for name, width in widths.items()}
        )
        width = sum(field.width for field in self.robot_spec.action)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (width,), np.float32)
        self.world = World(self.scene, self.robot_spec.rate_hz)
        self.start_episode(np.random.SeedSequence(0))
        self.observe()  # joints that the URDF lacks are found here, not in the first episode

    def check_fields(self) -> None:
        """Check that the simulator can show every observation field, and do every action field."""
        spec = self.robot_spec
        names = [field.name for field in spec.observation]
        for name in self.task.FIELDS:
            if name not in names:
                raise SpecError(
                    f"{spec.name}: the task {spec.task!r} needs the observation {name!r}; there are {names}."
                )
        for field in spec.observation:
            if is_pose(field) and field.name not in self.scene.poses:
                hint = did_you_mean(field.name, self.scene.poses)
                raise SpecError(
                    f"{self.scene.file}: poses has no {field.name!r}.{hint} Say which body or link it shows."
                )
            if not is_pose(field) and not is_joints(field):
                raise SpecError(f"{field.file}: the simulator cannot show {field.name!r}: {field.type}.")
        for field in spec.action:
            if field.relative or not (
                is_twist(field) or is_gripper(field) or (is_joints(field) and field.quantity == "velocity")
            ):
                raise SpecError(
                    f"{field.file}: the simulator cannot do {field.name!r}. It does a TwistStamped, a JointState "
                    "of velocities, and a Float64 for the distance between the fingers, none of them relative."
                )
            for joint in self.scene.robot.arm.names if is_joints(field) else ():
                if joint not in field.names:
                    raise SpecError(
                        f"{field.file}: {field.name!r} lacks the joint {joint!r} of the simulated arm; it has "
                        f"{', '.join(field.names)}. Name every joint of the arm."
                    )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: as in gymnasium.
            options: {"start": i, "purpose": "test"} chooses start i of that purpose under the seed
                (0 where none is given), whatever ran before; purpose is "train" where none is given.
        """
        super().reset(seed=seed)
        if options and "start" in options:
            purpose = str(options.get("purpose", "train"))
            sequence = start_sequence(seed or 0, purpose, int(options["start"]))
        else:
            sequence = np.random.SeedSequence(int(self.np_random.integers(2**63)))
        self.start_episode(sequence)
        return self.rounded(self.observe()), {"success": False}

    def start_episode(self, sequence: np.random.SeedSequence) -> None:
        """Place everything; the disturbance has numbers of its own, so it does not move the placement."""
        place_sequence, noise_sequence = sequence.spawn(2)
        placed = self.task.place(np.random.default_rng(place_sequence))
        self.world.reset({self.scene.poses[field]: pose for field, pose in placed.items()})
        self.noise_rng = np.random.default_rng(noise_sequence)
        self.noise = {field.name: self.noise_rng.standard_normal(field.width) for field in self.robot_spec.action}
        self.ticks, self.dwell, self.success = 0, 0, False

    def step(self, action: NDArray[Any]) -> tuple[dict[str, NDArray[np.float32]], float, bool, bool, dict[str, Any]]:
        executed = self.apply(self.from_unit(action))
        observation = self.observe()
        terminated = self.terminate_on_success and self.success
        info = {"success": self.success, "executed": self.to_unit(executed)}
        return self.rounded(observation), self.task.reward(observation), terminated, self.time_is_up, info

    @property
    def time_is_up(self) -> bool:
        return self.ticks >= self.time_limit

    def observe(self) -> dict[str, Array]:
        """Return what is seen now: field name to float64 of shape (width,), SI units."""
        return {field.name: self.observe_field(field) for field in self.robot_spec.observation}

    def observe_field(self, field: Field) -> Array:
        if is_joints(field):
            return self.world.joint_state(field.names)[("position", "velocity", "effort").index(field.quantity)]
        position, quaternion = self.world.pose(self.scene.poses[field.name])
        if field.rotation is None:
            return position
        return np.concatenate([position, ROTATIONS[field.rotation][0](quaternion_to_matrix(quaternion))])

    def apply(self, action: Mapping[str, NDArray[Any]]) -> dict[str, Array]:
        """Advance by one tick under an action, and return what was executed, both in physical units.

        What is executed is the action plus the disturbance, within the scale.

        Raises:
            ValueError: a number is not finite, or a field is missing.
        """
        executed = {field.name: self.disturbed(field, action[field.name]) for field in self.robot_spec.action}
        velocity, width_m = np.zeros(len(self.scene.robot.arm.names)), None
        for field in self.robot_spec.action:
            values = executed[field.name]
            if is_gripper(field):
                width_m = float(values[0])
            elif is_twist(field):
                velocity = self.world.joint_velocity(*split_twist(field, values))
            else:
                velocity = values[[field.names.index(name) for name in self.scene.robot.arm.names]]
        self.world.step(velocity, width_m)
        self.ticks += 1
        self.dwell = self.dwell + 1 if self.task.is_success(self.observe()) else 0
        self.success = self.success or self.dwell >= self.task.DWELL_TICKS
        return executed

    def disturbed(self, field: Field, values: NDArray[Any]) -> Array:
        """Return what is executed of one action field; a gripper is not disturbed."""
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (field.width,) or not np.isfinite(values).all():
            raise ValueError(
                f"the action {field.name!r} is {values.tolist()}; it should be {field.width} finite number(s)"
            )
        low, high = field.scale
        if field.kind == "binary":
            return np.where(values > 0.5 * (low + high), high, low)
        if self.disturbance:
            noise = self.scene.disturbance
            # first-order autoregression: its standard deviation stays `std` for any correlation
            kept = np.exp(-self.robot_spec.period_s / noise.correlation_s) if noise.correlation_s > 0 else 0.0
            values = values + 0.5 * (high - low) * noise.std * self.noise[field.name]
            fresh = self.noise_rng.standard_normal(field.width)
            self.noise[field.name] = kept * self.noise[field.name] + np.sqrt(1.0 - kept**2) * fresh
        return np.asarray(np.clip(values, low, high))

    def from_unit(self, action: NDArray[Any]) -> dict[str, Array]:
        """Return field name to physical values of an action in [-1, 1], shape (A,)."""
        widths = [field.width for field in self.robot_spec.action]
        parts = np.split(np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0), np.cumsum(widths)[:-1])
        return {field.name: field.from_unit(part) for field, part in zip(self.robot_spec.action, parts, strict=True)}

    def to_unit(self, action: Mapping[str, Array]) -> NDArray[np.float32]:
        """Return physical action values side by side in [-1, 1], shape (A,)."""
        parts = [field.to_unit(action[field.name]) for field in self.robot_spec.action]
        return np.concatenate(parts).astype(np.float32)

    def rounded(self, observation: Mapping[str, Array]) -> dict[str, NDArray[np.float32]]:
        """Return an observation as a recording and a policy hold it."""
        return {name: values.astype(np.float32) for name, values in observation.items()}

    def render(self) -> NDArray[np.uint8] | None:
        """Return what the scene's camera sees, shape (240, 320, 3), or None without a render mode."""
        return self.world.image(320, 240) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        self.world.close()


def start_sequence(seed: int, purpose: str, start: int) -> np.random.SeedSequence:
    """Return the random numbers of one start.

    Raises:
        ValueError: the purpose is unknown.
    """
    if purpose not in PURPOSES:
        raise ValueError(f"the purpose {purpose!r} is unknown; there are {', '.join(PURPOSES)}")
    return np.random.SeedSequence([seed, PURPOSES[purpose], start])


def split_twist(field: Field, values: Array) -> tuple[Array, Array | None]:
    """Return linear [m/s] and angular [rad/s]; None where the field has no angular part: hold the orientation."""
    parts = {"linear": np.zeros(3), "angular": np.zeros(3)}
    for name, value in zip(field.names, values.tolist(), strict=True):
        part, axis = name.split(".")
        parts[part]["xyz".index(axis)] = value
    turns = any(name.startswith("angular") for name in field.names)
    return parts["linear"], parts["angular"] if turns else None


def is_pose(field: Field) -> bool:
    return "Pose" in field.type


def is_joints(field: Field) -> bool:
    return "JointState" in field.type


def is_twist(field: Field) -> bool:
    return "Twist" in field.type


def is_gripper(field: Field) -> bool:
    return "Float64" in field.type
