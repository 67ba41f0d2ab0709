"""How much memory there is, so that what does not fit is refused in words instead of by the kernel."""

from __future__ import annotations

import os
from pathlib import Path

from imitation_ros.errors import DataError

SHARE = 0.5  # of the free memory; whoever uses the data needs some too


def check_fits(needed_bytes: int, what: str, instead: str) -> None:
    """Check that something takes no more than half of the free memory.

    Args:
        what: takes the memory; instead: what to do where it does not fit, as a sentence.

    Raises:
        DataError: it does not fit.
    """
    free = free_bytes()
    if needed_bytes > SHARE * free:
        raise DataError(
            f"{what} would take {needed_bytes / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are free, of which half may "
            f"be taken. {instead}"
        )


def free_bytes() -> int:
    """Return how much memory can be had, with what the kernel would give back (MemAvailable, where there is one)."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kilobytes = dict(line.split(":") for line in lines)["MemAvailable"]
        return int(kilobytes.split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
