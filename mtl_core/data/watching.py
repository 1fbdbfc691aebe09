"""DataLoader workers that died are noticed while a batch is waited for, and their pool ends without them.

A pool starts another worker in place of one that died and forgets the batch it had: whoever waits for that
batch waits until Gluon's time is over, 120 s.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.pool import TERMINATE
from typing import Any

from mtl_core.errors import UserError
from mtl_core.platform.segments import SEGMENTS

LONGEST_END_S = 20.0  # of a pool by itself; it takes a fraction of a second
LONGEST_END_WITHOUT_S = 1.0  # of the same, since one of its workers has died, be it by the pool's own hand
LOOKS = 10  # at exit codes, when a worker does not hand a batch over
LOOK_EVERY_S = 0.1  # at exit codes, while a batch is not there; one that arrives ends the wait at once
NOT_HANDED_OVER = (ConnectionError, EOFError, FileNotFoundError)  # what a batch ends in whose worker is gone
CAUSES = {
    signal.SIGKILL: "most likely the memory was used up",
    signal.SIGBUS: f"most likely {SEGMENTS} is full",
}


def watch(pool: Any, processes: Sequence[Any]) -> None:
    """Have what the pool is asked for raise UserError as soon as one of its processes has died."""
    pool.apply_async = partial(_asked, pool.apply_async, processes)
    pool.terminate = partial(_end, pool, processes, pool.terminate)
    pool.join = partial(_join, pool, pool.join)


def died(processes: Sequence[Any]) -> str | None:
    """How the first one that is gone ended; None while all of them live."""
    codes = [process.exitcode for process in processes]
    code = next((code for code in codes if code is not None), None)
    if code is None:
        return None
    if code >= 0:
        return f"ended with exit code {code}"
    number = signal.Signals(-code)
    return f"was ended by {number.name}" + (f" ({CAUSES[number]})" if number in CAUSES else "")


class Watched:
    """A batch on its way, as :class:`multiprocessing.pool.AsyncResult` is one."""

    def __init__(self, result: Any, processes: Sequence[Any]) -> None:
        self.result = result
        self.processes = processes

    def get(self, timeout: float) -> Any:
        """The batch. Raises UserError when a worker dies meanwhile, TimeoutError when the time is over."""
        for _ in range(math.ceil(timeout / LOOK_EVERY_S)):
            self.result.wait(LOOK_EVERY_S)
            if self.result.ready():
                break
            ending = died(self.processes)
            if ending:
                raise _lost(ending)
        return self.result.get(0)


def handed_over(loader: Any) -> Iterator[Any]:
    """The batches of a DataLoader; UserError for one that its worker did not live to hand over.

    A batch that is there still has to be fetched from the worker's shared memory, through a socket.
    """
    try:
        yield from loader
    except NOT_HANDED_OVER:
        ending = getattr(getattr(loader, "_worker_pool", None), "ending", None)
        if ending is None:
            raise
        raise _lost(ending) from None


def _died_soon(processes: Sequence[Any]) -> str | None:
    """How the first one ended, whose socket may be closed some time before it is gone."""
    for _ in range(LOOKS):
        ending = died(processes)
        if ending is not None:
            return ending
        time.sleep(LOOK_EVERY_S)
    return None


def _lost(ending: str) -> UserError:
    return UserError(
        f"a DataLoader worker {ending}: take fewer workers or smaller batches, or give them more memory"
    )


def _asked(apply_async: Any, processes: Sequence[Any], *arguments: Any, **options: Any) -> Watched:
    return Watched(apply_async(*arguments, **options), processes)


def _end(pool: Any, processes: Sequence[Any], terminate: Any) -> None:
    """As the pool ends itself, but where a worker died: it may have held a lock that this would wait for.

    So may one that dies only now, by the pool itself or by the signal that ends this program: it is waited
    for no longer than that takes.
    """
    if pool._state == TERMINATE:
        return
    # Gluon ends its pool before it lets an error out: afterwards all of them are gone.
    failed = isinstance(sys.exc_info()[1], NOT_HANDED_OVER)
    pool.ending = _died_soon(processes) if failed else died(processes)
    if pool.ending is None:
        ending = threading.Thread(target=terminate, daemon=True)
        ending.start()
        if _is_over(ending, processes):
            return
    pool._state = pool._worker_handler._state = TERMINATE  # nobody is started any more
    pool._change_notifier.put(None)
    pool._worker_handler.join()
    for process in {*processes, *pool._pool}:
        process.kill()
        process.join()
    pool._terminate.cancel()  # what would do it at the end of this program
    pool.abandoned = True


def _is_over(ending: threading.Thread, processes: Sequence[Any]) -> bool:
    """Whether the pool has ended itself in the time that it may take."""
    deadline = time.monotonic() + LONGEST_END_S
    without = False
    while ending.is_alive() and time.monotonic() < deadline:
        ending.join(LOOK_EVERY_S)
        if not without and died(processes):
            without, deadline = True, min(deadline, time.monotonic() + LONGEST_END_WITHOUT_S)
    return not ending.is_alive()


def _join(pool: Any, join: Any) -> None:
    """Wait for the pool's threads, unless one of them waits for a dead worker: they go with the program."""
    if not getattr(pool, "abandoned", False):
        join()
