"""Recipes become Configs: of the right algorithm, nested, with every value of its type, or with words."""

from __future__ import annotations

import re

import pytest

from imitation_ros.algorithms import airl, bc, gail
from imitation_ros.algorithms.recipe import (
    ALGORITHMS,
    algorithm_of,
    asked_for,
    changes_of,
    config_of,
    load_recipe,
    recipe_names,
)
from imitation_ros.errors import SpecError


def written(folder, text, name="mine"):
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_recipe_is_for_the_algorithm_that_it_is_named_after(tmp_path, name):
    config = load_recipe(written(tmp_path, "seed: 7", name))
    assert type(config) is config_of(name) and config.seed == 7 and algorithm_of(config) == name


def test_a_recipe_of_another_name_says_what_it_is_for(tmp_path):
    assert isinstance(load_recipe(written(tmp_path, "algorithm: airl\nsteps: 5")), airl.Config)
    assert isinstance(load_recipe(written(tmp_path, "seed: 1"), algorithm="gail"), gail.Config)
    assert isinstance(load_recipe(written(tmp_path, "seed: 1")), bc.Config)


def test_what_a_recipe_does_not_say_is_the_algorithms_own_default(tmp_path):
    config = load_recipe(written(tmp_path, "algorithm: airl\nreward: {state_only: true}\npolicy: {hidden: [8]}"))
    own = airl.Config()
    assert config.reward.state_only and config.reward.shaped
    assert config.policy.hidden == (8,) and config.policy.head == own.policy.head
    assert config.ppo == own.ppo


def test_changes_stand_above_the_recipe_at_any_depth():
    changes = changes_of(["ppo.clip=0.1", "ppo.learning_rate=3e-4", "policy.log_std=[-3, 1, 0]", "seed=4"])
    config = load_recipe("gail", changes)
    assert (config.ppo.clip, config.ppo.learning_rate, config.seed) == (0.1, 3e-4, 4)
    assert config.policy.log_std == (-3.0, 1.0, 0.0) and isinstance(config.policy.log_std[0], float)
    assert config.ppo.epochs == gail.Config().ppo.epochs


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("algorithm: gial", "algorithm is 'gial'. Did you mean 'gail'?"),
        ("algorithm: gail\nppo: {clop: 1}", "ppo: 'clop' is unknown. Did you mean 'clip'"),
        ("algorithm: gail\nppo: 3", "ppo is 3; it should be like Settings"),
        ("algorithm: gail\nppo: {clip: wide}", "ppo: clip is 'wide'; it should be like 0.2"),
        ("algorithm: gail\nppo: {clip: -1}", "ppo: clip is -1; it should be above 0"),
        ("algorithm: airl\nlabel_smoothing: 0.1", "label_smoothing is 0.1; AIRL allows 0 only"),
        ("algorithm: gail\npolicy: {log_std: [low, 1, 0]}", "log_std is 'low'; it should be like -2.0"),
    ],
)
def test_a_wrong_recipe_names_the_file_and_the_value(tmp_path, text, words):
    path = written(tmp_path, text)
    with pytest.raises(SpecError) as caught:
        load_recipe(path)
    assert words in str(caught.value) and str(path) in str(caught.value)


def test_a_recipe_of_another_algorithm_is_refused():
    with pytest.raises(SpecError, match=r"gail\.yaml is a recipe of gail, not of airl"):
        load_recipe("gail", algorithm="airl")


@pytest.mark.parametrize("setting", ["clip", "=3", "ppo..clip=1", "clip="])
def test_a_setting_without_name_or_value_is_refused(setting):
    with pytest.raises(SpecError, match="it should be name=value"):
        changes_of([setting])


def test_an_option_that_was_given_stands_above_the_recipe_also_where_it_is_0_and_one_that_was_not_does_not(tmp_path):
    recipe = written(tmp_path, "algorithm: gail\nseed: 7\nsteps: 500")
    config = load_recipe(recipe, changes_of([], {"seed": 0, "steps": None}))
    assert (config.seed, config.steps) == (0, 500)
    with pytest.raises(SpecError, match=r"seed is 0, and by --set 3\. Say it once"):
        changes_of(["seed=3"], {"seed": 0})


@pytest.mark.parametrize("setting", ["policy.hidden=[64, 64", "start=@home", "start=a: b: c"])
def test_a_setting_that_yaml_cannot_read_is_refused_and_not_taken_for_a_text(setting):
    with pytest.raises(SpecError, match=f"--set is {re.escape(repr(setting))}, and .* is no value of YAML"):
        changes_of([setting])


@pytest.mark.parametrize("text", ["hidden: [64, wide]", "hidden: [64, 3.5]", "log_std: [1e999999x, 1, 0]"])
def test_every_number_of_a_list_is_of_the_defaults_kind(tmp_path, text):
    with pytest.raises(SpecError, match="it should be like"):
        load_recipe(written(tmp_path, f"algorithm: gail\npolicy: {{{text}}}"))


def test_cloning_takes_no_steps_of_an_environment():
    with pytest.raises(SpecError, match=r"steps is 5; bc takes no steps of an environment\. Give updates"):
        load_recipe("bc", {"steps": 5})


def test_two_settings_that_contradict_each_other_are_refused():
    with pytest.raises(SpecError, match="ppo is 3, which has no clip"):
        changes_of(["ppo=3", "ppo.clip=1"])


def test_a_command_names_an_algorithm_a_recipe_or_a_recording(tmp_path):
    assert asked_for("gail", "", "demos") == ("gail", "gail", "demos")
    assert asked_for("gail", "mine.yaml", "demos") == ("gail", "mine.yaml", "demos")
    assert asked_for("gail_sac", "", "demos") == ("", "gail_sac", "demos")
    assert asked_for(str(tmp_path), "", "") == ("", "bc", str(tmp_path))
    for what, recipe, data in (("nowhere", "", ""), ("gail_sac", "gail", ""), (str(tmp_path), "", "demos")):
        with pytest.raises(SpecError, match="is no algorithm and no recording"):
            asked_for(what, recipe, data)


def test_the_recipes_that_come_with_the_package_are_listed():
    assert {"bc", "gail", "airl_sac"} <= set(recipe_names())
