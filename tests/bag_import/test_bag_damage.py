"""Bags that were split, compressed, cut off or damaged: whatever is sound is imported, and the rest is said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rosbags")

from bag_writer import STORAGES, write_bag
from demonstration import contents, driven, flag_at, imported, in_order
from rosbags.rosbag2 import StoragePlugin, Writer

from imitation_ros.data.hdf5 import read_episode
from imitation_ros.errors import DataError

SENT = in_order([*driven(0.0, 8.0), flag_at(0.5, True), flag_at(7.5, False)])
ODD = "odd_msgs/msg/Odd"


@pytest.fixture(scope="module")
def whole(spec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (path,) = imported(write_bag(folder / "bag", SENT), spec, folder / "episodes", topic="episodes")
    return contents(path)


@pytest.mark.parametrize(
    ("storage", "compression"),
    [(storage, how) for storage in STORAGES for how in ("", "message", "file")] + [("mcap", "storage")],
)
def test_compressed_bags_and_single_files_of_them_give_the_same_episodes(spec, tmp_path, whole, storage, compression):
    bag = write_bag(tmp_path / "bag", SENT, storage, compression)
    (file,) = [file for file in bag.iterdir() if file.name != "metadata.yaml"]
    assert file.name.endswith(".zstd") == (compression == "file")
    for index, given in enumerate((bag, file)):
        (path,) = imported(given, spec, tmp_path / f"episodes{index}", topic="episodes")
        assert contents(path) == whole
    (bag / "metadata.yaml").unlink()
    (path,) = imported(bag, spec, tmp_path / "episodes", topic="episodes")
    assert contents(path) == whole


@pytest.mark.parametrize("storage", STORAGES)
def test_a_split_bag_is_one_bag_also_where_its_files_overlap_in_time(spec, tmp_path, whole, storage):
    folder = tmp_path / "bag"
    folder.mkdir()
    thirds = [SENT[0 : len(SENT) // 2 : 2], SENT[1 : len(SENT) // 2 : 2], SENT[len(SENT) // 2 :]]
    for index, items in enumerate(thirds):
        (file,) = [
            file for file in write_bag(tmp_path / f"bag_{index}", items, storage).iterdir() if file.stem != "metadata"
        ]
        shutil.move(file, folder / file.name)
    (path,) = imported(folder, spec, tmp_path / "episodes", topic="episodes")
    assert contents(path) == whole


def storage_file(bag):
    return next(file for file in bag.iterdir() if file.suffix in (".mcap", ".db3"))


@pytest.mark.parametrize("compression", ["", "storage"])
def test_of_an_mcap_without_its_end_everything_that_was_written_is_imported(spec, tmp_path, capsys, compression):
    bag = write_bag(tmp_path / "bag", in_order(driven(0.0, 60.0)), "mcap", compression)
    file = storage_file(bag)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * 0.6)])
    (bag / "metadata.yaml").unlink()
    (path,) = imported(bag, spec, tmp_path / "episodes")
    assert read_episode(path).steps > 300
    assert "bag.mcap has no end: its recorder was ended, or the file was cut" in capsys.readouterr().out


def test_of_a_cut_sqlite_file_the_rows_that_are_there_are_imported(spec, tmp_path, capsys):
    bag = write_bag(tmp_path / "bag", in_order(driven(0.0, 60.0)), "sqlite3")
    file = storage_file(bag)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * 0.6)])
    (path,) = imported(bag, spec, tmp_path / "episodes")
    assert read_episode(path).steps > 300
    assert "bag.db3 is damaged or was cut off" in capsys.readouterr().out


def test_a_damaged_chunk_of_an_mcap_is_counted_and_the_others_are_imported(spec, tmp_path, capsys):
    bag = write_bag(tmp_path / "bag", in_order(driven(0.0, 60.0)), "mcap", "storage")
    file = storage_file(bag)
    data = bytearray(file.read_bytes())
    at = data.index(b"zstd") + 12  # where the compressed bytes begin
    data[at : at + 16] = bytes(16)
    file.write_bytes(data)
    (path,) = imported(bag, spec, tmp_path / "episodes")
    assert read_episode(path).steps > 300
    assert "1 of" in (output := capsys.readouterr().out) and "chunks are damaged" in output


def test_a_missing_file_of_a_split_bag_is_said(spec, tmp_path, capsys):
    bag = write_bag(tmp_path / "bag", SENT)
    metadata = (bag / "metadata.yaml").read_text()
    (bag / "metadata.yaml").write_text(metadata.replace("- bag.mcap", "- bag.mcap\n  - bag_1.mcap"))
    imported(bag, spec, tmp_path / "episodes")
    assert "bag_1.mcap is missing" in capsys.readouterr().out


@pytest.mark.parametrize("storage", STORAGES)
def test_a_topic_of_a_type_that_nobody_describes_does_not_matter_where_nobody_reads_it(spec, tmp_path, whole, storage):
    with Writer(tmp_path / "bag", version=9, storage_plugin=getattr(StoragePlugin, storage.upper())) as writer:
        from bag_writer import STORE

        connections = {}
        odd = writer.add_connection("/odd", ODD, msgdef="unknown_msgs/Thing thing\n", rihs01="RIHS01_0")
        for topic, kind, message, log_s in SENT:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            data = bytes(STORE.serialize_cdr(message, kind))
            writer.write(connections[topic], round(log_s * 1e9), data)
            writer.write(odd, round(log_s * 1e9), b"\0\1\0\0junk")
    (path,) = imported(tmp_path / "bag", spec, tmp_path / "episodes", topic="episodes")
    assert contents(path) == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_nothing_half_written_is_left(tiny_yaml, tmp_path, number):
    bag = write_bag(tmp_path / "bag", in_order(driven(0.0, 300.0)))
    (tmp_path / "tiny.yaml").write_text(tiny_yaml.replace("robot: tiny\n", ""))
    output = tmp_path / "episodes"
    command = [sys.executable, "-m", "imitation_ros", "import-bag", bag, "--setup", tmp_path / "tiny.yaml"]
    process = subprocess.Popen([*command, "--output", output], stderr=subprocess.PIPE, text=True)
    deadline_s = time.monotonic() + 60.0
    while not list(output.glob(".import-*/*.part")) and process.poll() is None and time.monotonic() < deadline_s:
        time.sleep(0.005)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, errors
    assert "Traceback" not in errors
    assert not output.exists()


def test_a_file_that_is_no_bag_among_others_is_said_and_the_others_are_read(spec, tmp_path, capsys):
    bag = write_bag(tmp_path / "bag", SENT)
    (bag / "other.mcap").write_bytes(b"nothing of the kind")
    imported(bag, spec, tmp_path / "episodes")
    assert "other.mcap cannot be read: it does not begin as an mcap" in capsys.readouterr().out
    with pytest.raises(DataError, match="cannot be read as a rosbag2: it does not begin as an mcap"):
        imported(bag / "other.mcap", spec, tmp_path / "more")
