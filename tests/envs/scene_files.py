"""Changed copies of the package's scenes, robots and setups, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from imitation_ros.paths import find_file


def changed(data: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return YAML data with some words changed, such as `objects/cube/shape`; None takes a word away."""
    for word, value in change.items():
        *path, last = word.split("/")
        inner = data
        for part in path:
            inner = inner[part]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    return data


def write_setup(
    folder: Path,
    setup: dict[str, Any] | None = None,
    scene: dict[str, Any] | None = None,
    robot: dict[str, Any] | None = None,
    of: str = "panda_reach",
) -> Path:
    """Return a copy of a setup with its own scene and simulated robot, each with some words changed."""
    copied = changed(yaml.safe_load(find_file("config/setups", of).read_text()), setup or {})
    copied_scene = yaml.safe_load(find_file("sim/scenes", copied["scene"]).read_text())
    copied_robot = changed(yaml.safe_load(find_file("sim/robots", copied_scene["robot"]).read_text()), robot or {})
    (folder / "robot.yaml").write_text(yaml.safe_dump(copied_robot))
    scene_file, file = folder / "scene.yaml", folder / "setup.yaml"
    scene_file.write_text(yaml.safe_dump(changed({**copied_scene, "robot": "robot.yaml"}, scene or {})))
    file.write_text(yaml.safe_dump({**copied, "scene": str(scene_file)}))
    return file
