"""Our side of the jobs: each method on its problem, measured alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from imitation_ros.algorithms import bc, dagger, ppo, sac
from imitation_ros.algorithms.frozen_reward import FrozenReward
from imitation_ros.algorithms.recipe import algorithm_of, load_recipe
from imitation_ros.algorithms.reward_file import load_reward, save_reward
from imitation_ros.algorithms.rewards import ConstantReward, Reward, RewardConfig
from imitation_ros.algorithms.rounds import Result
from imitation_ros.algorithms.run import Run
from imitation_ros.data.dataset import transitions
from imitation_ros.data.episode import Episode
from imitation_ros.envs.collect import Workers
from imitation_ros.envs.evaluate import Evaluation, evaluate_with
from imitation_ros.policies.driving import Driver
from imitation_ros.policies.policy import NetworkConfig
from tests.benchmarks.learning import learners
from tests.benchmarks.learning.demonstrations import PROBLEMS, Problem, demonstrations_of, score_of, workers_of
from tests.benchmarks.learning.measure import Measurement, Score, question, write_result

FRESH = 1000  # is added to the seed of a policy that knows nothing of the one whose reward it gets
SMALL = NetworkConfig(hidden=(64, 64), activation="tanh")


@dataclass
class Task:
    """What a method gets: the job, its demonstrations, workers of its environment, and where to note what happens.

    Attributes:
        give_way: called after each round, for others that take turns with it.
    """

    job: Mapping[str, Any]
    demonstrations: Sequence[Episode]
    workers: Workers
    measured: Measurement
    give_way: Callable[[], None] = lambda: None

    @property
    def problem(self) -> Problem:
        return PROBLEMS[self.job["problem"]]

    def run(self, total_steps: int, over: str = "", every: int | None = None) -> Run:
        """Return a run whose evaluations are noted, and not counted as training.

        Args:
            over: what the curve is drawn over, if not steps: something that is measured.
        """

        def report(steps: int, row: Mapping[str, float]) -> bool:
            self.measured.steps = steps
            if "evaluation/return" in row:
                score = Score(row["evaluation/return"], row.get("evaluation/success"))
                self.measured.note(int(row[over]) if over else steps, score)
            with self.measured.left_out(as_evaluation=False):
                self.give_way()
            return True

        return Run(None, {}, total_steps, self.evaluate, every or self.job["every"], report)

    def evaluate(self, policy: Driver) -> Evaluation:
        with self.measured.left_out():
            return evaluate_with(self.workers, policy, self.problem.validation_starts, purpose="validation")

    def tested(self, policy: Driver) -> Score:
        return self.scored(policy, "test", self.problem.test_starts)

    def scored(self, policy: Driver, purpose: str, starts: int) -> Score:
        found = evaluate_with(self.workers, policy, starts, purpose=purpose)
        succeeded = [n for n, won in zip(found.steps, found.successes or (), strict=False) if won]
        return Score(
            mean_return=found.mean_return,
            success=None if found.successes is None else found.success_rate,
            steps=float(np.mean(found.steps)),
            steps_to_success=float(np.mean(succeeded)) if succeeded else None,
            episodes=found.episodes,
        )


def learn(task: Task, recipe: str) -> Result:
    """Train by a recipe as it is shipped: all that is a problem's own is PPO's discount, which peers get too."""
    job = task.job
    config = load_recipe(recipe, {"steps": job["steps"], "evaluate_every": job["every"], "seed": job["seed"]})
    if hasattr(config, "ppo"):
        config = replace(config, ppo=replace(config.ppo, discount=task.problem.gamma))
    module = import_module(f"imitation_ros.algorithms.{algorithm_of(config)}")
    run = task.run(config.steps)
    with task.measured.timed():
        result: Result = module.train(task.demonstrations, task.workers, config, run)
    finish(task, result)
    task.measured.updates = updates_of(config, result)
    task.measured.network = networks_of(config)
    task.measured.settings = f"config/training/{recipe}.yaml"
    return result


def updates_of(config: Any, result: Result) -> dict[str, int]:
    """Return what was updated how often."""
    rounds, updates = result.state.round, {}
    if hasattr(config, "reward_updates"):
        updates["reward"] = rounds * config.reward_updates + 3 * config.last_updates
    if getattr(config, "learner", "sac") == "ppo":
        updates["policy"] = rounds * config.ppo.epochs * -(-config.steps_per_round // config.ppo.batch_size)
    else:
        updates["policy"] = round((result.state.steps - config.sac.first_steps) * config.sac.updates_per_step)
    return updates


def made(result: Result) -> int:
    """Return how many steps the learner's optimiser made."""
    optimizer = next(iter(result.state.optimizers.values()))
    return int(next(iter(optimizer.state.values()))["step"])


