"""The step in MXNet, in one of its modes."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from threadpoolctl import threadpool_info

from bench.workloads.peers.problem import Array, Problem, State, mean_losses
from bench.workloads.peers.rule import RuleName
from bench.workloads.steps import device_named
from mtl_core.config import Mode, NetworkConfig, StepConfig
from mtl_core.platform.mxnet import mx
from mtl_core.step import Snapshot, TrainingStep


class MXNetStep:
    """The suite's own training step; a way is a mode."""

    rule: RuleName = "epsilon before"
    version = mx.__version__

    def __init__(self, problem: Problem, way: str = "hybridized", device: str = "cpu") -> None:
        self.device = device_named(device)
        self.step = TrainingStep(NetworkConfig(), StepConfig(mode=cast(Mode, way)), self.device)
        count = len(problem.images)
        self.batches = [tuple(map(self._held, problem.batch(number))) for number in range(count)]
        self.last: tuple[Any, ...] = ()
        self.restore(problem.start)

    def _held(self, array: Array) -> Any:
        return mx.nd.array(array.astype(np.float32), ctx=self.device)

    def run(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.last = self.step(*self.batches[number % len(self.batches)]).losses

    def wait(self) -> None:
        mx.nd.waitall()

    def restore(self, state: State) -> None:
        moments = [array for pair in zip(state.means, state.variances, strict=True) for array in pair]
        parameters, held = (tuple(map(self._held, arrays)) for arrays in (state.parameters, moments))
        self.step.restore(Snapshot(parameters, held, state.updates))

    def parameters(self) -> list[Array]:
        return [array.asnumpy() for array in self.step.parameter_arrays()]

    def losses(self) -> Array:
        return mean_losses([each.asnumpy() for each in self.last])

    def threads(self) -> int | None:
        """Those of the OpenMP that MXNet brought along."""
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "openmp"]
        return max((int(pool["num_threads"]) for pool in pools), default=None)
