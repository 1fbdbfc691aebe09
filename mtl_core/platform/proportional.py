"""Memory of this process and its children with shared pages counted once, without a library.

A worker has to do with MXNet and NumPy alone; the coordinator asks ``memory.py``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def proportional_bytes(proc: Path = PROC, number: int | None = None) -> int:
    """Bytes of a process, of this one without a number, and its descendants; 0 where Linux does not tell."""
    return sum(pss_bytes(each, proc) or 0 for each in _family(proc, number or os.getpid()))


def _family(proc: Path, number: int) -> Iterator[int]:
    yield number
    for children in (proc / str(number) / "task").glob("*/children"):
        with suppress(OSError):  # it ended meanwhile
            for child in children.read_text().split():
                yield from _family(proc, int(child))


def pss_bytes(number: int, proc: Path = PROC) -> int | None:
    """Of one process, by its summary or, on an older Linux, its mappings; None where it is not told."""
    for name in ("smaps_rollup", "smaps"):
        with suppress(OSError):  # no such file, not ours to read, or ended meanwhile
            parts = re.findall(r"^Pss:\s+(\d+) kB", (proc / str(number) / name).read_text(), re.MULTILINE)
            return 1024 * sum(map(int, parts)) if parts else None
    return None
