"""What is said of a run while it goes on, as plain lines."""

from __future__ import annotations

from collections.abc import Callable

from bench.harness.schedule import Progress
from bench.records.numbers import counted

SAID_EVERY_S = 20.0


def spent_and_left(spent_s: float, budget_s: float) -> str:
    """``0:08 spent, 0:52 left``."""
    return f"{_minutes(spent_s)} spent, {_minutes(max(budget_s - spent_s, 0.0))} left"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Lines:
    """A line at the beginning of each part, and then one whenever 20 s went by without any."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.begun: set[str] = set()
        self.said_s = 0.0  # time spent at the last line

    def __call__(self, progress: Progress) -> None:
        if progress.group in self.begun and progress.spent_s - self.said_s < SAID_EVERY_S:
            return
        self.begun.add(progress.group)
        self.said_s = progress.spent_s
        clock = spent_and_left(progress.spent_s, progress.budget_s)
        self.say(
            f"measuring {progress.group}, {counted(progress.blocks, 'set-up')} so far; "
            f"{progress.open_parts} of {counted(progress.parts, 'part')} undecided; {clock}"
        )
