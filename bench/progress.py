"""The progress bar of a run, on standard error; nothing of it when that is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench import schedule


class Show(Protocol):
    """Called with the progress before each set-up."""

    def __call__(self, progress: schedule.Progress) -> None: ...


@contextmanager
def shown() -> Iterator[Show]:
    """The question being measured, time spent and time left; one plain line a question in a pipe."""
    console = Console(file=sys.stderr)  # bound now: what pytest prints there is not for the reader
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    told: set[str] = set()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: schedule.Progress) -> None:
            bar.update(
                task,
                description=f"{progress.group} ({progress.blocks} set-ups)",
                completed=min(progress.spent_s, progress.budget_s),
                total=progress.budget_s,
            )
            if not console.is_terminal and progress.group not in told:
                told.add(progress.group)
                console.print(f"measuring {progress.group}", highlight=False)

        yield show
