"""Links that are only frames, merged into the link that carries them: the physics has fewer links to step.

Of a Panda's twelve two go. The hand, which weighs something, stays: pybullet makes up the inertia of a link from a
box around what touches, and merging it would change that box, and so the dynamics.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mount:
    """Where a link of the URDF is.

    Attributes:
        carrier: the link of the physics that it is part of: itself, or the one that it was merged into.
        position: of its frame in the carrier's [m], shape (3,).
        rotation: of its frame in the carrier's, shape (3, 3).
    """

    carrier: str
    position: Array
    rotation: Array


def merge_fixed_links(robot: ET.Element) -> dict[str, Mount]:
    """Merge links in the <robot> of a URDF, and return where each of its links is now.

    Raises:
        ValueError: an origin or a mass is no number.
    """
    links = {link.get("name", ""): link for link in robot.findall("link")}
    joints = {named(joint, "child"): joint for joint in robot.findall("joint") if named(joint, "parent") in links}
    fixed = {
        child: joint
        for child, joint in joints.items()
        if joint.get("type") == "fixed" and child in links and is_frame(links[child])
    }
    mounts = {name: mount(name, fixed) for name in links}
    for child, joint in fixed.items():
        for visual in links[child].findall("visual"):
            move(visual, mounts[child])
            links[mounts[child].carrier].append(visual)
        robot.remove(links[child])
        robot.remove(joint)
    for child, joint in joints.items():
        parent = joint.find("parent")
        if child not in fixed and parent is not None:
            held = mounts[parent.get("link", "")]
            move(joint, held)
            parent.set("link", held.carrier)
    return mounts


def is_frame(link: ET.Element) -> bool:
    """Return whether a link weighs nothing and touches nothing; one without <inertial> would get 1 kg by pybullet."""
    mass = link.find("inertial/mass")
    return link.find("collision") is None and (mass is None or float(mass.get("value", "0")) == 0.0)


def named(joint: ET.Element, end: str) -> str:
    """Return the link at an end of a joint, parent or child; empty where the URDF does not say."""
    found = joint.find(end)
    return "" if found is None else found.get("link", "")


def mount(name: str, fixed: dict[str, ET.Element]) -> Mount:
    position, rotation = np.zeros(3), np.eye(3)
    for _ in fixed:  # no more often, or a ring of joints would have no end
        if name in fixed:
            above, turned = origin(fixed[name])
            position, rotation = above + turned @ position, turned @ rotation
            name = named(fixed[name], "parent")
    return Mount(name, position, rotation)


def move(element: ET.Element, held: Mount) -> None:
    """Give an element of a merged link its place in the carrier."""
    position, rotation = origin(element)
    set_origin(element, held.position + held.rotation @ position, held.rotation @ rotation)


def origin(element: ET.Element) -> tuple[Array, Array]:
    """Return the position [m] and the rotation matrix of an element's <origin>."""
    found = element.find("origin")
    words = {} if found is None else found.attrib
    position = np.array([float(word) for word in words.get("xyz", "0 0 0").split()])
    roll, pitch, yaw = (float(word) for word in words.get("rpy", "0 0 0").split())
    (sr, cr), (sp, cp), (sy, cy) = ((math.sin(angle), math.cos(angle)) for angle in (roll, pitch, yaw))
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])
    about_y = np.array([[cp, 0.0, sp], [0.0, 1.0, 0.0], [-sp, 0.0, cp]])
    about_z = np.array([[cy, -sy, 0.0], [sy, cy, 0.0], [0.0, 0.0, 1.0]])
    return position, about_z @ about_y @ about_x


def set_origin(element: ET.Element, position: Array, rotation: Array) -> None:
    found = element.find("origin")
    found = ET.SubElement(element, "origin") if found is None else found
    across = math.hypot(rotation[0, 0], rotation[1, 0])
    pitch = math.atan2(-rotation[2, 0], across)
    if across > 1e-9:
        roll, yaw = math.atan2(rotation[2, 1], rotation[2, 2]), math.atan2(rotation[1, 0], rotation[0, 0])
    else:  # straight up or down: only their sum, or difference, is known
        roll, yaw = math.atan2(-rotation[1, 2], rotation[1, 1]), 0.0
    found.set("xyz", " ".join(repr(length) for length in position.tolist()))
    found.set("rpy", " ".join(repr(angle) for angle in (roll, pitch, yaw)))
