"""Message to array and back: one reader and one writer per message type.

Messages are duck-typed: those of rclpy, of a bag and of a test are read by the same lines, and
nothing here imports ROS. A reader returns float64 of shape (field.width,) in the field's unit and
order (an image: uint8), or raises MessageError. A writer fills an empty message from such an array.

To add a type: its facts in registry.py, one function under `@reads` and one under `@writes` in the
module where its like are, and its field and empty message in tests/robot/message_kinds.py, which put it to every test.
"""

from imitation_ros.robot.messages import geometry, images, joints, plain  # noqa: F401 they register themselves
from imitation_ros.robot.messages.geometry import pose_values, rotation_matrix
from imitation_ros.robot.messages.joints import names_no_joint_of
from imitation_ros.robot.messages.registry import (
    COMPONENTS,
    IMAGES,
    JOINTED,
    NAME_PATTERNS,
    ORIENTED,
    POSITION,
    QUANTITIES,
    READERS,
    STAMPED,
    WHOLE,
    WRITERS,
    header_stamp_s,
    read,
    stamp_s,
    write,
)

__all__ = [
    "COMPONENTS",
    "IMAGES",
    "JOINTED",
    "NAME_PATTERNS",
    "ORIENTED",
    "POSITION",
    "QUANTITIES",
    "READERS",
    "STAMPED",
    "WHOLE",
    "WRITERS",
    "header_stamp_s",
    "names_no_joint_of",
    "pose_values",
    "read",
    "rotation_matrix",
    "stamp_s",
    "write",
]
