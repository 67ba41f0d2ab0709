"""One named quantity of a robot: what its numbers mean, and where they come from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import SpecError
from imitation_ros.robot.messages import POSITION

Numbers = tuple[float, ...]
NUMBER, PIXEL = np.dtype(np.float32), np.dtype(np.uint8)


@dataclass(frozen=True)
class Limits:
    """What a command may never exceed, per number, in the field's unit and its time derivatives.

    Safety, not meaning: a deployment may tighten them, never loosen them.
    """

    position_low: Numbers | None = None
    position_high: Numbers | None = None
    velocity: Numbers | None = None
    acceleration: Numbers | None = None


@dataclass(frozen=True)
class Field:
    """One named quantity of the robot spec.

    Attributes:
        topic: relative, so that namespaces work.
        type: the ROS message type, such as sensor_msgs/msg/JointState; or tf.
        names: what each number is: joints, axes. Empty for an image.
        quantity: position, velocity or effort: what the numbers are, and which limits apply.
        unit: one word for all numbers (rad, m/s), for people.
        frame: tf frame that the numbers are given in; None where there is none.
        rotation: rotation_6d or rotvec where a message holds an orientation; None leaves it out.
        kind: continuous; binary (a gripper: either scale_low or scale_high); category (a whole number from
            scale_low to scale_high, such as gymnasium's Discrete); image (uint8 pixels).
        shape: of an image: height, width, channels (3: RGB, 1: grey).
        scale_low, scale_high: what -1 and 1 in a recording's `actions` mean; actions only.
        relative: the action is a difference from the present value.
        reduce: which command stands for a tick: the last, or the time-weighted mean.
        timeout_s: how long a command stays in force [s].
        when_silent: what holds after that: hold (the last command) or zero.
        max_age_s: an older observation is stale [s].
        stamp: header (received where there is none), received, or required (a header without a stamp is refused).
        downstream_timeout_s: what follows this node stops by itself after so long [s].
        executed_topic: where the robot says what it was told after noise or limits.
        joint_prefix: stands before each of `names` in messages, where one driver serves several arms.
        frame_prefix: stands before `frame` and `child` in messages, as in robot_state_publisher.
        part: which robot of a pair this field belongs to; empty where there is one.
        child: of tf: the frame that is looked for in `frame`.
        time_from_start_s: of a JointTrajectory: when the robot should be there [s].
        storage: of an image in files: jpeg or raw.
        jpeg_quality: 1 to 95; a JPEG that arrives is stored as it came.
        file: where it was defined, for messages.
    """

    name: str
    topic: str
    type: str
    names: tuple[str, ...]
    quantity: str = "position"
    unit: str = ""
    frame: str | None = None
    rotation: str | None = None
    kind: str = "continuous"
    scale_low: Numbers | None = None
    scale_high: Numbers | None = None
    relative: bool = False
    limits: Limits = Limits()
    reduce: str = "last"
    timeout_s: float = 0.5
    when_silent: str = "hold"
    max_age_s: float = 0.2
    stamp: str = "header"
    downstream_timeout_s: float | None = None
    executed_topic: str | None = None
    shape: tuple[int, int, int] | None = None
    joint_prefix: str = ""
    frame_prefix: str = ""
    part: str = ""
    child: str | None = None
    time_from_start_s: float = 0.1
    storage: str = "jpeg"
    jpeg_quality: int = 90
    file: str = dataclass_field(default="", compare=False)

    @property
    def width(self) -> int:
        """How many numbers a value has."""
        return len(self.names) if self.shape is None else math.prod(self.shape)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one value: (width,), or an image's (height, width, channels)."""
        return (len(self.names),) if self.shape is None else self.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """What files and policies hold a value as."""
        return NUMBER if self.shape is None else PIXEL

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The joints as messages call them."""
        return tuple(self.joint_prefix + name for name in self.names)

    @property
    def frame_id(self) -> str | None:
        """The frame as messages call it; None where there is none."""
        return None if self.frame is None else self.frame_prefix + self.frame

    @property
    def child_frame_id(self) -> str | None:
        return None if self.child is None else self.frame_prefix + self.child

    @property
    def is_image(self) -> bool:
        return self.shape is not None

    @property
    def categories(self) -> int:
        """How many values a category field can have."""
        low, high = self.scale
        return round(float(high[0] - low[0])) + 1

    @property
    def position_slice(self) -> slice | None:
        """Where the field holds a position [m], for the types that do."""
        return slice(0, 3) if self.names[:3] == POSITION else None

    def to_unit(self, values: NDArray[Any]) -> NDArray[Any]:
        """Map physical values, shape (..., width), to [-1, 1] by the field's scale."""
        return (values - self.scale[0]) / self.half_span - 1.0

    def from_unit(self, values: NDArray[Any]) -> NDArray[Any]:
        """Map values in [-1, 1], shape (..., width), to physical ones; binary and category take the nearest allowed."""
        low, high = self.scale
        if self.kind == "binary":
            return np.where(values > 0.0, high, low)
        physical = low + (values + 1.0) * self.half_span
        return np.rint(physical) if self.kind == "category" else physical

    @cached_property
    def scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self.scale_low is None or self.scale_high is None:
            raise SpecError(
                f"{self.file}: the action {self.name!r} has no scale. Give scale_low and scale_high, "
                f"{self.width} number(s) each: what -1 and 1 mean."
            )
        ends = np.array(self.scale_low), np.array(self.scale_high)
        for end in ends:
            end.flags.writeable = False  # everybody is given the same two
        return ends

    @cached_property
    def half_span(self) -> NDArray[np.float64]:
        """Half of what lies between the scale's ends."""
        low, high = self.scale
        half: NDArray[np.float64] = 0.5 * (high - low)
        half.flags.writeable = False
        return half

    def meaning(self) -> dict[str, Any]:
        """Return what must match exactly between data, policy and robot."""
        words = ("names", "quantity", "unit", "frame", "rotation", "kind", "scale_low", "scale_high", "relative")
        return {word: getattr(self, word) for word in (*words, "shape", "child")}
