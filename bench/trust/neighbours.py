"""Neighbours of the suite's own, to be measured beside: run as ``python -m bench.trust.neighbours``.

Each is a process that ends by itself when its time is over, and with its parent, so that a killed recording
leaves no core busy. Nothing here loads more than the standard library.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

BURST_S, PAUSE_S = 0.7, 0.9  # in the mean; both are drawn from exponential distributions
BLOCK_BYTES = 32 << 20  # more than the caches hold
SPAN_S = 0.05  # of work, before a neighbour looks whether it may go on
MARGIN_S = 60.0  # after the end that was planned: the last unit may reach beyond it

Goes = Callable[[], bool]


def busy(goes: Goes, _: random.Random) -> None:
    """One core busy all the time."""
    while goes():
        _compute(SPAN_S)


def bursts(goes: Goes, rng: random.Random) -> None:
    """One core busy in spells of random length."""
    while goes():
        _while(goes, rng.expovariate(1.0 / BURST_S), _compute)
        _while(goes, rng.expovariate(1.0 / PAUSE_S), time.sleep)


def memory(goes: Goes, _: random.Random) -> None:
    """Memory traffic: a block beyond the caches copied to and fro."""
    one, other = bytearray(BLOCK_BYTES), bytearray(BLOCK_BYTES)
    while goes():
        other[:] = one
        one[:] = other


KINDS: dict[str, Callable[[Goes, random.Random], None]] = {"busy": busy, "bursts": bursts, "memory": memory}
ALONE = "alone"  # the condition without a neighbour of ours: as the hour is
CONDITIONS = (ALONE, *KINDS)
WORDS = {
    ALONE: "as the hour is",
    "busy": "one core kept busy",
    "bursts": "bursts on one core",
    "memory": "memory traffic",
}


def _compute(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def _while(goes: Goes, seconds: float, act: Callable[[float], None]) -> None:
    """Do it for so long, in spans after which the neighbour may have to end."""
    end = time.monotonic() + seconds
    while goes() and (left := end - time.monotonic()) > 0:
        act(min(left, SPAN_S))


@contextlib.contextmanager
def beside(condition: str, seconds: float, seed: int) -> Iterator[None]:
    """Have the neighbour of a condition there meanwhile, for ``seconds`` and a margin at the most."""
    if condition == ALONE:
        yield
        return
    command = [sys.executable, "-m", "bench.trust.neighbours", condition, str(seed), str(seconds + MARGIN_S)]
    process = subprocess.Popen(
        [*command, str(os.getpid())], cwd=Path(__file__).parents[2], start_new_session=True
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main(kind: str, seed: str, seconds: str, parent: str) -> None:
    """One neighbour of the process ``parent``."""
    end = time.monotonic() + float(seconds)
    KINDS[kind](lambda: time.monotonic() < end and os.getppid() == int(parent), random.Random(int(seed)))


if __name__ == "__main__":
    main(*sys.argv[1:])
