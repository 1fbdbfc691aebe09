"""Two ways to turn images into batches: the tutorial's, to be measured, and a fast one, to be used."""

from __future__ import annotations

import multiprocessing.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mtl_core.data.dataset import Split
from mtl_core.data.watching import handed_over, watch
from mtl_core.platform import shared_memory
from mtl_core.platform.forking import held_back
from mtl_core.platform.mxnet import mx
from mtl_core.platform.segments import forget_segments

LastBatch = Literal["keep", "discard", "rollover"]
BATCHES_A_TAKE = 4  # gathered at once: few enough to stay near the cache, enough to pay for the call


@dataclass(frozen=True)
class Batch:
    """Float32 arrays on the device."""

    images: Any  # (B, 784) from the fast loader, (B, 1, 28, 28) from the tutorial's; 0 to 1
    digits: Any  # (B,)
    odd_even: Any  # (B,): 1.0 for an odd digit


class FastLoader:
    """Converts once, then only shuffles and slices, all on the device. Iterating it is one epoch.

    The order of epoch e depends on (seed, e) alone, so a resumed run sees what an uninterrupted one
    would; ``epoch`` may be set. With ``last_batch="rollover"`` what does not fill a batch comes
    first in the next epoch, with ``"discard"`` it is dropped.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        device: Any,
        *,
        shuffle: bool,
        seed: int = 0,
        last_batch: LastBatch = "keep",
    ) -> None:
        self.batch_size = batch_size
        self.device = device
        self.shuffle = shuffle
        self.seed = seed
        self.last_batch = last_batch
        self.epoch = 0
        self.rest = np.zeros(0, np.int64)
        pixels = split.images.reshape(len(split.images), -1).astype(np.float32) / np.float32(255)
        digits = split.labels.astype(np.float32)
        self.count = len(digits)
        self.images, self.digits, self.odd_even = (
            mx.nd.array(array, ctx=device) for array in (pixels, digits, digits % 2)
        )

    def __len__(self) -> int:
        waiting = len(self.rest) + self.count
        return -(-waiting // self.batch_size) if self.last_batch == "keep" else waiting // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        order = self._order()
        used = order[: len(self) * self.batch_size]
        together = self.batch_size * BATCHES_A_TAKE
        for start in range(0, len(used), together):
            yield from self._batches(used[start : start + together])
        if self.last_batch == "rollover":
            self.rest = order[len(order) - len(order) % self.batch_size :]

    def _order(self) -> Any:
        """Which images come when in this epoch, those rolled over first."""
        rng = np.random.Generator(np.random.PCG64([self.seed, self.epoch]))
        self.epoch += 1
        return np.concatenate(
            [self.rest, rng.permutation(self.count) if self.shuffle else np.arange(self.count)]
        )

    def _batches(self, chosen: Any) -> Iterator[Batch]:
        """The chosen images gathered on the device, then cut into batches without a further copy."""
        where = mx.nd.array(chosen, ctx=self.device, dtype="int32")
        images, digits, odd_even = (
            mx.nd.take(array, where) for array in (self.images, self.digits, self.odd_even)
        )
        for start in range(0, len(chosen), self.batch_size):
            stop = min(start + self.batch_size, len(chosen))
            yield Batch(images[start:stop], digits[start:stop], odd_even[start:stop])

    @property
    def rolled_over(self) -> list[int]:
        """The images that wait for the next epoch."""
        return [int(image) for image in self.rest]

    @rolled_over.setter
    def rolled_over(self, images: list[int]) -> None:
        self.rest = np.array(images, np.int64)

    def close(self) -> None:
        """Nothing was started."""


def _transform(image: Any, label: Any) -> tuple[Any, Any, Any]:
    """The tutorial's transform of one sample: (28, 28, 1) bytes to (1, 28, 28) floats, both labels."""
    pixels = image.transpose((2, 0, 1)).astype("float32") / 255.0
    return pixels, np.float32(label), np.float32(label % 2)


