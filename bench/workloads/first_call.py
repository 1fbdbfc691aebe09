"""The first call as a workload: an iteration builds a network anew and makes its first step."""

from __future__ import annotations

from itertools import cycle

from bench.workloads.steps import batches_for
from mtl_core.config import HEADS, Mode, NetworkConfig, StepConfig
from mtl_core.platform.mxnet import mx
from mtl_core.step import TrainingStep


class FirstCall:
    """What a user waits for before the second step: parameters, tracing, memory, Adam's state.

    The process is warm: loading MXNet and the engine's own start are not in it, since they are the
    same for every network.
    """

    def __init__(self, *, mode: Mode = "hybridized", batch_size: int = 128, data: str = "synthetic") -> None:
        self.images = batch_size
        self.config = StepConfig(mode=mode)
        self.batches = cycle(batches_for(HEADS, batch_size, mx.cpu(), data))

    def prepare(self) -> None:
        """Every network is new already."""

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            TrainingStep(NetworkConfig(), self.config, mx.cpu())(*next(self.batches))
            mx.nd.waitall()  # a first call ends before the next network begins

    def synchronise(self) -> None:
        mx.nd.waitall()

    def round_facts(self) -> dict[str, float]:
        return {}

    def facts(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        mx.nd.waitall()
