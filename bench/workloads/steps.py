"""Training steps as workloads: forward, forward and backward, or the whole step."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from typing import Any, Literal, cast

import numpy as np

from bench.workloads.alike import OneAfterTheOther, Stepped
from bench.workloads.counting import Countable
from mtl_core.config import HEADS, Head, Mode, NetworkConfig, StepConfig
from mtl_core.cost import cost
from mtl_core.data.dataset import Split
from mtl_core.data.mnist import load_mnist
from mtl_core.data.synthetic import draw_digits
from mtl_core.platform.mxnet import mx
from mtl_core.step import TrainingStep, denormal_share

Part = Literal["forward", "forward_backward", "step"]
BATCHES = 20  # that rotate, so that no batch is learned by heart


def device_named(name: str) -> Any:
    """``cpu``, ``cpu(1)``, ``gpu(0)`` ... as MXNet's context."""
    kind, _, index = name.rstrip(")").partition("(")
    return mx.Context(kind, int(index or 0))


def labels_for(labels: Any, head: Head) -> Any:
    """What the head learns: the digit itself, or 1.0 for an odd one; float32 (N,)."""
    return (labels if head == "digits" else labels % 2).astype(np.float32)


def training_split(images: int, data: str) -> Split:
    """The first training images of MNIST, which has to be on this machine, or synthetic digits."""
    if data == "synthetic":
        return draw_digits(images)
    train = load_mnist(download=False).train
    chosen = np.arange(images) % len(train.labels)  # from the start again where more are asked for
    return Split(images=train.images[chosen], labels=train.labels[chosen])


def batches_for(
    heads: tuple[Head, ...], batch_size: int, device: Any, data: str = "synthetic"
) -> list[tuple[Any, ...]]:
    """Rotating batches on the device: images (B, 784), one label array a head."""
    count = max(2, min(BATCHES, 16_384 // batch_size))
    split = training_split(count * batch_size, data)
    arrays = [split.images.reshape(-1, 784).astype(np.float32) / 255.0]
    arrays += [labels_for(split.labels, head) for head in heads]
    held = [mx.nd.array(array, ctx=device) for array in arrays]
    slices = [slice(i * batch_size, (i + 1) * batch_size) for i in range(count)]
    return [tuple(array[part].copy() for array in held) for part in slices]


def facts_of(workload: Countable) -> dict[str, float]:
    """Denormals, and the size of the work of an iteration."""
    steps = cast("list[TrainingStep]", workload.training_steps)
    return {
        "denormal_share": max(denormal_share(step) for step in steps),
        "parameters": float(sum(array.size for step in steps for array in step.parameter_arrays())),
        "training_flop": float(sum(cost(step.network.config).training_flop for step in steps)),
    }


class StepWorkload(Stepped):
    """One network stepped on rotating batches; parameters and Adam return to a snapshot."""

    def __init__(
        self,
        *,
        part: Part = "step",
        mode: Mode = "hybridized",
        batch_size: int = 128,
        heads: list[Head] | tuple[Head, ...] = HEADS,
        device: str = "cpu",
        copy_each_batch: bool = False,
        data: str = "synthetic",
    ) -> None:
        self.images = batch_size
        self.copy_each_batch = copy_each_batch
        self.device = device_named(device)
        self.step = TrainingStep(NetworkConfig(heads=tuple(heads)), StepConfig(mode=mode), self.device)
        lie_on = mx.cpu() if copy_each_batch else self.device
        self.batches = cycle(batches_for(tuple(heads), batch_size, lie_on, data))
        calls: dict[Part, Callable[..., Any]] = {
            "forward": self.step.forward,
            "forward_backward": self.step.forward_backward,
            "step": self.step,
        }
        self.call = calls[part]
        self.start = self.step.snapshot()
        self.done = 0

    @property
    def training_steps(self) -> list[TrainingStep]:
        return [self.step]

    def _to_device(self, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(array.as_in_context(self.device) for array in batch)

    def run(self, iterations: int) -> None:
        self.done += iterations
        for batch in islice(self.batches, iterations):
            self.call(*(self._to_device(batch) if self.copy_each_batch else batch))

    def facts(self) -> dict[str, float]:
        return facts_of(self)


class SeparateNetworks(OneAfterTheOther):
    """One network a head, stepped one after the other on the same images: no multi-task learning."""

    def __init__(self, **settings: Any) -> None:
        self.parts = [StepWorkload(**{**settings, "heads": [head]}) for head in HEADS]

    def facts(self) -> dict[str, float]:
        return facts_of(self)
