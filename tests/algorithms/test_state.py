"""What is saved comes back bit for bit, or is refused in words; a file is whole or not there."""

from __future__ import annotations

import copy
import math
import struct
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from imitation_ros.algorithms.history import History
from imitation_ros.algorithms.state import TrainState, load_state, save_state
from imitation_ros.algorithms.tensor_file import read_tensors, write_tensors
from imitation_ros.console import console
from imitation_ros.errors import TrainingError

IDENTITY = {
    "algorithm": "gail",
    "config": {"learning_rate": 1e-3, "network": {"hidden": (64, 64), "head": "gaussian"}},
    "data": {"sha256": "ab12"},
    "versions": {"torch": "2.13.0"},
}
OPTIMIZERS = {
    "adam fused": lambda weights: torch.optim.Adam(weights, 1e-3, eps=1e-5, fused=True),
    "adamw fused": lambda weights: torch.optim.AdamW(weights, 1e-3, weight_decay=1e-2, fused=True),
    "adam amsgrad": lambda weights: torch.optim.Adam(weights, 1e-3, amsgrad=True),
    "sgd": lambda weights: torch.optim.SGD(weights, 1e-2, momentum=0.9, nesterov=True),
    "rmsprop": lambda weights: torch.optim.RMSprop(weights, 1e-3, centered=True),
}


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        spectral = torch.nn.utils.parametrizations.spectral_norm(nn.Linear(16, 8))
        return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Tanh(), spectral, nn.Linear(8, 2))


def new_state(make=OPTIMIZERS["adam fused"], seed: int = 0) -> TrainState:
    net = network(seed)
    return TrainState(
        modules={"policy": net},
        optimizers={"policy": make(net.parameters())},
        generators={"draws": torch.Generator().manual_seed(seed)},
    )


def learn(state: TrainState, updates: int) -> None:
    net, optimizer, generator = state.modules["policy"], state.optimizers["policy"], state.generators["draws"]
    for _ in range(updates):
        rows = torch.randn(32, 6, generator=generator)
        loss = (net(rows) - rows[:, :2].sin()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] *= 0.99
        optimizer.step()
        state.steps += 1


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().view(torch.uint8).numpy().tobytes() if tensor.dim() else bits(tensor[None])


def assert_same(one: TrainState, other: TrainState) -> None:
    for name, tensor in one.modules["policy"].state_dict().items():
        assert bits(tensor) == bits(other.modules["policy"].state_dict()[name]), name
    ours, theirs = one.optimizers["policy"].state_dict(), other.optimizers["policy"].state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    for index, kept in ours["state"].items():
        for key, value in kept.items():
            found = theirs["state"][index][key]
            if isinstance(value, torch.Tensor):
                assert (value.dtype, value.shape, bits(value)) == (found.dtype, found.shape, bits(found)), (index, key)
            else:
                assert value == found, (index, key)
    assert bits(one.generators["draws"].get_state()) == bits(other.generators["draws"].get_state())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_loaded_training_goes_on_bit_for_bit(tmp_path, name):
    path, whole, begun = tmp_path / "state.safetensors", new_state(OPTIMIZERS[name]), new_state(OPTIMIZERS[name])
    learn(whole, 20)
    learn(begun, 8)
    save_state(path, begun, IDENTITY)
    loaded = new_state(OPTIMIZERS[name], seed=7)
    load_state(path, loaded, IDENTITY)
    assert_same(begun, loaded)
    learn(loaded, 12)
    assert_same(whole, loaded)
    assert loaded.steps == 20
    assert [file.name for file in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_training_that_has_not_begun_is_saved_too(tmp_path):
    save_state(tmp_path / "state", new_state(seed=3), IDENTITY)
    loaded = new_state()
    load_state(tmp_path / "state", loaded, IDENTITY)
    assert_same(new_state(seed=3), loaded)
    assert (loaded.best, loaded.best_score, loaded.best_return) == ({}, -math.inf, -math.inf)


def test_tensors_counters_and_the_best_come_back(tmp_path):
    state = new_state()
    state.tensors = {
        "average": torch.tensor([1.5, math.nan, -0.0, math.inf]),
        "count": torch.tensor(3),
        "mask": torch.tensor([True, False]),
        "none": torch.zeros(0, 4),
        "half": torch.arange(6).to(torch.bfloat16).reshape(2, 3).T,
    }
    state.round, state.steps, state.episodes, state.best_score, state.best_return = 3, 4800, 24, 0.5, -12.25
    state.best, state.best_steps = {"0.weight": torch.rand(3, 2)}, 3200
    save_state(tmp_path / "state", state, IDENTITY)
    loaded = new_state()
    held = torch.zeros(4)
    loaded.tensors = {"average": held, "count": torch.zeros(2), "of an older version": torch.zeros(1)}
    load_state(tmp_path / "state", loaded, IDENTITY)
    assert loaded.tensors.keys() == state.tensors.keys()
    for name, tensor in state.tensors.items():
        found = loaded.tensors[name]
        assert (tensor.dtype, tensor.shape, bits(tensor)) == (found.dtype, found.shape, bits(found)), name
    assert loaded.tensors["average"] is held, "of the same size: read into, so that others who hold it see it"
    torch.testing.assert_close(loaded.best["0.weight"], state.best["0.weight"], rtol=0, atol=0)
    for name in ("round", "steps", "episodes", "best_score", "best_return", "best_steps"):
        assert getattr(loaded, name) == getattr(state, name)


def test_tensors_that_share_memory_or_are_views_are_saved_whole(tmp_path):
    state, rows = new_state(), torch.arange(20.0).reshape(10, 2)
    state.modules["again"] = state.modules["policy"]
    state.tensors = {"before": rows[:-1], "after": rows[1:], "turned": rows.T, "same": rows}
    save_state(tmp_path / "state", state, IDENTITY)
    loaded = new_state(seed=1)
    loaded.modules["again"] = loaded.modules["policy"]
    load_state(tmp_path / "state", loaded, IDENTITY)
    assert all(torch.equal(loaded.tensors[name], tensor) for name, tensor in state.tensors.items())
    assert_same(state, loaded)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text().filter(lambda key: not key.startswith("$")), inner, max_size=4)
    ),
    max_leaves=20,
)


