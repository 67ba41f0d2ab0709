"""An ament_python package that is also an ordinary pip package."""

import sys
from pathlib import Path

from setuptools import find_packages, setup

NAME = "imitation_ros"
HERE = Path(__file__).resolve().parent  # colcon --symlink-install runs a link to this file, in its build folder
README = HERE / "README.md"


def shared(folder: str) -> list[tuple[str, list[str]]]:
    """Return the files below a folder as setuptools takes them: where to put them, relative to here."""
    files = [path.relative_to(HERE) for path in sorted((HERE / folder).rglob("*")) if path.is_file()]
    kept = [path for path in files if "__pycache__" not in path.parts]
    return [(f"share/{NAME}/{path.parent.as_posix()}", [path.as_posix()]) for path in kept]


DATA = [("share/ament_index/resource_index/packages", [f"resource/{NAME}"]), (f"share/{NAME}", ["package.xml"])]
DATA += [*shared("config"), *shared("sim"), *shared("launch")]

NODES = ("record", "train", "policy", "gripper", "simulate", "operate", "operate_keyboard", "operate_joystick")
SCRIPTS = [f"imitation-ros = {NAME}.cli:main"]
if {"install", "develop"} & set(sys.argv):
    # only colcon runs these two commands, and setup.cfg leads them to lib/imitation_ros, where `ros2 launch` and
    # `ros2 run` look. From a wheel, pip would put `record` and `train` on everybody's PATH.
    SCRIPTS += [f"{node} = {NAME}.executables:{node}" for node in NODES]

# h5py: older ones, as apt gives them, break as soon as anything brings NumPy 2
ROBOT = ["numpy>=1.26", "PyYAML>=6", "onnxruntime>=1.17", "h5py>=3.11", "pillow>=10", "tyro>=0.9", "rich>=13"]
TRAIN = ["torch>=2.4", "gymnasium>=1.0", "pybullet>=3.2.6", "safetensors>=0.4", "tensorboard>=2.15"]
TRAIN += ["onnx>=1.16", "onnxscript>=0.3", "matplotlib>=3.7"]
BAGS = ["rosbags>=0.11"]
VIEW = ["rerun-sdk>=0.24"]  # 700 MB with what it needs, so no test asks for it
ROS = ["ros-rclpy", "ros-common-interfaces", "ros-rmw-fastrtps-cpp"]
TEST = [*BAGS, "pytest>=8", "pytest-xdist>=3", "hypothesis>=6.100", "stable-baselines3>=2.4", "setuptools>=70.1"]
TEST += ["mujoco>=3.1", "imageio>=2.14"]  # gymnasium asks for both before it makes an environment of MuJoCo's
DEV = [*TEST, "ruff", "mypy>=1.11", "types-PyYAML"]

setup(
    name=NAME,
    version="0.1.0",
    description="Teach a robot by showing it: record, learn and deploy demonstrations on ROS 2",
    long_description=README.read_text(encoding="utf-8") if README.is_file() else "",
    long_description_content_type="text/markdown",
    author="imitation_ros maintainers",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=DATA,
    python_requires=">=3.10",
    install_requires=ROBOT,
    extras_require={"train": TRAIN, "bags": BAGS, "view": VIEW, "ros": ROS, "test": TEST, "dev": DEV},
    entry_points={"console_scripts": SCRIPTS},
    zip_safe=False,
)
