"""``python -m bench.worker``: what a coordinator starts, of this revision and of others.

The protocol's channel is opened and standard output taken away before anything of this checkout is imported
here: whatever its modules print as they are imported goes to standard error.
"""

from __future__ import annotations

import os

CHANNEL = "MTL_ANSWERS"  # the file descriptor that the coordinator hears; without it standard output


def take_channel() -> int:
    """The file descriptor for answers, kept from children and from all that prints."""
    given = os.environ.pop(CHANNEL, None)
    channel = os.dup(1) if given is None else int(given)
    os.set_inheritable(channel, False)
    os.dup2(2, 1)
    return channel


def take_commands() -> int:
    """The file descriptor of commands, kept from all that reads standard input: it is empty from now on."""
    commands = os.dup(0)
    nothing, end = os.pipe()
    os.close(end)
    os.dup2(nothing, 0)
    os.close(nothing)
    return commands


def start() -> None:
    """Take the channels, then serve."""
    hears_life = CHANNEL in os.environ  # a coordinator that gives no channel takes every line for an answer
    answers = os.fdopen(take_channel(), "w", encoding="utf-8")
    if hears_life:
        print('{"alive": "started"}', file=answers, flush=True)
    from bench.worker.process import main

    main(os.fdopen(take_commands(), encoding="utf-8"), answers, hears_life)


if __name__ == "__main__":
    start()
