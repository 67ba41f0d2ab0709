"""Where one frame is in another, from tf's messages: composed along the tree, forwards and backwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import pose_values
from imitation_ros.robot.rotations import quaternion_to_matrix

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """Where a frame is in another.

    Attributes:
        matrix: homogeneous, shape (4, 4): a point in the child, to the same point in the parent [m].
        stamp_s: of the oldest dynamic transform on the way [s]; None where all are static, which do not age.
        arrival: number of the message that brought the dynamic transform on the way that came first.
    """

    matrix: Array
    stamp_s: float | None
    arrival: int


@dataclass(frozen=True)
class Edge:
    """A frame's place in its parent; `stamp_s` is that of its message also where it is static."""

    parent: str
    matrix: Array
    stamp_s: float
    static: bool
    arrival: int


class TransformTree:
    """Takes messages of /tf and /tf_static in any order, and composes the newest of each pair of frames.

    A frame has one parent: the newest message says which. What a robot moves stands above what stands still.
    """

    def __init__(self) -> None:
        self.edges: dict[str, Edge] = {}
        self.refused: dict[str, str] = {}  # child to what is wrong with its transform
        self.messages = 0

    def put(self, message: Any, static: bool = False) -> None:
        """Take a tf2_msgs/TFMessage, or anything shaped like it; a broken transform is left out and remembered."""
        self.messages += 1
        for transform in message.transforms:
            parent, child = name(transform.header.frame_id), name(transform.child_frame_id)
            try:
                if parent == child:
                    raise ValueError(f"{child!r} is its own parent")
                matrix = to_matrix(transform.transform)
            except ValueError as error:
                self.refused[child] = str(error)
                continue
            stamp = transform.header.stamp
            edge = Edge(parent, matrix, float(stamp.sec) + 1e-9 * float(stamp.nanosec), static, self.messages)
            known = self.edges.get(child)
            if known is None or (not edge.static, edge.stamp_s) >= (not known.static, known.stamp_s):
                self.edges[child] = edge
                self.refused.pop(child, None)

    def look_up(self, parent: str, child: str) -> Placed | None:
        """Return where `child` is in `parent`, or None while the chain between them is not known."""
        parent, child = name(parent), name(child)
        up_from_parent, up_from_child = self.way_up(parent), self.way_up(child)
        common = next((frame for frame in up_from_child if frame in up_from_parent), None)
        if common is None or not self.knows(parent) or not self.knows(child):
            return None
        below_parent = up_from_parent[: up_from_parent.index(common)]
        below_child = up_from_child[: up_from_child.index(common)]
        matrix = inverse(self.climb(below_parent)) @ self.climb(below_child)
        used = [self.edges[frame] for frame in (*below_parent, *below_child)]
        moving = [edge for edge in used if not edge.static]
        stamp_s = min((edge.stamp_s for edge in moving), default=None)
        return Placed(matrix, stamp_s, min((edge.arrival for edge in moving), default=0))

    def why_not(self, parent: str, child: str) -> str:
        """Say why a chain is not known, and which frames are."""
        frames = sorted({*self.edges, *(edge.parent for edge in self.edges.values())})
        known = f"known frames: {', '.join(frames) or 'none'}"
        missing = [frame for frame in (name(parent), name(child)) if frame not in frames]
        if missing:
            refused = "".join(f" {frame}: {self.refused[frame]}." for frame in missing if frame in self.refused)
            return f"tf has no frame {' and no frame '.join(map(repr, missing))}; {known}.{refused}"
        roots = [self.way_up(name(frame))[-1] for frame in (parent, child)]
        return (
            f"tf knows {parent!r} (below {roots[0]!r}) and {child!r} (below {roots[1]!r}), but nothing connects them; "
            f"{known}."
        )

    def knows(self, frame: str) -> bool:
        return frame in self.edges or any(edge.parent == frame for edge in self.edges.values())

    def way_up(self, frame: str) -> list[str]:
        """Return a frame, its parent and so on up to the root; a broken tree that goes in a circle ends there."""
        way = [frame]
        while way[-1] in self.edges and self.edges[way[-1]].parent not in way:
            way.append(self.edges[way[-1]].parent)
        return way

    def climb(self, frames: list[str]) -> Array:
        """Return where the first of the frames is in the parent of the last; the identity for none."""
        matrix = np.eye(4)
        for frame in frames:
            matrix = self.edges[frame].matrix @ matrix
        return matrix


