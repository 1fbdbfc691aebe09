"""A training step slowed by a known time, to see whether a comparison notices."""

from __future__ import annotations

import time
from typing import Any

from bench.workloads.steps import StepWorkload
from mtl_core.platform.mxnet import mx


class SlowedStep(StepWorkload):
    """The step, and ``spin_s`` seconds of spinning for each; 0 to begin with, changed between rounds.

    MXNet is asynchronous: a spin beside queued work would hide behind it. So the queue is drained
    first, and the spins of all the steps follow together, which takes the same time as one after each.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.spin_s = 0.0

    def run(self, iterations: int) -> None:
        super().run(iterations)
        mx.nd.waitall()
        end = time.perf_counter() + iterations * self.spin_s
        while time.perf_counter() < end:
            pass
