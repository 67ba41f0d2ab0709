"""How long the command line takes to answer, in wall time, beside importing imitation 1.0.1.

`imitation` itself is an empty package; its algorithms are what a script imports.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from tests.benchmarks.peers import environment, python_of
from tests.benchmarks.table import load, write_table

ROUNDS = 15
HEAVY = ("torch", "pybullet", "rclpy", "numpy", "h5py", "onnxruntime", "tyro")
LOADED = f"""
import sys
from imitation_ros.cli import main
sys.argv = ["imitation-ros", "--help"]
try:
    main()
except SystemExit:
    print("loaded:", *[name for name in {HEAVY} if name in sys.modules])
"""


def run() -> None:
    before = load()
    ours, theirs = Path(sys.executable), python_of("imitation")
    script = ours.with_name("imitation-ros")
    command = [script] if script.is_file() else [ours, "-m", "imitation_ros"]  # colcon puts the script elsewhere
    commands = {
        "imitation-ros --help": [*command, "--help"],
        "imitation-ros train --help": [*command, "train", "--help"],
        "python -c pass, ours": [ours, "-c", "pass"],
        "import imitation, theirs": [theirs, "-W", "ignore", "-c", "import imitation"],
        "import imitation.algorithms.bc": [theirs, "-W", "ignore", "-c", "import imitation.algorithms.bc"],
    }
    times_s: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, arguments in commands.items():
            started_s = time.monotonic()
            subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, env=environment())
            times_s[name].append(time.monotonic() - started_s)
    spent_s = {name: median(values) for name, values in times_s.items()}
    peer_s = spent_s["import imitation.algorithms.bc"]
    rows = [
        {"what": f"{name}: s", "ours": spent_s[name], "peer": peer_s, "ratio": peer_s / spent_s[name], "bar": bar}
        for name, bar in (("imitation-ros --help", "0.4 s"), ("imitation-ros train --help", ""))
    ]
    rows.append({
        "what": "bare interpreter; `import imitation`, an empty package: s", "ours": spent_s["python -c pass, ours"],
        "peer": spent_s["import imitation, theirs"], "ratio": "", "bar": "",
    })  # fmt: skip
    said = subprocess.run([ours, "-c", LOADED], check=True, capture_output=True, text=True, env=environment()).stdout
    loaded = said.splitlines()[-1].removeprefix("loaded:").strip() or "none"
    note = (
        f"peer: `import imitation.algorithms.bc` of imitation 1.0.1; medians of {ROUNDS} alternating runs; {before}. "
        f"Loaded by --help, of {', '.join(HEAVY)}: {loaded}"
    )
    write_table("startup", rows, note)