def networks_of(config: Any) -> str:
    """Return what a learner in an environment is made of, in words."""
    other = "value" if getattr(config, "learner", "sac") == "ppo" or isinstance(config, ppo.Config) else "critics"
    words = f"policy, {other}: {size_of(config.policy)}"
    return f"{words}; reward: {size_of(config.reward)}" if hasattr(config, "reward") else words


def size_of(network: NetworkConfig | RewardConfig) -> str:
    return f"{'x'.join(map(str, network.hidden))} {network.activation}"


def learn_reward(task: Task) -> None:
    """AIRL; then a fresh policy on its reward, frozen, with as many steps: a result of its own."""
    result = learn(task, "airl")
    with TemporaryDirectory() as folder:
        saved = save_reward(Path(folder) / "reward", result.reward_net, result.policy, {}, task.demonstrations)
        reward = load_reward(saved)
    job = {**task.job, "method": task.job["alongside"], "alongside": "", "label": "", "minutes": 0.0}
    fresh = replace(task, job=job, measured=Measurement(demonstrations=task.measured.demonstrations))
    changes = {"steps": job["steps"], "evaluate_every": job["every"], "seed": job["seed"] + FRESH}
    learn_ppo(fresh, task.demonstrations, load_recipe("ppo", changes), reward)
    write_result(Path(job["alongside_path"]), job, fresh.measured)


def finish(task: Task, result: Result) -> None:
    task.measured.last, task.measured.best = task.tested(result.last), task.tested(result.policy)


def clone(task: Task, config: bc.Config) -> None:
    """BC: validated on held-out episodes, the averaged weights with the lowest error."""
    config = replace(config, updates=task.job["steps"], seed=task.job["seed"])
    with task.measured.timed():
        result = bc.train(transitions(task.demonstrations), config, lambda update, measured: True)
    task.measured.last = task.measured.best = task.tested(result.policy)
    shown = task.scored(result.policy, "validation", task.problem.validation_starts)
    task.measured.note(result.updates, shown)
    task.measured.updates = {"policy": result.updates}
    task.measured.network = f"policy: {size_of(config.network)}"
    task.measured.labels = sum(episode.steps for episode in task.demonstrations)


def learn_constant(task: Task, value: float) -> None:
    """PPO as GAIL runs it, on a constant: what an environment's ends alone teach."""
    job = task.job
    config = load_recipe("ppo", {"steps": job["steps"], "evaluate_every": job["every"], "seed": job["seed"]})
    config = replace(config, ppo=replace(config.ppo, discount=task.problem.gamma))
    learn_ppo(task, task.demonstrations, config, ConstantReward(value))


def learn_task(task: Task) -> None:
    """PPO on the task's own reward, with the settings that stable-baselines3's gets."""
    settings, job = learners.PPO[task.job["problem"]], task.job
    low, high, _ = ppo.NETWORK.log_std
    config = ppo.Config(
        steps=job["steps"],
        steps_per_round=settings.environments * settings.steps,
        policy=replace(ppo.NETWORK, hidden=settings.hidden, log_std=(low, high, settings.log_std)),
        ppo=ppo.Settings(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            discount=task.problem.gamma,
        ),
        evaluate_every=job["every"],
        seed=job["seed"],
    )
    learn_ppo(task, [], config, None)


def learn_ppo(
    task: Task, demonstrations: Sequence[Episode], config: ppo.Config, reward: Reward | FrozenReward | None
) -> None:
    with task.measured.timed():
        result = ppo.train(demonstrations, task.workers, config, task.run(config.steps), reward=reward)
    finish(task, result)
    task.measured.updates = {"policy": made(result)}
    task.measured.network = networks_of(config)


