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
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from bench.harness import schedule
from bench.harness.lines import Lines, spent_and_left
from bench.records.numbers import counted

REDRAWN_HZ = 1  # drawing takes time from the machine that is measured


class Show(Protocol):
    """Called with the progress before each set-up."""

    def __call__(self, progress: schedule.Progress) -> None: ...

    def say(self, line: str) -> None:
        """A line that stays."""


class Clock(ProgressColumn):
    """Time spent of the budget, and left, of the whole; of a question what is decided.

    What a run that goes on had spent before counts.
    """

    def render(self, task: Task) -> Text:
        began = task.fields.get("began")
        if began is None or task.total is None:
            return Text(task.fields.get("said", ""))
        return Text(spent_and_left(time.monotonic() - began, task.total))


class RunShown:
    """A bar a question with what is decided of it, below them the time; in a pipe lines.

    A part that is decided may be measured again, for a narrower interval.
    """

    def __init__(self, console: Console, bar: Progress) -> None:
        self.console, self.bar, self.lines = console, bar, Lines(self.say)
        self.questions: dict[str, TaskID] = {}
        self.whole = bar.add_task("starting", total=None, said="")

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def __call__(self, progress: schedule.Progress) -> None:
        if not self.console.is_terminal:
            self.lines(progress)
            return
        for name, (closed, parts) in progress.decided.items():
            if name not in self.questions:
                self.questions[name] = self.bar.add_task(name, total=parts, said="")
            said = f"{closed} of {counted(parts, 'part')} decided"
            self.bar.update(self.questions[name], completed=closed, total=parts, said=said)
        for name in self.questions.keys() - progress.decided.keys():
            self.bar.update(self.questions[name], said="left out")
        self.bar.update(
            self.whole,
            description=f"{progress.group} ({counted(progress.blocks, 'set-up')})",
            completed=min(progress.spent_s, progress.budget_s),
            total=progress.budget_s,
            began=time.monotonic() - progress.spent_s,
            refresh=True,
        )


@contextmanager
def shown() -> Iterator[RunShown]:
    """What is decided of each question, time spent and time left; in a pipe a plain line every 20 s or so."""
    console = Console(file=sys.stderr)  # bound now: what pytest prints there is not for the reader
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=16), Clock())
    with Progress(
        *columns, console=console, disable=not console.is_terminal, refresh_per_second=REDRAWN_HZ
    ) as bar:
        yield RunShown(console, bar)


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
            description=f"{benchmark} ({counted(units, 'invocation')})",
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
