"""Exact counts, made in a worker of their own: counting changes how MXNet runs and must not reach a round."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from bench.harness.pool import WorkerFailedError, WorkerProcess
from bench.questions.plan import Group
from bench.records.run import Block, Case, Work
from mtl_core.errors import NothingMeasuredError


def plain_environment() -> dict[str, str]:
    """This process's environment without the variables that make MXNet run another way than by itself."""
    kept = ("MXNET_LIBRARY_PATH", "MXNET_HOME")
    return {name: value for name, value in os.environ.items() if name in kept or name[:6] != "MXNET_"}


def counted(
    cases: dict[str, Case], show: Callable[[str], object] = lambda name: None
) -> tuple[str, dict[str, Work]]:
    """MXNet's version and the work of each case, counted in one worker process."""
    worker = WorkerProcess({}, inherited=plain_environment())
    try:
        mxnet = worker.ask("hello")["mxnet"]
        work = {}
        for name, case in cases.items():
            show(name)
            answer = worker.ask("count", workload=case.workload, settings=case.settings)
            work[name] = msgspec.convert(answer, Work)
    except WorkerFailedError as failure:
        raise NothingMeasuredError(
            f"counting failed: {failure.reason}: {'; '.join(failure.last_lines[-1:])}"
        ) from None
    finally:
        worker.end()
    return mxnet, work


def with_operators(group: Group, blocks: list[Block]) -> list[Block]:
    """The blocks of a group, with the operators an iteration runs among the facts of every set-up."""
    there = {name: c for name, c in group.cases.items() if any(name in block.set_ups for block in blocks)}
    _, work = counted(there)
    facts = {name: {"operators": float(sum(counts.operators.values()))} for name, counts in work.items()}
    return [
        msgspec.structs.replace(
            block,
            set_ups={
                name: msgspec.structs.replace(s, facts={**s.facts, **facts[name]})
                for name, s in block.set_ups.items()
            },
        )
        for block in blocks
    ]
