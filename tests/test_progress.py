"""What is said while a run goes on: lines in a pipe, bars in a terminal."""

from __future__ import annotations

import io

from rich.console import Console
from rich.progress import Progress as Bars

from bench.commands.progress import RunShown
from bench.harness.lines import Lines
from bench.harness.schedule import Progress


def test_a_part_begins_with_a_line_and_silence_ends_after_twenty_seconds() -> None:
    said: list[str] = []
    lines = Lines(said.append)
    for group, spent_s, blocks in (("a/x", 0.0, 0), ("a/x", 5.0, 1), ("b/y", 8.0, 0), ("a/x", 27.0, 2)):
        lines(Progress(group, spent_s, 60.0, blocks, 1, 2))
    assert said == [
        "measuring a/x, 0 set-ups so far; 1 of 2 parts undecided; 0:00 spent, 1:00 left",
        "measuring b/y, 0 set-ups so far; 1 of 2 parts undecided; 0:08 spent, 0:52 left",
    ]
    lines(Progress("a/x", 29.0, 60.0, 3, 0, 2))
    assert said[2:] == ["measuring a/x, 3 set-ups so far; 0 of 2 parts undecided; 0:29 spent, 0:31 left"]


def test_a_terminal_has_a_bar_a_question_and_what_is_decided_of_it() -> None:
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=True, color_system=None)
    bars = Bars(*Bars.get_default_columns(), console=console, disable=True)
    shown = RunShown(console, bars)
    shown(Progress("drift/epoch", 5.0, 60.0, 1, 3, 4, {"drift": (0, 1), "hybridize": (1, 3)}))
    said = {task.description: task.fields["said"] for task in bars.tasks}
    assert said["drift"] == "0 of 1 part decided" and said["hybridize"] == "1 of 3 parts decided"
    assert "drift/epoch (1 set-up)" in said
    shown(Progress("hybridize/step", 9.0, 60.0, 1, 2, 3, {"hybridize": (2, 3)}))
    said = {task.description: task.fields["said"] for task in bars.tasks}
    assert said["drift"] == "left out" and said["hybridize"] == "2 of 3 parts decided"
    shown.say("--quick needs about 75 s here")
    assert "--quick needs about 75 s here" in file.getvalue()
