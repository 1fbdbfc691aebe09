"""Programs started as a terminal starts them; none outlives the test, however that ends."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent
OURS = ("COLUMNS", "NO_COLOR", "NOX_CURRENT_SESSION")  # of the environment that tests run in


@contextmanager
def in_terminal(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The program in a process group of its own, which heeds Ctrl-C and is 80 columns wide.

    A shell starts what it puts in the background with SIGINT ignored, and children inherit that: tests
    run so would wait for ever for what they interrupt. A handled signal is at its default in a child.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        running = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
            env={**os.environ, "COLUMNS": "80", **environment},
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


@contextmanager
def in_pty(*command: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The program with a terminal of 80 columns of its own, and this end of it; closing it hangs up."""
    here, there = os.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    running = subprocess.Popen(
        command,
        stdin=there,
        stdout=there,
        stderr=there,
        cwd=folder,
        start_new_session=True,
        preexec_fn=_as_controlling,
        env={name: value for name, value in environment.items() if name not in OURS},
    )
    os.close(there)
    with running:
        try:
            yield running, here
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            with suppress(OSError):  # closed by the test
                os.close(here)


def _as_controlling() -> None:
    """As a shell in that terminal starts it, whatever was ignored where the tests were started."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def all_said(terminal: int) -> Iterator[bytes]:
    """What comes out of a terminal until the program at its other end is gone."""
    with suppress(OSError):  # Linux's way to tell the end
        while piece := os.read(terminal, 4096):
            yield piece
