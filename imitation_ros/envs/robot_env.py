"""A robot, a scene and a task as a gymnasium environment; its spaces come from the robot spec.

The simulator node and `step` go the same way: `observe` and `apply`, in physical units.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.camera import Pixels
from imitation_ros.envs.disturbance import ActionNoise
from imitation_ros.envs.environment import Outcome, start_sequence
from imitation_ros.envs.motors import Motors
from imitation_ros.envs.randomisation import unvaried, vary
from imitation_ros.envs.scene import load_scene, scene_path
from imitation_ros.envs.sensors import Sensors, check_randomised
from imitation_ros.envs.tasks import Task, find_task
from imitation_ros.envs.world import UPRIGHT, Pose, World
from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import load_spec

Array = NDArray[np.float64]

FREE_TIME_LIMIT_S = 30.0  # of an episode without a task, where the scene does not say


class RobotEnv(gymnasium.Env[dict[str, Any], NDArray[np.float32]]):
    """One episode after another of a setup's task, each of the task's time limit.

    Observations are in SI units (images: uint8), actions in [-1, 1] in the spec's order. `info` holds `success`
    (the task's condition has held for its dwell), `executed` (the action after the disturbance), and at a reset
    `randomisation` (what was drawn). A setup without a task has no success, a reward of 0, and lasts the scene's
    time_limit_s, or 30 s.

    Args:
        setup: a name in config/setups, or a path.
        disturbance: add the scene's noise to the executed action.
        terminate_on_success: end the episode at success, instead of at the time limit.
        render_mode: "rgb_array" or None.
        randomisation: vary every episode as the scene's `randomisation` says; see envs/randomisation.py.

    Raises:
        SpecError: the setup has no scene, or a field that the simulator cannot show or do.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012 gymnasium's own form

    def __init__(
        self,
        setup: str | Path = "panda_reach",
        disturbance: bool = False,
        terminate_on_success: bool = False,
        render_mode: str | None = None,
        randomisation: bool = False,
    ) -> None:
        self.robot_spec = load_spec(setup)
        if not self.robot_spec.scene:
            raise SpecError(f"the setup {setup} has no `scene:`, so it cannot be simulated. Add one.")
        self.task: Task | None = find_task(self.robot_spec.task) if self.robot_spec.task else None
        self.scene = load_scene(scene_path(setup, self.robot_spec))
        self.disturbance, self.randomisation = disturbance, randomisation
        self.terminate_on_success = terminate_on_success
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": round(self.robot_spec.rate_hz)}
        self.check_scene()
        self.motors = Motors(self.robot_spec, self.scene)
        self.sensors = Sensors(self.robot_spec, self.scene)
        if randomisation:
            check_randomised(self.scene, self.sensors.fields)
        self.time_limit = round(self.time_limit_s * self.robot_spec.rate_hz)
        self.observation_space = gymnasium.spaces.Dict(
            {field.name: space_of(field) for field in self.robot_spec.observation}
        )
        width = sum(field.width for field in self.robot_spec.action)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (width,), np.float32)
        self.world = World(self.scene, self.robot_spec.rate_hz)
        self.portrait: World | None = None  # with the robot's own visuals, for films; made when one is asked for
        self.start_episode(np.random.SeedSequence(0))
        self.observe()  # joints that the URDF lacks are found here, not in the first episode

    def check_scene(self) -> None:
        """Check that scene, task and setup fit together."""
        spec, scene = self.robot_spec, self.scene
        names = [field.name for field in spec.observation]
        for name in () if self.task is None else self.task.FIELDS:
            if name not in names:
                raise SpecError(
                    f"{spec.name}: the task {spec.task!r} needs the observation {name!r}; there are {names}."
                )
        if self.task is not None and scene.time_limit_s is not None:
            raise SpecError(f"{scene.file}: time_limit_s is for setups without a task; {spec.task!r} has its own.")
        if self.randomisation and scene.randomisation is None:
            raise SpecError(f"{scene.file} has no `randomisation:`, and it is asked for. Add one, or leave it off.")
        for body in scene.objects if self.task is None else ():
            if body.name not in scene.spawn:
                raise SpecError(
                    f"{scene.file}: without a task, nobody says where {body.name!r} starts. Add it to `spawn:`."
                )

    @property
    def time_limit_s(self) -> float:
        if self.task is not None:
            return self.task.TIME_LIMIT_S
        return self.scene.time_limit_s or FREE_TIME_LIMIT_S

    @property
    def success(self) -> bool | None:
        """Whether the running episode has succeeded; None without a task."""
        return None if self.task is None else self.succeeded

    @property
    def drawn(self) -> Mapping[str, float]:
        """What randomisation drew for the running episode."""
        return self.variation.drawn

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
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
        return self.rounded(self.observe()), {"success": self.success, "randomisation": dict(self.variation.drawn)}

    def start_episode(self, sequence: np.random.SeedSequence) -> None:
        """Place everything; disturbance and randomisation have numbers of their own, and do not move the placement."""
        place_sequence, noise_sequence, vary_sequence = sequence.spawn(3)
        self.variation = vary(self.scene, vary_sequence) if self.randomisation else unvaried(self.scene)
        self.world = self.world.of(self.variation.scene)
        self.world.reset(self.place(np.random.default_rng(place_sequence)))
        self.action_noise = ActionNoise(
            self.scene.disturbance,
            self.robot_spec.action,
            self.robot_spec.period_s,
            np.random.default_rng(noise_sequence),
        )
        late = round(self.variation.command_latency_s * self.scene.substep_hz)
        self.late_ticks, self.late_substeps = divmod(late, self.world.substeps)
        self.commands = deque([self.motors.resting()] * (self.late_ticks + 1), maxlen=self.late_ticks + 2)
        self.sensors.begin(self.world, self.variation)
        moments = [(self.late_substeps, self.drive_newest), *self.sensors.moments()]
        self.moments = sorted(moments, key=lambda moment: moment[0])
        self.ticks, self.dwell, self.succeeded = 0, 0, False

    def place(self, rng: np.random.Generator) -> dict[str, Pose]:
        """Return where objects and goals start: where the task says, but for what the scene spawns."""
        placed = {} if self.task is None else self.task.place(rng)
        poses = {self.scene.poses[field]: pose for field, pose in placed.items()}
        for name, box in self.scene.spawn.items():
            poses[name] = (rng.uniform(box.low_m, box.high_m), poses.get(name, (None, UPRIGHT))[1])
        return poses

    def step(self, action: NDArray[Any]) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        outcome = self.advance(self.from_unit(action))
        info = {"success": self.success, "executed": self.to_unit(outcome.executed)}
        return outcome.observation, outcome.reward, outcome.terminated, outcome.truncated, info

    def begin(self, seed: int, purpose: str, start: int) -> dict[str, NDArray[Any]]:
        """Begin a start of a purpose; see Environment."""
        observation, _ = self.reset(seed=seed, options={"start": start, "purpose": purpose})
        return observation

    def advance(self, action: Mapping[str, NDArray[Any]]) -> Outcome:
        """Act for one tick, in physical units; see Environment."""
        executed = self.apply(action)
        reward = 0.0 if self.task is None else self.task.reward(self.truth)
        terminated = self.terminate_on_success and self.succeeded
        return Outcome(self.rounded(self.observe()), executed, reward, terminated, self.time_is_up)

    @property
    def time_is_up(self) -> bool:
        return self.ticks >= self.time_limit

    def observe(self) -> dict[str, NDArray[Any]]:
        """Return what is seen now: field name to float64 of shape (width,), SI units, or an image's uint8."""
        return {field.name: self.sensors.show(field.name) for field in self.robot_spec.observation}

    def apply(self, action: Mapping[str, NDArray[Any]]) -> dict[str, Array]:
        """Advance by one tick under an action, and return what was executed, both in physical units.

        What is executed is the action plus the disturbance, within the scale.

        Raises:
            ValueError: a number is not finite, or a field is missing.
        """
        executed = {field.name: self.disturbed(field, action[field.name]) for field in self.robot_spec.action}
        self.commands.append(executed)
        if self.late_substeps:
            self.motors.drive(self.world, self.commands[0])
        at = 0
        for substep, happens in self.moments:
            if substep > at:
                self.world.advance(substep - at)
            happens()
            at = substep
        self.world.advance(self.world.substeps - at)
        self.ticks += 1
        self.sensors.tick()
        if self.task is not None:
            self.truth = {name: self.sensors.truth(name) for name in self.task.FIELDS}
            self.dwell = self.dwell + 1 if self.task.is_success(self.truth) else 0
            self.succeeded = self.succeeded or self.dwell >= self.task.DWELL_TICKS
        return executed

    def drive_newest(self) -> None:
        """Drive by the newest command that has arrived."""
        self.motors.drive(self.world, self.commands[1])

    def disturbed(self, field: Field, values: NDArray[Any]) -> Array:
        """Return what is executed of one action field; a gripper is not disturbed."""
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (field.width,) or not all(map(math.isfinite, values.tolist())):
            raise ValueError(
                f"the action {field.name!r} is {values.tolist()}; it should be {field.width} finite number(s)"
            )
        low, high = field.scale
        if field.kind == "binary":
            return np.where(values - low > field.half_span, high, low)
        if self.disturbance:
            values = values + self.action_noise.next(field)
        values = np.minimum(np.maximum(values, low), high)  # np.clip takes three times as long
        return values.astype(np.float32).astype(np.float64)  # as a recording holds it, so that it can be replayed

    def from_unit(self, action: NDArray[Any]) -> dict[str, Array]:
        """Return field name to physical values of an action in [-1, 1], shape (A,)."""
        numbers = np.minimum(np.maximum(np.asarray(action, dtype=np.float64), -1.0), 1.0)
        values, start = {}, 0
        for field in self.robot_spec.action:
            values[field.name] = field.from_unit(numbers[start : start + field.width])
            start += field.width
        return values

    def to_unit(self, action: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return physical action values side by side in [-1, 1], shape (A,)."""
        parts = [field.to_unit(action[field.name]) for field in self.robot_spec.action]
        return np.concatenate(parts).astype(np.float32)

    def rounded(self, observation: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return an observation as a recording and a policy hold it."""
        return {field.name: observation[field.name].astype(field.dtype) for field in self.robot_spec.observation}

    def picture(self, width: int, height: int) -> Pixels:
        """Return an overview with the robot as it really looks, shape (height, width, 3)."""
        if self.portrait is None:
            self.portrait = World(self.world.scene, self.robot_spec.rate_hz, own_visuals=True)
        self.portrait = self.portrait.of(self.world.scene)
        self.portrait.take(self.world.posture())
        return self.portrait.image(width, height)

    def render(self) -> Pixels | None:
        """Return an overview, shape (240, 320, 3), or None without a render mode."""
        return self.picture(320, 240) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        self.world.close()
        if self.portrait is not None:
            self.portrait.close()


def space_of(field: Field) -> gymnasium.spaces.Box:
    if field.is_image:
        return gymnasium.spaces.Box(0, 255, field.row_shape, np.uint8)
    return gymnasium.spaces.Box(-np.inf, np.inf, (field.width,), np.float32)
