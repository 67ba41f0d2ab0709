"""A training that is killed anywhere and started again ends as one that never was; what goes wrong is said in words."""

from __future__ import annotations

import math
import os
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch

import imitation_ros
from imitation_ros.algorithms import run as running
from imitation_ros.algorithms.run import Run
from imitation_ros.algorithms.state import TrainState, save_state
from imitation_ros.algorithms.watch import LOG_STD, stuck
from imitation_ros.console import console
from imitation_ros.envs.evaluate import Evaluation
from imitation_ros.errors import TrainingError
from imitation_ros.policies.policy import MLPPolicy, NetworkConfig
from imitation_ros.robot.plain import array_field, plain_spec

SPEC = plain_spec("wipe", [array_field("joints", 2)], [array_field("velocity", 2, [-0.5, -0.25], [0.5, 0.25])], 20.0)
ROUNDS, STEPS_PER_ROUND, EVALUATE_EVERY = 12, 100, 250
IDENTITY = {"algorithm": "little", "config": {"seed": 0}, "versions": {"torch": torch.__version__}}


def new_policy(seed: int = 0) -> MLPPolicy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = NetworkConfig(hidden=(16, 16), head="gaussian")
        return MLPPolicy(SPEC, network)


def by_actions(acts) -> Evaluation:
    """Return numbers that go up and down as the policy changes, and in which every bit of it shows."""
    places = np.linspace(-1.0, 1.0, 10, dtype=np.float32).reshape(5, 2)
    actions = [acts.act({"joints": place})["velocity"] for place in places]
    return Evaluation(successes=None, returns=tuple(math.sin(1e4 * float(action.sum())) for action in actions))


def train(folder: Path | None, report=lambda steps, measured: True, rounds: int = ROUNDS) -> tuple[TrainState, Run]:
    """A real training, but for its rollouts: two optimisers, an average, replayed rounds, evaluations."""
    torch.set_num_threads(1)
    run = Run(folder, IDENTITY, rounds * STEPS_PER_ROUND, by_actions, EVALUATE_EVERY, report)
    policy, average, value = new_policy(), new_policy(), torch.nn.Linear(2, 1)
    with torch.no_grad():
        value.weight.fill_(0.1), value.bias.zero_()
    generator = torch.Generator().manual_seed(1)
    policy_optimizer = torch.optim.AdamW(policy.parameters(), 3e-3, fused=True)
    value_optimizer = torch.optim.Adam(value.parameters(), 1e-2)
    state = TrainState(
        modules={"policy": policy, "average": average, "value": value},
        optimizers={"policy": policy_optimizer, "value": value_optimizer},
        generators={"draws": generator},
        tensors={"mean": torch.zeros(2)},
        notes={"scale": None},
    )
    run.resume(state)
    going = True
    while going and state.steps < rounds * STEPS_PER_ROUND:
        drawn = torch.randn(STEPS_PER_ROUND, 2, generator=generator)
        with torch.no_grad():
            wanted = 0.2 * drawn + 0.01 * value(drawn)
        run.history.add(state.round, {"joints": drawn, "velocity": wanted})
        recent = list(run.history.read(state.round - 2, state.round))
        rows = {name: torch.cat([rollouts[name] for rollouts in recent]) for name in recent[0]}
        for optimizer, loss_of in ((policy_optimizer, policy_loss), (value_optimizer, value_loss)):
            optimizer.param_groups[0]["lr"] *= 0.99
            for _ in range(2):
                loss = loss_of(policy, value, rows)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        for kept, latest in zip(average.parameters(), policy.parameters(), strict=True):
            kept.data.lerp_(latest.data, 0.1)
        state.tensors["mean"].lerp_(drawn.mean(0), 0.1)
        state.notes["scale"] = 0.9 * (state.notes["scale"] or 1.0) + 0.1 * loss.item()
        state.round += 1
        state.steps += STEPS_PER_ROUND
        state.episodes += 5
        going = run.end_round(state, average, {"training/loss": loss.item()})
    run.finish(state, average)
    return state, run


def policy_loss(policy, value, rows):
    prepared = policy.encoder.prepare({"joints": rows["joints"]})
    return sum(policy.losses(prepared, policy.targets({"velocity": rows["velocity"]})).values())


