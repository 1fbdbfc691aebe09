"""Loading as a workload: an iteration is one pass over the images; and whole epochs, split or unsplit."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import numpy as np

from bench.records.shared import BATCH_SIZE
from bench.workloads.alike import Epochs, LoadingAlone, Pieces
from bench.workloads.steps import device_named, training_split
from mtl_core.config import Mode, NetworkConfig, StepConfig
from mtl_core.data.dataset import Split
from mtl_core.data.loaders import Batch, FastLoader, TutorialLoader
from mtl_core.platform.mxnet import mx
from mtl_core.step import TrainingStep, denormal_share

Way = Literal["tutorial", "fast"]
# Of larger batches than the tutorial's there are as many, or workers would have nothing to do; beyond so many
# images a pass they are fewer, or it would take many seconds.
MOST_IMAGES = 20_480


def make_loader(way: Way, split: Split, batch_size: int, workers: int, thread_pool: bool = False) -> Any:
    """The tutorial's DataLoader (a transform a sample) or the fast one."""
    if way == "fast":
        return FastLoader(split, batch_size, mx.cpu(), shuffle=True, seed=0)
    np.random.seed(0)  # Gluon's sampler draws from it
    return TutorialLoader(
        split, batch_size, mx.cpu(), shuffle=True, workers=workers, thread_pool=thread_pool, last_batch="keep"
    )


def images_for(images: int, batch_size: int) -> int:
    """So many at the tutorial's batch size or a smaller one; of larger batches as many, within bounds."""
    return max(images, min(MOST_IMAGES, images * math.ceil(batch_size / BATCH_SIZE)))


class LoadingWorkload(LoadingAlone):
    """Passes over the images with nothing done to them."""

    def __init__(
        self,
        *,
        way: Way = "tutorial",
        workers: int = 0,
        thread_pool: bool = False,
        images: int = 1280,
        batch_size: int = 128,
        data: str = "synthetic",
    ) -> None:
        self.images = images_for(images, batch_size)
        split = training_split(self.images, data)
        start = time.perf_counter()  # what starts the workers is waited for too
        self.loader = make_loader(way, split, batch_size, workers, thread_pool)
        for batch in self.loader:  # the pass is finished, so that no prefetched batch is left over
            batch.images.wait_to_read()
            if start:
                self.first_batch_s, start = time.perf_counter() - start, 0.0

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            for batch in self.loader:
                batch.images.wait_to_read()


class EpochWorkload(Epochs):
    """An epoch of training, its time split into waiting for data, computing, and reading metrics.

    ``split`` synchronises after each step so that the parts can be told apart; the unsplit control
    does not, and shows what the splitting itself costs. ``same_images``: as many of a larger batch too, so
    that epochs of unlike batches do the same work.
    """

    def __init__(
        self,
        *,
        way: Way = "tutorial",
        workers: int = 2,
        split: bool = True,
        images: int = 2560,
        batch_size: int = 128,
        data: str = "synthetic",
        mode: Mode | None = None,
        same_images: bool = False,
    ) -> None:
        self.images = images if same_images else images_for(images, batch_size)
        self.split = split
        self.loader = make_loader(way, training_split(self.images, data), batch_size, workers)
        usual: Mode = "hybridized" if way == "tutorial" else "whole_graph"
        self.step = TrainingStep(NetworkConfig(), StepConfig(mode=mode or usual), device_named("cpu"))
        self.metrics_each_batch = way == "tutorial"
        self.start = self.step.snapshot()
        self.epochs = 0
        self.spent = {"waiting_s": 0.0, "computing_s": 0.0, "synchronising_s": 0.0}

    def epoch(self) -> None:
        metrics = (mx.metric.Accuracy(), mx.metric.Accuracy())
        batches = iter(self.loader)
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                break
            loaded = time.perf_counter()
            forward = self.step(batch.images, batch.digits, batch.odd_even)
            if self.split:
                mx.nd.waitall()
            computed = time.perf_counter()
            if self.metrics_each_batch:
                metrics[0].update(batch.digits, forward.outputs[0])
                metrics[1].update(batch.odd_even, (forward.outputs[1].sigmoid() > 0.5).reshape(-1))
            self.spent["waiting_s"] += loaded - start
            self.spent["computing_s"] += computed - loaded
            self.spent["synchronising_s"] += time.perf_counter() - computed

    def facts(self) -> dict[str, float]:
        return {"denormal_share": denormal_share(self.step)}


class TrainingRun(Pieces):
    """A real training run on in-memory batches: each round is the next piece of an epoch, counted in steps.

    Nothing is reset, since the course of time is what is measured. With ``again`` the first epoch is
    repeated instead, with the same numbers: what training would take if it stayed as it began. Its pieces
    are as long as those that are held against them, since the first steps after another worker's take longer.
    """

    def __init__(
        self,
        *,
        images: int = 60_000,
        batch_size: int = 128,
        data: str = "mnist",
        seed: int = 42,
        pieces: int = 8,
        again: bool = False,
    ) -> None:
        split = training_split(images, data)
        self.images = batch_size
        self.loader = FastLoader(split, batch_size, mx.cpu(), shuffle=True, seed=seed)
        self.step = TrainingStep(NetworkConfig(), StepConfig(seed=seed), mx.cpu())
        self.start = self.step.snapshot()
        self.whole, self.pieces, self.again = len(self.loader), pieces, again
        self.done = self.steps = 0
        self.batches: Iterator[Batch] = iter(())

    def begin_epoch(self) -> None:
        if self.again:
            self.step.restore(self.start)
            self.loader.epoch = 0
        self.batches = iter(self.loader)

    def stepped(self, steps: int) -> Iterator[None]:
        for batch in islice(self.batches, steps):
            self.step(batch.images, batch.digits, batch.odd_even)
            yield

    def facts(self) -> dict[str, float]:
        return {"denormal_share": denormal_share(self.step)}

    def close(self) -> None:
        self.loader.close()
