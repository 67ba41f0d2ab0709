"""A process that is killed while it edits: what has the dataset's name is the original or the edited one, whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import imitation_ros
from imitation_ros.data.catalogue import catalogue
from imitation_ros.data.load import load_episodes
from imitation_ros.data.save import save_episodes
from imitation_ros.data.splits import read_splits, write_splits_json
from imitation_ros.editing.changes import Changes
from imitation_ros.editing.edit import run_edit
from imitation_ros.errors import DataError

KILLS = 25


@pytest.fixture(scope="module")
def edit():
    """Has a process of its own edit a dataset, and die before an event; returns how many there were."""
    root = str(Path(imitation_ros.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(Path(__file__).with_name("edit_child.py"))]
    server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(data: Path, die_at: int = 0) -> int:
        server.stdin.write(json.dumps({"data": str(data), "die_at": die_at}) + "\n")
        server.stdin.flush()
        return int(server.stdout.readline())

    yield run
    server.stdin.close()
    server.wait()


def bytes_of(data: Path) -> dict[str, bytes]:
    files = [path for path in data.rglob("*") if path.is_file()] if data.is_dir() else [data]
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["demos", "demos.hdf5"])
def test_a_kill_at_any_event_leaves_the_old_or_the_new_recordings_whole(
    tmp_path, camera_spec, make_episode, edit, name
):
    source = tmp_path / "source" / name
    save_episodes(source, [make_episode(camera_spec, steps=6, seed=seed) for seed in range(3)])
    if source.is_dir():
        write_splits_json(source, {"train": ["episode_000000", "episode_000001"], "valid": ["episode_000002"]})
    old = bytes_of(source)

    def fresh(folder: str) -> Path:
        shutil.copytree(source.parent, tmp_path / folder)
        return tmp_path / folder / name

    done = fresh("done")
    events = edit(done)
    new = bytes_of(done)
    assert events > 20 and new != old and bytes_of(done.with_name(f"{name}.previous")).values() != new.values()
    seen = set()
    ends = [*range(1, events, max(1, events // KILLS)), *range(events - 25, events + 1)]  # names are exchanged late
    for die_at in sorted({*ends}):
        data = fresh(f"killed_{die_at}")
        assert edit(data, die_at) == -1
        found = bytes_of(data)
        assert found in (old, new), f"died before event {die_at}"
        beside = [path for path in data.parent.iterdir() if path.name.endswith((".previous", ".swapping"))]
        if found == new:
            assert [sorted(bytes_of(path).values()) for path in beside] == [sorted(old.values())]
        elif not beside:
            run_edit(data, Changes(delete=("1",)))  # what is left of the killed one is in nobody's way
            assert len(load_episodes(data)) == 2
            read_splits(catalogue(data))
        else:
            assert [sorted(bytes_of(path).values()) for path in beside] == [sorted(new.values())]
            with pytest.raises(DataError, match=r"swapping is left of an edit that was cut short.*both whole"):
                run_edit(data, Changes(delete=("1",)))
        seen.add((found == new, *(path.suffix for path in beside)))
        shutil.rmtree(data.parent)
    assert {(False,), (True, ".previous")} <= seen
    assert (False, ".swapping") in seen or (True, ".swapping") in seen, "no kill fell between the two renames"
