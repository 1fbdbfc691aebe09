"""One process that measures on command: JSON lines in, JSON lines out.

Run as ``python -m bench.worker``. Its environment is given before MXNet loads. Answers go into a channel of
their own (``__main__.py``); whatever is printed goes to standard error, which the coordinator keeps for the
report of a failure. ``{"alive": ...}`` is a sign of life and no answer. End of input ends the process.
"""

from __future__ import annotations

import atexit
import ctypes
import faulthandler
import gc
import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any, NoReturn, TextIO

import bench
import mtl_core
from bench.questions.gate import GATE, PROTOCOL, Benchmark
from bench.questions.workload import (
    PEER,
    CheckedWorkload,
    NotPossibleError,
    NotTheSameWorkError,
    Workload,
)
from bench.records.shared import NOT_THE_SAME
from mtl_core.errors import ExitCode, UserError, lacks_memory, visible
from mtl_core.platform import denormals
from mtl_core.platform.segments import FOLDER, tell_number

LARGEST_PADDING = 1 << 20
HANG_S = 150  # a command's most
PR_SET_PDEATHSIG = 1  # of Linux's prctl
OWN = os.getpid()
FORKING = deque([OWN], maxlen=1)  # the process that forked last


def _pad(seed: int) -> list[bytearray]:
    """A few allocations of random size, so that each set-up lands elsewhere in memory."""
    rng = random.Random(seed)
    return [bytearray(rng.randrange(1, LARGEST_PADDING)) for _ in range(rng.randrange(8))]


@contextmanager
def _without_scipy() -> Iterator[None]:
    """Have MXNet load as if SciPy were not there: it takes it for quantization only, and a third longer."""
    if "scipy" in sys.modules:
        yield
        return
    sys.modules["scipy"] = None  # type: ignore[assignment]  # how Python marks what cannot be imported
    try:
        yield
    finally:
        del sys.modules["scipy"]


class Worker:
    """Answers the coordinator's commands with one workload at a time."""

    def __init__(self, alive: Callable[[str], None] = lambda stage: None) -> None:
        self.workload: Workload | None = None
        self.padding: list[bytearray] = []
        self.alive = alive  # called as each stage of what may take long is done

    def gate(self) -> dict[str, Any]:
        """What this checkout's gate measures, and which files answer; loads no MXNet."""
        files = {"bench": bench.__file__, "mtl_core": mtl_core.__file__}
        benchmarks: Any = GATE  # of a checkout that may declare anything; the coordinator looks at it
        if isinstance(benchmarks, (tuple, list)):
            benchmarks = [asdict(one) if isinstance(one, Benchmark) else one for one in benchmarks]
        return {"protocol": PROTOCOL, "benchmarks": benchmarks, "files": files}

    def hello(self) -> dict[str, Any]:
        """Load MXNet, and tell who answers; in the environment of another framework there is none."""
        files = {"bench": bench.__file__, "mtl_core": mtl_core.__file__}
        if PEER in os.environ:
            return {"pid": os.getpid(), "mxnet": None, **files}
        with _without_scipy():
            from mtl_core.platform.mxnet import mx

        return {"pid": os.getpid(), "mxnet": mx.__version__, **files}

    def probe(self, device: str) -> dict[str, Any]:
        """Compute a little on a device; what MXNet says in one line where it cannot."""
        from bench.workloads.steps import device_named
        from mtl_core.platform.mxnet import mx

        try:
            ones = mx.nd.ones((8, 8), ctx=device_named(device))
            mx.nd.dot(ones, ones).asnumpy()
        except mx.base.MXNetError as error:
            return {"trouble": str(error).strip().splitlines()[-1].removeprefix("MXNetError: ")}
        return {"trouble": None}

    def set_up(
        self, workload: str, settings: dict[str, Any], seed: int, first_call: bool = True
    ) -> dict[str, Any]:
        """Build the workload and make its first call, which traces and allocates.

        Where the course of time is what is measured, the first round is the first call. A workload that
        does other work than it is compared with, or cannot be had here, answers why it is ``refused``.
        """
        self.tear_down()
        self.padding = _pad(seed)
        module, factory = workload.split(":")
        start = time.perf_counter_ns()
        build = getattr(importlib.import_module(module), factory)
        self.alive("imported")
        try:
            self.workload = build(**settings)
        except NotTheSameWorkError as error:
            return {"refused": f"{NOT_THE_SAME}: {error}"}
        except NotPossibleError as error:
            return {"refused": str(error)}
        assert self.workload is not None
        self.workload.synchronise()
        built = time.perf_counter_ns()
        self.alive("built")
        self.workload.prepare()
        first = self._timed(1) if first_call else None
        if isinstance(self.workload, CheckedWorkload):
            self.alive("called")
            try:
                self.workload.check_work()
            except NotTheSameWorkError as error:
                self.tear_down()
                return {"refused": f"{NOT_THE_SAME}: {error}"}
        return {"images": self.workload.images, "set_up_ns": built - start, "first_call_ns": first}

    def round(self, iterations: int, lead_in: int = 0) -> dict[str, Any]:
        """One round: synchronised at both ends, without garbage collection inside.

        The iterations of the lead-in go before it untimed: they bring back the caches and threads that
        another worker had meanwhile.
        """
        assert self.workload is not None
        gc.collect(1)
        self.workload.prepare()
        gc.disable()
        try:
            if lead_in:
                self._timed(lead_in)
            spent = self._timed(iterations)
        finally:
            gc.enable()
        calls_ns = getattr(self.workload, "calls_ns", None)  # of those that time each call by itself
        more = {} if calls_ns is None else {"calls_ns": calls_ns}
        return {"ns": spent, "facts": self.workload.round_facts(), **more}

    def change(self, **attributes: float) -> dict[str, Any]:
        """Set attributes of the workload between two rounds, such as the length of an injected spin."""
        for name, value in attributes.items():
            setattr(self.workload, name, value)
        return {}

    def facts(self) -> dict[str, Any]:
        assert self.workload is not None
        return self.workload.facts()

    def declare(self, network: str, batch_size: int) -> dict[str, Any]:
        """Build somebody's declared network and try it; what it turned out to be, or one line of trouble."""
        from bench.workloads.task_check import TaskCheck

        self.tear_down()
        self.alive("imported")  # before their code, whose prints are no answers then
        return TaskCheck(network=network, batch_size=batch_size).answer

    def count(self, workload: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Count, untimed, what a step of a workload does."""
        from bench.workloads.counting import count

        self.tear_down()
        module, factory = workload.split(":")
        build = getattr(importlib.import_module(module), factory)
        return asdict(count(lambda: build(**settings)))

    def export(self, **asked: Any) -> dict[str, Any]:
        """Write a network in another format; ``trouble`` in one line where the user has to mend something."""
        from bench.workloads.inference.exporting import export

        try:
            usual = {"path": None, "image": None, "onnx": None, "safetensors": None, "alive": self.alive}
            return export(**{**usual, **asked})
        except UserError as error:
            return {"trouble": str(error)}

    def tear_down(self) -> dict[str, Any]:
        if self.workload is not None:
            self.workload.close()
            self.workload = None
            gc.collect()
        return {}

    def _timed(self, iterations: int) -> int:
        assert self.workload is not None
        self.workload.synchronise()
        start = time.perf_counter_ns()
        self.workload.run(iterations)
        self.workload.synchronise()
        return time.perf_counter_ns() - start


def serve(commands: TextIO, answers: TextIO, worker: Worker) -> None:
    """Answer one line for each line, until the input ends.

    A command that hangs ends the process, be the coordinator still there or not, and leaves its stacks
    on standard error; the limit is above the coordinator's own, which reports the hang.
    """
    for line in commands:
        command = json.loads(line)
        signal.alarm(HANG_S)
        answer = getattr(worker, command.pop("do"))(**command)
        signal.alarm(0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    begin_to_clean_up()
    worker.tear_down()


def end_when_parent_does(which: signal.Signals) -> None:
    """Have Linux send this process ``which`` when its parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(which), 0, 0, 0)