class FieldTransforms:
    """The values of tf fields, from the messages of one tree.

    A field has a new value when the oldest transform on its way is newer than that of its last value, so which of
    several broadcasters is heard first does not matter. Where stamps do not count, the order of arrival stands for
    them: others go on talking on the one topic of tf when a broadcaster has died. What only static transforms connect
    has a value at any time.
    """

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(fields)
        self.tree = TransformTree()
        self.newest: dict[tuple[str, bool], float] = {}  # by field: the stamp of its last value, or (True) the arrival

    def put(self, message: Any, static: bool = False) -> list[tuple[Field, Array, float | None]]:
        """Take a message; return field, value and stamp of each field that it moved, None standing for received.

        Where a field asks for a stamp and the transforms have none, it has no value: see `missing`.
        """
        self.tree.put(message, static)
        moved: list[tuple[Field, Array, float | None]] = []
        for field in self.fields:
            placed = self.tree.look_up(*frames_of(field))
            if placed is None or placed.stamp_s is None or lacks_stamp(field, placed):
                continue
            unstamped = placed.stamp_s == 0.0 or field.stamp == "received"
            since = placed.arrival if unstamped else placed.stamp_s
            if since > self.newest.get((field.name, unstamped), 0.0):
                self.newest[field.name, unstamped] = since
                moved.append((field, pose_values(placed.matrix, field), None if unstamped else placed.stamp_s))
        return moved

    def standing(self) -> list[tuple[Field, Array]]:
        """Return the fields that only static transforms connect, with their values, which hold at any time."""
        found = [(field, self.tree.look_up(*frames_of(field))) for field in self.fields]
        return [
            (field, pose_values(placed.matrix, field)) for field, placed in found if placed and placed.stamp_s is None
        ]

    def missing(self, field: Field) -> str | None:
        """Say why a field has no value, or None where there is nothing against it."""
        placed = self.tree.look_up(*frames_of(field))
        if placed is None:
            return f"{field.name!r} ({field.topic}): {self.tree.why_not(*frames_of(field))}"
        if lacks_stamp(field, placed):
            return (
                f"{field.name!r} ({field.topic}): a transform between {field.frame_id!r} and {field.child_frame_id!r} "
                f"comes without a stamp, and `stamp: required` in {field.file} asks for one."
            )
        return None


def lacks_stamp(field: Field, placed: Placed) -> bool:
    return placed.stamp_s == 0.0 and field.stamp == "required"


def frames_of(field: Field) -> tuple[str, str]:
    """Return the parent and the child of a tf field, as tf calls them."""
    return field.frame_id or "", field.child_frame_id or ""


def name(frame: str) -> str:
    """Return a frame's name as tf2 has it: those of ROS 1 begin with a slash."""
    return frame.removeprefix("/")


def to_matrix(transform: Any) -> Array:
    """Return the homogeneous matrix of a geometry_msgs/Transform.

    Raises:
        ValueError: a number is not finite, or the quaternion is no rotation.
    """
    place, turn = transform.translation, transform.rotation
    matrix = np.eye(4)
    matrix[:3, 3] = place.x, place.y, place.z
    matrix[:3, :3] = quaternion_to_matrix(np.array([turn.x, turn.y, turn.z, turn.w], dtype=np.float64))
    if not np.isfinite(matrix).all():
        raise ValueError(f"its translation is {matrix[:3, 3].tolist()}")
    return matrix


def inverse(matrix: Array) -> Array:
    """Return the inverse of a rigid transform."""
    result = np.eye(4)
    result[:3, :3] = matrix[:3, :3].T
    result[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return result
