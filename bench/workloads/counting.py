"""What a step does, counted exactly: no clock, no noise, the same on every machine.

Two sources. MXNet's Python reaches its library through a few C functions; they are wrapped to count
what Python asks for and how it waits. What the engine then runs is read from MXNet's profiler, twice:
its trace shows the pushes as they are, operators bulked together; its aggregate turns bulking off and
names every operator. Inside planned graphs operators still share a push whose name is cut off after
127 characters, so for naming them the graphs are traced again with one operator a push.

Left out is what depends on when things happen: arrays freed, and the engine's own marks for a waiter.
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from bench.records.shared import Count, Work
from mtl_core.cost import cost
from mtl_core.platform.mxnet import mx
from mtl_core.step import TrainingStep
from mtl_core.task_step import TaskStep

STEPS = 10  # counted; what happens every tenth step is seen
WARM_UP = 2  # steps that trace and allocate

# Every way to wait ends in one of these functions; named as a user of MXNet calls them.
WAITING = {
    "MXNDArraySyncCopyToCPU": "asnumpy",
    "MXNDArraySyncCopyFromCPU": "array from NumPy",
    "MXNDArraySyncCopyFromNDArray": "copy of a sparse part",
    "MXNDArrayWaitToRead": "wait_to_read",
    "MXNDArrayWaitToWrite": "wait_to_write",
    "MXNDArrayWaitAll": "waitall",
    "MXNDArrayGetSharedMemHandle": "to shared memory",
    "MXNDArraySave": "save",
    "MXNDArraySaveRawBytes": "pickle",
    "MXKVStoreBarrier": "barrier",
}
ASKING = {
    "MXImperativeInvokeEx": "operator",
    "MXNetFuncCall": "operator of mx.np",
    "MXInvokeCachedOpEx": "graph",
    "MXAutogradBackwardEx": "backward",
    "MXKVStorePushPullEx": "kvstore",
    "MXKVStorePushEx": "kvstore",
    "MXKVStorePullWithSparseEx": "kvstore",
}
TRACING = {"MXCreateCachedOp": "graph", "MXCreateCachedOpEx": "graph"}
COPYING = {"MXNDArraySyncCopyToCPU": "MXNet to NumPy", "MXNDArraySyncCopyFromCPU": "NumPy to MXNet"}

COPY = re.compile(r"Copy(CPU|GPU)2(CPU|GPU)")
PLACES = {"CPU": "host", "GPU": "device"}
HOME = Path(__file__).parents[2]  # where our packages lie
BY_CHANCE = ("DeleteVariable", "WaitForVar")
PUSHED = re.compile(r'"name": "([^"]*)",\s*"cat": "operator",\s*"ph": "B"')
OWN_FRAMES = (f"{Path(mx.__file__).parent}{os.sep}", __file__)


class Countable(Protocol):
    """A workload made of training steps."""

    @property
    def training_steps(self) -> Sequence[TrainingStep | TaskStep]: ...

    def run(self, iterations: int) -> None: ...


def _caller() -> str:
    """``mtl_core/step.py:111``: the line outside MXNet from which the current call came."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_code.co_filename.startswith(OWN_FRAMES):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    roots = [root for root in (Path.cwd(), HOME) if path.is_relative_to(root)]
    return f"{path.relative_to(roots[0]) if roots else path.name}:{frame.f_lineno}"


class Calls:
    """What Python asked MXNet's library for while :func:`counted_calls` watched."""

    def __init__(self) -> None:
        self.by_function: Counter[str] = Counter()
        self.waited_at: dict[str, set[str]] = {}

    def note(self, function: str) -> None:
        self.by_function[function] += 1
        if function in WAITING:
            self.waited_at.setdefault(WAITING[function], set()).add(_caller())

    def named(self, names: dict[str, str]) -> Counter[str]:
        """How often the functions of ``names`` were called, under the names given there."""
        counts: Counter[str] = Counter()
        for function, name in names.items():
            counts[name] += self.by_function[function]
        return +counts


@contextmanager
def counted_calls() -> Iterator[Calls]:
    """Count calls of MXNet's C functions in the block, whoever makes them."""
    calls, library = Calls(), mx.base._LIB

    def counting(name: str, original: Any) -> Any:
        def call(*args: Any) -> Any:
            calls.note(name)
            return original(*args)

        return call

    with ExitStack() as stack:
        for name in {*WAITING, *ASKING, *TRACING}:
            original = getattr(library, name)
            setattr(library, name, counting(name, original))
            stack.callback(setattr, library, name, original)
        yield calls


