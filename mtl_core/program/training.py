"""Whole training runs: epochs, accuracies and losses, and the test on every image."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mtl_core.config import TrainConfig
from mtl_core.data.dataset import Split
from mtl_core.data.loaders import Batch, FastLoader, TutorialLoader
from mtl_core.platform.mxnet import mx
from mtl_core.step import Forward, Snapshot, TrainingStep, denormal_share

LoaderName = Literal["fast", "tutorial"]
READ_EVERY = 50  # batches between two synchronisations, so that the queue stays bounded


@dataclass(frozen=True)
class EpochResult:
    """What one pass over the training images came to; accuracies and losses are means over images."""

    epoch: int  # from 0, as the tutorial counts
    digits_accuracy: float
    odd_even_accuracy: float
    digits_loss: float
    odd_even_loss: float
    images: int
    duration_s: float
    denormal_share: float  # of Adam's state at the end of the epoch


@dataclass(frozen=True)
class TestResult:
    """Accuracies on the test images, each counted exactly once."""

    __test__ = False  # no test of pytest's

    digits_accuracy: float
    odd_even_accuracy: float
    images: int


class Sums:
    """Counts right answers and sums losses on the device; read only now and then."""

    def __init__(self) -> None:
        self.pending: list[tuple[Any, ...]] = []
        self.totals = np.zeros(4)
        self.images = 0

    def add(self, batch: Batch, forward: Forward) -> None:
        """Keep the results of one batch until they are read; starts nothing and waits for nothing."""
        self.pending.append((batch.digits, batch.odd_even, *forward.outputs, *forward.losses))
        self.images += batch.digits.shape[0]

    def read(self) -> None:
        """Wait for what is pending and count it."""
        for arrays in self.pending:
            digits, odd, scores, logit, *losses = (array.asnumpy() for array in arrays)
            self.totals[0] += np.count_nonzero(scores.argmax(axis=1) == digits)
            self.totals[1] += np.count_nonzero((logit.ravel() > 0) == (odd > 0))
            self.totals[2:] += [loss.sum(dtype=np.float64) for loss in losses]
        self.pending.clear()

    def means(self) -> tuple[float, float, float, float]:
        self.read()
        digits, odd_even, digits_loss, odd_even_loss = (float(t) for t in self.totals / max(1, self.images))
        return digits, odd_even, digits_loss, odd_even_loss


class TutorialMetrics(Sums):
    """The tutorial's way: two Accuracy metrics updated after each batch, each of which synchronises."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics = (mx.metric.Accuracy(), mx.metric.Accuracy())
        self.losses: tuple[Any, Any] = (mx.nd.zeros(1), mx.nd.zeros(1))

    def add(self, batch: Batch, forward: Forward) -> None:
        self.images += batch.digits.shape[0]
        self.losses = (self.losses[0] + forward.losses[0].sum(), self.losses[1] + forward.losses[1].sum())
        self.metrics[0].update(batch.digits, forward.outputs[0])
        self.metrics[1].update(batch.odd_even, (forward.outputs[1].sigmoid() > 0.5).reshape(-1))

    def means(self) -> tuple[float, float, float, float]:
        digits_loss, odd_even_loss = (float(total.asscalar()) / self.images for total in self.losses)
        return self.metrics[0].get()[1], self.metrics[1].get()[1], digits_loss, odd_even_loss


def seed_everything(seed: int, epoch: int) -> None:
    """Repeat MXNet's, NumPy's and ``random``'s numbers; the tutorial forgets NumPy, whose sampler it is.

    Seeded anew for each epoch, so that a resumed run needs no generator's state. The seeds are mixed,
    lest the second epoch of one run be shuffled as the first of the next seed.
    """
    for_random, for_numpy, for_mxnet = (
        int(n) for n in np.random.SeedSequence([seed, epoch]).generate_state(3)
    )
    random.seed(for_random)
    np.random.seed(for_numpy)
    mx.random.seed(for_mxnet & 0x7FFFFFFF)  # MXNet takes a signed int


class Training:
    """A run under way: a step, a loader and what was reached. ``history`` has an entry an epoch."""

    def __init__(
        self, config: TrainConfig, split: Split, loader: LoaderName, workers: int, device: Any
    ) -> None:
        self.config = config
        self.loader_name = loader
        self.step = TrainingStep(config.network, config.step, device)
        seed = config.step.seed
        self.loader: FastLoader | TutorialLoader
        if loader == "fast":
            self.loader = FastLoader(split, config.batch_size, device, shuffle=True, seed=seed)
        else:
            self.loader = TutorialLoader(split, config.batch_size, device, shuffle=True, workers=workers)
        self.history: list[EpochResult] = []

    def resume(self, snapshot: Snapshot, history: Sequence[EpochResult], rolled_over: Sequence[int]) -> None:
        """Go on where another run of the same settings stopped, to the same result."""
        self.step.restore(snapshot)
        self.loader.rolled_over = list(rolled_over)
        self.history = list(history)
        if isinstance(self.loader, FastLoader):
            self.loader.epoch = len(history)

    def epoch(self, show: Callable[[int], None] = lambda images: None) -> EpochResult:
        """One epoch; ``show`` is told the images done so far. Seeds of the epoch follow from the run's."""
        number = len(self.history)
        seed_everything(self.config.step.seed, number)
        sums = Sums() if self.loader_name == "fast" else TutorialMetrics()
        start = time.perf_counter()
        for count, batch in enumerate(self.loader, start=1):
            sums.add(batch, self.step(batch.images, batch.digits, batch.odd_even))
            if count % READ_EVERY == 0:
                sums.read()
            show(sums.images)
        means = sums.means()
        result = EpochResult(
            number, *means, sums.images, time.perf_counter() - start, denormal_share(self.step)
        )
        self.history.append(result)
        return result

    def close(self) -> None:
        """End the loader's workers."""
        self.loader.close()


def evaluate(step: TrainingStep, split: Split, batch_size: int = 1000) -> TestResult:
    """Accuracies on all images of the split, each scored once, whichever loader trained.

    The tutorial's own test loader rolled over: what did not fill its last batch was scored in the next
    evaluation, and so it never saw exactly the 10,000 images.
    """
    sums = Sums()
    for batch in FastLoader(split, batch_size, step.device, shuffle=False):
        sums.add(batch, step.forward(batch.images, batch.digits, batch.odd_even))
        sums.read()
    digits, odd_even, _, _ = sums.means()
    return TestResult(digits, odd_even, sums.images)
