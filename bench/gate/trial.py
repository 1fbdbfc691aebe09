"""One benchmark's trial: unit after unit until it is decided or its budget is spent.

A unit is an invocation: fresh processes for both sides, a few set-ups in them, a number each. Processes
are what is independent; the set-ups of one process share whatever is particular to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bench.stats.ratios import Effects, stacked
from bench.stats.rest import AtRest
from bench.stats.sequential import Look, Stream, decide, grid

NEAR = 1.3  # times as many units as the budget will have held


@dataclass
class Trial:
    """Takes units while they fit the budget and looks at them on the grid; knows nothing of workers.

    ``measure`` gives the log ratios of a unit's set-ups, or None when a side failed: then the trial is over.
    """

    measure: Callable[[], Effects | AtRest | None]
    budget_s: float
    alpha: float
    tolerance: float
    show: Callable[[int, float], None] = lambda units, spent_s: None
    clock: Callable[[], float] = time.monotonic
    units: list[Effects | AtRest] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    failed: bool = False
    spent_s: float = 0.0

    def run(self) -> Stream:
        """The stream; its last look decided it, or spent the budget."""
        start = self.clock()
        while not self.failed:
            self.show(len(self.units), self.spent_s)
            self._unit()
            self.spent_s = self.clock() - start
            last = not self._another_fits()
            if last or (len(self.units) >= self._next_look() and not self._last_is_near()):
                self.looks.append(Look(len(self.units), 1.0 if last else self.spent_s / self.budget_s))
                if last or decide(self.stream(), self.alpha).verdict != "undecided":
                    break
        return self.stream()

    def stream(self) -> Stream:
        return Stream(stacked(self.units), tuple(self.looks), self.tolerance)

    def _unit(self) -> None:
        unit = self.measure()
        if unit is None or not np.isfinite(unit.values).all():
            self.failed = True
        else:
            self.units.append(unit)

    def _next_look(self) -> int:
        """The point of the grid that is due: the first beyond the units of the last look."""
        looked_at = self.looks[-1].n if self.looks else 0
        at_rest = any(isinstance(unit, AtRest) for unit in self.units)
        return next(point for point in grid(at_rest) if point > looked_at)

    def _last_is_near(self) -> bool:
        """Whether the budget holds so few more units that a look now would only take from the last look.

        Judged by cost alone, as the next.
        """
        return self.budget_s / (self.spent_s / len(self.units)) < NEAR * len(self.units)

    def _another_fits(self) -> bool:
        """Judged by the mean cost of those taken, whatever they said of the effect."""
        each = self.spent_s / max(1, len(self.units))
        return not self.failed and self.spent_s + each <= self.budget_s
