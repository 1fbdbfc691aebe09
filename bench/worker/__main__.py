"""``python -m bench.worker``: what a coordinator starts, of this revision and of others.

The protocol's channel is opened and standard output taken away before anything of this checkout is imported
here: whatever its modules print as they are imported goes to standard error.
"""

from __future__ import annotations

import os
import sys

CHANNEL = "MTL_ANSWERS"  # the file descriptor that the coordinator hears; without it standard output


def take_channel() -> int:
    """The file descriptor for answers, kept from children and from all that prints."""
    given = os.environ.pop(CHANNEL, None)
    channel = os.dup(1) if given is None else int(given)
    os.set_inheritable(channel, False)
    os.dup2(2, 1)
    return channel


def start() -> None:
    """Take the channel, then serve."""
    hears_life = CHANNEL in os.environ  # a coordinator that gives no channel takes every line for an answer
    answers = os.fdopen(take_channel(), "w", encoding="utf-8")
    if hears_life:
        print('{"alive": "started"}', file=answers, flush=True)
    from bench.worker.process import main

    main(sys.stdin, answers, hears_life)


if __name__ == "__main__":
    start()
