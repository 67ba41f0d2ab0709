"""What a training is asked to do, what it is given, and whether that can work: before any work is done."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from imitation_ros.algorithms.frozen_reward import FrozenReward
from imitation_ros.algorithms.recipe import algorithm_of
from imitation_ros.algorithms.reward_file import load_reward, reward_folder
from imitation_ros.algorithms.run import driver
from imitation_ros.data.dataset import data_hash
from imitation_ros.data.load import iterate_episodes
from imitation_ros.envs.collect import Workers, gymnasium_id, our_setup, spec_of
from imitation_ros.envs.scene import load_scene, scene_path
from imitation_ros.envs.tasks import Expert
from imitation_ros.errors import TrainingError
from imitation_ros.evaluation import EXPERT, why_not_simulated
from imitation_ros.policies.checkpoint import load_policy
from imitation_ros.policies.driving import Acts
from imitation_ros.robot.spec import RobotSpec
from imitation_ros.robot.strict_yaml import load_yaml, parse_yaml
from imitation_ros.training.machine import versions

NEED_DATA = ("bc", "gail", "airl", "sqil")
NEED_ENVIRONMENT = ("gail", "airl", "sqil", "ppo", "sac")
TAKE_REWARDS = ("ppo", "sac")
TAKE_IMAGES = ("bc", "dagger")
SHOWN_DIFFERENCES = 8


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        config: the Config of an algorithm, which says which one it is.
        output: the bundle's folder; must not exist.
        data: demonstrations: one HDF5 file, or a folder of them.
        env: where the policy practises: a setup, or an id of gymnasium's; empty: the setup of the data.
        expert: whom DAgger asks: "expert" for the task's scripted one, or the folder of a bundle; empty: nobody.
        reward: the folder of a learned reward, or of the bundle that holds it, for ppo and sac; empty: the task's own.
        device: auto, cpu or cuda.
        workers: processes that run the environment; the result is the same for any number.
        disturbance: add the scene's noise to what is executed in training; evaluations are without it.
        terminate_on_success: end episodes at success, instead of at the time limit.
    """

    config: Any
    output: Path
    data: Path | None = None
    env: str = ""
    expert: str = ""
    reward: str = ""
    device: str = "auto"
    workers: int = 1
    disturbance: bool = False
    terminate_on_success: bool = False

    @property
    def algorithm(self) -> str:
        return algorithm_of(self.config)

    @property
    def folder(self) -> Path:
        """Where the training is saved while it runs: beside the bundle."""
        return self.output.with_name(f"{self.output.name}.training")

    @property
    def total(self) -> int:
        """Of the environment's steps, or of updates where there is none."""
        return int(self.config.updates if self.algorithm == "bc" else self.config.steps)


@dataclass
class Site:
    """Where a policy practises and is judged.

    Attributes:
        workers: for its rollouts; judges: for evaluations.
    """

    env: str
    workers: Workers
    judges: Workers


@dataclass(frozen=True)
class Given:
    """What a job learns from.

    Attributes:
        spec: of the data, or else of the environment.
        data: what a bundle says of the data.
    """

    spec: RobotSpec
    site: Site | None
    expert: Acts | None
    reward: FrozenReward | None
    data: dict[str, Any] = field(default_factory=dict)


def gather(job: Job, opened: ExitStack) -> Given:
    """Look at the data, open the environment, and check that all fit together.

    Raises:
        TrainingError: something is missing, does not fit, or is of no use to the algorithm.
        DataError, SpecError: see load_episodes and open_environment.
    """
    name = job.algorithm
    if job.workers < 1:
        raise TrainingError(f"workers is {job.workers}; it should be at least 1.")
    if job.expert and name != "dagger":
        raise TrainingError(f"{name} asks no expert. Leave --expert out, or train dagger.")
    if job.reward and name not in TAKE_REWARDS:
        raise TrainingError(f"{name} learns from no reward that is given. Leave --reward out, or train ppo or sac.")
    if job.env:
        check_images(name, spec_of(job.env), job.env)  # before anybody records demonstrations of them
    if job.data is None and (name in NEED_DATA or (name == "dagger" and not job.expert)):
        more = " Or an expert to ask: --expert." if name == "dagger" else ""
        raise TrainingError(f"{name} learns from demonstrations: add --data, an HDF5 file or a folder of them.{more}")
    found = None if job.data is None else next(iterate_episodes(job.data)).spec
    env = environment_of(job, found)
    if not env and (job.disturbance or job.terminate_on_success):
        flag = "--disturbance" if job.disturbance else "--terminate-on-success"
        raise TrainingError(f"{flag} needs an environment, and {name} has none here. Add --env, or leave it out.")
    if found is not None:
        check_images(name, found, str(job.data))
    site = open_site(job, env, opened) if env else None
    if site is not None:
        check_images(name, site.workers.spec, env)
        check_meaning(str(job.data), found, env, site.workers.spec)
    spec = found or (site.workers.spec if site is not None else None)
    assert spec is not None  # data or an environment: checked above
    data = {} if job.data is None else {"folder": str(job.data), "sha256": data_hash(job.data)}
    reward = load_reward(Path(job.reward)) if job.reward else None
    return Given(spec, site, None if site is None else expert_of(job, site), reward, data)


