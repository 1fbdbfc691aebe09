"""Worker processes: started with their environment, told one command at a time, ended for certain."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from mtl_core.platform.segments import FORKED, forget_segments

COMMAND_LIMIT_S = 120.0  # a worker that says nothing for so long hangs
LAST_LINES = 12  # of a failed worker's standard error, for the report


class WorkerFailedError(Exception):
    """A worker crashed, hung or ran out of memory; carries the last lines it said."""

    def __init__(self, reason: str, last_lines: list[str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.last_lines = last_lines


class WorkerHandle(Protocol):
    """What the harness needs of a worker."""

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; raises :class:`WorkerFailedError`."""

    def end(self) -> None:
        """End the process and everything it started."""


class WorkerProcess:
    """``python -m bench.worker`` in a process group of its own."""

    def __init__(
        self,
        environment: dict[str, str],
        *,
        inherited: Mapping[str, str] = os.environ,
        root: Path | None = None,
        python: str = sys.executable,
        limit_s: float = COMMAND_LIMIT_S,
    ) -> None:
        self.limit_s = limit_s
        self.stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the worker
        self.forked: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, "-m", "bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env={**inherited, **environment, FORKED: str(self.forked.fileno())},
            pass_fds=[self.forked.fileno()],
            cwd=root or Path(__file__).parents[2],
            start_new_session=True,  # a process group of its own, and out of the terminal's Ctrl-C
        )
        self.buffer = b""
        assert self.process.stdout is not None
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)

    def send(self, do: str, **arguments: Any) -> None:
        """Start a command without waiting for its answer."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._failed(self._how_it_ended()) from None

    def receive(self) -> dict[str, Any]:
        """The answer to the command sent last."""
        deadline = time.monotonic() + self.limit_s
        while b"\n" not in self.buffer:
            self.buffer += self._read(deadline - time.monotonic())
        line, self.buffer = self.buffer.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        self.send(do, **arguments)
        return self.receive()

    def end(self) -> None:
        """Close its input, give it a moment, then end its whole process group."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # it is gone already, which is what was wanted
                self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # ended by force below
            self.process.wait(timeout=2.0)
        self._kill_group()
        self.process.wait()
        self._forget_segments()
        self.selector.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.stderr.close()
        self.forked.close()

    def _read(self, timeout_s: float) -> bytes:
        assert self.process.stdout is not None
        if timeout_s <= 0 or not self.selector.select(timeout_s):
            raise self._failed(f"hung: no answer within {self.limit_s:g} s")
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        if not data:
            raise self._failed(self._how_it_ended())
        return data

    def _how_it_ended(self) -> str:
        code = self.process.wait()
        if code == -signal.SIGKILL:
            return "was killed (SIGKILL): most likely out of memory"
        return f"crashed: signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def _failed(self, reason: str) -> WorkerFailedError:
        self._kill_group()
        self.stderr.seek(0)
        lines = self.stderr.read().decode(errors="replace").splitlines()
        return WorkerFailedError(reason, lines[-LAST_LINES:])

    def _forget_segments(self) -> None:
        """A DataLoader's workers that were killed, or whose receiver was, leave shared memory behind."""
        self.forked.seek(0)
        forget_segments([self.process.pid, *map(int, self.forked.read().split())])

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in it
            os.killpg(self.process.pid, signal.SIGKILL)


class WorkerPool:
    """Workers by environment, started when needed and kept for the invocation.

    Which worker of an environment serves which variant is drawn anew for every block, so that what
    is particular to a process becomes noise between blocks and never a difference between variants.
    """

    def __init__(self, start: Callable[[dict[str, str]], WorkerProcess] = WorkerProcess) -> None:
        self.start = start
        self.workers: dict[tuple[tuple[str, str], ...], list[WorkerProcess]] = {}

    def workers_for(self, environment: dict[str, str], count: int) -> list[WorkerProcess]:
        """``count`` workers with this environment; missing ones are started side by side."""
        held = self.workers.setdefault(tuple(sorted(environment.items())), [])
        new = [self.start(environment) for _ in range(count - len(held))]
        try:
            for worker in new:
                worker.send("hello")
            for worker in new:
                worker.receive()
        except WorkerFailedError:
            for worker in new:
                worker.end()
            raise
        held += new
        return held[:count]

    def discard(self, worker: WorkerHandle) -> None:
        """End a worker that failed; the next block gets a new one."""
        for held in self.workers.values():
            held[:] = [other for other in held if other is not worker]
        worker.end()

    def end(self) -> None:
        """End all workers: the invocation is over."""
        for held in self.workers.values():
            for worker in held:
                worker.end()
        self.workers.clear()
