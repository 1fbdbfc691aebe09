"""Programs started as a terminal starts them; none outlives the test, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent


@contextmanager
def in_terminal(*command: str) -> Iterator[subprocess.Popen[str]]:
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
            env={**os.environ, "COLUMNS": "80"},
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