def exactly(value):
    """Return a value in which nan equals itself, 1 is not True, and a tuple is no list."""
    if isinstance(value, dict):
        return {key: exactly(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return (type(value), [exactly(part) for part in value])
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("d", value)
    return (type(value), value)


@given(notes=st.dictionaries(st.text().filter(lambda key: not key.startswith("$")), plain))
def test_notes_come_back_as_they_were(tmp_path_factory, notes):
    path = tmp_path_factory.mktemp("notes") / "state"
    write_tensors(path, {}, notes)
    assert exactly(read_tensors(path)[1]) == exactly(notes)


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        ({"curve": [{"loss": torch.zeros(1)}]}, "state.counters.notes.curve.loss is a Tensor, which is not saved"),
        ({"scale": {3: 1.0}}, r"state.counters.notes.scale has the key 3; it should be a text"),
        ({"seen": {1, 2}}, "state.counters.notes.seen is a set"),
    ],
)
def test_notes_that_could_not_come_back_are_refused_in_words(tmp_path, notes, words):
    state = new_state()
    state.notes = notes
    with pytest.raises(TrainingError, match=words):
        save_state(tmp_path / "state.safetensors", state, IDENTITY)
    assert not list(tmp_path.iterdir())


def test_another_training_is_refused_with_what_differs(tmp_path):
    save_state(tmp_path / "state", new_state(), IDENTITY)
    other = copy.deepcopy(IDENTITY)
    other["config"]["learning_rate"] = 3e-4
    other["data"] = {"sha256": "cd34", "episodes": 5}
    loaded = new_state(seed=1)
    with pytest.raises(TrainingError) as caught:
        load_state(tmp_path / "state", loaded, other)
    text = str(caught.value)
    assert "config.learning_rate: 0.001 there, 0.0003 here" in text
    assert 'data.sha256: "ab12" there, "cd34" here' in text
    assert "data.episodes: not set there, 5 here" in text
    assert "head" not in text and "Give another output to begin anew" in text
    assert_same(new_state(seed=1), loaded)


def test_other_versions_are_told_and_do_not_stop_anybody(tmp_path):
    save_state(tmp_path / "state", new_state(seed=2), IDENTITY)
    loaded = new_state()
    with console.capture() as captured:
        load_state(tmp_path / "state", loaded, {**IDENTITY, "versions": {"torch": "2.14.0"}})
    assert 'torch "2.13.0" there, "2.14.0" here' in captured.get()
    assert "last bits" in captured.get()
    assert_same(new_state(seed=2), loaded)


