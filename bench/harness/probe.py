"""Whether MXNet computes on a device at all, tried in a worker: a driver may promise what MXNet cannot do."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from bench.harness.pool import WorkerFailedError, WorkerHandle, WorkerProcess


@cache  # each takes the seconds of a process
def trouble_on(device: str, start: Callable[[dict[str, str]], WorkerHandle] = WorkerProcess) -> str | None:
    """Why MXNet does not compute on ``device``, such as ``gpu(0)``; None where it does."""
    worker = start({})
    try:
        said: str | None = worker.ask("probe", device=device)["trouble"]
    except WorkerFailedError as failure:  # a driver can end the process, too
        said = "; ".join([failure.reason, *failure.last_lines[-1:]])
    finally:
        worker.end()
    return said and f"MXNet does not compute on {device}: {said}"


def nothing_computes(devices: tuple[str, ...]) -> str | None:
    """Why MXNet computes on none of these; None where it does on one, since each fails by itself then."""
    troubles = [trouble_on(device) for device in devices]
    return "; ".join(trouble for trouble in troubles if trouble) if devices and all(troubles) else None
