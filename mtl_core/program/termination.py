"""SIGTERM and SIGHUP end a command as Ctrl-C does: with everything cleaned up, and no child left behind."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

from mtl_core.errors import ExitCode
from mtl_core.platform import forking


class Termination:
    """Hears SIGTERM and SIGHUP as Ctrl-C, so that every command cleans up as it does then; :meth:`code` tells
    them apart.

    Not as SystemExit, which pytest takes for a test that failed: it would measure on. Only the first is
    heard, lest the next one cut the clean-up short: ``timeout`` sends two.

    A forked child, such as a DataLoader's worker, ends by them at once (:mod:`mtl_core.platform.forking`).
    """

    CODES: ClassVar[dict[int, ExitCode]] = {
        signal.SIGTERM: ExitCode.TERMINATED,
        signal.SIGHUP: ExitCode.HUNG_UP,
    }

    def __init__(self) -> None:
        self.heard: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.note(number):
            raise KeyboardInterrupt

    def note(self, number: int) -> bool:
        """Remember which signal it was; whether it is the first."""
        if self.heard is not None:
            return False
        self.heard = number
        if number == signal.SIGHUP:
            _leave_terminal()
        return True

    def listen(self) -> None:
        """Begin, where nobody else decides what these signals do: nohup ignores one."""
        if threading.current_thread() is threading.main_thread():
            for number in self.CODES:
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, self)
                    forking.HEARD.add(number)

    def end(self) -> None:
        """Leave both as they were found, unless one came: then nothing else is heard until the end."""
        for number in self.CODES:
            if self.heard is None and signal.getsignal(number) is self:
                signal.signal(number, signal.SIG_DFL)
        forking.HEARD.clear()

    def code(self, code: object) -> object:
        """Which of the signals it was that ended a command as Ctrl-C does."""
        return code if self.heard is None or code != ExitCode.INTERRUPTED else self.CODES[self.heard]


def into_nothing(descriptor: int) -> None:
    """What is written to it from here on goes nowhere."""
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), descriptor)


def _leave_terminal() -> None:
    """Write what is said into nothing: the terminal is gone, and a clean-up must not stop at it."""
    for stream in (1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(stream).st_mode):  # one that is gone is no terminal any more
                into_nothing(stream)


@contextmanager
def interrupted_between() -> Iterator[Callable[[], None]]:
    """Ctrl-C, and what a :class:`Termination` hears, is heeded in the block where the function it yields is
    called, and at the block's end.

    An exception in the middle of one of MXNet's calls leaves half an array behind, which complains when
    it is collected. A second Ctrl-C does not wait. Nothing changes for a signal that is ignored or handled
    by another than Python.
    """
    replaced: dict[int, Any] = {}
    heard = False

    def hear(number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        handler = replaced[number]
        if isinstance(handler, Termination):
            handler.note(number)
        else:
            signal.signal(number, handler)
        heard = True

    def check() -> None:
        if heard:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, *Termination.CODES):
        handler = signal.getsignal(number)
        if handler is signal.default_int_handler or isinstance(handler, Termination):
            replaced[number] = handler
            signal.signal(number, hear)
    try:
        yield check
    except Exception:  # a signal to the group ends DataLoader workers as well, which is noticed first
        check()
        raise
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
    check()
