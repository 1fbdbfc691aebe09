"""One benchmark's trial: unit after unit until it is decided or its budget is spent.

A unit is an invocation: fresh processes for both sides, a few set-ups in them, one number. Processes
are what is independent; the set-ups of one process share whatever is particular to it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bench.gating.sequential import Look, Stream, decide, grid


@dataclass
class Trial:
    """Takes units while they fit the budget and looks at them on the grid; knows nothing of workers.

    ``measure`` gives one log ratio, or None when a side failed: then the trial is over.
    """

    measure: Callable[[], float | None]
    budget_s: float
    alpha: float
    tolerance: float
    show: Callable[[int, float], None] = lambda units, spent_s: None
    clock: Callable[[], float] = time.monotonic
    values: list[float] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    failed: bool = False
    spent_s: float = 0.0

    def run(self) -> Stream:
        """The stream; its last look decided it, or spent the budget."""
        start, points = self.clock(), grid()
        point = next(points)
        while not self.failed:
            self.show(len(self.values), self.spent_s)
            self._unit()
            self.spent_s = self.clock() - start
            last = not self._another_fits()
            if last or len(self.values) >= point:
                self.looks.append(Look(len(self.values), 1.0 if last else self.spent_s / self.budget_s))
                point = next(p for p in points if p > len(self.values))
                if last or decide(self.stream(), self.alpha).verdict != "undecided":
                    break
        return self.stream()

    def stream(self) -> Stream:
        return Stream(np.array(self.values, dtype=np.float64), tuple(self.looks), self.tolerance)

    def _unit(self) -> None:
        value = self.measure()
        if value is None or not math.isfinite(value):
            self.failed = True
        else:
            self.values.append(value)

    def _another_fits(self) -> bool:
        """Judged by the mean cost of those taken, whatever they said of the effect."""
        each = self.spent_s / max(1, len(self.values))
        return not self.failed and self.spent_s + each <= self.budget_s
