"""A declared task's training step as a workload: forward, forward and backward, or the whole step."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import numpy as np

from bench.workloads.alike import OneAfterTheOther, Stepped
from bench.workloads.declared import build, told_as
from bench.workloads.steps import BATCHES, Part, device_named
from mtl_core.config import Mode
from mtl_core.platform.mxnet import mx
from mtl_core.step import SMALLEST_NORMAL
from mtl_core.task import Batch
from mtl_core.task_step import SEED, DeviceBatch, TaskStep, on_device

HELD_BYTES = 64 << 20  # of batches that rotate, at most, beyond the first two


def step_of(network: str, heads: list[str] | None, **settings: Any) -> TaskStep:
    """A step of the declared task; what is wrong with it is told in one line."""
    with told_as(network):
        return TaskStep(lambda: build(network, heads), **settings)


def rotating(step: TaskStep) -> list[Batch]:
    """Batches as the task draws them, as many as keep one from being learned by heart."""
    rng = np.random.default_rng(SEED)
    drawn: list[Batch] = []
    while len(drawn) < BATCHES and (len(drawn) < 2 or sum(batch.bytes for batch in drawn) < HELD_BYTES):
        drawn += step.draw(rng)
    return drawn


def loaded(step: TaskStep, batch: Any) -> DeviceBatch:
    """What a DataLoader gave, on the step's device; 64-bit floats become MXNet's own 32-bit ones."""
    arrays = batch if isinstance(batch, (list, tuple)) else (batch,)
    there = [array.as_in_context(step.device) for array in arrays]
    return step.grouped([a.astype("float32") if a.dtype == np.float64 else a for a in there])


def denormal_share(step: TaskStep) -> float:
    """The share of the optimizer's 32-bit state that is denormal, 0 to 1; synchronises."""
    arrays = [array.asnumpy() for array in step.state_arrays() if array.dtype == np.float32]
    bits = [array.view(np.uint32).ravel() & 0x7FFFFFFF for array in arrays]
    if not bits:
        return 0.0
    magnitude, smallest = np.concatenate(bits), int(SMALLEST_NORMAL.view(np.uint32))
    return float(np.mean((magnitude > 0) & (magnitude < smallest)))


def parameters(step: TaskStep) -> int:
    """Numbers that are learned."""
    return sum(int(parameter.data().size) for _, parameter in step.learned())


class TaskWorkload(Stepped):
    """One declared network stepped on rotating batches; all that a step changes returns to a snapshot."""

    def __init__(
        self,
        *,
        network: str,
        heads: list[str] | None = None,
        part: Part = "step",
        mode: Mode = "hybridized",
        batch_size: int = 32,
        device: str = "cpu",
        copy_each_batch: bool = False,
    ) -> None:
        self.images = batch_size
        self.copy_each_batch = copy_each_batch
        self.device = device_named(device)
        self.step = step_of(network, heads, size=batch_size, mode=mode, device=self.device)
        with told_as(network):
            drawn = rotating(self.step)
        lie_on = mx.cpu() if copy_each_batch else self.device
        self.batches = cycle([on_device(batch, lie_on) for batch in drawn])
        calls: dict[Part, Callable[[DeviceBatch], Any]] = {
            "forward": self.step.forward,
            "forward_backward": self.step.forward_backward,
            "step": self.step,
        }
        self.call = calls[part]
        self.start = self.step.snapshot()
        self.done = 0

    @property
    def training_steps(self) -> list[TaskStep]:
        return [self.step]

    def run(self, iterations: int) -> None:
        self.done += iterations
        for batch in islice(self.batches, iterations):
            self.call(batch.to(self.device) if self.copy_each_batch else batch)

    def facts(self) -> dict[str, float]:
        return facts_of(self.training_steps)


def facts_of(steps: list[TaskStep]) -> dict[str, float]:
    """Denormals, and the size of the work of an iteration."""
    facts = {
        "denormal_share": max(denormal_share(step) for step in steps),
        "parameters": float(sum(parameters(step) for step in steps)),
    }
    flop = [step.training_flop() for step in steps]
    return {**facts, "training_flop": sum(flop)} if all(flop) else facts


class SeparateTasks(OneAfterTheOther):
    """One network a head, stepped one after the other on batches of the same kind."""

    def __init__(self, *, heads: list[str], **settings: Any) -> None:
        self.parts = [TaskWorkload(**settings, heads=[head]) for head in heads]

    def facts(self) -> dict[str, float]:
        return facts_of(self.training_steps)
