"""What pip and colcon make of this tree; needs no ROS."""

import ast
import configparser
import re
import runpy
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
import setuptools

import imitation_ros
from imitation_ros.robot.messages import READERS

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("config", "sim", "launch")
BUILD_SOURCES = """
import sys, tarfile
from setuptools import build_meta
out = sys.argv[1]  # setuptools puts its own in the place of sys.argv
with tarfile.open(f"{out}/{build_meta.build_sdist(out)}") as file:
    file.extractall(out)
"""
BUILD_WHEEL = """
import sys
from setuptools import build_meta
out = sys.argv[1]
metadata = build_meta.prepare_metadata_for_build_wheel(out)
build_meta.build_wheel(out, metadata_directory=f"{out}/{metadata}")
"""


@pytest.fixture
def setup_py(monkeypatch):
    """Run setup.py for a command, and return what it gives to setuptools."""

    def run(*command):
        given = {}
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(setuptools, "setup", lambda **arguments: given.update(arguments))
        monkeypatch.setattr(sys, "argv", ["setup.py", *command])
        runpy.run_path(str(ROOT / "setup.py"))
        return given

    return run


@pytest.fixture
def package_xml():
    return ET.parse(ROOT / "package.xml").getroot()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return make_wheel(tmp_path_factory.mktemp("wheel"))


def make_wheel(folder):
    """Return a wheel as pip makes it from a source distribution: first the metadata, then the wheel."""
    tree, out = folder / "tree", folder / "out"
    out.mkdir(parents=True)
    for part in ("imitation_ros", "resource", *FOLDERS):
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("setup.py", "setup.cfg", "pyproject.toml", "package.xml", "README.md"):
        shutil.copy(ROOT / file, tree)
    build(BUILD_SOURCES, out, tree)
    build(BUILD_WHEEL, out, out / f"imitation_ros-{imitation_ros.__version__}")
    (path,) = out.glob("*.whl")
    return path


def build(program, out, tree):
    done = subprocess.run([sys.executable, "-c", program, str(out)], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def scripts(given):
    return dict(line.split(" = ") for line in given["entry_points"]["console_scripts"])


def files_below(folder):
    files = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()}
    return {path.as_posix() for path in files if "__pycache__" not in path.parts}


def imported_packages(file):
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in names}


def test_package_xml_is_format_3_and_says_who_and_what(package_xml):
    # colcon takes a package with an invalid one, a bad e-mail address included, for plain Python without a word
    assert package_xml.tag == "package" and package_xml.get("format") == "3"
    assert [child.tag for child in package_xml][:5] == ["name", "version", "description", "maintainer", "license"]
    assert package_xml.findtext("name") == "imitation_ros"
    assert re.fullmatch(r"\d+\.\d+\.\d+", package_xml.findtext("version"))
    assert re.fullmatch(r"[\w.+-]+@([\w-]+\.)+[a-z]{2,}", package_xml.find("maintainer").get("email"))
    assert package_xml.findtext("export/build_type") == "ament_python"
    allowed = {"name", "version", "description", "maintainer", "license", "url", "author", "export"}
    assert {child.tag for child in package_xml} <= allowed | {"exec_depend", "test_depend"}


def test_package_xml_is_valid_to_the_parser_that_colcon_uses():
    package = pytest.importorskip("catkin_pkg.package", reason="catkin_pkg comes with colcon")
    warnings = []
    package.parse_package(str(ROOT / "package.xml"), warnings=warnings).validate()
    assert not warnings


def test_the_version_is_the_same_everywhere(setup_py, package_xml):
    assert imitation_ros.__version__ == setup_py("sdist")["version"] == package_xml.findtext("version")


def test_package_xml_names_every_ros_package_that_is_used(package_xml):
    files = [*(ROOT / "imitation_ros" / "ros").glob("*.py"), *(ROOT / "launch").glob("*.py")]
    assert len(files) > 5, "found too few: are the paths above still right?"
    used = set().union(*(imported_packages(file) for file in files)) - set(sys.stdlib_module_names)
    used |= {message_type.split("/")[0] for message_type in READERS if "/" in message_type}
    depends = {depend.text for depend in package_xml.findall("exec_depend")}
    assert used - {"imitation_ros", "numpy", "PIL", "rich"} <= depends  # these are python3-... there


@pytest.mark.parametrize("command", ["install", "develop"])  # the two that colcon runs
def test_colcon_gets_an_executable_for_every_node(setup_py, command):
    operators = {"operate", "operate_keyboard", "operate_joystick"}
    nodes = {"record", "train", "policy", "simulate", "gripper", *operators}
    assert set(scripts(setup_py(command))) == {*nodes, "imitation-ros"}


def test_every_executable_is_a_function_that_exists(setup_py):
    for script, target in scripts(setup_py("install")).items():
        module, function = target.split(":")
        tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, script


def test_executables_go_where_ros2_run_looks():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    assert settings["install"]["install_scripts"] == settings["develop"]["script_dir"] == "$base/lib/imitation_ros"


def test_every_executable_that_a_launch_file_starts_is_installed(setup_py):
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "launch").glob("*.launch.py")]
    started = {name for text in texts for name in re.findall(r'executable="([^"]+)"', text)}
    assert started and started <= set(scripts(setup_py("install")))


def test_colcon_test_runs_pytest(setup_py):
    assert any(need.startswith("pytest>") for need in setup_py("install")["extras_require"]["test"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_a_shared_folder_is_listed_where_it_lies(setup_py, folder):
    listed = {file: target for target, files in setup_py("install")["data_files"] for file in files}
    files = files_below(folder)
    assert files and {file: listed.get(file) for file in files} == {
        file: f"share/imitation_ros/{Path(file).parent.as_posix()}" for file in files
    }


def test_a_wheel_holds_every_module_and_every_shared_file(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "imitation_ros").rglob("*.py")}
    shared = set().union(*map(files_below, FOLDERS)) | {"package.xml"}
    data = f"imitation_ros-{imitation_ros.__version__}.data/data/share/imitation_ros/"
    assert modules | {"imitation_ros/py.typed"} | {data + file for file in shared} <= names


def test_a_wheel_puts_one_program_on_the_path(wheel):
    settings = configparser.ConfigParser()
    with zipfile.ZipFile(wheel) as file:
        (entries,) = (name for name in file.namelist() if name.endswith("entry_points.txt"))
        settings.read_string(file.read(entries).decode())
    assert set(settings["console_scripts"]) == {"imitation-ros"}


def test_an_installed_package_finds_its_shared_files(wheel, tmp_path):
    library = tmp_path / "lib" / "python3" / "site-packages"
    with zipfile.ZipFile(wheel) as file:
        file.extractall(library)
    (library / f"imitation_ros-{imitation_ros.__version__}.data" / "data" / "share").rename(tmp_path / "share")
    program = f"import sys; sys.path.insert(0, {str(library)!r}); import imitation_ros.paths as paths; "
    program += "print(paths.share_folder())"
    found = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()) == tmp_path.resolve() / "share" / "imitation_ros"
