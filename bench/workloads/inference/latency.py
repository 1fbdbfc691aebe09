"""Single calls at inference as a workload: each synchronised, each timed by itself, in one runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from bench.questions.workload import NotPossibleError, NotTheSameWorkError
from bench.workloads.inference.exporting import WITHIN, Array, departure, shapes
from bench.workloads.inference.runtimes import (
    MXNetRuntime,
    Name,
    Runtime,
    Source,
    load,
    threads_of_mxnet,
    write,
)
from bench.workloads.inference.starting import started
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx

Load = Callable[[Name, Any, Path, int], Runtime]


def check_parity(expected: Sequence[Sequence[Array]], outputs: Sequence[Sequence[Array]]) -> float:
    """The most that a runtime's outputs differ from MXNet's imperative ones, batch by batch.

    Raises NotTheSameWorkError where that is more than WITHIN of the largest output, or of 1 if that is more.
    """
    largest = 0.0
    for ours, theirs in zip(expected, outputs, strict=True):
        if shapes(ours) != shapes(theirs):
            raise NotTheSameWorkError(
                f"outputs of {shapes(theirs)} where MXNet's imperative ones are of {shapes(ours)}"
            )
        largest = max(largest, departure(ours, theirs))
    if largest > WITHIN:
        raise NotTheSameWorkError(
            f"outputs depart from MXNet's imperative ones by {largest:.1e}; expected {WITHIN:g} at most"
        )
    return largest


class Latency:
    """One runtime called on rotating batches, one call after the other.

    Before anything is timed its outputs are held against MXNet's imperative ones on every batch. ``start``
    has a new process import the runtime, load the network and answer once, for the facts.
    """

    def __init__(
        self,
        *,
        runtime: Name,
        batch_size: int = 1,
        network: str | None = None,
        data: str = "synthetic",
        start: bool = False,
        loader: Load = load,
    ) -> None:
        self.images = batch_size
        self.calls_ns: list[int] = []  # of the last run
        self.folder = tempfile.TemporaryDirectory()
        self.threads = threads_of_mxnet()
        source = Source(network=network, batch_size=batch_size, data=data)
        batches = source.batches()
        try:
            self.set_up_facts = self._checked(runtime, source, batches, loader)
            if start:
                place = Path(self.folder.name)
                self.set_up_facts |= started(runtime, network, place, self.threads, batches[0])
        except UserError as error:  # what ONNX cannot say of this network
            self.folder.cleanup()
            raise NotPossibleError(str(error)) from error
        except BaseException:
            self.folder.cleanup()
            raise
        # Another than the one that was checked, so that its first call is one.
        self.runtime = loader(runtime, source.block(), Path(self.folder.name), self.threads)
        self.batches = cycle([self.runtime.own(batch) for batch in batches])

    def _checked(
        self, runtime: Name, source: Source, batches: Sequence[tuple[Array, ...]], loader: Load
    ) -> dict[str, float]:
        """Files written, outputs compared; the facts of it."""
        block, place = source.block(), Path(self.folder.name)
        imperative = MXNetRuntime(block)
        expected = [imperative(*batch) for batch in batches]
        write(runtime, block, batches[0], place)
        other = loader(runtime, block, place, self.threads)
        largest = check_parity(expected, [other(*batch) for batch in batches])
        return {"threads": float(self.threads), "largest_difference": largest}

    def prepare(self) -> None:
        """Inference changes nothing."""

    def run(self, iterations: int) -> None:
        call, times = self.runtime.call, []
        for batch in islice(self.batches, iterations):
            begun = perf_counter_ns()
            call(batch)
            times.append(perf_counter_ns() - begun)
        self.calls_ns = times

    def synchronise(self) -> None:
        """Each call was."""

    def round_facts(self) -> dict[str, float]:
        return {}

    def facts(self) -> dict[str, float]:
        return self.set_up_facts

    def close(self) -> None:
        mx.nd.waitall()
        self.folder.cleanup()
