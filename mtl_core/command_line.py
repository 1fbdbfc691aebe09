"""Runs a Typer application: bad input costs one line and exit code 2, a bug keeps its traceback."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from mtl_core.errors import UserError

BAD_INPUT, INTERRUPTED = 2, 130


def _fail(line: str) -> NoReturn:
    print("error: " + " ".join(line.split()), file=sys.stderr)
    raise SystemExit(BAD_INPUT)


def run(app: typer.Typer, prog: str) -> NoReturn:
    """Run and exit: 2 with one line for bad input, 130 for Ctrl-C, the command's own code otherwise."""
    command = typer.main.get_command(app)
    try:
        code = command.main(prog_name=prog, standalone_mode=False)
    except UserError as error:
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        if not hasattr(error, "format_message"):  # click's way to say that the usage is wrong
            raise
        _fail(error.format_message().rstrip())
    raise SystemExit(code if isinstance(code, int) else 0)
