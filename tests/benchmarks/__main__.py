"""Run benchmarks by name, or all of them: python -m tests.benchmarks [simulator] [bc] ..."""

from __future__ import annotations

import sys
from importlib import import_module

MODULES = {
    "success": "success",
    "latency": "latency",
    "simulator": "simulator",
    "bc": "bc_speed",
    "startup": "startup",
    "loading": "loading",
    "recorder": "recorder",
    "importing": "importing",
    "checking": "checking",
}

if __name__ == "__main__":
    names = sys.argv[1:] or list(MODULES)
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        sys.exit(f"{unknown[0]!r} is no benchmark; there are {', '.join(MODULES)}.")
    for name in names:
        import_module(f"tests.benchmarks.{MODULES[name]}").run()