def value_loss(policy, value, rows):
    return (value(rows["joints"])[:, 0] - rows["velocity"].sum(1)).square().mean()


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.safetensors")}


def train_and_die(folder: Path, seed: int) -> None:
    """Train in children that are killed, by the clock and at the opening and renaming of files, until one ends."""
    draw, kills, died_at = random.Random(seed), 0, []
    while True:
        events, wait_s = draw.randint(1, 14), draw.uniform(0.0, 0.06)
        by_clock = kills % 3 == 0
        child = os.fork()
        if not child:
            try:
                if not by_clock:
                    running.SAVE_SHARE = math.inf  # saves every round
                    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
                    sys.addaudithook(dies_at(folder, events, draw.randint(0, 3000)))
                console.quiet = True
                train(folder)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)  # a fork does not end as others do
        if by_clock:
            time.sleep(wait_s)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if status == 0:
            break
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGXFSZ), status
        kills += 1
        died_at.append(len(list(folder.rglob("round_*.safetensors"))))
    print(kills, len(set(died_at)), flush=True)


def dies_at(folder: Path, event: int, size: int):
    """Return what kills this process at the n-th opening or renaming of a file of the folder.

    Before a file is renamed; after one is opened, when so many bytes of it are written: the kernel kills it there.
    """
    left = event

    def hook(name: str, values: tuple) -> None:
        nonlocal left
        if name in ("open", "os.rename") and str(values[0]).startswith(str(folder)):
            left -= 1
            if not left and name == "os.rename":
                os.kill(os.getpid(), signal.SIGKILL)
            elif not left:
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return hook


def killed_in(folder: Path) -> list[Path]:
    return [folder / f"killed {seed}" for seed in range(2)]


def in_a_process(folder: str) -> str:
    """Return what this file prints when it is run: forks are made where nothing but torch was begun."""
    root = str(Path(imitation_ros.__file__).parents[1])
    search = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1"}
    return subprocess.check_output([sys.executable, __file__, folder], env=environment, text=True, timeout=300)


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_never_was(tmp_path):
    train(tmp_path / "whole")
    whole = files_of(tmp_path / "whole")
    assert len(whole) == 1 + ROUNDS
    for line, folder in zip(in_a_process(str(tmp_path)).splitlines(), killed_in(tmp_path), strict=True):
        kills, places = map(int, line.split())
        assert kills >= 5 and places >= 3, "too few kills to prove anything"
        killed = files_of(folder)
        assert killed.keys() == whole.keys()
        assert [name for name in whole if whole[name] != killed[name]] == []


def test_a_run_that_was_asked_to_stop_goes_on_as_if_it_was_not(tmp_path):
    whole, _ = train(tmp_path / "whole")
    stopped, _ = train(tmp_path / "stopped", report=lambda steps, measured: steps < 500)
    assert stopped.steps == 500
    again, _ = train(tmp_path / "stopped")
    assert files_of(tmp_path / "stopped") == files_of(tmp_path / "whole")
    assert again.notes == whole.notes
    ended, _ = train(tmp_path / "whole")
    assert ended.notes == whole.notes, "what has ended is not trained again"


def test_a_run_without_a_folder_does_the_same_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    on_disk, _ = train(tmp_path / "whole")
    in_memory, _ = train(None)
    for name, module in on_disk.modules.items():
        for one, other in zip(module.parameters(), in_memory.modules[name].parameters(), strict=True):
            assert torch.equal(one, other)
    assert on_disk.notes == in_memory.notes
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


LOCKS = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", LOCKS, str(tmp_path / running.LOCK)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(TrainingError, match="another training is running in"):
            train(tmp_path)
        other.kill()
        other.wait()
    for _ in range(2):  # a kill gave it free; and this process may come twice
        Run(tmp_path, IDENTITY, 100, None, 10, lambda steps, measured: True).resume(TrainState())


def test_another_training_in_the_folder_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    save_state(tmp_path / "run" / running.STATE, TrainState(), {**IDENTITY, "algorithm": "large"})
    with pytest.raises(TrainingError, match='algorithm: "large" there, "little" here'):
        train(tmp_path / "run")


