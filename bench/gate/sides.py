"""The two sides of a comparison: each has workers of its own, which import its own checkout's files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.harness.pool import COMMAND_LIMIT_S, WorkerFailedError, WorkerPool, WorkerProcess
from bench.machine.interpreter import PROJECT
from bench.questions.gate import PROTOCOL, Benchmark
from bench.records.regression import GATE_FILE
from mtl_core.errors import UserError

SIDE = "MTL_SIDE"  # in a case's environment: the side that measures it
# What Python says of a base from before the gate: no worker at all, or one that does not know the command.
TOO_OLD = re.compile(r"No module named '?bench(\.worker)?(?![\w.])|object has no attribute 'gate'$")


class Side(NamedTuple):
    """One revision, ready to measure."""

    name: str  # "base" or "head"
    root: Path
    python: str
    benchmarks: dict[str, Benchmark] = {}  # noqa: RUF012  # by name, as this side declares them
    project: Path | None = None  # of a declared network: the user's checkout, measured by this very suite
    own: bool = False  # this very suite's files, started as the workers of a run are


def start(side: Side, environment: dict[str, str]) -> WorkerProcess:
    """A worker that imports ``bench`` and ``mtl_core`` from the side's root, whatever is installed."""
    if side.project is not None:
        return WorkerProcess({**environment, PROJECT: str(side.project)}, python=side.python)
    if side.own:
        return WorkerProcess(environment, python=side.python)
    paths = os.pathsep.join([str(side.root), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"PYTHONPATH": paths, "PYTHONSAFEPATH": ""}
    return WorkerProcess({**environment, **own}, root=side.root, python=side.python)


def check_files(side: Side, files: Mapping[str, Any]) -> None:
    """Raise UserError unless both packages were loaded from the side's own root."""
    for package in ("bench", "mtl_core"):
        loaded = Path(files[package]).resolve()
        if not loaded.is_relative_to(side.root.resolve()):
            raise UserError(f"{side.name} loaded {package} from {loaded} rather than from {side.root}")


def declared(side: Side, start: Callable[[Side, dict[str, str]], WorkerProcess] = start) -> Side:
    """The side with the benchmarks that its own checkout declares.

    Raises UserError, in one line, for a revision that does not speak this protocol.
    """
    worker = start(side, {})
    try:
        answer = worker.ask("gate")
    except WorkerFailedError as failure:
        raise UserError(_why(side, failure)) from None
    finally:
        worker.end()
    check_files(side, answer["files"])
    if answer["protocol"] != PROTOCOL:
        raise UserError(
            f"{side.name} speaks protocol {answer['protocol']} and this suite {PROTOCOL}; "
            f"compare with a revision of the same protocol"
        )
    try:
        benchmarks = msgspec.convert(answer["benchmarks"], list[Benchmark])
    except msgspec.ValidationError as error:
        raise UserError(
            f"{side.name} declares what is no benchmark ({error}); GATE in {GATE_FILE} is a "
            "tuple of Benchmark"
        ) from None
    return side._replace(benchmarks={benchmark.name: benchmark for benchmark in benchmarks})


def _why(side: Side, failure: WorkerFailedError) -> str:
    last = failure.last_lines[-1] if failure.last_lines else failure.reason
    if side.name == "base" and TOO_OLD.search(last):
        return f"{side.name} is too old for regress: its worker does not know the gate ({last})"
    return f"{side.name} could not be started: {failure.reason}: {last}"


def not_started(failure: WorkerFailedError) -> UserError:
    """What to tell the user of a worker that did not come up, in a line."""
    last = failure.last_lines[-1] if failure.last_lines else "it said nothing"
    return UserError(f"no worker could be started: {failure.reason}: {last}")


class SidePool(WorkerPool):
    """One worker a side, all started side by side: an invocation of both revisions."""

    def __init__(self, sides: tuple[Side, ...], silence_s: float = COMMAND_LIMIT_S) -> None:
        by_name = {side.name: side for side in sides}
        super().__init__(lambda environment: start(by_name[environment[SIDE]], environment), silence_s)
        self.sides = by_name
        self.broken: dict[str, WorkerFailedError] = {}  # by side: why its worker did not start

    def workers_for(self, environment: dict[str, str], count: int) -> list[WorkerProcess]:
        if not self.workers:
            self._start_all()
        if environment[SIDE] in self.broken:
            raise self.broken[environment[SIDE]]
        return super().workers_for(environment, count)

    def _start_all(self) -> None:
        """All of them; those that die while they start once more."""
        self._start_these(list(self.sides))
        again = [name for name, failure in self.broken.items() if not failure.hung]
        for name in again:
            del self.broken[name]
        self._start_these(again)

    def _start_these(self, names: list[str]) -> None:
        new: dict[str, WorkerProcess] = {}
        for name in names:
            new[name] = self.start({SIDE: name})
            self.workers[((SIDE, name),)] = [new[name]]  # held at once: ended even if the next line fails
            new[name].silence_s = self.silence_s
        for act in (self._ask, self._hear):
            for name in [name for name in new if name not in self.broken]:
                try:
                    act(name, new[name])
                except WorkerFailedError as failure:
                    self.broken[name] = failure
                    self.discard(new[name])

    def _ask(self, name: str, worker: WorkerProcess) -> None:
        worker.send("hello")

    def _hear(self, name: str, worker: WorkerProcess) -> None:
        check_files(self.sides[name], worker.receive())
