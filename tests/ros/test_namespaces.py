"""Two robots in one graph, by namespaces, by prefixes and as one pair: each file holds its own robot's numbers."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")

from ros_graph import FakeRobot, Graph, wait_until

from imitation_ros.data.hdf5 import read_episode
from imitation_ros.paths import share_folder
from imitation_ros.processes import Programs
from imitation_ros.robot.field import Field
from imitation_ros.robot.messages import write
from imitation_ros.robot.spec import RobotSpec, load_spec
from imitation_ros.ros.topics import new_message, to_stamp

SIDES = {"left": 1.0, "right": -1.0}
UPRIGHT = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
RECORDED_S = 1.0


def seen(side: str) -> dict[str, np.ndarray]:
    """Return what one robot sees, which differs from the other's in every number but the upright rotation."""
    sign = SIDES[side]
    return {
        "joint_position": sign * np.linspace(0.1, 0.7, 7),
        "end_effector_pose": np.array([*(sign * np.array([0.4, 0.1, 0.3])), *UPRIGHT]),
        "goal": sign * np.array([0.5, 0.2, 0.1]),
    }


def command(side: str) -> np.ndarray:
    return SIDES[side] * np.array([0.1, 0.2, 0.3])


def setup_of(side: str, folder) -> str:
    """Write panda_reach for one of two arms that share joint_states and tf, told apart by prefixes alone."""
    setup = yaml.safe_load((share_folder() / "config/setups/panda_reach.yaml").read_text())
    setup["fields"].update(
        joint_position={"joint_prefix": f"{side}_"},
        end_effector_pose={"topic": f"{side}_pose", "frame_prefix": f"{side}_"},
        goal={**setup["fields"]["goal"], "topic": f"{side}_goal", "frame_prefix": f"{side}_"},
        twist={"topic": f"{side}_twist", "executed_topic": None, "frame_prefix": f"{side}_"},
    )
    path = folder / f"{side}.yaml"
    path.write_text(yaml.safe_dump(setup))
    return str(path)


def moved(spec: RobotSpec, namespace: str) -> RobotSpec:
    """Return a spec as it looks from outside of a namespace."""

    def move(field: Field) -> Field:
        return replace(field, topic=f"{namespace}/{field.topic}")

    return replace(spec, observation=tuple(map(move, spec.observation)), action=tuple(map(move, spec.action)))


def teleoperate(graph: Graph, field: Field, values: np.ndarray) -> None:
    """Publish one command again and again."""
    publisher = graph.node.create_publisher(type(new_message(field.type)), field.topic, 10)

    def publish() -> None:
        message = new_message(field.type)
        if hasattr(message, "header"):
            message.header.stamp = to_stamp(time.time())
        write(message, field, values)
        publisher.publish(message)

    graph.node.create_timer(0.02, publish)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """What five recorders heard at once: two by namespace, two by prefix, and one of the pair; name to folder."""
    folder = tmp_path_factory.mktemp("robots")
    pair = load_spec("panda_pair_handover")
    with Graph() as graph, Programs(folder / "logs", {}) as programs:
        started = {}
        for side in SIDES:
            by_prefix = load_spec(setup_of(side, folder))
            for spec in (moved(load_spec("panda_reach"), f"robots/{side}"), by_prefix):
                FakeRobot(graph, spec, seen(side))
                teleoperate(graph, spec.field("twist"), command(side))
            started[f"/robots/{side}/recorder"] = ["panda_reach", f"__ns:=/robots/{side}"]
            started[f"/recorder_{side}"] = [setup_of(side, folder), f"__node:=recorder_{side}"]
            FakeRobot(graph, pair, {f"{side}_{name}": values for name, values in seen(side).items()})
            for name, values in (("twist", command(side)), ("gripper", np.array([0.08 if side == "left" else 0.0]))):
                teleoperate(graph, pair.field(f"{side}_{name}"), values)
        FakeRobot(graph, pair, {"object_pose": seen("left")["end_effector_pose"]})
        started["/pair"] = ["panda_pair_handover", "__node:=pair"]
        for name, (setup, remap) in started.items():
            line = [sys.executable, "-m", "imitation_ros.ros.recorder_node", "--ros-args", "-r", remap]
            line += ["-p", f"setup:={setup}", "-p", f"output:={folder / name.strip('/')}"]
            programs.start(name.strip("/").replace("/", "_"), line)
        for name in started:
            wait_until(
                lambda name=name: graph.call(f"{name}/start").success,
                what=f"starting {name}",
                why=lambda name=name: graph.call(f"{name}/start").message,
            )
        time.sleep(RECORDED_S)
        for name in started:
            answer = graph.call(f"{name}/stop")
            assert answer.success, answer.message
        for program in programs.running:
            program.process.send_signal(signal.SIGINT)
        codes = [program.process.wait(20) for program in programs.running]
        assert codes == [0] * len(codes)
    return folder


def check(episode, prefix: str, side: str, names: list[str]) -> None:
    assert episode.steps >= 0.5 * RECORDED_S * episode.spec.rate_hz
    for name in names:
        values = seen(side)[name]
        rows = episode.observations[prefix + name]
        np.testing.assert_allclose(rows, np.tile(values, (len(rows), 1)), atol=1e-6)
    fresh = ~episode.timing.silent[f"{prefix}twist"]
    assert fresh.mean() > 0.5, "a busy machine may delay some commands by more than their timeout"
    rows = episode.actions[f"{prefix}twist"][fresh]
    # at the edge of a pause a mean is taken over commands and silence: the direction stays that of this robot
    np.testing.assert_allclose(np.median(rows, axis=0), command(side), atol=1e-6)
    assert (np.sign(rows) == SIDES[side]).all()


@pytest.mark.parametrize("side", SIDES)
def test_a_recorder_in_a_namespace_hears_only_its_robot(recorded, side):
    episode = read_episode(recorded / "robots" / side / "recorder" / "episode_000000.hdf5")
    check(episode, "", side, ["joint_position", "end_effector_pose", "goal"])
    assert episode.spec.field("joint_position").topic == "joint_states", "the file does not depend on the namespace"


@pytest.mark.parametrize("side", SIDES)
def test_a_recorder_with_a_prefix_finds_its_joints_and_frames_on_shared_topics(recorded, side):
    episode = read_episode(recorded / f"recorder_{side}" / "episode_000000.hdf5")
    check(episode, "", side, ["joint_position", "end_effector_pose", "goal"])


@pytest.mark.parametrize("side", SIDES)
def test_a_pair_is_one_recording_in_which_each_arm_has_its_own_numbers(recorded, side):
    episode = read_episode(recorded / "pair" / "episode_000000.hdf5")
    check(episode, f"{side}_", side, ["joint_position", "end_effector_pose"])
    grip = episode.actions[f"{side}_gripper"][~episode.timing.silent[f"{side}_gripper"]]
    np.testing.assert_allclose(grip, 0.08 if side == "left" else 0.0, atol=1e-6)


def test_the_files_of_two_robots_of_one_kind_mean_the_same(recorded):
    paths = [recorded / "robots" / side / "recorder" for side in SIDES] + [recorded / f"recorder_{s}" for s in SIDES]
    specs = [read_episode(path / "episode_000000.hdf5").spec for path in paths]
    for spec in specs[1:]:
        assert specs[0].differences(spec) == []