def environment_of(job: Job, found: RobotSpec | None) -> str:
    """Return the environment to open; empty where the algorithm needs none and nobody asked for one.

    Raises:
        TrainingError: one is needed, and not known.
    """
    if job.env or not (job.algorithm in NEED_ENVIRONMENT or job.expert):
        return job.env
    what = f"{job.algorithm} practises in an environment"
    if found is None:
        raise TrainingError(f"{what}: add --env, a setup such as panda_reach or an id of gymnasium's.")
    if why := why_not_simulated(found):
        raise TrainingError(
            f"{what}, and {job.data} was recorded with the setup {found.name!r}, which {why}. Add `--env FILE`: a "
            f"setup of the same meaning, with a `scene:` to simulate it in."
        )
    return found.name


def open_site(job: Job, env: str, opened: ExitStack) -> Site:
    """Open an environment for practice, and another for evaluations where practice is disturbed."""
    workers = opened.enter_context(
        Workers(env, job.workers, job.disturbance, terminate_on_success=job.terminate_on_success)
    )
    judges = workers
    if job.disturbance:
        judges = opened.enter_context(Workers(env, job.workers, terminate_on_success=job.terminate_on_success))
    return Site(env, workers, judges)


def check_images(algorithm: str, spec: RobotSpec, where: str) -> None:
    images = [repr(field.name) for field in spec.observation if field.is_image]
    if images and algorithm not in TAKE_IMAGES:
        raise TrainingError(
            f"{algorithm} learns from numbers only, and in {where} there are images: {', '.join(images)}. "
            f"Take {' or '.join(TAKE_IMAGES)}, or a setup without them."
        )


def check_meaning(one: str, found: RobotSpec | None, other: str, wanted: RobotSpec) -> None:
    differences = [] if found is None else found.differences(wanted)
    if differences:
        lines = "".join(f"\n  {line}" for line in differences[:SHOWN_DIFFERENCES])
        more = len(differences) - SHOWN_DIFFERENCES
        raise TrainingError(
            f"{one} and the environment {other} mean different things:{lines}"
            f"{f'{chr(10)}  and {more} more' if more > 0 else ''}\nGive an --env of the same meaning, or other data."
        )


def expert_of(job: Job, site: Site) -> Acts | None:
    """Return whom to ask.

    Raises:
        TrainingError: there is no such expert, or it means something else than the environment.
    """
    if not job.expert:
        return None
    if job.expert == EXPERT:
        if not site.workers.spec.task:
            raise TrainingError(f"{site.env} names no task, so there is no scripted expert. Give --expert a bundle.")
        return Expert(site.workers.spec.task)
    policy = load_policy(job.expert)
    check_meaning(job.expert, policy.spec, site.env, site.workers.spec)
    expert: Acts = driver(policy)
    return expert


def identity_of(job: Job, given: Given, device: str) -> dict[str, Any]:
    """Return what must be the same for a training to go on, and the versions, which had better be."""
    bundles = {"expert": job.expert, "start": getattr(job.config, "start", "")}
    return {
        "algorithm": job.algorithm,
        "config": asdict(job.config),
        "data": given.data.get("sha256"),
        "environment": None if given.site is None else environment_facts(job, given.site),
        **({} if given.site is None else files_of(given.site)),
        **{name: weights_hash(folder) for name, folder in bundles.items()},
        "reward": weights_hash(str(reward_folder(Path(job.reward)))) if job.reward else "",
        "versions": {**versions(), "device": device},
    }


def environment_facts(job: Job, site: Site) -> Mapping[str, Any]:
    return {"name": site.env, "disturbance": job.disturbance, "terminate_on_success": job.terminate_on_success}


def files_of(site: Site) -> dict[str, Any]:
    """Return what the files of an environment say, which somebody may have edited since: setup, scene, robot."""
    spec = site.workers.spec
    fields = {field.name: {k: v for k, v in asdict(field).items() if k != "file"} for field in spec.fields}
    found: dict[str, Any] = {"setup": {**parse_yaml(spec.to_yaml(), site.env), "fields": fields}}
    if gymnasium_id(site.env) is None:
        path = scene_path(our_setup(site.env), spec)
        found |= {"scene": load_yaml(path), "sim_robot": load_yaml(Path(load_scene(path).robot.file))}
    return found


def weights_hash(folder: str) -> str:
    """Return what tells one bundle, or reward, from another; of none its name."""
    weights = sorted(Path(folder).glob("*.safetensors")) if folder else []
    return hashlib.sha256(weights[0].read_bytes()).hexdigest() if weights else folder
