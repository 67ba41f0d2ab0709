"""Cameras of a scene: fixed, or mounted on a link; each shows the image field that it is named after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.envs.bullet import Bullet
from imitation_ros.envs.sim_robot import scalar, section, some_numbers
from imitation_ros.errors import SpecError
from imitation_ros.robot.field import Field, Numbers
from imitation_ros.robot.strict_yaml import check_names

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

WORDS = {"size_px", "position_m", "target_m", "up", "fov_deg", "link"}
NEAR_M, FAR_M = 0.01, 10.0
GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow takes it


@dataclass(frozen=True)
class Camera:
    """A camera without distortion.

    Attributes:
        name: of the image field that it shows.
        size_px: height and width.
        position_m, target_m: where it is and what it looks at, in the base frame; in the link's where it has one.
        up: what is up in the picture, in the same frame.
        fov_deg: vertical field of view.
        link: of the robot, that it is mounted on; None: it stands still.
    """

    name: str
    size_px: tuple[int, int]
    position_m: Numbers
    target_m: Numbers
    up: Numbers
    fov_deg: float
    link: str | None = None

    def view(self, bullet: Bullet, position: Array, rotation: Array) -> list[float]:
        """Return the view matrix from where the link is: position [m] and rotation matrix."""
        eye, target = (rotation @ np.array(point) + position for point in (self.position_m, self.target_m))
        up = rotation @ np.array(self.up)
        return list(bullet.computeViewMatrix(eye.tolist(), target.tolist(), up.tolist()))


@dataclass(frozen=True)
class Overview:
    """Where films, windows and `~/view` look from: from a distance, around a point."""

    target_m: Numbers
    distance_m: float
    yaw_deg: float
    pitch_deg: float

    def view(self, bullet: Bullet) -> list[float]:
        return list(
            bullet.computeViewMatrixFromYawPitchRoll(
                self.target_m, self.distance_m, self.yaw_deg, self.pitch_deg, 0.0, 2
            )
        )


def photograph(bullet: Bullet, view: list[float], fov_deg: float, near_m: float, height: int, width: int) -> Pixels:
    """Return the picture, shape (height, width, 3); the same state gives the same bits."""
    projection = bullet.computeProjectionMatrixFOV(fov_deg, width / height, near_m, FAR_M)
    pixels = bullet.getCameraImage(width, height, view, projection, renderer=bullet.ER_TINY_RENDERER)[2]
    seen: Pixels = np.asarray(pixels, dtype=np.uint8).reshape(height, width, 4)[:, :, :3].copy()
    return seen


def grey(pixels: Pixels) -> Pixels:
    """Return the brightness of a picture, shape (height, width, 1)."""
    return np.asarray(np.rint(pixels @ GREY), dtype=np.uint8)[:, :, None]


def check_size(camera: Camera, field: Field, file: str) -> None:
    """Raise SpecError where a camera is not of the size that its field has."""
    height, width, _ = field.row_shape
    if camera.size_px != (height, width):
        raise SpecError(
            f"{file}: the camera {camera.name!r} has size_px {list(camera.size_px)} (height, width); the field "
            f"{field.name!r} in {field.file} has shape {list(field.row_shape)}. Make them the same."
        )


def parse_cameras(data: Any, file: str) -> dict[str, Camera]:
    """Return field name to camera."""
    if not isinstance(data, Mapping):
        raise SpecError(f"{file}: cameras is {data!r}; it should hold one `field: {{size_px: [96, 96], ...}}` each.")
    return {str(name): parse_camera(str(name), camera, f"{file}: cameras: {name!r}") for name, camera in data.items()}


def parse_camera(name: str, data: Any, where: str) -> Camera:
    if not isinstance(data, Mapping):
        raise SpecError(f"{where} is {data!r}; write {{size_px: [96, 96], position_m: [1.2, 0.0, 0.8], ...}}.")
    check_names(data, WORDS, where)
    link = data.get("link")
    if link is not None and not isinstance(link, str):
        raise SpecError(f"{where}: link is {link!r}; it should be a text: one of the URDF's links.")
    height, width = some_numbers(data, "size_px", 2, where)
    if any(length < 1 or length % 1 for length in (height, width)):
        raise SpecError(f"{where}: size_px is {data['size_px']!r}; it should be height and width in whole pixels.")
    camera = Camera(
        name=name,
        size_px=(int(height), int(width)),
        position_m=some_numbers(data, "position_m", 3, where),
        target_m=some_numbers(data, "target_m", 3, where),
        up=some_numbers({"up": [0.0, 0.0, 1.0], **data}, "up", 3, where),
        fov_deg=scalar({"fov_deg": 60.0, **data}, "fov_deg", where, above=0.0),
        link=link,
    )
    if camera.fov_deg >= 180.0:
        raise SpecError(f"{where}: fov_deg is {camera.fov_deg:g}; it should be below 180.")
    ahead = np.array(camera.target_m) - np.array(camera.position_m)
    if np.linalg.norm(np.cross(ahead, camera.up)) < 1e-6:
        raise SpecError(
            f"{where}: it looks along {ahead.tolist()}, and `up` is {list(camera.up)}: that says no picture. Let up "
            f"point across where it looks, such as [1.0, 0.0, 0.0]."
        )
    return camera


def parse_overview(data: Mapping[str, Any], file: str) -> Overview:
    words = ("target_m", "distance_m", "yaw_deg", "pitch_deg")
    camera, where = section(data, "camera", words, file), f"{file}: camera"
    return Overview(
        target_m=some_numbers(camera, "target_m", 3, where),
        distance_m=scalar(camera, "distance_m", where, above=0.0),
        yaw_deg=some_numbers(camera, "yaw_deg", 1, where)[0],
        pitch_deg=some_numbers(camera, "pitch_deg", 1, where)[0],
    )
