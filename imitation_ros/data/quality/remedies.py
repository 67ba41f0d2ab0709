"""What to do about findings; DATA stands for the dataset, N for the numbers of the episodes."""

from __future__ import annotations

DELETE = "`imitation-ros edit DATA --delete N`"
TRIM = "`imitation-ros edit DATA --trim-idle`"
RELABEL = "`imitation-ros edit DATA --success N` or `--failure N`"
LEAVE_OUT = f"Leave it out: {DELETE}."
LOOK = "`imitation-ros info DATA` shows the ranges."


def hz(topic: str) -> str:
    return f"`ros2 topic hz {topic}`"
