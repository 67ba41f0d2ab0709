"""Run the benchmarks by name, or all of them: python -m tests.benchmarks [success] [latency]"""

from __future__ import annotations

import sys

from tests.benchmarks import latency, success

BENCHMARKS = {"success": success.run, "latency": latency.run}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name]()
