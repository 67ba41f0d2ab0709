"""Worker processes: the same bytes however many, and what goes wrong in one said in words."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from imitation_ros.envs.collect import Workers
from imitation_ros.errors import SpecError, TrainingError
from imitation_ros.policies.driving import Choice

PENDULUM = "Pendulum-v1"


class Draws:
    def begin(self, generator):
        def choose(observation):
            action = {"action": generator.normal(size=1)}
            return Choice(action, action)

        return choose


class SaysWhetherTorchIsThere:
    def begin(self, generator):
        action = {"action": np.zeros(1)}
        return lambda observation: Choice(action, action, "torch" in sys.modules)


class Dies:
    def act(self, observation):
        if multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"action": np.zeros(1)}


class OfTwoWordsError(Exception):
    """Cannot be unpickled: it is made of two arguments, and remembers one."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


class Fails:
    def act(self, observation):
        raise OfTwoWordsError("broken", "policy")


class HoldsTensor:
    def __init__(self):
        import torch

        self.weight = torch.nn.Parameter(torch.ones(1))

    def act(self, observation):
        return {"action": self.weight.detach().numpy() * observation["observation"][:1]}


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for name in ("observations", "actions", "executed"):
            for field, values in getattr(one, name).items():
                assert values.tobytes() == getattr(other, name)[field].tobytes(), (name, field)
        assert one.rewards.tobytes() == other.rewards.tobytes()
        assert (one.attributes, one.terminated, one.spec) == (other.attributes, other.terminated, other.spec)


@pytest.fixture(scope="module")
def two():
    with Workers(PENDULUM, 2) as workers:
        yield workers


def test_a_policy_that_draws_gives_the_same_bytes_with_any_number_of_workers(two):
    with Workers(PENDULUM) as one, Workers(PENDULUM, 3) as three:
        assert one.spec == two.spec == three.spec and one.time_limit == two.time_limit == three.time_limit == 200
        for starts in (5, range(7, 9)):  # more starts than workers, and fewer
            alone = one.collect(Draws(), starts, seed=3, purpose="rollout")
            assert_same(alone, two.collect(Draws(), starts, seed=3, purpose="rollout"))
            assert_same(alone, three.collect(Draws(), starts, seed=3, purpose="rollout"))


def test_an_episodes_draws_are_its_own(two):
    first, second = two.collect(Draws(), 2)
    assert np.any(first.actions["action"] != second.actions["action"])
    assert_same([second], two.collect(Draws(), range(1, 2)))
    (otherwise,) = two.collect(Draws(), range(1, 2), seed=1)
    assert np.any(otherwise.actions["action"] != second.actions["action"])


def test_workers_are_kept_between_rounds_and_no_start_is_no_episode(two):
    before = {process.pid for process in multiprocessing.active_children()}
    for _ in range(3):
        assert len(two.collect(Draws(), 3)) == 3
    assert two.collect(Draws(), 0) == []
    assert {process.pid for process in multiprocessing.active_children()} == before


def test_a_worker_imports_no_torch_unless_the_policy_does():
    with Workers(PENDULUM, 2) as workers:
        for episode in workers.collect(SaysWhetherTorchIsThere(), 2):
            assert episode.is_human is not None and not episode.is_human.any()


def test_what_is_sent_is_a_copy_and_no_memory_that_processes_share(two):
    policy = HoldsTensor()
    assert_same(two.collect(policy, 2), two.collect(policy, 2))
    assert not policy.weight.is_shared()


def test_a_worker_that_dies_is_an_error_and_no_hang():
    workers = Workers(PENDULUM, 2)
    began = time.monotonic()
    with pytest.raises(TrainingError, match="ended by the signal SIGKILL"):
        workers.collect(Dies(), 4)
    assert time.monotonic() - began < 10.0
    with pytest.raises(TrainingError, match="closed"):
        workers.collect(Draws(), 4)
    workers.close()


@pytest.mark.parametrize("count", [1, 2])
def test_closed_workers_say_so(count):
    with Workers(PENDULUM, count) as workers:
        pass
    with pytest.raises(TrainingError, match="closed"):
        workers.collect(Draws(), 1)


def test_an_error_in_a_policy_arrives_and_the_workers_go_on(two):
    with pytest.raises(RuntimeError, match="OfTwoWordsError: broken policy") as raised:
        two.collect(Fails(), 3)
    assert "in act" in str(raised.value.__cause__), "the worker's traceback should be shown"
    assert len(two.collect(Draws(), 3)) == 3


def test_a_policy_that_cannot_be_sent_is_refused_in_words(two):
    policy = Draws()
    policy.act = lambda observation: {}
    with pytest.raises(TrainingError, match="cannot be sent to other processes"):
        two.collect(policy, 2)
    assert len(two.collect(Draws(), 2)) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_what_cannot_be_opened_is_refused_at_once(count):
    with pytest.raises(SpecError, match="NoSuchThing"):
        Workers("NoSuchThing-v1", count)


SCRIPT = """
import time
import numpy as np
from imitation_ros.envs.collect import Workers

class Slow:
    def act(self, observation):
        print("acting", flush=True)
        time.sleep(0.01)
        return {"action": np.zeros(1)}
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
    guarded = SCRIPT + 'if __name__ == "__main__":\n    Workers("Pendulum-v1", 2).collect(Slow(), 1000)\n'
    script = tmp_path / "killed.py"
    script.write_text(guarded)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith(b"acting")
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        assert len(children) >= 2
        parent.kill()
        parent.wait()
        until = time.monotonic() + 60.0
        while alive := [child for child in children if is_alive(child)]:
            assert time.monotonic() < until, alive
            os.read(parent.stdout.fileno(), 65536)  # so that nobody waits for a reader, or fails for the lack of one


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_script_that_starts_workers_without_a_guard_is_told_of_it(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(SCRIPT + 'Workers("Pendulum-v1", 2)\n')
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0 and "a script starts workers only under" in done.stderr