def other_network(state: TrainState) -> None:
    state.modules["policy"] = nn.Linear(6, 3)


def other_module(state: TrainState) -> None:
    state.modules["value"] = nn.Linear(6, 1)


def other_optimizer(state: TrainState) -> None:
    state.optimizers["policy"] = torch.optim.Adam([torch.zeros(2, requires_grad=True)])


def no_generator(state: TrainState) -> None:
    state.generators = {}


@pytest.mark.parametrize("change", [other_network, other_module, other_optimizer, no_generator])
def test_a_state_of_another_making_is_refused_and_nothing_changed(tmp_path, change):
    save_state(tmp_path / "state", new_state(), IDENTITY)
    loaded = new_state(seed=1)
    change(loaded)
    before = {name: copy.deepcopy(module.state_dict()) for name, module in loaded.modules.items()}
    with pytest.raises(TrainingError, match="does not fit this training"):
        load_state(tmp_path / "state", loaded, IDENTITY)
    for name, module in loaded.modules.items():
        assert all(torch.equal(before[name][key], tensor) for key, tensor in module.state_dict().items())


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_broken_file_is_refused_in_words(tmp_path, share):
    path = tmp_path / "state"
    save_state(path, new_state(), IDENTITY)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(TrainingError, match="broken"):
        load_state(path, new_state(), IDENTITY)


def test_the_state_before_stays_when_a_new_one_cannot_be_written(tmp_path):
    path = tmp_path / "state"
    save_state(path, new_state(seed=5), IDENTITY)
    (tmp_path / "state.part").mkdir()  # as a full disk would: the new file cannot be written
    with pytest.raises(TrainingError, match=r"cannot be written.*from what was saved before"):
        save_state(path, new_state(), IDENTITY)
    loaded = new_state()
    load_state(path, loaded, IDENTITY)
    assert_same(new_state(seed=5), loaded)


def rollouts(number: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    rows = torch.randn(7 + number, 3, generator=generator)
    return {"observations": rows[:-1], "next_observations": rows[1:], "last": torch.arange(6 + number) > 4}


@pytest.mark.parametrize("on_disk", [True, False])
def test_history_yields_what_was_added_in_order(tmp_path, on_disk):
    history = History(tmp_path / "history" if on_disk else None)
    assert list(history.read(0, 5)) == []
    for number in range(12):
        added = rollouts(number)
        history.add(number, added)
        added["observations"].zero_()  # what comes later changes nothing
    for first, last in ((0, 11), (3, 5), (11, 11), (-8, 1)):
        read = list(history.read(first, last))
        assert len(read) == last - max(first, 0) + 1
        for found, number in zip(read, range(max(first, 0), last + 1), strict=True):
            wanted = rollouts(number)
            assert found.keys() == wanted.keys()
            assert all(torch.equal(found[name], wanted[name]) for name in wanted)
            assert all(tensor.data_ptr() % 64 == 0 for tensor in found.values()), "as torch's own, for the same bits"


def test_history_overwrites_what_a_killed_run_left_and_forgets_what_is_beyond(tmp_path):
    history = History(tmp_path)
    for number in range(5):
        history.add(number, rollouts(number + 50))
    (tmp_path / "round_000005.safetensors.part").write_bytes(b"half")
    again = History(tmp_path)
    again.forget_after(2)
    assert again.rounds() == [0, 1, 2]
    again.add(2, rollouts(2))
    assert torch.equal(next(again.read(2, 2))["observations"], rollouts(2)["observations"])
    with pytest.raises(TrainingError, match=r"round_000003.safetensors is missing"):
        list(again.read(1, 3))


def test_history_on_the_disk_holds_nothing_in_memory(tmp_path):
    history = History(tmp_path)
    alive: list[weakref.ref] = []
    for number in range(20):
        tensors = rollouts(number)
        alive += [weakref.ref(tensor) for tensor in tensors.values()]
        history.add(number, tensors)
        del tensors
    assert not [ref for ref in alive if ref() is not None]
    most = 0
    for tensors in history.read(0, 19):
        alive += [weakref.ref(tensor) for tensor in tensors.values()]
        most = max(most, len([ref for ref in alive if ref() is not None]))
    assert most <= 2 * 3, "the round that is read, and the one before it"
    assert not history.kept
