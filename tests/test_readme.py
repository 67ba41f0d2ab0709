"""What the README says in Python runs as it stands there."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import pytest

from imitation_ros.algorithms import bc
from imitation_ros.envs.collect import collect

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


class Pulling:
    """Torque against the angle: enough to have something to clone."""

    def act(self, observation):
        return {"action": np.array([-2.0 * float(observation["observation"][1])])}


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Return the names that the README's blocks begin with, in an empty folder, with few updates."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("imitation_ros.algorithms.bc.Config", functools.partial(bc.Config, updates=20))
    episodes = collect("Pendulum-v1", Pulling(), 2)
    return {"recorded": [(e.observations["observation"], e.actions["action"]) for e in episodes]}


def test_own_arrays_become_a_policy_as_the_readme_says(shown):
    assert len(BLOCKS) == 3, "the README has other Python than this test knows"
    exec(compile("\n".join(BLOCKS[:2]), "README.md", "exec"), shown)
    assert shown["action"]["action"].shape == (1,)
    assert (Path("policy") / "policy.onnx").is_file()


def test_our_environments_are_made_as_the_readme_says(shown):
    before_the_demo_is_needed = BLOCKS[2].split("policy = ")[0]
    exec(compile(before_the_demo_is_needed, "README.md", "exec"), shown)
    assert shown["observation"]["goal"].shape == (3,)
