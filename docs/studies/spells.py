"""How long the moments last in which a machine is at rest.

    python docs/studies/spells.py [SECONDS]

On each core a process repeats a Python loop of some 50 microseconds and keeps when each began and what it
took. A core is at rest while its loop takes at most 15 % more than its quickest hundredth; a training step
that needs all cores is at rest only while all are. Printed: the share of the time at rest, and how much of it
lies in moments that last long enough for a step, a round, or more.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np

from bench.stats.estimates import Floats

TURNS = 3000  # of a loop
AT_REST = 1.15  # times the quickest hundredth
GRID_S = 1e-4
LENGTHS_MS = (1, 5, 12, 25)  # a step, and rounds


class Loops(NamedTuple):
    """What one core did: when each loop began, and what it took, in seconds."""

    began: Floats
    took: Floats


class Spells(NamedTuple):
    """Of some time: the share at rest, and how long it was so without a break."""

    share: float
    lengths_s: Floats

    def share_longer(self, seconds: float) -> float:
        """How much of the time at rest lies in moments that last longer."""
        whole = float(self.lengths_s.sum())
        return float(self.lengths_s[self.lengths_s > seconds].sum()) / whole if whole else 0.0


def loops(core: int, seconds: float, there: Connection) -> None:
    """Loop on one core, then hand over what was seen."""
    os.sched_setaffinity(0, {core})
    began, took, start = [], [], time.perf_counter()
    while not began or began[-1] - start < seconds:
        before = time.perf_counter()
        for _ in range(TURNS):
            pass
        began.append(before)
        took.append(time.perf_counter() - before)
    there.send((began, took))


def record(cores: Sequence[int], seconds: float) -> list[Loops]:
    """What all cores did in the same time."""
    ends, running = [], []
    for core in cores:
        here, there = multiprocessing.Pipe(duplex=False)
        running.append(multiprocessing.Process(target=loops, args=(core, seconds, there), daemon=True))
        ends.append(here)
        running[-1].start()
    made = [Loops(*map(np.array, end.recv())) for end in ends]
    for process in running:
        process.join()
    return made


def at_rest(several: Sequence[Loops]) -> list[np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """By core, whether it was at rest at each point of a common grid."""
    start, end = max(one.began[0] for one in several), min(one.began[-1] for one in several)
    grid = np.arange(start, end, GRID_S)
    found = []
    for one in several:
        loop = np.searchsorted(one.began, grid, side="right") - 1
        found.append(one.took[loop] <= AT_REST * np.quantile(one.took, 0.01))
    return found


def spells(calm: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Spells:
    """The moments at rest, whatever their length."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], calm.astype(int), [0]])))
    return Spells(float(calm.mean()), (edges[1::2] - edges[::2]) * GRID_S)


def table(cores: Sequence[int], several: Sequence[Loops]) -> list[str]:
    """Lines of Markdown, a row a core and one for all."""
    found = at_rest(several)
    rows = {f"core {core}": spells(calm) for core, calm in zip(cores, found, strict=True)}
    rows["all at once"] = spells(np.logical_and.reduce(found))
    heads = [f"in moments over {length} ms" for length in LENGTHS_MS]
    lines = ["| | at rest | half of the moments last, ms | " + " | ".join(heads) + " |"]
    lines.append("|---" * (3 + len(heads)) + "|")
    for name, row in rows.items():
        longer = " | ".join(f"{row.share_longer(length / 1e3):.0%}" for length in LENGTHS_MS)
        half = f"{1e3 * np.median(row.lengths_s):.1f}" if len(row.lengths_s) else "none"
        lines.append(f"| {name} | {row.share:.0%} | {half} | {longer} |")
    return lines


if __name__ == "__main__":
    here = sorted(os.sched_getaffinity(0))
    print("\n".join(table(here, record(here, float(sys.argv[1]) if len(sys.argv) > 1 else 20.0))))
