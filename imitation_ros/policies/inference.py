"""Inference in a process of its own, so that no hang of it can stop a robot's command loop.

Parent and child share two pipes. A message is a tag (uint64) and the fields' numbers: all observation
fields in order one way (float32, images uint8), all action fields the other. The child ends when its
input is closed, also when the parent was killed.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imitation_ros.errors import BundleError, DeploymentError, ImitationRosError
from imitation_ros.policies.bundle import OnnxPolicy, as_input, read_info
from imitation_ros.robot.field import Field

Array = NDArray[Any]

TAG = struct.Struct("<Q")
READY = b"ready\n"
START_S = 30.0  # a cold disk and a busy machine included
ASK_S = 0.1  # for a question to fit into the pipe, which is full only if the child hangs


class InferenceProcess:
    """A bundle's policy, asked without waiting: `request`, and later `result`.

    Args:
        bundle: the policy's folder.

    Raises:
        BundleError: the bundle is missing or broken.
        DeploymentError: the process did not start within START_S.
    """

    def __init__(self, bundle: Path) -> None:
        self.info = read_info(bundle)
        self.spec = self.info.spec
        command = [sys.executable, "-m", "imitation_ros.policies.inference", str(bundle)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.to_child, self.from_child = self.process.stdin, self.process.stdout
        os.set_blocking(self.to_child.fileno(), False)
        self.reply_bytes = TAG.size + packed_bytes(self.spec.action)
        self.buffer = b""
        self.wait_ready()

    def wait_ready(self) -> None:
        deadline_s = time.monotonic() + START_S
        try:
            while READY not in self.buffer:
                if not self.read(deadline_s - time.monotonic()):
                    raise DeploymentError(f"inference of the policy did not start within {START_S:.0f} s.")
        except DeploymentError:
            self.close()
            if self.buffer:  # the child's own words
                raise BundleError(self.buffer.decode(errors="replace").strip()) from None
            raise
        self.buffer = b""

    def read(self, timeout_s: float) -> bool:
        """Read what the child wrote, waiting at most so long; return whether there was anything."""
        if not select.select([self.from_child], [], [], max(timeout_s, 0.0))[0]:
            return False
        data = os.read(self.from_child.fileno(), 65536)
        if not data:
            code = self.process.wait()
            raise DeploymentError(f"inference of the policy ended with exit code {code}; its last words are above.")
        self.buffer += data
        return True

    def request(self, tag: int, observation: Mapping[str, Array]) -> None:
        """Ask for the action of an observation; `tag` comes back with the answer.

        Raises:
            DeploymentError: the process has ended, or hangs and takes no more questions.
        """
        question = TAG.pack(tag) + pack(self.spec.observation, observation)
        deadline_s = time.monotonic() + ASK_S
        try:
            while question:
                if not select.select([], [self.to_child], [], max(deadline_s - time.monotonic(), 0.0))[1]:
                    raise DeploymentError("inference of the policy hangs: it takes no more questions.")
                question = question[os.write(self.to_child.fileno(), question) :]
        except BrokenPipeError:
            raise DeploymentError("inference of the policy has ended; its last words are above.") from None

    def result(self, timeout_s: float = 0.0) -> tuple[int, dict[str, Array]] | None:
        """Return the oldest answer and its tag, or None when there is none within the time."""
        deadline_s = time.monotonic() + timeout_s
        while len(self.buffer) < self.reply_bytes:
            if not self.read(deadline_s - time.monotonic()):
                return None
        reply, self.buffer = self.buffer[: self.reply_bytes], self.buffer[self.reply_bytes :]
        (tag,) = TAG.unpack_from(reply)
        return tag, unpack(self.spec.action, reply[TAG.size :])

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        """End the process: at once if it hangs."""
        self.to_child.close()
        try:
            self.process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.from_child.close()


def pack(fields: Sequence[Field], values: Mapping[str, Array]) -> bytes:
    return b"".join(as_input(values, field).tobytes() for field in fields)


def unpack(fields: Sequence[Field], data: bytes) -> dict[str, Array]:
    values, start = {}, 0
    for field in fields:
        values[field.name] = np.frombuffer(data, field.dtype, field.width, start).reshape(field.row_shape)
        start += field.width * field.dtype.itemsize
    return values


def packed_bytes(fields: Sequence[Field]) -> int:
    return sum(field.width * field.dtype.itemsize for field in fields)


def main() -> None:
    """Serve a bundle over standard input and output until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        policy = OnnxPolicy(Path(sys.argv[1]))
    except ImitationRosError as error:
        print(error, flush=True)  # to the parent, which raises it
        sys.exit(2)
    spec = policy.spec
    policy.act({field.name: np.zeros(field.row_shape, field.dtype) for field in spec.observation})  # the first is slow
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(READY)
    sink.flush()
    request_bytes = TAG.size + packed_bytes(spec.observation)
    while len(request := source.read(request_bytes)) == request_bytes:
        action = policy.act(unpack(spec.observation, request[TAG.size :]))
        sink.write(request[: TAG.size] + pack(spec.action, action))
        sink.flush()


if __name__ == "__main__":
    main()
