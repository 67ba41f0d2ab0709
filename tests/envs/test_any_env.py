"""Any environment of gymnasium's: a spec from its spaces, episodes, evaluation."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from imitation_ros.algorithms import bc
from imitation_ros.data.hdf5 import read_episode, write_episode
from imitation_ros.envs.any_env import AnyEnv, spec_from_env
from imitation_ros.envs.collect import collect, run_episode, spec_of
from imitation_ros.envs.evaluate import evaluate
from imitation_ros.envs.spaces import SpaceFields
from imitation_ros.errors import SpecError
from imitation_ros.robot.plain import finite_ends
from imitation_ros.robot.spec import spec_from_yaml
from imitation_ros.training import learn

EVERYTHING = spaces.Dict(
    {
        "b box": spaces.Box(-1.0, 1.0, (2, 3)),
        "a choice": spaces.Discrete(4, start=-1),
        "inner": spaces.Dict({"x": spaces.Box(0.0, np.inf, (1,)), "flags": spaces.MultiBinary(3)}),
        "camera": spaces.Box(0, 255, (8, 9, 3), np.uint8),
    }
)


class RandomPolicy:
    def __init__(self, spec):
        self.spec, self.rng = spec, np.random.default_rng(0)

    def act(self, observation):
        return {field.name: field.from_unit(self.rng.uniform(-1, 1, field.width)) for field in self.spec.action}


@pytest.mark.parametrize("identifier", ["Pendulum-v1", "CartPole-v1"])
def test_episodes_of_gymnasium_survive_a_file(tmp_path, identifier):
    spec = spec_from_env(identifier)
    (episode,) = collect(identifier, RandomPolicy(spec), 1)
    back = read_episode(write_episode(tmp_path / "episode.hdf5", episode))
    for name, values in episode.observations.items():
        np.testing.assert_array_equal(back.observations[name], values)
    assert back.terminated == episode.terminated and not back.spec.differences(spec)


def test_pendulum_has_the_field_that_its_spaces_say():
    spec = spec_from_env("Pendulum-v1")
    assert (spec.rate_hz, spec.observation[0].width) == (20.0, 3)
    assert (spec.action[0].scale_low, spec.action[0].scale_high) == ((-2.0,), (2.0,))


def test_a_choice_of_two_is_a_category():
    (action,) = spec_from_env("CartPole-v1").action
    assert (action.kind, action.categories) == ("category", 2)


def test_a_derived_spec_reads_back_from_yaml():
    for identifier in ("Pendulum-v1", "CartPole-v1", "FrozenLake-v1"):
        spec = spec_from_env(identifier)
        assert spec_from_yaml(spec.to_yaml(), "test") == spec


@given(st.integers(0, 2**32 - 1))
def test_a_sample_goes_to_fields_and_back(seed):
    space = spaces.Dict(
        {"speed": spaces.Box(-3.0, 2.0, (2, 2)), "gear": spaces.Discrete(3), "b": spaces.Box(0, 1, (1,))}
    )
    space.seed(seed)
    fields, sample = SpaceFields(space, "action", is_action=True), space.sample()
    back = fields.from_values(fields.to_values(dict(reversed(sample.items()))))
    assert space.contains(back)
    for name, value in sample.items():
        np.testing.assert_array_equal(back[name], value)


def test_every_kind_of_space_becomes_a_field():
    fields = SpaceFields(EVERYTHING, "observation", is_action=False)
    found = {field.name: (field.kind, field.row_shape) for field in fields.fields}
    assert found == {
        "a_choice": ("category", (1,)),
        "b_box": ("continuous", (6,)),
        "camera": ("image", (8, 9, 3)),
        "inner_flags": ("continuous", (3,)),
        "inner_x": ("continuous", (1,)),
    }
    values = fields.to_values(EVERYTHING.sample())
    assert values["camera"].dtype == np.uint8 and values["b_box"].dtype == np.float32


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_every_scale_is_finite_and_has_two_ends(one, other):
    low, high = finite_ends(min(one, other), max(one, other))
    assert np.isfinite([low, high]).all() and low < high
    if abs(one) < 1e15 and abs(other) < 1e15 and one != other:
        assert (low, high) == (min(one, other), max(one, other))


def test_infinite_ends_follow_the_stated_rule():
    assert finite_ends(-np.inf, np.inf) == (-1.0, 1.0)
    assert finite_ends(3.0, np.inf) == (3.0, 5.0)
    assert finite_ends(-np.inf, -4.0) == (-6.0, -4.0)


def test_an_environment_that_takes_whole_numbers_gets_the_nearest():
    """A network's 2.9999998 is a 3."""
    space = spaces.Box(0, 9, (3,), np.int32)
    taken = SpaceFields(space, "action", is_action=True).from_values({"action": np.array([2.9999998, -0.4, 9.7])})
    assert taken.tolist() == [3, 0, 9] and space.contains(taken)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (1,), (2, 1)])
def test_an_action_of_any_shape_is_one_of_its_space(shape, dtype):
    space = spaces.Box(-0.1, 0.1, shape, dtype)
    fields = SpaceFields(space, "action", is_action=True)
    for value in (-1.0, 0.05, 1.0):
        taken = fields.from_values({"action": np.full(fields.fields[0].width, value, np.float32)})
        assert space.contains(taken) and isinstance(taken, np.ndarray)
        assert fields.to_values(taken)["action"].shape == (fields.fields[0].width,)