def _told_unless_hung_up(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """The hook of uncaught errors, but for a connection that was hung up."""
    if not issubclass(kind, ConnectionError):
        sys.__excepthook__(kind, error, trace)


@contextmanager
def _inherited_by_workers() -> Iterator[None]:
    """What worker processes forked in the block take over from this one.

    Their temporary folder, which goes with this process, where their own would stay behind; and their
    silence when this process hangs up in the middle of taking a batch, as it does on Ctrl-C.
    """
    multiprocessing.util.get_temp_dir()
    before, sys.excepthook = sys.excepthook, _told_unless_hung_up
    try:
        yield
    finally:
        sys.excepthook = before


def _bytes_of(sample: Any) -> list[int]:
    """The bytes of each array of a sample."""
    parts = sample if isinstance(sample, (list, tuple)) else (sample,)
    return [
        int(np.prod(getattr(part, "shape", ()))) * np.dtype(getattr(part, "dtype", np.float32)).itemsize
        for part in parts
    ]


class GluonLoader:
    """Gluon's DataLoader over any dataset; its worker processes are forked here and end with :meth:`close`.

    Gluon's sampler draws from NumPy's global generator. ``options`` are the DataLoader's own.
    """

    def __init__(self, dataset: Any, *, workers: int, **options: Any) -> None:
        """Raises UserError where workers have too little shared memory for their batches."""
        if workers and not options.get("thread_pool") and len(dataset):
            sampler = options.get("batch_sampler")
            batch_size = options["batch_size"] if sampler is None else sampler._batch_size
            shared_memory.check(min(batch_size, len(dataset)), _bytes_of(dataset[0]), workers)
        with _inherited_by_workers(), held_back():
            self.loader = mx.gluon.data.DataLoader(dataset, num_workers=workers, **options)
        pool = getattr(self.loader, "_worker_pool", None)
        processes = [process for process in getattr(pool, "_pool", ()) if hasattr(process, "pid")]
        started = {process.pid for process in processes}
        if processes:
            watch(pool, processes)
        # At the latest when this process ends, which may not close; after the pool, whose priority is 15.
        self.forget = multiprocessing.util.Finalize(None, forget_segments, args=(started,), exitpriority=1)

    def __len__(self) -> int:
        return len(self.loader)

    def batches(self) -> Iterator[Any]:
        """A pass, as the DataLoader gives it. Raises UserError when a worker dies meanwhile."""
        return handed_over(self.loader)

    def close(self) -> None:
        """End the worker processes and wait until they are gone."""
        pool = getattr(self.loader, "_worker_pool", None)
        if pool is not None:
            pool.terminate()
            pool.join()
            self.loader._worker_pool = None
        self.forget()


class TutorialLoader(GluonLoader):
    """The original's way: a transform a sample, Gluon's DataLoader, 5 worker processes, shuffle, rollover.

    Workers hand out arrays in shared memory, which are moved to the device.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        device: Any,
        *,
        shuffle: bool,
        workers: int = 5,
        thread_pool: bool = False,
        last_batch: LastBatch = "rollover",
    ) -> None:
        self.device = device
        images = mx.nd.array(split.images[..., None], dtype="uint8")  # (N, 28, 28, 1)
        dataset = mx.gluon.data.ArrayDataset(images, split.labels.astype(np.int32)).transform(_transform)
        super().__init__(
            dataset,
            batch_size=batch_size,
            shuffle=shuffle,
            last_batch=last_batch,
            workers=workers,
            thread_pool=thread_pool,
        )

    def __iter__(self) -> Iterator[Batch]:
        for arrays in self.batches():
            yield Batch(*(array.as_in_context(self.device) for array in arrays))

    @property
    def rolled_over(self) -> list[int]:
        """The images that wait for the next epoch; Gluon's sampler keeps them."""
        return [int(image) for image in self.loader._batch_sampler._prev]

    @rolled_over.setter
    def rolled_over(self, images: list[int]) -> None:
        self.loader._batch_sampler._prev = list(images)
