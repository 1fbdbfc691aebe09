"""Progress where one is: a line of a notebook that changes in place, or a terminal's bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.commands import progress
from bench.harness.schedule import Progress
from bench.records.numbers import counted

CHANGED_EVERY_S = 1.0  # at most: each change is a message to the browser

Display = Callable[..., Any]


def notebooks_display() -> Display | None:
    """What shows a thing below the cell that runs; None where no notebook is."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython
    from IPython.display import display

    shell = get_ipython()
    return display if hasattr(shell, "kernel") else None


class InPlace:
    """One line of a notebook, changed as measuring goes on."""

    def __init__(self, display: Display, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock, self.changed_s = clock, clock()
        self.last: Progress | None = None
        self.line = display(_as_text("measuring ..."), raw=True, display_id=True)

    def say(self, line: str) -> None:
        """Below what is drawn."""
        print(line, file=sys.stderr)

    def __call__(self, progress: Progress) -> None:
        now, first = self.clock(), self.last is None
        self.last = progress
        if first or now - self.changed_s >= CHANGED_EVERY_S:
            self.changed_s = now
            self.line.update(_as_text(progress_line(progress)), raw=True)

    def end(self) -> None:
        """What is left to be seen: how long it took."""
        spent = "" if self.last is None else f" in some {self.last.spent_s:.0f} s"
        self.line.update(_as_text(f"measured{spent}"), raw=True)


def progress_line(now: Progress) -> str:
    """``heads/step: 3 set-ups, 12 of 30 s``."""
    return (
        f"measuring {now.group}: {counted(now.blocks, 'set-up')}, {now.spent_s:.0f} of {now.budget_s:.0f} s"
    )


def _as_text(line: str) -> dict[str, str]:
    return {"text/plain": line}


@contextmanager
def shown() -> Iterator[progress.Show]:
    """How far measuring is, below a notebook's cell or on standard error."""
    display = notebooks_display()
    if display is None:
        with progress.shown() as show:
            yield show
        return
    line = InPlace(display)
    try:
        yield line
    finally:
        line.end()
