"""In lock-step, what goes over DDS between processes is what the same code computes in one process."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import TwistStamped
from ros_graph import Graph, wait_until
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState

from imitation_ros.data.hdf5 import read_episode
from imitation_ros.envs.collect import collect
from imitation_ros.envs.tasks import Expert
from imitation_ros.policies.bundle import OnnxPolicy
from imitation_ros.processes import Programs
from imitation_ros.robot.messages import header_stamp_s

SETUP = "panda_reach"
LOCKSTEP = {"lockstep": True, "use_sim_time": True}
BUSY = "while True: pass"


def start_recording(programs, output, episodes):
    """Start the three nodes of a recording; return the recorder and the operator."""
    programs.node("simulator_node", "simulator", {"setup": SETUP, "disturbance": True, "lockstep": True})
    recorder = programs.node(
        "recorder_node", "recorder", {"setup": SETUP, "output": output, "episode_s": 3, **LOCKSTEP}
    )
    operator = programs.node("operator_node", "operator", {"setup": SETUP, "episodes": episodes})
    return recorder, operator


def assert_recorded_as_collected(files, collected):
    assert len(files) == len(collected) > 0
    for file, expected in zip(files, collected, strict=True):
        recorded = read_episode(file)
        assert recorded.spec == expected.spec
        assert recorded.success is True
        for kind in ("observations", "actions", "executed"):
            for name, values in getattr(expected, kind).items():
                found = getattr(recorded, kind)[name]
                assert found.tobytes() == values.tobytes(), f"{file.name}: {kind} {name}"
        assert not any(silent.any() for silent in recorded.timing.silent.values())


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What is left of a recording on a busy machine after the recorder was killed in the middle of an episode."""
    folder = tmp_path_factory.mktemp("killed")
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
    try:
        with Programs(folder / "logs", {}) as programs:
            output = folder / "episodes"
            recorder, _ = start_recording(programs, output, episodes=50)
            wait_until(lambda: len(list(output.glob("*.hdf5"))) >= 3 and list(output.glob("*.part")), 60, "recording")
            recorder.process.kill()
            recorder.process.wait()
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return output


@pytest.fixture(scope="module")
def driven(bundle, tmp_path_factory):
    """Five runs of the deployed policy: results by line, every executed twist, every time on /clock."""
    folder = tmp_path_factory.mktemp("driven")
    results = folder / "results.jsonl"
    with Graph() as graph, Programs(folder / "logs", {}) as programs:
        twists = graph.listen("servo_node/executed_twist", TwistStamped)
        clock = graph.listen("/clock", Clock)
        programs.node("simulator_node", "simulator", {"setup": SETUP, "lockstep": True, "purpose": "test"})
        joints = graph.listen("joint_states", JointState)
        wait_until(
            lambda: joints, what="hearing the simulator"
        )  # it says nothing else twice: be there before it starts
        programs.node("policy_node", "policy", {"policy": bundle, "check_start": False, **LOCKSTEP})
        programs.wait(programs.node("evaluation_node", "evaluation", {"episodes": 5, "results": results}))
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    return lines, [message for _, message in twists], [message.clock for _, message in clock]


def test_a_recording_over_dds_is_byte_for_byte_what_one_process_collects(programs, tmp_path):
    _, operator = start_recording(programs, tmp_path / "episodes", episodes=3)
    programs.wait(operator)
    files = sorted((tmp_path / "episodes").glob("*"))
    assert [file.suffix for file in files] == [".hdf5"] * 3
    assert_recorded_as_collected(files, collect(SETUP, Expert("reach"), 3, disturbance=True))


def test_episodes_closed_before_the_recorder_was_killed_are_whole_and_the_machines_load_does_not_show(killed):
    files = sorted(killed.glob("*.hdf5"))
    assert_recorded_as_collected(files, collect(SETUP, Expert("reach"), len(files), disturbance=True))


def test_an_episode_that_was_open_when_the_recorder_was_killed_never_gets_a_final_name(killed):
    files = sorted(killed.glob("*.hdf5"))
    for part in killed.glob("*.part"):
        assert part.name == f"episode_{len(files):06d}.hdf5.part"


def test_the_deployed_policy_does_what_the_same_bundle_does_in_one_process(driven, bundle):
    lines, twists, _ = driven
    expected = collect(SETUP, OnnxPolicy(bundle), 5, purpose="test")
    assert [line["start"] for line in lines] == [0, 1, 2, 3, 4]
    assert [line["success"] for line in lines] == [episode.success for episode in expected]
    assert [line["ticks"] for line in lines] == [episode.steps for episode in expected]
    executed = np.array(
        [[t.twist.linear.x, t.twist.linear.y, t.twist.linear.z] for t in sorted(twists, key=header_stamp_s)]
    )
    steps = np.concatenate([episode.executed["twist"] for episode in expected])
    np.testing.assert_array_equal(executed.astype(np.float32), steps)


def test_every_tick_is_answered_once_and_its_latency_is_counted(driven):
    lines, twists, _ = driven
    stamps = [header_stamp_s(twist) for twist in twists]
    assert len(set(stamps)) == len(stamps) == sum(line["ticks"] for line in lines)
    for line in lines:
        assert len(line["latencies_s"]) == line["ticks"] - 1  # the first also waits for somebody to begin
        assert 0.0 < np.median(line["latencies_s"]) < 0.5


def test_the_clock_never_runs_backwards_over_resets(driven):
    lines, _, clock = driven
    times_s = [time.sec + 1e-9 * time.nanosec for time in clock]
    assert len(times_s) >= sum(line["ticks"] for line in lines)
    assert np.all(np.diff(times_s) >= 0)  # the same again for who joins late
