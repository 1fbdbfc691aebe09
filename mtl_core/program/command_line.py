"""Runs a Typer application: bad input costs one line and exit code 2, a bug keeps its traceback."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from mtl_core.errors import UserError, visible

BAD_INPUT, INTERRUPTED, TERMINATED = 2, 130, 143


class Termination:
    """Hears SIGTERM as Ctrl-C, so that every command cleans up as it does then; :func:`run` tells them apart.

    Not as SystemExit, which pytest takes for a test that failed: it would measure on. Only the first is
    heard, lest the next one cut the clean-up short: ``timeout`` sends two.
    """

    def __init__(self) -> None:
        self.heard = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if not self.heard:
            self.heard = True
            raise KeyboardInterrupt

    def listen(self) -> None:
        """Begin, where nobody else decides what SIGTERM does."""
        mine = threading.current_thread() is threading.main_thread()
        if mine and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self)

    def end(self) -> None:
        """Leave SIGTERM as it was found, unless it came: then nothing else is heard until the end."""
        if not self.heard and signal.getsignal(signal.SIGTERM) is self:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


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
    _fail(_in_plain_words(message))


def _in_plain_words(message: str) -> str:
    """Without the words of pydantic, by which newer versions of Typer check values."""
    message = message.replace(": Value error, ", ": ", 1).replace(": Input should ", ": it should ", 1)
    return re.sub(r", unable to parse string as an? \w+$", "", message)


def run(app: typer.Typer, prog: str, *, hears_termination: bool = True) -> NoReturn:
    """Run and exit: 2 with one line for bad input, 130 for Ctrl-C, 143 for SIGTERM, else the command's code.

    ``hears_termination`` is not for a command that forks DataLoader workers: they inherit what is heard, a
    thread of MXNet's may get the signal, and Python never hears it; or one of them dies of a signal to the
    group with the lock of the pool's queue, which the pool's end waits for.

    Without any argument an application made with ``no_args_is_help`` shows its help, exit code 2.
    """
    command = typer.main.get_command(app)
    termination = Termination()
    if hears_termination:
        termination.listen()
    try:
        code = command.main(prog_name=prog, standalone_mode=False)
    except UserError as error:
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):  # by Typer's version; newer ones return 130 themselves
        code = INTERRUPTED
    except Exception as error:
        _fail_usage(error)
    finally:
        termination.end()
    if termination.heard and code == INTERRUPTED:
        code = TERMINATED
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
