"""The progress bar of a run, on standard error; nothing of it when that is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from bench.harness import schedule

SAID_EVERY_S = 20.0  # in a pipe
REDRAWN_HZ = 1  # drawing takes time from the machine that is measured


class Show(Protocol):
    """Called with the progress before each set-up."""

    def __call__(self, progress: schedule.Progress) -> None: ...


class Clock(ProgressColumn):
    """Time spent of the budget, and left: what a run that goes on had spent before counts."""

    def render(self, task: Task) -> Text:
        began = task.fields.get("began")
        if began is None or task.total is None:
            return Text("")
        return Text(_spent_and_left(time.monotonic() - began, task.total))


def _spent_and_left(spent_s: float, budget_s: float) -> str:
    return f"{_minutes(spent_s)} spent, {_minutes(max(budget_s - spent_s, 0.0))} left"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class Lines:
    """Progress as plain lines: the first of each part, and then one whenever 20 s went by without any."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.begun: set[str] = set()
        self.said_s = 0.0  # time spent at the last line

    def __call__(self, progress: schedule.Progress) -> None:
        if progress.group in self.begun and progress.spent_s - self.said_s < SAID_EVERY_S:
            return
        self.begun.add(progress.group)
        self.said_s = progress.spent_s
        clock = _spent_and_left(progress.spent_s, progress.budget_s)
        line = (
            f"measuring {progress.group}, {_counted(progress.blocks, 'set-up')} so far; "
            f"{progress.open_parts} of {_counted(progress.parts, 'part')} undecided; {clock}"
        )
        self.console.print(line, highlight=False, soft_wrap=True)


@contextmanager
def shown() -> Iterator[Show]:
    """The question being measured, time spent and time left; in a pipe a plain line every 20 s or so."""
    console = Console(file=sys.stderr)  # bound now: what pytest prints there is not for the reader
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=16), Clock())
    lines = Lines(console)
    with Progress(
        *columns, console=console, disable=not console.is_terminal, refresh_per_second=REDRAWN_HZ
    ) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: schedule.Progress) -> None:
            bar.update(
                task,
                description=f"{progress.group} ({_counted(progress.blocks, 'set-up')})",
                completed=min(progress.spent_s, progress.budget_s),
                total=progress.budget_s,
                began=time.monotonic() - progress.spent_s,
                refresh=True,
            )
            if not console.is_terminal:
                lines(progress)

        yield show


class TrialShown:
    """What a comparison says while it runs: lines, and how far the benchmark at hand is."""

    def __init__(self, console: Console, bar: Progress, budget_s: float) -> None:
        self.console, self.bar, self.budget_s = console, bar, budget_s
        self.task = bar.add_task("starting", total=None)
        self.announced: set[str] = set()

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def __call__(self, benchmark: str, units: int, spent_s: float) -> None:
        self.bar.update(
            self.task,
            description=f"{benchmark} ({_counted(units, 'invocation')})",
            completed=min(spent_s, self.budget_s),
            total=self.budget_s,
        )
        if not self.console.is_terminal and benchmark not in self.announced:
            self.announced.add(benchmark)
            self.say(f"measuring {benchmark}")


@contextmanager
def trial_shown(budget_s: float) -> Iterator[TrialShown]:
    """The benchmark being compared, time spent and the most that is left; plain lines in a pipe."""
    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, disable=not console.is_terminal, refresh_per_second=REDRAWN_HZ
    ) as bar:
        yield TrialShown(console, bar, budget_s)
