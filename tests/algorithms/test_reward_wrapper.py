"""A learned reward inside gymnasium's environments: what others train on is what `of_episodes` says."""

from __future__ import annotations

import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FlattenObservation

from imitation_ros.algorithms import gail, ppo
from imitation_ros.algorithms.frozen_reward import executed_width
from imitation_ros.algorithms.reward_file import load_reward, save_reward
from imitation_ros.algorithms.reward_wrapper import LearnedReward
from imitation_ros.algorithms.rewards import RewardConfig, RewardNet
from imitation_ros.algorithms.run import Run
from imitation_ros.data.episode import EpisodeBuilder
from imitation_ros.envs.any_env import AnyEnv, spec_from_env
from imitation_ros.envs.collect import Workers
from imitation_ros.errors import BundleError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.spec import RobotSpec, load_spec
from tests.algorithms.point_env import ENDING, POINT, Expert

DISCOUNT = 0.9
ARM = "two_link_push"
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Path:
    """Return the folder of a reward that GAIL learned on the point, in a second or two."""
    with Workers(POINT) as workers:
        demonstrations = workers.collect(Expert(), 10)
        config = gail.Config(
            steps=2000, steps_per_round=200, reward=RewardConfig(hidden=(32,)), last_updates=200, reward_updates=20
        )
        run = Run(None, {}, config.steps, None, config.evaluate_every, lambda steps, measured: True)
        result = gail.train(demonstrations, workers, config, run)
    folder = tmp_path_factory.mktemp("learned") / "reward"
    return save_reward(folder, result.reward_net, result.policy, {"algorithm": "gail"}, demonstrations)


def random_reward(folder: Path, spec: RobotSpec) -> Path:
    """Save a reward that nobody learned, but of which every input counts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        policy = MLPPolicy(spec, NetworkConfig(hidden=(4,), head="gaussian"))
        config = RewardConfig(hidden=(8,), shaped=True)
        return save_reward(folder, RewardNet(policy.encoder.width, executed_width(spec), config, DISCOUNT), policy)


def driven(env: gymnasium.Env, actions: list[np.ndarray]) -> tuple[list[float], list[float], bool]:
    """Return the rewards of an episode, the task's own, and whether the task ended it."""
    env.reset(seed=3)
    rewards, own, terminated, truncated = [], [], False, False
    for action in actions:
        _, reward, terminated, truncated, info = env.step(action)
        rewards.append(reward)
        own.append(info["task_reward"])
        if terminated or truncated:
            break
    return rewards, own, terminated


@pytest.mark.parametrize("shaped", [False, True])
def test_an_episode_is_worth_what_the_reward_says_of_its_recording_and_of_what_follows_its_end(tmp_path, shaped):
    """The task ends this one, after a few steps of its own accord."""
    reward = load_reward(random_reward(tmp_path / "reward", spec_from_env(ENDING)), shaped)
    actions = [np.array([size], np.float32) for size in (1.0, -0.4, 0.9, *[0.3] * 17)]
    found, own, terminated = driven(LearnedReward(gymnasium.make(ENDING), reward), actions)
    assert terminated
    plain = AnyEnv(ENDING)
    observation, _ = plain.env.reset(seed=3)
    builder = EpisodeBuilder(plain.robot_spec)
    builder.add_observation(plain.sees.to_values(observation))
    for action, task_reward in zip(actions, own, strict=False):
        outcome = plain.advance({"action": action})
        assert outcome.reward == task_reward
        builder.add_action({"action": action}, outcome.executed, outcome.reward)
        builder.add_observation(outcome.observation)
    wanted = reward.of_episodes([builder.build(terminated=True)])[0]
    wanted[-1] += DISCOUNT / (1.0 - DISCOUNT) * reward.net.of_absorbing()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_one_of_our_robots_is_read_as_its_recordings_are(tmp_path):
    reward = load_reward(random_reward(tmp_path / "reward", load_spec(ARM)), shaped=True)
    env = LearnedReward(gymnasium.make("imitation_ros/TwoLinkPush-v0"), reward)
    own = env.unwrapped
    rng = np.random.default_rng(0)
    observation, _ = env.reset(seed=0)
    builder = EpisodeBuilder(own.robot_spec)
    builder.add_observation(observation)
    rewards = []
    for _ in range(5):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, value, _, _, info = env.step(action)
        rewards.append(value)
        executed = own.from_unit(info["executed"])
        builder.add_action(executed, executed, info["task_reward"])
        builder.add_observation(observation)
    np.testing.assert_allclose(rewards, reward.of_episodes([builder.build()])[0], atol=1e-5)
    env.close()


