"""Shared memory that MXNet left behind; loads no MXNet."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

SEGMENTS = Path("/dev/shm")  # where Linux shows shared memory
FORKED = "MTL_FORKED"  # the file descriptor to which a worker's children tell their numbers, a line each

FOLDER = "MTL_FOLDER"  # a worker's own, for all that is temporary: gone with it


def tell_number() -> None:
    """Tell this process's number to whom asked for it, who may have to remove what it leaves behind."""
    if FORKED in os.environ:
        os.write(int(os.environ[FORKED]), b"%d\n" % os.getpid())


def forget_segments(processes: Collection[int]) -> None:
    """Remove the shared memory of ended processes that nobody received: MXNet's receiver is who removes it.

    A worker that is ended between making a batch and handing it over leaves one behind. What this process
    has mapped is left to MXNet. MXNet names a segment ``mx_``, its maker's number in hexadecimal, ``_`` and
    another number; elsewhere than on Linux it does not show as a file.
    """
    named = ((path, re.fullmatch(r"mx_([0-9a-f]+)_[0-9a-f]+", path.name)) for path in SEGMENTS.glob("mx_*"))
    ours = [path for path, match in named if match and int(match[1], 16) in processes]
    mapped = Path("/proc/self/maps").read_text() if ours else ""
    for path in ours:
        if str(path) not in mapped:
            path.unlink(missing_ok=True)
