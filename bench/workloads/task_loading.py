"""A declared task's data as workloads: passes over its dataset, whole epochs, and training as it goes on."""

from __future__ import annotations

import time
from itertools import cycle, islice
from typing import Any

import numpy as np

from bench.records.shared import EPOCH, STEPS
from bench.workloads.declared import build, told_as
from bench.workloads.task import denormal_share, loaded, rotating, step_of
from mtl_core.config import Mode
from mtl_core.data.loaders import GluonLoader
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.platform.proportional import proportional_bytes
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


class TaskLoading:
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

    @property
    def iteration_steps(self) -> int:
        """Batches in an iteration."""
        return len(self.loader)

    def prepare(self) -> None:
        """Every pass starts alike."""

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            for batch in self.loader.batches():
                _wait(batch)

    def synchronise(self) -> None:
        mx.nd.waitall()

    def round_facts(self) -> dict[str, float]:
        return {}

    def facts(self) -> dict[str, float]:
        return {"first_batch_s": self.first_batch_s, "pss_bytes": float(proportional_bytes())}

    def close(self) -> None:
        self.loader.close()


class TaskEpoch:
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

    @property
    def iteration_steps(self) -> int:
        """Training steps in an iteration."""
        return len(self.loader)

    def prepare(self) -> None:
        self.step.restore(self.start)
        self.epochs = 0
        self.spent = dict.fromkeys(self.spent, 0.0)

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self._epoch()

    def _epoch(self) -> None:
        self.epochs += 1
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

    def synchronise(self) -> None:
        mx.nd.waitall()

    def round_facts(self) -> dict[str, float]:
        """Seconds an epoch, and shares of it; those of a lead-in are epochs like the others."""
        if not self.split:
            return {}
        whole = sum(self.spent.values()) or 1.0
        shares = {f"{name[:-2]}_share": s / whole for name, s in self.spent.items()}
        return {name: s / max(1, self.epochs) for name, s in self.spent.items()} | shares

    def facts(self) -> dict[str, float]:
        return {"denormal_share": denormal_share(self.step)}

    def close(self) -> None:
        self.loader.close()


class TaskTraining:
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

    def prepare(self) -> None:
        """Begin an epoch where one is over: the next, or the first again."""
        if self.done % self.pieces:
            return
        if self.again:
            self.step.restore(self.start)
        self.batches = cycle(self.held)

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.prepare()
            piece = self.done % self.pieces
            self.steps = self.whole * (piece + 1) // self.pieces - self.whole * piece // self.pieces
            for number, batch in enumerate(islice(self.batches, self.steps)):
                self.step(batch)
                if number % 50 == 49:
                    mx.nd.waitall()  # a queue without bound would measure memory
            self.done += 1

    @property
    def iteration_steps(self) -> int:
        """Training steps in the last piece."""
        return self.steps

    def synchronise(self) -> None:
        mx.nd.waitall()

    def round_facts(self) -> dict[str, float]:
        """The steps of the last piece, and the epoch, from 1, that it belongs to."""
        epoch = (self.done - 1) // self.pieces + 1.0
        return {"denormal_share": denormal_share(self.step), EPOCH: epoch, STEPS: float(self.steps)}

    def facts(self) -> dict[str, float]:
        return {"denormal_share": denormal_share(self.step)}

    def close(self) -> None:
        mx.nd.waitall()
