"""Worker processes: started with their environment, told one command at a time, ended for certain."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from bench.machine.interpreter import PROJECT, command, workers_python
from bench.worker.answers import CHANNEL, checked, is_sign_of_life
from mtl_core.platform.on_disk import reason_of
from mtl_core.platform.segments import FOLDER, FORKED, forget_segments

COMMAND_LIMIT_S = 120.0  # a worker that says nothing for so long hangs
MEASURING = ("round", "facts", "change", "tear_down")  # what a worker may be silent for a part of the budget
SILENCE_SHARE, LEAST_SILENCE_S = 1 / 6, 10.0  # of the budget: 10 s in a run of a minute
LONGEST_LINE = 64 << 20  # bytes; no answer is as long
LONGEST_SOCKET = 103  # bytes of its name, as the shorter of Linux and macOS allows
SHORT = "/tmp"  # a folder of random name is made in it
OWN = ("-m", "bench.worker")  # how a worker is started where nothing stands in its way
HOME = Path(__file__).parents[2]  # where the suite lies
LAST_LINES = 12  # of a failed worker's standard error, for the report


class WorkerFailedError(Exception):
    """A worker crashed, hung or ran out of memory; carries the last lines it said."""

    def __init__(self, reason: str, last_lines: list[str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.last_lines = last_lines
        self.hung = False  # it was silent for too long: another try would be as silent


def _opened(how: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """The process. Raises WorkerFailedError where it cannot be had, but for want of a file descriptor."""
    try:
        return subprocess.Popen(how, **options)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        raise WorkerFailedError(f"could not be started ({reason_of(error)})", []) from None


class NotAllStartedError(WorkerFailedError):
    """Some workers did not come up, tried twice; carries those that did."""

    def __init__(self, failure: WorkerFailedError, started: list[WorkerProcess]) -> None:
        super().__init__(failure.reason, failure.last_lines)
        self.hung = failure.hung
        self.started = started


def silence_for(budget_s: float) -> float:
    """Seconds that a worker may be silent while it measures, of a budget: a sixth, 10 to 120 s."""
    return min(max(SILENCE_SHARE * budget_s, LEAST_SILENCE_S), COMMAND_LIMIT_S)


class WorkerHandle(Protocol):
    """What the harness needs of a worker."""

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; raises :class:`WorkerFailedError`."""

    def end(self) -> None:
        """End the process and everything it started."""


