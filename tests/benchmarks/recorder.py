"""What recording costs, without DDS: two cameras of 640 x 480, 23 numbers of state and 7 of action at 50 Hz.

The real Recorder reads messages as they come off a topic and writes its file. Simulated time runs as fast as it keeps
up, so its queue of images is as full as it gets. Pictures: coloured shapes with soft and hard edges on a gradient,
moved a little between frames, with a camera's noise (a standard deviation of 6 of 255). Each case is a process of its
own.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from imitation_ros.recording import Recorder
from imitation_ros.robot.messages import header_stamp_s, read
from imitation_ros.robot.spec import RobotSpec, spec_from_yaml
from tests.benchmarks.peers import environment
from tests.benchmarks.table import load, write_table

HEIGHT, WIDTH, CAMERAS, PICTURES = 480, 640, ("front", "wrist"), 25
STATE, ACTION, RATE_HZ = 23, 7, 50
BAR_MS = 8.0
PACED = ", in real time"
CASES = {  # name: message type, storage, minutes in all, minutes of an episode
    "no camera": (None, "jpeg", 10.0, 10.0),
    "Image, stored as JPEG": ("Image", "jpeg", 10.0, 10.0),
    "CompressedImage, stored as it comes": ("CompressedImage", "jpeg", 10.0, 10.0),
    "Image, stored raw": ("Image", "raw", 10.0, 0.25),  # a minute takes 5.5 GB, so short ones are thrown away
    "CompressedImage, stored raw": ("CompressedImage", "raw", 2.0, 0.25),
    f"Image, stored as JPEG{PACED}": ("Image", "jpeg", 0.5, 0.5),
    f"CompressedImage, stored as it comes{PACED}": ("CompressedImage", "jpeg", 0.5, 0.5),
}

SETUP = """
setup: two_cameras
robot: arm
rate_hz: {rate}
observation: {observation}
action: [command]
fields:
  state: {{topic: joint_states, type: sensor_msgs/msg/JointState, names: {state}}}
  command: {{topic: command, type: sensor_msgs/msg/JointState, names: {action}, scale_low: -4, scale_high: 4}}
"""
CAMERA = """
  {name}: {{topic: {name}/image, type: sensor_msgs/msg/{type}, shape: [{height}, {width}, 3], storage: {storage}}}
"""


def run() -> None:
    note, rows = load(), []
    for case, (_, _, minutes, _) in CASES.items():
        command = [sys.executable, "-m", __spec__.name, case]
        done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
        rows.append({"case": case, "minutes": minutes, **json.loads(done.stdout.splitlines()[-1])})
    write_table("recorder", rows, f"{note}; bar {BAR_MS:g} ms of CPU a tick, memory flat")


def spec_of(kind: str | None, storage: str) -> RobotSpec:
    cameras = CAMERAS if kind else ()
    text = SETUP.format(
        rate=RATE_HZ,
        observation=["state", *cameras],
        state=[f"s{n}" for n in range(STATE)],
        action=[f"a{n}" for n in range(ACTION)],
    )
    for name in cameras:
        text += CAMERA.format(name=name, type=kind, height=HEIGHT, width=WIDTH, storage=storage)
    return spec_from_yaml(text, "two_cameras.yaml")


def pictures(rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield what a camera over a table might see."""
    ramp = np.linspace(90, 160, WIDTH, dtype=np.uint8)
    canvas = Image.fromarray(np.repeat(np.repeat(ramp[None, :, None], HEIGHT, 0), 3, 2))
    draw = ImageDraw.Draw(canvas)
    for index in range(60):
        x, y, w, h = rng.uniform([0, 0, 10, 10], [WIDTH, HEIGHT, 150, 150])
        shape = draw.ellipse if index % 2 else draw.rectangle
        shape([x, y, x + w, y + h], fill=tuple(rng.integers(20, 235, 3).tolist()))
        if index == 40:
            canvas.paste(canvas.filter(ImageFilter.GaussianBlur(2)))  # what is out of focus
    scene = np.asarray(canvas, np.float64)
    for index in range(PICTURES):
        noise = rng.normal(0.0, 6.0, scene.shape)
        yield np.clip(np.roll(scene, index, 1) + noise, 0, 255).astype(np.uint8)


