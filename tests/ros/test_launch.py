"""Launch files offer what the nodes take. Reading them needs no ROS, loading them needs launch_ros."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from imitation_ros.robot.spec import load_spec

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))
NODES = {
    "record": "recorder_node",
    "train": "trainer_node",
    "policy": "policy_node",
    "simulate": "simulator_node",
    "operate": "operator_node",
    "operate_joystick": "joystick_node",
}
REQUIRED = {
    "record": {"setup", "output"},
    "train": {"output"},
    "deploy": {"policy"},
    "simulate": {"setup"},
    "demo": {"output"},
    "teleoperate": {"setup", "output"},
}


@dataclass(frozen=True)
class Parameter:
    """What a launch file passes to a node: a value's type, and the argument that it comes from, if any."""

    kind: str
    argument: str | None


def read(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def calls(tree, *names):
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in found if isinstance(call.func, ast.Name) and call.func.id in names]


def keyword(call, name):
    return next((item.value for item in call.keywords if item.arg == name), None)


def declared(executable):
    """Return the parameters of a node: name to default; of a required one the empty text."""
    tree = read(ROOT / "imitation_ros" / "ros" / f"{NODES[executable]}.py")
    values = {call.args[1].value: ast.literal_eval(call.args[2]) for call in calls(tree, "parameter")}
    values |= {call.args[1].value: "" for call in calls(tree, "required")}
    assert values, f"{executable}: found no parameters"
    return values | {"use_sim_time": False}  # every node has it


def parameter(value):
    if isinstance(value, ast.Constant):
        return Parameter(type(value.value).__name__, None)
    return Parameter(value.args[1].id if len(value.args) > 1 else "str", value.args[0].value)


def started(path):
    """Return what a launch file starts: executable to its parameters."""
    nodes = {}
    for call in calls(read(path), "Node", "LifecycleNode"):
        (values,) = keyword(call, "parameters").elts
        names = [name.value for name in values.keys]
        nodes[keyword(call, "executable").value] = dict(zip(names, map(parameter, values.values), strict=True))
    assert nodes, f"{path.name} starts nothing"
    return nodes


def defaults(path):
    """Return a launch file's arguments: name to the default's text, None where there is none."""
    values = {}
    for call in calls(read(path), "DeclareLaunchArgument"):
        default = keyword(call, "default_value")
        values[call.args[0].value] = None if default is None else default.value
    return values


@pytest.fixture(params=FILES, ids=lambda path: path.name.split(".")[0])
def path(request):
    return request.param


@pytest.fixture
def description(path):
    pytest.importorskip("launch_ros")
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    return get_launch_description_from_python_launch_file(str(path))


def test_there_is_a_launch_file_for_every_verb():
    assert {path.name.split(".")[0] for path in FILES} == set(REQUIRED)


def test_a_launch_file_loads_and_starts_nodes(description, path):
    from launch_ros.actions import Node

    assert sum(isinstance(entity, Node) for entity in description.entities) == len(started(path))


def test_every_argument_says_what_it_is(description):
    arguments = description.get_launch_arguments()
    assert arguments
    for argument in arguments:
        assert argument.description not in ("", "no description given"), argument.name


def test_only_what_nobody_could_guess_has_to_be_given(path):
    required = {name for name, default in defaults(path).items() if default is None}
    assert required == REQUIRED[path.name.split(".")[0]]


def test_every_argument_reaches_a_node(path):
    used = {value.argument for parameters in started(path).values() for value in parameters.values()}
    used |= {call.args[0].value for call in calls(read(path), "LaunchConfiguration") if hasattr(call.args[0], "value")}
    assert set(defaults(path)) == used - {None}


def test_every_parameter_is_one_that_the_node_declares_and_of_its_type(path):
    for executable, parameters in started(path).items():
        node = declared(executable)
        assert set(parameters) <= set(node), executable
        for name, value in parameters.items():
            assert value.kind == type(node[name]).__name__, f"{executable}: {name}"


def test_what_is_not_given_is_what_the_node_would_take(path):
    if path.name == "demo.launch.py":
        pytest.skip("the demo's defaults are its own")
    texts = defaults(path)
    for executable, parameters in started(path).items():
        for name, value in parameters.items():
            text = texts.get(value.argument)
            if text is not None:
                given = text if value.kind == "str" else yaml.safe_load(text)
                assert given == declared(executable)[name], f"{executable}: {name}"


def test_the_demo_records_whole_episodes_of_its_task():
    tasks = pytest.importorskip("imitation_ros.envs.tasks")
    demo = defaults(ROOT / "launch" / "demo.launch.py")
    assert float(demo["episode_s"]) == tasks.find_task(load_spec(demo["setup"]).task).TIME_LIMIT_S


def test_a_launch_file_has_no_logic(path):
    logic = (ast.If, ast.IfExp, ast.For, ast.While, ast.Try, ast.With, ast.Lambda, ast.ListComp, ast.DictComp)
    found = [type(node).__name__ for node in ast.walk(read(path)) if isinstance(node, logic)]
    assert not found and not calls(read(path), "OpaqueFunction")
