"""The main job, end to end and tiny: what it writes, and what it leaves behind when it does not get there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest

pytest.importorskip("rclpy")

from imitation_ros import demo
from imitation_ros.checking import check_dataset
from imitation_ros.errors import ImitationRosError

PLAN = demo.Plan(demonstrations=25, updates=600, episodes=5)  # fewer do not cover the starts of the examination


def wait_until(condition, what, seconds=60.0):
    deadline_s = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline_s, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.02)
    return found


def alive(session):
    """Return the processes of a session that have not ended: id to command line."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            state, _, _, of_session = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[:4]
            if int(of_session) == session and state != "Z":
                found[int(entry)] = Path(f"/proc/{entry}/cmdline").read_text().replace("\0", " ")
        except (OSError, ValueError):
            continue
    return found


def domain():
    """A graph of this test process's own."""
    return {**os.environ, "ROS_DOMAIN_ID": os.environ.get("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))}


class Started:
    """A demo in a session of its own, up to the middle of its recording."""

    def __init__(self, output):
        self.output = output
        command = [
            sys.executable,
            "-m",
            "imitation_ros",
            "demo",
            "--quick",
            "--tasks",
            "reach",
            "--output",
            str(output),
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=domain(), start_new_session=True, text=True
        )
        wait_until(lambda: len(self.files("*.hdf5")) >= 2, "a demonstration")

    def files(self, pattern):
        return sorted((self.output / "reach" / "demonstrations").glob(pattern))

    def finish(self, seconds=20.0):
        """Return the exit code and everything that was printed."""
        printed, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, printed


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A demo whose terminal sent Ctrl-C to all of its processes."""
    started = Started(tmp_path_factory.mktemp("interrupted") / "demo")
    os.killpg(started.process.pid, signal.SIGINT)
    code, printed = started.finish()
    return started, code, printed


@pytest.fixture(scope="module")
def report(interrupted):
    """A whole demo, over what the interrupted one left."""
    output = interrupted[0].output
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(demo.QUICK, "reach", PLAN)
        patch.setenv("ROS_DOMAIN_ID", domain()["ROS_DOMAIN_ID"])
        began_s = time.monotonic()
        path = demo.run_demo(output, ("reach",), quick=True)
        return path, time.monotonic() - began_s


def test_ctrl_c_leaves_no_process_and_no_half_written_file(interrupted):
    started, code, printed = interrupted
    assert code == 130
    assert alive(started.process.pid) == {}
    assert "Traceback" not in printed
    for file in started.files("*.hdf5"):
        with h5py.File(file) as opened:
            assert opened["data/demo_0"].attrs["num_samples"] > 0
    names = {path.name for path in started.output.iterdir()} | {p.name for p in (started.output / "reach").iterdir()}
    assert not names & {"report.html", "results.json", "policy"}


def test_a_node_that_dies_ends_the_demo_at_once_with_its_name_and_leaves_nothing(tmp_path):
    started = Started(tmp_path / "demo")
    (simulator,) = [pid for pid, line in alive(started.process.pid).items() if "simulator_node" in line]
    os.kill(simulator, signal.SIGKILL)
    began_s = time.monotonic()
    code, printed = started.finish()
    assert time.monotonic() - began_s < 10.0
    assert code == 2
    words = " ".join(printed.split())
    assert "imitation-ros demo: record_simulator ended with exit code -9. Its last words:" in words
    assert "record_simulator.log" in printed
    assert "Traceback" not in printed
    assert alive(started.process.pid) == {}


def test_the_report_is_one_file_that_needs_nothing_else(report):
    path, _ = report
    page = path.read_text()
    assert path.name == "report.html"
    for source in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert source.startswith("data:image/"), source[:80]
    assert "http://" not in page and "https://" not in page and "@import" not in page and "url(" not in page
    assert page.count("data:image/gif;base64,") == 3
    assert page.count("data:image/svg+xml;base64,") == 3
    assert "$" not in re.sub(r"base64,[^\"]*", "", page), "a placeholder was not filled in"


def test_the_results_hold_what_was_measured(report):
    path, took_s = report
    results = json.loads((path.parent / "results.json").read_text())
    reach = results["tasks"]["reach"]
    assert set(results["tasks"]) == {"reach"}
    assert reach["episodes"] == PLAN.episodes
    assert reach["demonstrations"] == PLAN.demonstrations
    for rate in ("success_rate", "success_rate_disturbed"):
        assert reach[rate] * PLAN.episodes == pytest.approx(round(reach[rate] * PLAN.episodes))
        assert 0.0 <= reach[rate] <= 1.0
    assert 0.0 < reach["latency_p50_s"] <= reach["latency_p99_s"]
    assert 0.5 * took_s < results["wall_s"] <= took_s


def test_everything_the_report_speaks_of_is_there(report):
    folder = report[0].parent / "reach"
    assert len(list((folder / "demonstrations").glob("*.hdf5"))) == PLAN.demonstrations
    assert not list(folder.rglob("*.part"))
    assert {"policy.json", "policy.onnx", "weights.safetensors", "training.csv"} <= {
        path.name for path in (folder / "policy").iterdir()
    }
    assert len(list((folder / "films").glob("*.gif"))) == 3
    for name in ("clean", "disturbed"):
        lines = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
        assert [line["start"] for line in lines] == list(range(PLAN.episodes))


def test_what_was_recorded_over_ros_has_no_finding_above_a_note(report):
    checked = check_dataset(report[0].parent / "reach" / "demonstrations")
    assert len(checked.survey.measures) == PLAN.demonstrations and checked.survey.measures[0].timing is not None
    assert [finding for finding in checked.findings if finding.severity != "note"] == []


def test_a_demo_runs_again_over_its_own_output(report):
    """The fixture's demo ran where the interrupted one had left a recording."""
    assert report[0].is_file()


def test_somebody_elses_folder_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("four years")
    with pytest.raises(ImitationRosError, match="was not made by a demo"):
        demo.run_demo(tmp_path, ("reach",), quick=True)
    assert (tmp_path / "thesis.tex").read_text() == "four years"


def test_a_file_in_the_place_of_the_folder_is_refused_and_kept(tmp_path):
    (tmp_path / "demo").write_text("mine")
    with pytest.raises(ImitationRosError, match="demo"):
        demo.run_demo(tmp_path / "demo", ("reach",), quick=True)
    assert (tmp_path / "demo").read_text() == "mine"