@contextmanager
def _profiled(read: Callable[[str], dict[str, int]], **config: Any) -> Iterator[Counter[str]]:
    """The engine's operations of the block by name, as ``read`` takes them from the profiler's file."""
    counts: Counter[str] = Counter()
    enabled = gc.isenabled()
    mx.nd.waitall()
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "profile.json"))
        # Without being told otherwise the profiler writes its file every second, from a thread of its own.
        mx.profiler.set_config(
            profile_symbolic=True,
            profile_imperative=True,
            profile_api=False,
            profile_memory=False,
            continuous_dump=False,
            filename=file,
            **config,
        )
        gc.disable()
        mx.profiler.set_state("run")
        try:
            yield counts
        finally:
            mx.nd.waitall()
            mx.profiler.set_state("stop")
            if enabled:
                gc.enable()
        counts.update({name: n for name, n in read(file).items() if name not in BY_CHANCE})


def _pushes_in(file: str) -> dict[str, int]:
    """Not parsed as JSON: from the second trace of a process on MXNet writes a comma too many."""
    mx.profiler.dump(finished=False)
    return Counter(PUSHED.findall(Path(file).read_text(encoding="utf-8")))


def _operators_in(_file: str) -> dict[str, int]:
    profile = json.loads(mx.profiler.dumps(reset=True, format="json"))
    return {name: times["Count"] for name, times in profile["Time"].get("operator", {}).items()}


def pushes() -> Any:
    """Counts what is pushed to the engine, as it is in an ordinary run."""
    return _profiled(_pushes_in, aggregate_stats=False)


def _one_operator_a_push(block: Any) -> None:
    if isinstance(block, mx.gluon.HybridBlock):
        block._flags = [*block._flags, ("forward_bulk_size", 0), ("backward_bulk_size", 0)]
        block._clear_cached_op()


def _a_step(counts: dict[str, int], steps: int) -> dict[str, Count]:
    """Counts of so many steps as counts of one; whole numbers stay whole."""
    return {name: n // steps if n % steps == 0 else n / steps for name, n in sorted(counts.items())}


def operators_a_step(workload: Countable, steps: int = STEPS) -> dict[str, Count]:
    """Operators run in a step, by name. The workload's graphs are traced anew and stay unbulked."""
    for step in workload.training_steps:
        step.model.apply(_one_operator_a_push)
    workload.run(WARM_UP)
    with _profiled(_operators_in, aggregate_stats=True) as counts:
        workload.run(steps)
    joined = [name for name in counts if "," in name]
    if joined:
        raise RuntimeError(f"operators that share a push cannot be told apart: {joined[0]}")
    return _a_step({name: n for name, n in counts.items() if not COPY.fullmatch(name)}, steps)


def _copies(pushed: Counter[str], calls: Calls) -> Counter[str]:
    """Arrays copied from place to place, and between MXNet and NumPy."""
    copies = calls.named(COPYING)
    for name, n in pushed.items():
        match = COPY.fullmatch(name)
        if match:
            copies[f"{PLACES[match[1]]} to {PLACES[match[2]]}"] += n
    return copies


def count(build: Callable[[], Countable], steps: int = STEPS) -> Work:
    """Build a workload and count what a step of it does."""
    with counted_calls() as first:
        workload = build()
        workload.run(WARM_UP)
    gc.collect()
    with pushes() as pushed, counted_calls() as calls:
        workload.run(steps)
    training = workload.training_steps
    parameters = sum(a.size for step in training for a in step.parameter_arrays())
    return Work(
        operators=operators_a_step(workload, steps),
        pushes=_a_step({"": sum(pushed.values())}, steps)[""],
        calls=_a_step(calls.named(ASKING), steps),
        synchronisations=_a_step(calls.named(WAITING), steps),
        copies=_a_step(_copies(pushed, calls), steps),
        graphs_traced=first.named(TRACING)["graph"],
        graphs_retraced=_a_step({"": calls.named(TRACING)["graph"]}, steps)[""],
        parameters=parameters,
        parameter_bytes=_bytes(a for step in training for a in step.parameter_arrays()),
        gradient_bytes=_bytes(a for step in training for a in step.gradient_arrays()),
        optimizer_bytes=_bytes(a for step in training for a in step.state_arrays()),
        flop=sum(_flop(step) for step in training),
        waited_at={name: sorted(places) for name, places in sorted(calls.waited_at.items())},
    )


def _flop(step: TrainingStep | TaskStep) -> int:
    """For a sample in training: by formula, or of a declared network by its symbol."""
    if isinstance(step, TrainingStep):
        return cost(step.network.config).training_flop
    return round(step.training_flop())


def _bytes(arrays: Iterator[Any]) -> int:
    return sum(int(array.size) * _itemsize(array) for array in arrays)


def _itemsize(array: Any) -> int:
    """Bytes of one value; MXNet's dtypes are NumPy's scalar types."""
    return int(array.dtype(0).itemsize)
