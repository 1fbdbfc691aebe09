"""What this program hears is not heard in what it forks: a DataLoader's worker ends at once.

It has nothing to clean up, and a thread of MXNet's may get the signal there: Python would never hear of it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

HEARD: set[int] = set()  # signals


@contextmanager
def held_back() -> Iterator[None]:
    """What is heard waits for the end of the block, and what is forked in it has forgotten it by then.

    An exception in a hook of the fork would be lost, and so would the signal.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forget() -> None:
    for number in HEARD:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)


os.register_at_fork(after_in_child=_forget)