class Rounds:
    """A run of given evaluations, one each round of 100 steps."""

    def __init__(self, evaluations, folder=None, every=100, total=1_000_000):
        self.evaluations, self.policy, self.state = iter(evaluations), new_policy(), TrainState()
        self.reported = []
        self.state.modules["policy"] = self.policy
        self.run = Run(folder, IDENTITY, total, lambda acts: next(self.evaluations), every, self.report)
        self.run.resume(self.state)

    def report(self, steps, measured):
        self.reported.append((steps, dict(measured)))
        return True

    def round(self, **measured) -> bool:
        with torch.no_grad():
            self.policy.trunk[0].bias.fill_(self.state.round)
        self.state.round += 1
        self.state.steps += 100
        self.state.episodes += 1
        return self.run.end_round(
            self.state, self.policy, {name.replace("_", "/", 1): value for name, value in measured.items()}
        )

    @property
    def warnings(self) -> list[str]:
        return self.state.notes["warnings"]


def returns(*values: float) -> list[Evaluation]:
    return [Evaluation(successes=None, returns=(value - 1.0, value + 1.0) * 5) for value in values]


def successes(*of_20: int) -> list[Evaluation]:
    return [
        Evaluation(successes=(True,) * won + (False,) * (20 - won), returns=(float(won),) * 20, steps=(5,) * 20)
        for won in of_20
    ]


def test_evaluations_come_after_the_first_round_at_multiples_and_at_the_end():
    rounds = Rounds(returns(*range(9)), every=250, total=1200)
    for _ in range(12):
        rounds.round()
    curve = rounds.state.notes["curve"]
    evaluated = [row["steps"] for row in curve if "evaluation/return" in row]
    assert evaluated == [100, 300, 500, 800, 1000, 1200]
    assert [row["round"] for row in curve] == list(range(1, 13))
    rounds.run.finish(rounds.state, rounds.policy)
    assert len(rounds.state.notes["curve"]) == 12, "just done: not again"


def test_the_last_policy_is_evaluated_where_training_ended_early():
    rounds = Rounds(returns(0, 7), every=1000)
    rounds.round(), rounds.round()
    rounds.run.finish(rounds.state, rounds.policy)
    assert rounds.reported[-1] == (200, {"evaluation/return": 7.0})
    assert rounds.state.best_steps == 200


def test_the_best_policy_is_kept_as_it_was():
    rounds = Rounds(returns(-200, -150, -160, -150))
    for _ in range(4):
        rounds.round()
    state = rounds.state
    assert (state.best_score, state.best_steps) == (-150.0, 200)
    assert state.best["trunk.0.bias"].tolist() == [1.0] * 16, "of the second round, the first that was as good"
    result = rounds.run.finish(state, rounds.policy)
    assert result.policy.trunk[0].bias.tolist() == [1.0] * 16
    assert result.last.trunk[0].bias.tolist() == [3.0] * 16


def test_success_comes_before_return_and_return_breaks_ties():
    evaluations = successes(10, 10, 10, 4)
    evaluations[1] = Evaluation(evaluations[1].successes, (30.0,) * 20)
    evaluations[3] = Evaluation(evaluations[3].successes, (900.0,) * 20)
    rounds = Rounds(evaluations)
    for _ in range(4):
        rounds.round()
    assert (rounds.state.best_score, rounds.state.best_return, rounds.state.best_steps) == (0.5, 30.0, 200)
    row = rounds.state.notes["curve"][0]
    assert row["evaluation/success"] == 0.5
    assert row["evaluation/success_low"] == pytest.approx(0.299, abs=1e-3)
    assert row["evaluation/success_high"] == pytest.approx(0.701, abs=1e-3)


def test_without_evaluations_the_last_policy_is_the_best():
    rounds = Rounds([])
    rounds.run.evaluate = None
    rounds.round(), rounds.round()
    result = rounds.run.finish(rounds.state, rounds.policy)
    assert result.policy.trunk[0].bias.tolist() == [1.0] * 16
    assert rounds.state.best_steps == 200