def begin_to_clean_up() -> None:
    """From now on only the alarm ends this process early.

    When the coordinator is gone, the end of input and SIGTERM come together: an exception in the middle of
    the clean-up would leave the rest of it behind.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(HANG_S)


def leave(_signal: int, _frame: object) -> None:
    """End with everything cleaned up: temporary folders, children, shared memory.

    A child that is told to end before it has forgotten this handler has none of these. An exception would be
    lost in the hooks of the fork, and the child wait for work for ever, and its parent for the child.
    """
    if os.getpid() != OWN:
        os._exit(ExitCode.TERMINATED)
    begin_to_clean_up()
    raise SystemExit(int(ExitCode.TERMINATED))


def before_fork() -> None:
    """Remember who forks, whom the child may no longer find."""
    FORKING.append(os.getpid())


def in_forked_child() -> None:
    """A DataLoader's worker has nothing to clean up, and ends with its parent at once.

    Its number goes to the coordinator, which removes the shared memory of what was killed.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_when_parent_does(signal.SIGKILL)
    if os.getppid() != FORKING[-1]:  # it ended before that
        os._exit(ExitCode.TERMINATED)
    tell_number()


def end_now() -> NoReturn:
    """End without taking Python and MXNet's libraries down piece by piece, which takes half a second.

    All that asked to be told of the end is told before, MXNet and the user's own modules among it.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody hears it any more
            stream.flush()
    os._exit(0)


def forget_folder() -> None:
    """Remove this worker's own folder as it ends, also when the coordinator is gone and cannot."""
    if FOLDER in os.environ:
        atexit.register(_remove, os.environ[FOLDER], os.getpid())


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # and no child of it
        shutil.rmtree(folder, ignore_errors=True)


def end_with(line: str) -> NoReturn:
    """End with what the user has to mend; not with Python's own code for that, which means slower."""
    print(line, file=sys.stderr)
    raise SystemExit(int(ExitCode.BAD_INPUT))


def choose_denormals() -> None:
    """Flush them where the variant says so; a worker that cannot ends with the reason, measuring nothing."""
    if os.environ.get("MTL_DENORMALS") == "flush" and not denormals.flush():
        end_with(denormals.why_not() or "denormals cannot be flushed here")


def main(commands: TextIO, answers: TextIO, hears_life: bool = True) -> None:
    """Serve until the commands end; signs of life only where they are told from answers."""
    forget_folder()
    faulthandler.register(signal.SIGALRM, chain=True)  # then the signal ends the process, whatever it does
    signal.signal(signal.SIGTERM, leave)
    end_when_parent_does(signal.SIGTERM)
    os.register_at_fork(before=before_fork, after_in_child=in_forked_child)
    choose_denormals()

    def alive(stage: str) -> None:
        signal.alarm(HANG_S)  # what is alive does not hang
        if not hears_life:
            return
        answers.write(json.dumps({"alive": stage}) + "\n")
        answers.flush()

    try:
        serve(commands, answers, Worker(alive))
        end_now()
    except UserError as error:  # one line, which the coordinator tells; a bug of ours keeps its traceback
        end_with(visible(str(error)))
    except (ImportError, OSError, MemoryError) as error:
        if lacks_memory(error):
            end_with("out of memory: raise the limit (ulimit -v), or give the container more")
        raise
