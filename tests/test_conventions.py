"""What lies beside the code keeps up with it: config files, recipes, tests, the README."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
from pathlib import Path

import gymnasium
import pytest

from imitation_ros import cli
from imitation_ros.algorithms.recipe import ALGORITHMS, algorithm_of, load_recipe
from imitation_ros.envs import ENVIRONMENTS
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import COMPONENTS, READERS, WRITERS
from imitation_ros.robot.spec import load_spec

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
NOT_FOR_ROBOTS = {"adversarial", "mce_irl"}  # the loop behind gail and airl; an exact reference for tables


@pytest.mark.parametrize("setup", sorted((ROOT / "config/setups").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_setup_loads_and_is_named_after_its_file(setup):
    assert load_spec(setup.stem).name == setup.stem


@pytest.mark.parametrize("recipe", sorted((ROOT / "config/training").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_loads_and_is_of_the_algorithm_that_it_is_named_after(recipe):
    assert algorithm_of(load_recipe(recipe)) == recipe.stem.split("_")[0]


def test_every_algorithm_is_known_by_its_name():
    folder = ROOT / "imitation_ros/algorithms"
    trained = {path.stem for path in folder.glob("*.py") if {"Config", "train"} <= defined(path)}
    assert trained - NOT_FOR_ROBOTS == set(ALGORITHMS)


def defined(path):
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_has_a_config_a_train_a_recipe_and_a_readme_row(name):
    module = importlib.import_module(f"imitation_ros.algorithms.{name}")
    assert dataclasses.is_dataclass(module.Config) and module.Config.__dataclass_params__.frozen
    assert callable(module.train)
    assert (ROOT / f"config/training/{name}.yaml").is_file()
    assert f"`{name}`" in README


def test_every_message_type_is_read_written_and_named():
    assert set(READERS) == set(WRITERS) == set(COMPONENTS)


@pytest.mark.parametrize("verb", cli.VERBS)
def test_the_readme_knows_every_verb(verb):
    assert f"imitation-ros {verb}" in README


@pytest.mark.parametrize("robot", sorted((ROOT / "config/robots").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_robot_has_a_setup_and_a_readme_row_that_names_it(robot):
    setups = [path.stem for path in (ROOT / "config/setups").glob("*.yaml") if load_spec(path).robot == robot.stem]
    assert setups, f"no setup uses {robot.stem}"
    assert f"`{robot.stem}`" in README
    for setup in setups:
        assert f"`{setup}`" in README, setup


def test_every_message_type_is_in_the_reference_of_robot_specs():
    reference = (ROOT / "docs/robot_spec.md").read_text()
    for message_type in COMPONENTS:
        assert f"`{message_type}`" in reference or f"`{message_type.split('/')[-1]}`" in reference, message_type


def test_every_word_of_a_field_is_in_the_reference_of_robot_specs():
    reference = (ROOT / "docs/robot_spec.md").read_text()
    for word in {field.name for field in dataclasses.fields(Field)} - {"name", "file"}:
        assert re.search(rf"`{word}`|\b{word}:", reference), word


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_environment_is_in_the_readme_and_made_by_gymnasium(name):
    assert name.removesuffix("-v0") in README
    gymnasium.make(f"imitation_ros/{name}").close()


def test_every_file_that_the_readme_links_to_is_there():
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_no_module_has_outgrown_its_room():
    for path in (ROOT / "imitation_ros").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 350, f"{path}: split it by what it means"
