"""An ament_python package that is also an ordinary pip package."""

import sys
from pathlib import Path

from setuptools import find_packages, setup

NAME = "imitation_ros"

DATA = [("share/ament_index/resource_index/packages", [f"resource/{NAME}"]), (f"share/{NAME}", ["package.xml"])]
for folder in ("config/robots", "config/setups", "config/training", "sim/robots", "sim/scenes", "launch"):
    files = [path.as_posix() for path in sorted(Path(folder).iterdir()) if path.is_file()]
    DATA.append((f"share/{NAME}/{folder}", files))

SCRIPTS = [f"imitation-ros = {NAME}.cli:main"]
if not any("wheel" in argument for argument in sys.argv):
    # colcon puts these under lib/imitation_ros, for `ros2 run`; pip would put `record` and `train` on everybody's PATH
    nodes = {
        "record": "recorder_node",
        "train": "trainer_node",
        "policy": "policy_node",
        "simulate": "simulator_node",
        "operate": "operator_node",
    }
    SCRIPTS += [f"{script} = {NAME}.ros.{module}:main" for script, module in nodes.items()]

TRAIN = ["torch>=2.2", "gymnasium>=1.0", "pybullet>=3.2.6", "safetensors>=0.4", "tensorboard>=2.15", "onnx>=1.16"]
TRAIN += ["matplotlib>=3.7", "pillow>=10"]
ROS = ["ros-rclpy", "ros-common-interfaces", "ros-rmw-fastrtps-cpp"]
DEV = ["pytest>=8", "hypothesis>=6.100", "ruff", "mypy>=1.11", "types-PyYAML", "stable-baselines3>=2.4"]

setup(
    name=NAME,
    version="0.1.0",
    description="Teach a robot by showing it: record, learn and deploy demonstrations on ROS 2",
    long_description=Path("README.md").read_text(),
    long_description_content_type="text/markdown",
    author="imitation_ros maintainers",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=DATA,
    python_requires=">=3.10",
    install_requires=["setuptools", "numpy>=1.26", "PyYAML>=6", "onnxruntime>=1.17", "h5py>=3.8", "tyro>=0.9", "rich>=13"],
    extras_require={"train": TRAIN, "ros": ROS, "dev": DEV},
    entry_points={"console_scripts": SCRIPTS},
    zip_safe=False,
)