class WorkerProcess:
    """A process that runs ``bench.worker``, in a process group and with a temporary folder of its own.

    ``root`` is the checkout whose worker it is, of this suite's own files without. ``python`` runs it, the
    workers' interpreter without.

    Its answers come through a pipe that nothing else knows of. A worker of an earlier revision does not know
    it either and answers on standard output: what comes there counts until the pipe has spoken, and only
    where it is an answer to what was asked.
    """

    def __init__(
        self,
        environment: dict[str, str],
        *,
        inherited: Mapping[str, str] = os.environ,
        root: Path | None = None,
        python: str | None = None,
        start: tuple[str, ...] = OWN,
        limit_s: float = COMMAND_LIMIT_S,
    ) -> None:
        self.limit_s = self.silence_s = limit_s
        self.asked = ""
        given = {**inherited, **environment}
        how, where = _started(python or workers_python(), root, given.get(PROJECT), start)
        with contextlib.ExitStack() as undo:  # where something cannot be had, such as one file more
            self.folder = tempfile.mkdtemp(prefix="mtl-", dir=_room_for_sockets(given.get("TMPDIR")))
            undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
            hears, speaks = os.pipe()
            self.channel = undo.enter_context(os.fdopen(hears, "rb", buffering=0))
            with os.fdopen(speaks, "wb", buffering=0):
                self.stderr: IO[bytes] = undo.enter_context(tempfile.TemporaryFile())
                self.forked: IO[bytes] = undo.enter_context(tempfile.TemporaryFile())
                self.selector = undo.enter_context(selectors.DefaultSelector())
                self.process = _opened(
                    how,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self.stderr,
                    env={
                        **given,
                        "TMPDIR": self.folder,
                        FOLDER: self.folder,
                        FORKED: str(self.forked.fileno()),
                        CHANNEL: str(speaks),
                    },
                    pass_fds=[self.forked.fileno(), speaks],
                    cwd=where,
                    start_new_session=True,  # a process group of its own, and out of the terminal's Ctrl-C
                )
            undo.pop_all()  # it lives as long as the worker
        assert self.process.stdout is not None
        self.printed: list[bytes] = []  # on standard output, where it was no answer
        self.pieces = {self.channel.fileno(): b"", self.process.stdout.fileno(): b""}
        for end in self.pieces:
            self.selector.register(end, selectors.EVENT_READ)

    def send(self, do: str, **arguments: Any) -> None:
        """Start a command without waiting for its answer."""
        assert self.process.stdin is not None
        self.asked = do
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._failed(self._how_it_ended()) from None

    def receive(self) -> dict[str, Any]:
        """The answer to the command sent last."""
        limit_s = min(self.limit_s, self.silence_s) if self.asked in MEASURING else self.limit_s
        deadline = time.monotonic() + limit_s
        while True:
            end, line = self._line(deadline, limit_s)
            if end == self.channel.fileno() and is_sign_of_life(line):
                self._forget_standard_output()
                deadline = time.monotonic() + limit_s
                continue
            try:
                return checked(self.asked, line)
            except ValueError as error:
                if end == self.channel.fileno():
                    why = " ".join(str(error).split())
                    raise self._failed(f"answered {self.asked} with what is no answer ({why})") from None
                self.printed = [*self.printed, line][-LAST_LINES:]

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        self.send(do, **arguments)
        return self.receive()

    def let_go(self) -> None:
        """Close its input, upon which it ends by itself; several do so side by side."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # it is gone already, which is what was wanted
                self.process.stdin.close()

    def end(self) -> None:
        """Close its input, give it a moment, then end its whole process group.

        Ctrl-C may come in the middle of it: called again, it does what is left.
        """
        self.let_go()
        with contextlib.suppress(subprocess.TimeoutExpired):  # ended by force below
            self.process.wait(timeout=2.0)
        self._kill_group()
        self.process.wait()
        if not self.forked.closed:
            self._forget_segments()
        self.selector.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        for file in (self.channel, self.stderr, self.forked):
            file.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _line(self, deadline: float, limit_s: float) -> tuple[int, bytes]:
        """The next line and where it came from; the channel's go before those of standard output."""
        while True:
            for end in self.pieces:
                line, full, rest = self.pieces[end].partition(b"\n")
                if full:
                    self.pieces[end] = rest
                    return end, line
            self._read(deadline, limit_s)

    def _read(self, deadline: float, limit_s: float) -> None:
        left_s = deadline - time.monotonic()
        ready = self.selector.select(left_s) if left_s > 0 else []
        if not ready:
            raise self._failed(f"hung: no answer within {limit_s:g} s", hung=True)
        for key, _ in ready:
            data = os.read(key.fd, 1 << 16)
            if not data:
                self.selector.unregister(key.fd)
            self.pieces[key.fd] += data
            if len(self.pieces[key.fd]) > LONGEST_LINE:
                raise self._failed("answered without end")
        if not self.selector.get_map():
            raise self._failed(self._how_it_ended())

    def _forget_standard_output(self) -> None:
        """The channel has spoken: what came on standard output was printed and is no answer."""
        assert self.process.stdout is not None
        self.pieces[self.process.stdout.fileno()] = b""
        if self.process.stdout.fileno() in self.selector.get_map():
            self.selector.unregister(self.process.stdout.fileno())

    def _how_it_ended(self) -> str:
        code = self.process.wait()
        if code == -signal.SIGKILL:
            return "was killed (SIGKILL): most likely out of memory"
        return f"crashed: signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def _failed(self, reason: str, *, hung: bool = False) -> WorkerFailedError:
        self._kill_group()
        self.stderr.seek(0)
        lines = self.stderr.read().decode(errors="replace").splitlines()
        failure = WorkerFailedError(reason, lines[-LAST_LINES:])
        failure.hung = hung
        return failure

    def _forget_segments(self) -> None:
        """A DataLoader's workers that were killed, or whose receiver was, leave shared memory behind."""
        self.forked.seek(0)
        forget_segments([self.process.pid, *map(int, self.forked.read().split())])

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in it
            os.killpg(self.process.pid, signal.SIGKILL)


