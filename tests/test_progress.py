"""What is said while a run goes on, in a pipe."""

from __future__ import annotations

import io

from rich.console import Console

from bench.commands.progress import Lines
from bench.harness.schedule import Progress


def test_a_part_begins_with_a_line_and_silence_ends_after_twenty_seconds() -> None:
    said = io.StringIO()
    lines = Lines(Console(file=said, width=200))
    for group, spent_s, blocks in (("a/x", 0.0, 0), ("a/x", 5.0, 1), ("b/y", 8.0, 0), ("a/x", 27.0, 2)):
        lines(Progress(group, spent_s, 60.0, blocks, 1, 2))
    assert said.getvalue() == (
        "measuring a/x, 0 set-ups so far; 1 of 2 parts undecided; 0:00 spent, 1:00 left\n"
        "measuring b/y, 0 set-ups so far; 1 of 2 parts undecided; 0:08 spent, 0:52 left\n"
    )
    lines(Progress("a/x", 29.0, 60.0, 3, 0, 2))
    assert said.getvalue().endswith(
        "measuring a/x, 3 set-ups so far; 0 of 2 parts undecided; 0:29 spent, 0:31 left\n"
    )