def test_grey_pictures_without_a_channel_are_images():
    (field,) = SpaceFields(spaces.Box(0, 255, (84, 80), np.uint8), "screen", is_action=False).fields
    assert (field.kind, field.row_shape) == ("image", (84, 80, 1))


class Painting(gymnasium.Env):
    """Shows noise: what JPEG would not keep."""

    metadata = {"render_fps": 10}  # noqa: RUF012 gymnasium's own form

    def __init__(self, seen=None):
        self.observation_space = seen or spaces.Dict({"picture": spaces.Box(0, 255, (6, 7), np.uint8)})
        self.action_space = spaces.Dict({"colour": spaces.Discrete(5), "place": spaces.Box(-1.0, 1.0, (2,))})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        return self.observation_space.sample(), 1.0, False, True, {}


def test_pictures_of_an_environment_survive_a_file_pixel_for_pixel(tmp_path):
    env = AnyEnv(Painting())
    episode = run_episode(env, RandomPolicy(env.robot_spec), 0, seed=0, purpose="train")
    back = read_episode(write_episode(tmp_path / "episode.hdf5", episode))
    np.testing.assert_array_equal(back.observations["picture"], episode.observations["picture"])


def test_one_name_for_what_is_seen_and_done_is_refused_before_a_file_cannot_be_read_back():
    with pytest.raises(SpecError, match="'place' is both observation and action"):
        AnyEnv(Painting(spaces.Dict({"place": spaces.Box(-1.0, 1.0, (2,))})))


def test_an_environment_that_was_made_for_its_spec_is_closed_again(monkeypatch):
    closed = []
    monkeypatch.setattr(AnyEnv, "close", lambda self: closed.append(self))
    spec_from_env("CartPole-v1")
    spec_from_env(gymnasium.make("CartPole-v1"))  # whoever made it closes it
    assert len(closed) == 1


def test_a_space_that_no_field_holds_is_named():
    with pytest.raises(SpecError, match=r"'action' is Tuple.*Box, Discrete and Dict are understood"):
        SpaceFields(spaces.Tuple([spaces.Discrete(2)]), "action", is_action=True)
    with pytest.raises(SpecError, match=r"'action' is Box.*holds no number"):
        SpaceFields(spaces.Box(0.0, 1.0, (0, 3)), "action", is_action=True)


def test_the_same_start_gives_the_same_episode_whatever_ran_before():
    policy = RandomPolicy(spec_of("Pendulum-v1"))
    first = AnyEnv("Pendulum-v1")
    again = first.begin(0, "test", 3)
    first.advance(policy.act(again))
    first.begin(0, "test", 4)
    np.testing.assert_array_equal(first.begin(0, "test", 3)["observation"], again["observation"])
    assert not np.array_equal(first.begin(0, "train", 3)["observation"], again["observation"])


def test_workers_give_the_same_bytes():
    one, two = (collect("CartPole-v1", Upright(), 4, workers=workers) for workers in (1, 2))
    for left, right in zip(one, two, strict=True):
        np.testing.assert_array_equal(left.observations["observation"], right.observations["observation"])


class Upright:
    """Push where the pole falls: 200 steps and more."""

    def act(self, observation):
        _, _, angle, speed = observation["observation"]
        return {"action": np.array([float(angle + 0.3 * speed > 0.0)])}


def test_a_task_without_a_word_on_success_is_judged_by_its_return():
    evaluation = evaluate("CartPole-v1", Upright(), 3)
    assert evaluation.successes is None and evaluation.mean_return > 100
    assert str(evaluation).startswith("mean return ")


def test_an_environment_without_a_time_limit_ends_all_the_same():
    endless = AnyEnv(gymnasium.make("Pendulum-v1").unwrapped)
    endless.time_limit = 5
    endless.begin(0, "test", 0)
    action = {"action": np.zeros(1)}
    assert [endless.advance(action).truncated for _ in range(5)] == [False] * 4 + [True]


@pytest.mark.parametrize("identifier", ["Pendulum-v9", "Nothing-v0", "no_such_module:Thing-v1"])
def test_an_unknown_environment_is_named(identifier):
    with pytest.raises(SpecError, match=identifier):
        spec_of(identifier)


def test_our_own_ids_are_our_own_setups():
    assert spec_of("imitation_ros/PandaReach-v0").name == "panda_reach"


class Balance:
    """Linear feedback that keeps MuJoCo's inverted pendulum up for all of its 1000 steps."""

    def act(self, observation):
        force = observation["observation"].astype(float) @ np.array([1.0, 20.0, 2.0, 4.0])
        return {"action": np.array([np.clip(force, -3.0, 3.0)])}


def test_an_environment_of_mujocos_is_cloned_and_evaluated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its log here
    identifier = "InvertedPendulum-v5"
    assert spec_of(identifier).rate_hz == pytest.approx(25.0)
    policy = learn(collect(identifier, Balance(), 3), config=bc.Config(updates=1000, validate_every=1000))
    assert evaluate(identifier, policy, 3).mean_return > 500  # measured: 1000; after 200 updates 137
