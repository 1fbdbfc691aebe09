"""Runs a Typer application: bad input costs one line and code 2, a bug keeps its traceback and has 70."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TextIO, cast

import typer

from mtl_core.errors import ExitCode, UserError, open_closed_streams, too_many_files, visible
from mtl_core.program.termination import Termination, into_nothing

# What a stream answers that has no room, or that was opened for reading.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EBADF)


def _fail(line: str, code: ExitCode = ExitCode.BAD_INPUT) -> NoReturn:
    _complain("error: " + visible(line))
    raise SystemExit(code)


class Complaints:
    """Standard error that goes on into nothing once nobody reads it: no work is lost for that."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._or_nothing():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._or_nothing():
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            into_nothing(2)


def _complain(lines: str) -> None:
    print(lines, file=sys.stderr, flush=True)


def _fail_usage(error: Exception) -> NoReturn:
    """Say what is wrong with the arguments; raise what is no complaint about them."""
    if not hasattr(error, "format_message"):  # click's way to say that the usage is wrong
        raise error
    message: str = error.format_message().rstrip()
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
        _complain(message)
        raise SystemExit(ExitCode.BAD_INPUT)
    _fail(_in_plain_words(message))


def _in_plain_words(message: str) -> str:
    """Without the words of pydantic, by which newer versions of Typer check values."""
    message = message.replace(": Value error, ", ": ", 1).replace(": Input should ", ": it should ", 1)
    return re.sub(r", unable to parse string as an? \w+$", "", message)


def _output_error() -> OSError | None:
    """Why standard output cannot be written; None where it can. What it still holds is dropped then."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        into_nothing(1)  # else Python complains of the rest at its end
        return error
    return None


def _refused_by_output(error: Exception) -> OSError | None:
    """The error, where it is that of a device without room and standard output has none.

    What failed once is not kept to be written again, so that only another byte tells.
    """
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        try:
            os.write(1, b"\n")
        except OSError:
            return error
    return None


def _came_of_a_closed_pipe(error: BaseException | None) -> bool:
    """Typer and rich make SystemExit(1) of a reader that is gone."""
    while error is not None and not isinstance(error, BrokenPipeError):
        error = error.__context__
    return error is not None


def _fail_without_output(error: OSError) -> NoReturn:
    """A reader that has seen enough (``| head``) ends it quietly, as SIGPIPE does; a full disk in a line."""
    if isinstance(error, BrokenPipeError):
        raise SystemExit(ExitCode.OUTPUT_CLOSED)
    _fail(f"standard output cannot be written ({error.strerror or error}); choose another place for it")


def _fail_as_bug(error: Exception) -> NoReturn:
    """What nobody foresaw keeps its traceback; but for what the machine refused."""
    refused = too_many_files(error)
    if refused is not None:
        _fail(str(refused))
    if isinstance(error, FileNotFoundError) and _folder_is_gone():
        _fail("the current folder was removed; change into one that is there")
    _complain("".join(traceback.format_exception(error)).rstrip("\n"))
    raise SystemExit(ExitCode.BUG)


def _folder_is_gone() -> bool:
    """Whether somebody removed the folder that one stands in."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _forget_useless_width() -> None:
    """A COLUMNS that is no width is as good as none: in no columns at all nothing would be printed."""
    width = os.environ.get("COLUMNS", "").strip()
    if not (width.isdecimal() and int(width) > 0):
        os.environ.pop("COLUMNS", None)


def run(app: typer.Typer, prog: str) -> NoReturn:
    """Run and exit with one of :class:`ExitCode`, or the command's own.

    Without any argument an application made with ``no_args_is_help`` shows its help, exit code 2.
    """
    open_closed_streams()
    sys.stderr = cast("TextIO", Complaints(sys.stderr))
    _forget_useless_width()
    termination = Termination()
    termination.listen()
    try:
        code = _ended(app, prog)
    except BaseException:
        if termination.heard == signal.SIGHUP:  # the terminal is gone, and with it whoever would read why
            raise SystemExit(int(ExitCode.HUNG_UP)) from None
        raise
    finally:
        termination.end()
    lost = _output_error()
    if lost is not None:
        _fail_without_output(lost)
    code = termination.code(code)
    raise SystemExit(int(code) if isinstance(code, int) else 0)


def _ended(app: typer.Typer, prog: str) -> object:
    """The command's exit code; SystemExit for what ends in a line."""
    try:
        return typer.main.get_command(app).main(prog_name=prog, standalone_mode=False)
    except UserError as error:
        _fail(str(error), error.code)
    except (KeyboardInterrupt, typer.Abort):  # by Typer's version; newer ones return 130 themselves
        return ExitCode.INTERRUPTED
    except SystemExit as ended:
        if _came_of_a_closed_pipe(ended.__context__):
            _fail_without_output(BrokenPipeError())
        raise
    except Exception as error:
        lost = _output_error() or _refused_by_output(error)
        if lost is not None or isinstance(error, BrokenPipeError):
            _fail_without_output(lost or BrokenPipeError())
        try:
            _fail_usage(error)
        except Exception as bug:
            _fail_as_bug(bug)
