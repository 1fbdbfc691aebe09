"""Runs a Typer application: bad input costs one line and code 2, a bug keeps its traceback and has 70."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import ClassVar, NoReturn, TextIO, cast

import typer

from mtl_core.errors import ExitCode, UserError, open_closed_streams, too_many_files, visible

# What a stream answers that has no room, or that was opened for reading.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EBADF)


class Termination:
    """Hears SIGTERM and SIGHUP as Ctrl-C, so that every command cleans up as it does then; :func:`run` tells
    them apart.

    Not as SystemExit, which pytest takes for a test that failed: it would measure on. Only the first is
    heard, lest the next one cut the clean-up short: ``timeout`` sends two.
    """

    CODES: ClassVar[dict[int, ExitCode]] = {
        signal.SIGTERM: ExitCode.TERMINATED,
        signal.SIGHUP: ExitCode.HUNG_UP,
    }

    def __init__(self) -> None:
        self.heard: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.heard is None:
            self.heard = number
            if number == signal.SIGHUP:
                _leave_terminal()
            raise KeyboardInterrupt

    def listen(self) -> None:
        """Begin, where nobody else decides what these signals do: nohup ignores one."""
        if threading.current_thread() is threading.main_thread():
            for number in self.CODES:
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, self)

    def end(self) -> None:
        """Leave both as they were found, unless one came: then nothing else is heard until the end."""
        for number in self.CODES:
            if self.heard is None and signal.getsignal(number) is self:
                signal.signal(number, signal.SIG_DFL)

    def code(self, code: object) -> object:
        """Which of the signals it was that ended a command as Ctrl-C does."""
        return code if self.heard is None or code != ExitCode.INTERRUPTED else self.CODES[self.heard]


def _into_nothing(descriptor: int) -> None:
    """What is written to it from here on goes nowhere."""
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), descriptor)


def _leave_terminal() -> None:
    """Write what is said into nothing: the terminal is gone, and a clean-up must not stop at it."""
    for stream in (1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(stream).st_mode):  # one that is gone is no terminal any more
                _into_nothing(stream)


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
            _into_nothing(2)


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
        _into_nothing(1)  # else Python complains of the rest at its end
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


def run(app: typer.Typer, prog: str, *, hears_termination: bool = True) -> NoReturn:
    """Run and exit with one of :class:`ExitCode`, or the command's own.

    ``hears_termination`` is not for a command that forks DataLoader workers: they inherit what is heard, a
    thread of MXNet's may get the signal, and Python never hears it; or one of them dies of a signal to the
    group with the lock of the pool's queue, which the pool's end waits for.

    Without any argument an application made with ``no_args_is_help`` shows its help, exit code 2.
    """
    open_closed_streams()
    sys.stderr = cast("TextIO", Complaints(sys.stderr))
    _forget_useless_width()
    termination = Termination()
    if hears_termination:
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
