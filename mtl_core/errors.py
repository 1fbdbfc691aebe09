"""The errors a user can mend: one line, naming the thing, what was expected, what to do; and exit codes."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from enum import IntEnum
from types import TracebackType


class ExitCode(IntEnum):
    """What every command ends with; docs/ci.md has the table."""

    GOOD = 0
    SLOWER = 1  # something became slower, and nothing else
    BAD_INPUT = 2  # or a missing prerequisite, or an output that cannot be written
    UNDECIDED = 3  # with --strict
    COUNTERS_CHANGED = 4
    VARIANTS_FAILED = 5  # or are gone
    MEASURED_NOTHING = 6
    BUG = 70  # of ours, with its traceback; BSD's EX_SOFTWARE
    HUNG_UP = 129  # as a shell names what ended by SIGHUP, SIGINT, SIGPIPE and SIGTERM
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    TERMINATED = 143


OUT_OF_MEMORY = ("failed to map segment", "cannot allocate memory")  # as the system's loader says it
FULL_STORAGE = "static tls"  # of threads, which the loader says cannot be allocated: no memory would help


def lacks_memory(error: BaseException) -> bool:
    """Whether it says that there was too little memory, in Python's words or the system's."""
    words = " ".join(str(error).lower().split())
    return isinstance(error, MemoryError) or (
        FULL_STORAGE not in words and any(each in words for each in OUT_OF_MEMORY)
    )


LONGEST_LINE = 4_000  # characters of a line that is told


def visible(text: str) -> str:
    """Text in one line, whatever is not visible as its escape: a name in it must not act on a terminal.

    Of a long one the middle is left out: nobody reads megabytes of somebody's error.
    """
    more = len(text) - LONGEST_LINE
    if more > 0:
        half = LONGEST_LINE // 2
        text = f"{text[:half]} ... {more:,} characters ... {text[-half:]}"
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)


class UserError(Exception):
    """Bad input or a missing prerequisite; the command line prints it in one line and exits with its code."""

    code = ExitCode.BAD_INPUT

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the line, as the command line does."""
        return [f"error: {visible(str(self))}"]


class NothingMeasuredError(UserError):
    """What was to be measured could not be: exit code 6."""

    code = ExitCode.MEASURED_NOTHING


def too_many_files(error: BaseException) -> UserError | None:
    """What to say where the system lets this process open no more files; None of any other error."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return UserError(
            f"too many open files ({error.strerror}): raise the limit, such as with ulimit -n 1024"
        )
    return None


def _told_as_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    traceback.print_exception(kind, error, trace)
    sys.stderr.flush()
    os._exit(ExitCode.INTERRUPTED if issubclass(kind, KeyboardInterrupt) else ExitCode.BUG)


def open_closed_streams() -> None:
    """Have standard streams that were closed read and write nothing, as a detached program expects of them.

    Else the next file that is opened gets the stream's number, and whatever is printed ends in it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
            os.set_inheritable(nothing, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def tell_bugs_apart() -> None:
    """From here on what nobody catches ends the program with 70: Python's own code, 1, means slower here.

    For what goes wrong while modules are imported, before :func:`mtl_core.program.command_line.run`.
    """
    open_closed_streams()
    sys.excepthook = _told_as_bug
