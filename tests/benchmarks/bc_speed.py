"""How many updates BC makes in a second of CPU time, beside BC of imitation 1.0.1.

Both: 100,000 transitions, 23 numbers in and 7 out, two hidden layers with ReLU, a Gaussian head whose log-std is
one learned number per action number, the negative log-likelihood, Adam at 1e-3 without weight decay, one thread,
the same torch, no validation. Ours also keeps the moving average of the weights and lowers the learning rate.
imitation runs without the value network that it otherwise carries along, without its entropy bonus and without its
progress bar, so it does no more than it must; its optimiser is Adam as it makes it.

What an update can cost at least is its eight matrix products: three forward, three for the weights' gradients, two
for the layers' inputs (the observation needs none). They are timed in the same rounds, alone and in the same layouts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

import torch

from imitation_ros.algorithms import bc
from imitation_ros.data.dataset import Transitions
from imitation_ros.policies.policy import NetworkConfig
from imitation_ros.robot.field import Field
from imitation_ros.robot.spec import RobotSpec
from tests.benchmarks.peers import Peer
from tests.benchmarks.table import load, write_table

ROWS, OBSERVATION, ACTION = 100_000, 23, 7
ROUNDS = 5
CASES = (  # hidden, batch, updates of ours and of theirs in one run, the ratio asked for
    (32, 32, 2000, 1000, 3.0),
    (32, 256, 1500, 390, 5.0),
    (32, 4096, 400, 24, 5.0),
    (256, 256, 400, 195, 2.0),
    (256, 4096, 24, 24, 2.0),
)
RATE_SHARE = 0.7  # of the products' rate, asked for at the largest case


def run() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    data, rows, before = made_up(), [], load()
    with Peer("imitation", "peer_imitation") as peer:
        for hidden, batch, ours, theirs, bar in CASES:
            measured = [
                (
                    updates_per_s(data, hidden, batch, ours),
                    peer.ask(hidden=hidden, batch=batch, updates=theirs),
                    flop_per_s(hidden, batch),
                )
                for _ in range(ROUNDS)
            ]
            speed, peer_speed, peak = (median(column) for column in zip(*measured, strict=True))
            ratio = median(one / other for one, other, _ in measured)
            what = f"{hidden}x{hidden}, batch {batch}"
            rows.append(row(f"{what}: updates/s", speed, peer_speed, ratio, f"{bar:g} x"))
            rate = speed * flop(hidden, batch)
            share = median(one * flop(hidden, batch) / most for one, _, most in measured)
            asked = f"{RATE_SHARE:g} x" if (hidden, batch) == CASES[-1][:2] else ""
            rows.append(row(f"{what}: GFLOP/s, beside the products alone", rate / 1e9, peak / 1e9, share, asked))
    torch.set_num_threads(threads)
    note = f"peer: imitation 1.0.1, or the matrix products alone; medians of {ROUNDS} alternating runs; {before}"
    write_table("bc", rows, note)


def row(what: str, ours: float, peer: float, ratio: float, bar: str) -> dict[str, object]:
    return {"what": what, "ours": ours, "peer": peer, "ratio": ratio, "bar": bar}


def made_up() -> Transitions:
    """Return transitions of a smooth expert on random observations."""
    joints = "sensor_msgs/msg/JointState"
    seen = Field("seen", "seen", joints, tuple(f"s{i}" for i in range(OBSERVATION)))
    unit = (1.0,) * ACTION
    chosen = Field("chosen", "chosen", joints, tuple(f"c{i}" for i in range(ACTION)), scale_low=(-1.0,) * ACTION,
                   scale_high=unit)  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    observations = torch.randn(ROWS, OBSERVATION, generator=generator)
    labels = torch.tanh(observations @ torch.randn(OBSERVATION, ACTION, generator=generator) / 5)
    episode = torch.arange(ROWS) // 100
    return Transitions(RobotSpec("made_up", "made_up", 20.0, (seen,), (chosen,)), {"seen": observations},
                       {"chosen": labels}, episode)  # fmt: skip


def updates_per_s(data: Transitions, hidden: int, batch: int, updates: int) -> float:
    """Return the speed between two looks of a real training run: the first look ends the warm-up."""
    looks_s: list[float] = []

    def look(update: int, measured: Mapping[str, float]) -> bool:
        if measured:
            looks_s.append(time.process_time())
        return len(looks_s) < 2

    network = NetworkConfig(hidden=(hidden, hidden), head="gaussian")
    config = bc.Config(
        batch_size=batch, weight_decay=0.0, validation_fraction=0.0, validate_every=updates, network=network
    )
    bc.train(data, config, look)
    return updates / (looks_s[1] - looks_s[0])


def products(hidden: int, batch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return the factors of an update's matrix products, in the layouts in which autograd multiplies them."""
    pairs = []
    for width_in, width_out in ((OBSERVATION, hidden), (hidden, hidden), (hidden, ACTION)):
        x, weight, gradient = (
            torch.randn(shape) for shape in ((batch, width_in), (width_out, width_in), (batch, width_out))
        )
        pairs += [(x, weight.T), (gradient.T, x)]
        if width_in != OBSERVATION:
            pairs.append((gradient, weight))
    return pairs


def flop(hidden: int, batch: int) -> int:
    return sum(2 * one.shape[0] * one.shape[1] * other.shape[1] for one, other in products(hidden, batch))


def flop_per_s(hidden: int, batch: int) -> float:
    pairs = products(hidden, batch)
    repeats = max(3, int(1e10 / flop(hidden, batch)))
    for one, other in pairs:
        one @ other
    started_s = time.process_time()
    for _ in range(repeats):
        for one, other in pairs:
            one @ other
    return repeats * flop(hidden, batch) / (time.process_time() - started_s)