def camera_message(kind: str, pixels: np.ndarray) -> Any:
    header = SimpleNamespace(frame_id="camera", stamp=SimpleNamespace(sec=0, nanosec=0))
    if kind == "CompressedImage":
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
        return SimpleNamespace(header=header, format="jpeg", data=buffer.getvalue())
    return SimpleNamespace(
        header=header, height=HEIGHT, width=WIDTH, encoding="rgb8", step=WIDTH * 3, data=pixels.tobytes()
    )


def joint_message(names: tuple[str, ...], rng: np.random.Generator) -> Any:
    header = SimpleNamespace(frame_id="", stamp=SimpleNamespace(sec=0, nanosec=0))
    return SimpleNamespace(header=header, name=list(names), position=rng.uniform(-1, 1, len(names)).tolist())


def measure_here(case: str) -> dict[str, float]:
    """Record simulated minutes, and say what a tick took and how the memory grew."""
    kind, storage, minutes, episode_minutes = CASES[case]
    spec, rng = spec_of(kind, storage), np.random.default_rng(0)
    messages = {field.name: [joint_message(field.names, rng)] for field in spec.fields if not field.is_image}
    for field in spec.fields:
        if field.is_image:
            messages[field.name] = [camera_message(str(kind), pixels) for pixels in pictures(rng)]
    ticks, per_episode = round(minutes * 60 * RATE_HZ), round(episode_minutes * 60 * RATE_HZ)
    resident_mb, ticks_s, written = [], [], 0
    with TemporaryDirectory() as folder:
        recorder = Recorder(spec, Path(folder) / "episodes")
        put(recorder, messages, 0, but="command")
        started_s = time.perf_counter()
        cpu_before_s = time.process_time()
        for tick in range(1, ticks + 1):
            if tick % per_episode == 1:
                recorder.start(time_s(tick - 1))
            if case.endswith(PACED):
                time.sleep(max(started_s + tick / RATE_HZ - time.perf_counter(), 0.0))
            tick_began_s = time.perf_counter()
            put(recorder, messages, tick)
            recorder.close_ticks(time_s(tick))
            ticks_s.append(time.perf_counter() - tick_began_s)
            if tick % RATE_HZ == 0:
                resident_mb.append(resident())
            if tick % per_episode == 0:
                written += recorder.steps
                if tick == ticks:
                    recorder.stop(time_s(tick))
                else:
                    recorder.discard(time_s(tick))
        cpu_s = time.process_time() - cpu_before_s
        took_s = time.perf_counter() - started_s
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.hdf5"))
    assert written >= ticks - 3 * ticks // per_episode, (written, ticks)
    tenth = max(len(resident_mb) // 10, 1)
    return {
        "cpu_ms_per_tick": 1e3 * cpu_s / ticks,
        "memory_after_a_tenth_mb": resident_mb[tenth],
        "memory_at_the_end_mb": resident_mb[-1],
        "kb_per_tick": size / 1e3 / per_episode,
        "times_real_time": minutes * 60 / took_s,
        "p50_ms": 1e3 * float(np.percentile(ticks_s, 50)),  # of a callback; what comes faster waits for its encoding
        "p99_ms": 1e3 * float(np.percentile(ticks_s, 99)),
    }


def put(recorder: Recorder, messages: dict[str, list[Any]], tick: int, but: str = "") -> None:
    """Hand over one message of every field, as a subscription does."""
    now_s = time_s(tick)
    for field in recorder.spec.fields:
        if field.name == but:
            continue
        message = messages[field.name][tick % len(messages[field.name])]
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(round(now_s * 1e9), 10**9)
        recorder.put(field.name, read(message, field), header_stamp_s(message), now_s)


def time_s(tick: int) -> float:
    return 1.7e9 + tick / RATE_HZ


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    print(json.dumps(measure_here(sys.argv[1])))
