"""``python -m bench``: every command in a line; ``bench/commands`` has a module for each."""

from __future__ import annotations

from mtl_core.platform.theirs_last import theirs_last

if __name__ == "__main__":
    theirs_last()

import sys
from pathlib import Path

from mtl_core.errors import tell_bugs_apart

if __name__ == "__main__":
    tell_bugs_apart()

import typer

from bench.commands.compare import compare
from bench.commands.export import export
from bench.commands.history import history
from bench.commands.machine import machine
from bench.commands.peers import peers
from bench.commands.profile import profile
from bench.commands.regress import regress
from bench.commands.report import report
from bench.commands.run import SCRIPT, run
from bench.commands.trust import trust
from bench.commands.work import work
from mtl_core.program.command_line import run as run_command_line

app = typer.Typer(no_args_is_help=True)


@app.callback()
def commands() -> None:
    """Benchmarks of a multi-task network in MXNet Gluon, with an interval on every answer."""


for command in (run, report, regress, compare, history, profile, work, trust, export, peers, machine):
    app.command()(command)


def main() -> None:
    """Entry point of ``python -m bench``, and of ``mtl-bench``, which does the same from any folder."""
    installed = Path(sys.argv[0]).name.startswith(SCRIPT)
    run_command_line(app, SCRIPT if installed else "python -m bench")


if __name__ == "__main__":
    main()