def test_an_algorithm_may_keep_the_best_by_a_measure_of_its_own():
    rounds = Rounds([])
    rounds.run.evaluate = None
    rounds.round()
    running.keep(rounds.state, rounds.policy)
    rounds.round()
    result = rounds.run.finish(rounds.state, rounds.policy)
    assert result.policy.trunk[0].bias.tolist() == [0.0] * 16
    assert rounds.state.best_steps == 100


def test_a_number_that_is_not_finite_stops_in_words_and_leaves_the_last_good_state(tmp_path):
    rounds = Rounds(returns(-200, -150), tmp_path, every=100)
    rounds.round(training_loss=1.0), rounds.round(training_loss=0.5)
    rounds.run.save(rounds.state, now=True)
    before = files_of(tmp_path)
    with pytest.raises(TrainingError) as caught:
        rounds.round(training_loss=math.nan)
    text = str(caught.value)
    assert "training/loss is nan in round 3 (after 300 steps)" in text
    assert "The last good state (round 2) is in" in text and "the best policy so far (-150 after 200 steps)" in text
    assert files_of(tmp_path) == before


def test_a_weight_that_is_not_finite_stops_in_words():
    rounds = Rounds(returns(-200))
    with torch.no_grad():
        rounds.policy.trunk[2].weight[0, 0] = math.inf
    with pytest.raises(TrainingError, match=r"a weight of policy \(trunk.2.weight\) is not finite in round 1"):
        rounds.round()


@pytest.mark.parametrize(
    ("evaluations", "told"),
    [
        (returns(-1200, -200, -160, -900, -950, -1000), 1),  # lost, for good: told once
        (returns(-1200, -200, -900, -190, -900, -200), 0),  # each time but one evaluation
        (returns(-1200, -160, -900, -900, -170, -900, -900), 2),  # came back, and was lost again
        (returns(-1200, -160, -170, -190, -180, -165), 0),  # the usual ups and downs
        (returns(-170, -168, -172, -900, -900, -900), 1),  # begun well, by cloning
        (returns(-1000, -1400, -1400, -800, -700, -600), 0),  # learning that began downwards
        (successes(2, 18, 17, 1, 0, 1), 1),
        (successes(2, 4, 2, 1, 2, 1), 0),  # what chance does to twenty starts
    ],
)
def test_a_collapse_is_told_once(evaluations, told):
    rounds = Rounds(evaluations)
    with console.capture() as captured:
        for _ in evaluations:
            rounds.round()
    assert len(rounds.warnings) == told == captured.get().count("collapsed")
    for text in rounds.warnings:
        assert "steps, and was" in text and "The best policy is kept" in text


def test_a_discriminator_that_makes_no_mistake_is_told_once():
    rounds = Rounds(returns(0), every=10_000)
    for accuracy in [1.0] * 9 + [0.9] + [1.0] * 25:
        rounds.round(reward_accuracy=accuracy)
    assert len(rounds.warnings) == 1 and "without a mistake" in rounds.warnings[0]


@pytest.mark.parametrize(("log_std", "word"), [(-5.0, "floor"), (-4.0, None), (1.0, "ceiling")])
def test_noise_at_a_bound_is_told_once(log_std, word):
    rounds = Rounds(returns(0), every=10_000)
    with torch.no_grad():
        for head in rounds.policy.heads.values():
            head.log_std.fill_(log_std)
    for _ in range(20):
        rounds.round()
    assert len(rounds.warnings) == (word is not None)
    assert word is None or f"standard deviation is at its {word}" in rounds.warnings[0]
    assert rounds.state.notes["curve"][0]["policy/log_std"] == log_std


@pytest.mark.parametrize("log_std", [(-3.0, -0.7, -0.7), (-3.0, -0.7, -3.0), (-1.0, -1.0, -1.0)])
def test_noise_that_begins_at_a_bound_is_meant_to_be_there(log_std):
    network = NetworkConfig(head="gaussian", log_std=log_std)
    state = TrainState()
    assert not any(stuck(state, {LOG_STD: log_std[2]}, network) for _ in range(20))


if __name__ == "__main__":
    train(None, rounds=2)  # what torch imports at the first update, every child has then
    for number, killed_folder in enumerate(killed_in(Path(sys.argv[1]))):
        train_and_die(killed_folder, number)