def _room_for_sockets(folder: str | None) -> str | None:
    """Where temporary files go, None for the usual place: there where a socket's name would be too long.

    A DataLoader's workers hand batches over by sockets in folders of their own below it.
    """
    longest = LONGEST_SOCKET - len("/mtl-12345678/pymp-12345678/listener-12345678")
    if not (folder and Path(folder).is_dir() and os.access(folder, os.W_OK)):
        folder = None  # what cannot be had is passed over, as Python's own tempfile does
    place = folder or tempfile.gettempdir()
    short = len(os.fsencode(place)) <= longest or not os.access(SHORT, os.W_OK)
    return folder if short else SHORT


def _started(
    python: str, root: Path | None, project: str | None, start: tuple[str, ...]
) -> tuple[list[str], Path]:
    """The command of a worker, and the folder that it starts in.

    In another interpreter, and where somebody's own modules are imported, this suite's files are found by
    themselves: the folder they lie in may hold other libraries, and the user's may hold our names.
    """
    if start == OWN and root is None and (project or python != sys.executable):
        return command("bench.worker.__main__:start", python=python), Path(project) if project else HOME
    return [python, *start], root or HOME


def _say_hello(worker: WorkerProcess) -> None:
    worker.send("hello")


class WorkerPool:
    """Workers by environment, started when needed and kept for the invocation.

    Which worker of an environment serves which variant is drawn anew for every block, so that what
    is particular to a process becomes noise between blocks and never a difference between variants.
    """

    def __init__(
        self,
        start: Callable[[dict[str, str]], WorkerProcess] = WorkerProcess,
        silence_s: float = COMMAND_LIMIT_S,
    ) -> None:
        self.start = start
        self.silence_s = silence_s  # of a worker that measures
        self.workers: dict[tuple[tuple[str, str], ...], list[WorkerProcess]] = {}

    def workers_for(self, environment: dict[str, str], count: int) -> list[WorkerProcess]:
        """``count`` workers with this environment; missing ones are started side by side.

        One that dies while it starts is tried once more. Raises :class:`NotAllStartedError` where one did so
        twice, and hangs are not tried again.
        """
        held = self.workers.setdefault(tuple(sorted(environment.items())), [])
        failure = self._start(held, environment, count)
        if failure and not failure.hung:
            failure = self._start(held, environment, count)
        if failure:
            raise NotAllStartedError(failure, held[:count])
        return held[:count]

    def _start(
        self, held: list[WorkerProcess], environment: dict[str, str], count: int
    ) -> WorkerFailedError | None:
        """Have ``held`` hold ``count`` workers; why one of them did not come up, None where all did."""
        new: list[WorkerProcess] = []
        last: WorkerFailedError | None = None
        try:
            for _ in range(count - len(held)):
                new.append(self.start(environment))  # noqa: PERF401  # one that cannot be made leaves the others
            for act in (_say_hello, WorkerProcess.receive):
                for worker in tuple(new):
                    try:
                        act(worker)
                    except WorkerFailedError as failure:
                        last = failure
                        worker.end()
                        new.remove(worker)  # only now: until it has ended somebody has to end it
        except BaseException:  # such as Ctrl-C: what was started must not outlive it
            for worker in new:
                worker.end()
            raise
        for worker in new:
            worker.silence_s = self.silence_s
        held += new
        return last

    def discard(self, worker: WorkerHandle) -> None:
        """End a worker that failed; the next block gets a new one."""
        worker.end()
        for held in self.workers.values():
            held[:] = [other for other in held if other is not worker]

    def end(self) -> None:
        """End all workers: the invocation is over."""
        every = [worker for held in self.workers.values() for worker in held]
        for worker in every:
            worker.let_go()  # all before any is waited for
        for worker in every:
            worker.end()
        self.workers.clear()