@pytest.mark.parametrize("name", [POINT, ENDING])
def test_ends_are_the_environments_own(tmp_path, name):
    env = gymnasium.make(name)
    wrapped = LearnedReward(gymnasium.make(name), random_reward(tmp_path / "reward", spec_from_env(name)))
    for start in range(5):
        for each in (env, wrapped):
            each.reset(seed=start)
        for _ in range(20):
            action = env.action_space.sample()
            plain, learned = env.step(action), wrapped.step(action)
            assert (plain[2], plain[3], plain[1]) == (learned[2], learned[3], learned[4]["task_reward"])
            np.testing.assert_array_equal(plain[0], learned[0])
            if plain[2] or plain[3]:
                break


def test_gymnasium_and_stable_baselines3_find_nothing_wrong_with_it(tmp_path):
    from stable_baselines3.common.env_checker import check_env as check_for_them

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A Box observation space|.*infinity|.*different from the unwrapped")
        for name in (POINT, "Pendulum-v1", "CartPole-v1"):
            folder = random_reward(tmp_path / name, spec_from_env(name))
            check_env(LearnedReward(gymnasium.make(name), folder), skip_render_check=True)
            check_for_them(LearnedReward(gymnasium.make(name), folder), warn=False)
        arm = LearnedReward(
            gymnasium.make("imitation_ros/TwoLinkPush-v0"), random_reward(tmp_path / "arm", load_spec(ARM))
        )
        check_for_them(arm, warn=False)
        arm.close()


def test_another_environment_is_refused_in_words(tmp_path):
    folder = random_reward(tmp_path / "reward", spec_from_env(POINT))
    with pytest.raises(BundleError, match=r"environment Pendulum-v1 mean different things.*learned for: Point-v0"):
        LearnedReward(gymnasium.make("Pendulum-v1"), folder)
    with pytest.raises(BundleError, match="mean different things"):
        arm = random_reward(tmp_path / "arm", load_spec(ARM))
        LearnedReward(FlattenObservation(gymnasium.make("imitation_ros/TwoLinkPush-v0")), arm)


def returns(env: gymnasium.Env, act, episodes: int = 20) -> np.ndarray:
    """Return the mean return by the learned reward, and by the task's."""
    sums = np.zeros((episodes, 2))
    for index in range(episodes):
        observation, done = env.reset(seed=1000 + index)[0], False
        while not done:
            observation, reward, terminated, truncated, info = env.step(act(observation))
            sums[index] += reward, info["task_reward"]
            done = terminated or truncated
    return sums.mean(axis=0)


def test_stable_baselines3_trains_on_it(learned):
    """And with the learned return the task's own rises, of which it sees nothing: from about -10 to about -1.5."""
    from stable_baselines3 import PPO

    env = LearnedReward(gymnasium.make(POINT), learned)
    model = PPO(
        "MlpPolicy", env, n_steps=200, batch_size=50, learning_rate=3e-3, gamma=env.discount, seed=0, device="cpu"
    )
    before = returns(env, lambda seen: model.predict(seen, deterministic=True)[0])
    model.learn(4000)
    after = returns(env, lambda seen: model.predict(seen, deterministic=True)[0])
    assert after[0] > before[0] + 5.0
    assert after[1] > max(-4.0, before[1])


def test_a_fresh_policy_of_ours_trains_on_it(learned):
    """By its own normaliser, and without the task's reward, which evaluations are in: a random policy has -10."""
    with Workers(POINT) as workers:
        settings = ppo.Settings(learning_rate=3e-3, batch_size=50, discount=DISCOUNT)
        config = ppo.Config(steps=4000, steps_per_round=200, seed=5, ppo=settings)
        rows = []
        run = Run(None, {}, config.steps, None, config.evaluate_every, lambda steps, row: not rows.append(row))
        result = ppo.train([], workers, config, run, reward=load_reward(learned))
        episodes = workers.collect(result.last, 20, purpose="test")
    assert rows[-1]["rollouts/learned_return"] > rows[0]["rollouts/learned_return"] + 5.0
    assert np.mean([episode.rewards.sum() for episode in episodes]) > -4.0
