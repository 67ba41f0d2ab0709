"""Imports run one way, and what a robot needs stays small."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "imitation_ros"
LAYERS = ("robot", "data", "policies", "envs", "algorithms")
"""Each imports only those before it; the verbs import these, and `ros` and `cli` the verbs."""

VERBS = (
    "recording",
    "bag_import",
    "recovering",
    "training",
    "deployment",
    "evaluation",
    "scoring",
    "checking",
    "replaying",
    "viewing",
    "editing",
    "demo",
    "drafting",
    "checkup",
    "topic_facts",
    "teleoperation",
)
ROBOT_SIDE = ("robot", "data/episode", "data/hdf5", "data/row", "data/folder", "data/__init__", "policies/bundle")
ROBOT_SIDE += ("bag_import", "data/bag", "data/images", "data/open_episode", "data/save", "data/load", "data/memory")
ROBOT_SIDE += ("data/quality", "checking")
ROBOT_SIDE += ("data/catalogue", "data/editing", "data/idle", "data/rewriting", "data/splits", "data/swapping")
ROBOT_SIDE += ("editing",)
ROBOT_SIDE += ("policies/inference", "recording", "recovering", "deployment", "readiness")
ROBOT_SIDE += ("drafting", "topic_facts", "teleoperation", "paths", "errors")
HEAVY = {"torch", "pybullet", "gymnasium", "safetensors", "tensorboard", "matplotlib"}


def imported(file: Path) -> set[str]:
    """Return the dotted names that a file imports, also inside its functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def top_level(file: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(file)}


def files(*parts: str) -> list[Path]:
    found = [file for file in PACKAGE.rglob("*.py") if any(is_in(file, part) for part in parts)]
    assert found, f"found no module for {parts}: is the path still right?"
    return found


def is_in(file: Path, part: str) -> bool:
    relative = file.relative_to(PACKAGE).with_suffix("").as_posix()
    return relative == part or relative.startswith(part + "/")


def test_only_the_ros_folder_imports_ros():
    ros = {"rclpy", "std_msgs", "std_srvs", "sensor_msgs", "geometry_msgs", "diagnostic_msgs", "lifecycle_msgs"}
    core = [file for file in PACKAGE.rglob("*.py") if PACKAGE / "ros" not in file.parents]
    assert len(core) > 30
    for file in core:
        assert not top_level(file) & ros, file


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_those_below_it(layer):
    above = (*LAYERS[LAYERS.index(layer) + 1 :], *VERBS, "ros", "cli", "cli_nodes", "processes", "report")
    for file in files(layer):
        wrong = [name for name in imported(file) for part in above if f"{name}.".startswith(f"imitation_ros.{part}.")]
        assert not wrong, (file, wrong)


def test_verbs_do_not_import_the_nodes_or_the_command_line():
    for file in files(*VERBS):
        assert not [name for name in imported(file) if name.startswith(("imitation_ros.ros", "imitation_ros.cli"))], (
            file
        )


@pytest.mark.parametrize("part", ROBOT_SIDE)
def test_what_a_robot_needs_imports_nothing_heavy(part):
    for file in files(part):
        assert not top_level(file) & HEAVY, file


@pytest.mark.parametrize(
    ("package", "home"),
    [("pybullet", "envs/bullet"), ("h5py", "data/hdf5"), ("rosbags", "data/bag"), ("rerun", "viewing/rerun_log")],
)
def test_some_packages_have_one_door(package, home):
    for file in PACKAGE.rglob("*.py"):
        assert is_in(file, home) or package not in top_level(file), f"{file} imports {package}; only {home}.py may"


def test_nothing_is_ever_unpickled_or_evaluated():
    forbidden = {"pickle", "dill", "joblib", "marshal", "shelve"}
    for file in PACKAGE.rglob("*.py"):
        assert not top_level(file) & forbidden, file
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), file
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load":
                assert ast.unparse(node.func) not in ("yaml.load", "torch.load", "np.load"), file
