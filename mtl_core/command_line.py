"""Runs a Typer application: bad input costs one line and exit code 2, a bug keeps its traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from mtl_core.errors import UserError, visible

BAD_INPUT, INTERRUPTED = 2, 130


def _fail(line: str) -> NoReturn:
    print("error: " + visible(line), file=sys.stderr)
    raise SystemExit(BAD_INPUT)


def _fail_usage(error: Exception) -> NoReturn:
    """Say what is wrong with the arguments; raise what is no complaint about them."""
    if not hasattr(error, "format_message"):  # click's way to say that the usage is wrong
        raise error
    message: str = error.format_message().rstrip()
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
        print(message, file=sys.stderr)
        raise SystemExit(BAD_INPUT)
    _fail(message)


def run(app: typer.Typer, prog: str) -> NoReturn:
    """Run and exit: 2 with one line for bad input, 130 for Ctrl-C, the command's own code otherwise.

    Without any argument an application made with ``no_args_is_help`` shows its help, exit code 2.
    """
    command = typer.main.get_command(app)
    try:
        code = command.main(prog_name=prog, standalone_mode=False)
    except UserError as error:
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):  # by Typer's version; newer ones return 130 themselves
        code = INTERRUPTED
    except Exception as error:
        _fail_usage(error)
    raise SystemExit(code if isinstance(code, int) else 0)


@contextmanager
def interrupted_between() -> Iterator[Callable[[], None]]:
    """Ctrl-C in the block is heard where the function it yields is called, and at the block's end.

    An exception in the middle of one of MXNet's calls leaves half an array behind, which complains when
    it is collected. A second Ctrl-C does not wait. Nothing changes where SIGINT is ignored or handled by
    another than Python.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: None
        return
    heard = False

    def hear(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        heard = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def check() -> None:
        if heard:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, hear)
    try:
        yield check
        check()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
