"""What importing a bag costs: joint states and commands at 200 Hz, a camera of 96 x 96 (JPEG) at 30 Hz, ticks at 20 Hz.

Beside it, in turns with it and each in a process of its own, rosbags alone deserialises the same topics of the same
bag and throws the messages away. Times are CPU times of the whole process after its imports. The memory is that of one
hour of bag: the highest resident size of the process, all of it.
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from imitation_ros.robot.spec import spec_from_yaml
from tests.benchmarks.loading import memory_mb
from tests.benchmarks.peers import environment
from tests.benchmarks.table import load, write_table

MINUTES, LONG_MINUTES, REPEATS = 5, 60, 5
RATE_HZ, CAMERA_EVERY, START_S = 200, 7, 1.7e9
BAR, BAR_MB = 0.85, 500
STATE, JPEG = "sensor_msgs/msg/JointState", "sensor_msgs/msg/CompressedImage"
TOPICS = {"/joint_states": STATE, "/command": STATE, "/camera": JPEG}
JOINTS = [f"panda_joint{index}" for index in range(1, 8)]
SETUP = f"""
setup: imported
robot: arm
rate_hz: 20
observation: [joints, camera]
action: [command]
fields:
  joints: {{topic: joint_states, type: {STATE}, names: {JOINTS}}}
  camera: {{topic: camera, type: {JPEG}, shape: [96, 96, 3]}}
  command: {{topic: command, type: {STATE}, names: {JOINTS}, scale_low: -4, scale_high: 4}}
"""


def run() -> None:
    note, rows = load(), []
    with TemporaryDirectory() as name:
        folder = Path(name)
        for storage in ("mcap", "sqlite3"):
            write(folder / storage, storage, MINUTES)
            measured: dict[str, list[dict[str, float]]] = {"rosbags": [], "import": []}
            for _ in range(REPEATS):
                for who in measured:
                    measured[who].append(measure(who, folder / storage))
            rates = {who: median(each["messages_per_s"] for each in found) for who, found in measured.items()}
            share = median(
                ours["messages_per_s"] / theirs["messages_per_s"]
                for ours, theirs in zip(measured["import"], measured["rosbags"], strict=True)
            )
            rows.append(
                {
                    "bag": f"{storage}, {MINUTES} min",
                    "rosbags_messages_per_s": rates["rosbags"],
                    "import_messages_per_s": rates["import"],
                    "share": share,
                    "memory_mb": median(each["memory_mb"] for each in measured["import"]),
                }
            )
        write(folder / "long", "mcap", LONG_MINUTES)
        theirs, ours = measure("rosbags", folder / "long"), measure("import", folder / "long")
        rows.append(
            {
                "bag": f"mcap, {LONG_MINUTES} min",
                "rosbags_messages_per_s": theirs["messages_per_s"],
                "import_messages_per_s": ours["messages_per_s"],
                "share": ours["messages_per_s"] / theirs["messages_per_s"],
                "memory_mb": ours["memory_mb"],
            }
        )
    write_table("importing", rows, f"{note}; bars: a share of {BAR:g}, {BAR_MB} MB")


def write(path: Path, storage: str, minutes: float) -> None:
    """Write a bag: templates of messages, with the stamps and numbers of each."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    pictures = [bytes(store.serialize_cdr(picture(store, seed), JPEG)) for seed in range(20)]
    header = store.types["std_msgs/msg/Header"](store.types["builtin_interfaces/msg/Time"](0, 0), "")
    zeros = np.zeros(7)
    state = bytearray(store.serialize_cdr(store.types[STATE](header, JOINTS, zeros, zeros, zeros), STATE))
    numbers = len(state) - 3 * 64 + 8  # where the positions begin: each of the three is behind its length
    with Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()]) as writer:
        connections = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in TOPICS.items()}
        for topic, data, log_ns in messages(minutes, state, numbers, pictures):
            writer.write(connections[topic], log_ns, data)


def messages(minutes: float, state: bytearray, numbers: int, pictures: list[bytes]) -> Iterator[tuple[str, bytes, int]]:
    for index in range(round(minutes * 60 * RATE_HZ)):
        log_ns = round((START_S + index / RATE_HZ) * 1e9)
        struct.pack_into("<iI", state, 4, log_ns // 10**9, log_ns % 10**9)
        struct.pack_into("<7d", state, numbers, *np.sin(0.001 * index + np.arange(7)).tolist())
        yield "/joint_states", bytes(state), log_ns + 500_000
        yield "/command", bytes(state), log_ns + 700_000
        if index % CAMERA_EVERY == 0:
            data = bytearray(pictures[index // CAMERA_EVERY % len(pictures)])
            struct.pack_into("<iI", data, 4, log_ns // 10**9, log_ns % 10**9)
            yield "/camera", bytes(data), log_ns + 900_000


def picture(store: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    ramp = np.linspace(60, 200, 96)[None, :, None]
    pixels = np.clip(ramp + rng.normal(0.0, 6.0, (96, 96, 3)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    header = store.types["std_msgs/msg/Header"](store.types["builtin_interfaces/msg/Time"](0, 0), "camera")
    return store.types[JPEG](header, "jpeg", np.frombuffer(buffer.getvalue(), np.uint8))


def measure(who: str, bag: Path) -> dict[str, float]:
    command = [sys.executable, "-m", __spec__.name, who, str(bag)]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def deserialise(bag: Path) -> int:
    """Let rosbags do its part alone."""
    from rosbags.rosbag2 import Reader
    from rosbags.typesys import Stores, get_typestore

    store, count = get_typestore(Stores.ROS2_HUMBLE), 0
    with Reader(bag) as reader:
        wanted = [connection for connection in reader.connections if connection.topic in TOPICS]
        for connection, _, data in reader.messages(connections=wanted):
            store.deserialize_cdr(data, connection.msgtype)
            count += 1
    return count


def import_it(bag: Path) -> int:
    from imitation_ros.bag_import import run_import
    from imitation_ros.bag_import.cuts import Cuts

    with TemporaryDirectory(dir=bag.parent) as folder:
        run_import([bag], spec_from_yaml(SETUP, "imported.yaml"), Path(folder) / "episodes", Cuts())
    return 0


def measure_here(who: str, bag: Path) -> dict[str, float]:
    import rosbags.rosbag2  # noqa: F401 both need it

    import imitation_ros.bag_import  # noqa: F401

    started_s = time.process_time()
    (deserialise if who == "rosbags" else import_it)(bag)
    took_s = time.process_time() - started_s
    count = message_count(bag)
    return {"messages_per_s": count / took_s, "memory_mb": memory_mb("VmHWM")}


def message_count(bag: Path) -> int:
    """Return how many messages a bag holds, by its metadata."""
    import yaml

    return int(yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]["message_count"])


if __name__ == "__main__":
    print(json.dumps(measure_here(sys.argv[1], Path(sys.argv[2]))))
