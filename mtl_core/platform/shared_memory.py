"""What DataLoader workers need of shared memory, held against what there is; loads no MXNet."""

from __future__ import annotations

import mmap
import shutil
from collections.abc import Sequence

from mtl_core.errors import UserError
from mtl_core.platform.segments import SEGMENTS

SAMPLE_BYTES = (4 * 784, 4, 4)  # of the tutorial: an image and two labels, as floats
PREFETCH = 2  # batches that Gluon asks of each worker ahead
MIB = 2**20


def sizes() -> tuple[int, int] | None:
    """Bytes there are in all and free; None where shared memory does not show as files."""
    try:
        usage = shutil.disk_usage(SEGMENTS)
    except OSError:
        return None
    return usage.total, usage.free


def needed_bytes(batch_size: int, sample_bytes: Sequence[int], workers: int) -> int:
    """Bytes that batches on their way take, by the bytes of each array of a sample.

    Each array of a batch has whole pages of its own.
    """
    pages = sum(-(-batch_size * each // mmap.PAGESIZE) for each in sample_bytes)
    return workers * PREFETCH * pages * mmap.PAGESIZE


def shortage(batch_size: int, sample_bytes: Sequence[int], workers: int) -> str | None:
    """One line where workers need more than is free: how much, and the remedy; None where it suffices."""
    here, needed = sizes(), needed_bytes(batch_size, sample_bytes, workers)
    if here is None or needed <= here[1]:
        return None
    return (
        f"{SEGMENTS} has {here[1] / MIB:.1f} MiB free of {here[0] / MIB:.1f}, and {workers} DataLoader "
        f"worker{'s' if workers != 1 else ''} with batches of {batch_size} need {needed / MIB:.1f} MiB: take "
        f"fewer workers or smaller batches, or make it larger (docker run --shm-size=1g; "
        f"mount -o remount,size=1g {SEGMENTS})"
    )


def check(batch_size: int, sample_bytes: Sequence[int], workers: int) -> None:
    """Raise UserError with that line, before workers start that would die or hang."""
    line = shortage(batch_size, sample_bytes, workers)
    if line:
        raise UserError(line)