def learn_dagger(task: Task, changes: Mapping[str, Any]) -> None:
    """DAgger on pick_place; its curve is over labels, those of the demonstrations among them."""
    job = task.job
    config = load_recipe("dagger", {"seed": job["seed"], "steps": job["steps"], **changes})
    with task.measured.timed():
        result = dagger.train(
            task.demonstrations,
            task.workers,
            task.problem.expert,
            config,
            task.run(config.steps, "labels/all", every=1),
        )
    finish(task, result)
    task.measured.labels = sum(result.state.notes["labels"])
    task.measured.updates = {"policy": result.state.round * config.updates}
    task.measured.network = f"policy: {size_of(config.network)}"


def clone_as_many(task: Task) -> None:
    """HG-DAgger, and BC from the first demonstrations with at least as many labels, fitted as its rounds are."""
    learn_dagger(task, {"human_gated": True})
    needed, episodes = task.measured.labels or 0, []
    with workers_of(task.problem, task.problem.disturbance) as workers:
        while sum(episode.steps for episode in episodes) < needed:
            episodes += workers.collect(task.problem.expert, range(len(episodes), len(episodes) + 1))
    config = load_recipe("dagger", {"seed": task.job["seed"]})
    result = bc.train(transitions(episodes), config, lambda _, __: True)
    score = task.tested(result.policy)
    labels = sum(episode.steps for episode in episodes)
    task.measured.figures = {"BC success": score.success or 0.0, "BC episodes": score.episodes, "BC labels": labels}


def learn_sac(task: Task) -> None:
    """SAC on the task's own reward, with the settings that stable-baselines3's gets."""
    settings = learners.SAC[task.job["problem"]]
    config = sac.Config(
        steps=task.job["steps"],
        steps_per_round=settings.episode_steps,
        policy=replace(sac.NETWORK, hidden=settings.hidden),
        sac=sac.Settings(
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            discount=task.problem.gamma,
            target_share=settings.target_share,
            first_steps=settings.first_steps,
            updates_per_step=settings.updates_per_step,
        ),
        evaluate_every=task.job["every"],
        seed=task.job["seed"],
    )
    with task.measured.timed():
        result = sac.train([], task.workers, config, task.run(config.steps))
    finish(task, result)
    task.measured.updates = {"policy": made(result)}
    task.measured.network = networks_of(config)


METHODS: Mapping[str, Callable[[Task], object]] = {
    "GAIL": lambda task: learn(task, "gail"),
    "AIRL": lambda task: learn(task, "airl"),
    "AIRL and its reward": learn_reward,
    "GAIL, quick": lambda task: learn(task, "gail_quick"),
    "AIRL, quick": lambda task: learn(task, "airl_quick"),
    "GAIL, SAC": lambda task: learn(task, "gail_sac"),
    "AIRL, SAC": lambda task: learn(task, "airl_sac"),
    "SQIL": lambda task: learn(task, "sqil"),
    "BC": lambda task: clone(task, bc.Config(network=SMALL)),
    "BC by its recipe": lambda task: clone(task, load_recipe("bc")),
    "BC as DAgger fits": lambda task: clone(task, load_recipe("dagger")),
    "PPO": learn_task,
    "SAC": learn_sac,
    "DAgger": lambda task: learn_dagger(task, {}),
    "HG-DAgger": clone_as_many,
    "PPO on +1": lambda task: learn_constant(task, 1.0),
    "PPO on -1": lambda task: learn_constant(task, -1.0),
}


def run(job: Mapping[str, Any], give_way: Callable[[], None] = lambda: None) -> Measurement:
    torch.set_num_threads(1)
    import_module("torch._dynamo")  # else the first optimiser imports it, for 0.7 s of what is timed
    problem = PROBLEMS[job["problem"]]
    demonstrations = demonstrations_of(problem, job["seed"])
    measured = Measurement(steps=job["steps"])
    if demonstrations:
        measured.demonstrations = score_of(demonstrations)
    with workers_of(problem) as workers:
        task = Task(job, demonstrations, workers, measured, give_way)
        METHODS[job["method"]](task)
        if problem.expert is not None:
            measured.expert = task.tested(problem.expert)
            measured.expert_shown = task.scored(problem.expert, "validation", problem.validation_starts)
    return measured


if __name__ == "__main__":
    asked, path = question()
    write_result(path, asked, run(asked))
