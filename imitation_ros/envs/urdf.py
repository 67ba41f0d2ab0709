"""A URDF as pybullet should load it: every mesh found, or named; light enough to be stepped and drawn quickly.

Collision meshes are drawn instead of visual ones wherever a link has any: a Panda then loads in a tenth of the
time, and a camera of 96 x 96 takes 1.6 ms instead of 14.
"""

from __future__ import annotations

import copy
import os
import xml.etree.ElementTree as ET
from pathlib import Path

from imitation_ros.envs.fixed_links import Mount, merge_fixed_links
from imitation_ros.errors import SpecError
from imitation_ros.paths import is_file

PACKAGE = "package://"


def prepared_urdf(urdf: Path, robot_file: str, own_visuals: bool) -> tuple[str, dict[str, Mount]]:
    """Return the text of a URDF whose meshes are absolute paths, and where each of its links is in it.

    Args:
        urdf: the file.
        robot_file: the YAML file that named it; meshes are also looked for beside it.
        own_visuals: keep the visual meshes, for films and windows.

    Raises:
        SpecError: it is no URDF, or a mesh is not there.
    """
    try:
        text = urdf.read_text(encoding="utf-8")
        root = ET.fromstring(text)
    except OSError as error:
        raise SpecError(
            f"{robot_file}: the URDF {urdf} cannot be read: {error.strerror}. It was also looked for beside "
            f"{robot_file}; give its path from there."
        ) from None
    except (ET.ParseError, UnicodeDecodeError) as error:
        raise SpecError(f"{robot_file}: {urdf} is no URDF: {error}.") from None
    if root.tag != "robot":
        raise SpecError(f"{robot_file}: {urdf} is no URDF: it begins with <{root.tag}>, a URDF with <robot>.")
    if any("www.ros.org" in element.tag and "xacro" in element.tag for element in root.iter()):
        raise SpecError(f"{robot_file}: {urdf} is a xacro. Expand it: `xacro {urdf.name} > {urdf.stem}.urdf`.")
    for link in [] if own_visuals else root.findall("link"):
        draw_collision(link)
    for element in root.iter():
        if element.tag in ("mesh", "texture") and element.get("filename"):
            element.set("filename", str(find_mesh(element.get("filename", ""), urdf, Path(robot_file))))
    try:
        mounts = merge_fixed_links(root)
    except ValueError as error:
        raise SpecError(f"{robot_file}: {urdf} is no URDF: {error}.") from None
    return ET.tostring(root, encoding="unicode"), mounts


def draw_collision(link: ET.Element) -> None:
    """Let a link be seen as it is touched, where it can be touched, in the color of its first visual."""
    visuals, solids = link.findall("visual"), link.findall("collision")
    if not solids:
        return
    material = next((found for visual in visuals if (found := visual.find("material")) is not None), None)
    for visual in visuals:
        link.remove(visual)
    for solid in solids:
        drawn = copy.deepcopy(solid)
        drawn.tag = "visual"
        if material is not None:
            drawn.append(copy.deepcopy(material))
        link.append(drawn)


def find_mesh(name: str, urdf: Path, robot_file: Path) -> Path:
    """Return where a mesh is: beside the URDF, the robot's YAML file, or in an installed ROS package."""
    wanted = Path(name.removeprefix("file://").removeprefix(PACKAGE))
    folders = [*urdf.resolve().parents, *robot_file.resolve().parents]
    if name.startswith(PACKAGE):
        prefixes = [prefix for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
        folders += [Path(prefix) / "share" for prefix in prefixes]
        inside = Path(*wanted.parts[1:])  # the folder of a package need not have its name
    else:
        inside = wanted
    for folder in folders:
        for path in (folder / wanted, folder / inside):
            if is_file(path):
                return path
    advice = "Put it beside the URDF."
    if name.startswith(PACKAGE):
        advice = f"Put the folder {wanted.parts[0]!r} beside the YAML file, or source the workspace that it is in."
    raise SpecError(
        f"{robot_file}: the URDF {urdf} names the mesh {name!r}, which is not there: not in {urdf.parent}, not in "
        f"{robot_file.parent}, nor in a folder above. {advice}"
    )
