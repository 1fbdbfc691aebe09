"""A declared task's data as workloads: passes over its dataset, whole epochs, and training as it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import numpy as np

from bench.workloads.alike import Epochs, LoadingAlone, Pieces
from bench.workloads.declared import build, told_as
from bench.workloads.task import denormal_share, loaded, rotating, step_of
from mtl_core.config import Mode
from mtl_core.data.loaders import GluonLoader
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.task_step import on_device


def loader_of(dataset: Any, batch_size: int, workers: int, thread_pool: bool, samples: int) -> GluonLoader:
    """Shuffled batches of so many of its samples."""
    np.random.seed(0)  # Gluon's sampler draws from it
    sampler = mx.gluon.data.RandomSampler(min(samples, len(dataset)))
    batches = mx.gluon.data.BatchSampler(sampler, batch_size, "keep")
    return GluonLoader(dataset, workers=workers, batch_sampler=batches, thread_pool=thread_pool)


def _wait(batch: Any) -> None:
    for array in batch if isinstance(batch, (list, tuple)) else (batch,):
        array.wait_to_read()


class TaskLoading(LoadingAlone):
    """Passes over the dataset with nothing done to the batches."""

    def __init__(
        self, *, network: str, batch_size: int, samples: int, workers: int = 0, thread_pool: bool = False
    ) -> None:
        dataset = build(network).dataset
        if dataset is None:
            raise UserError(f"{network} has no dataset; expected a Gluon Dataset")
        self.images = min(samples, len(dataset))
        start = time.perf_counter()  # what starts the workers is waited for too
        self.loader = loader_of(dataset, batch_size, workers, thread_pool, samples)
        with told_as(network):
            # The pass is finished, so that no prefetched batch is left over.
            for batch in self.loader.batches():
                _wait(batch)
                if start:
                    self.first_batch_s, start = time.perf_counter() - start, 0.0

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            for batch in self.loader.batches():
                _wait(batch)


class TaskEpoch(Epochs):
    """An epoch over the dataset; ``split`` tells its time apart and synchronises after each step."""

    def __init__(
        self,
        *,
        network: str,
        batch_size: int,
        samples: int,
        workers: int = 0,
        split: bool = True,
        mode: Mode = "hybridized",
    ) -> None:
        self.split = split
        self.step = step_of(network, None, size=batch_size, mode=mode)
        dataset = self.step.task.dataset
        self.images = min(samples, len(dataset))
        self.loader = loader_of(dataset, batch_size, workers, False, samples)
        self.start = self.step.snapshot()
        self.epochs = 0
        self.spent = {"waiting_s": 0.0, "computing_s": 0.0}

    def epoch(self) -> None:
        batches = self.loader.batches()
        while True:
            start = time.perf_counter()
            given = next(batches, None)
            if given is None:
                break
            waited = time.perf_counter()
            batch = loaded(self.step, given)
            self.step(batch, samples=len(batch.inputs[0]))
            if self.split:
                mx.nd.waitall()
            self.spent["waiting_s"] += waited - start
            self.spent["computing_s"] += time.perf_counter() - waited

    def facts(self) -> dict[str, float]:
        return {"denormal_share": denormal_share(self.step)}


class TaskTraining(Pieces):
    """Training that goes on: each round is the next piece of an epoch over batches that stay the same.

    Nothing is reset; with ``again`` the first epoch is repeated instead, with the same numbers.
    """

    def __init__(
        self,
        *,
        network: str,
        batch_size: int,
        steps: int = 200,
        pieces: int = 4,
        again: bool = False,
        mode: Mode = "hybridized",
    ) -> None:
        self.images = batch_size
        self.step = step_of(network, None, size=batch_size, mode=mode)
        with told_as(network):
            self.held = [on_device(batch, self.step.device) for batch in rotating(self.step)]
        self.start = self.step.snapshot()
        self.whole, self.pieces, self.again = steps, pieces, again
        self.done = self.steps = 0
        self.batches = cycle(self.held)

    def begin_epoch(self) -> None:
        if self.again:
            self.step.restore(self.start)
        self.batches = cycle(self.held)

    def stepped(self, steps: int) -> Iterator[None]:
        for batch in islice(self.batches, steps):
            self.step(batch)
            yield

    def facts(self) -> dict[str, float]:
        return {"denormal_share": denormal_share(self.step)}

    def close(self) -> None:
        mx.nd.waitall()
