"""Both loaders: each epoch a permutation, batches of the stated form, last batches as documented."""

from __future__ import annotations

import errno
import math
import mmap
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.data.dataset import Split
from mtl_core.data.loaders import BATCHES_A_TAKE, Batch, FastLoader, LastBatch, TutorialLoader
from mtl_core.data.watching import died, handed_over, watch
from mtl_core.errors import UserError
from mtl_core.platform import shared_memory
from mtl_core.platform.mxnet import mx
from mtl_core.platform.segments import forget_segments
from tests.processes import ROOT

CPU = mx.cpu()
Loader = FastLoader | TutorialLoader


def numbered(count: int) -> Split:
    """Images whose first two pixels tell their number, so that a batch shows what it holds."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(count), 256)
    images[:, 27, 27] = 255
    return Split(images, (np.arange(count) % 10).astype(np.uint8))


def numbers(batch: Batch) -> list[int]:
    pixels = np.rint(batch.images.asnumpy().reshape(len(batch.digits), -1) * 255).astype(int)
    return [int(number) for number in pixels[:, 0] * 256 + pixels[:, 1]]


def epoch(loader: Loader) -> list[list[int]]:
    return [numbers(batch) for batch in loader]


def flat(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


def make(kind: type[Loader], count: int, batch_size: int, **options: Any) -> Loader:
    """A loader of numbered images, in this process."""
    where = {"workers": 0} if kind is TutorialLoader else {}
    return kind(numbered(count), batch_size, CPU, **{"shuffle": True, **where, **options})


def expected_sizes(counts: list[int], batch_size: int, last_batch: LastBatch) -> list[list[int]]:
    """Sizes of the batches of each epoch by the documentation of Gluon's BatchSampler."""
    epochs, waiting = [], 0
    for count in counts:
        full, rest = divmod(waiting + count, batch_size)
        epochs.append([batch_size] * full + ([rest] if rest and last_batch == "keep" else []))
        waiting = rest if last_batch == "rollover" else 0
    return epochs


kinds = pytest.mark.parametrize("kind", [FastLoader, TutorialLoader])
sizes = st.integers(1, 25)


@kinds
@settings(max_examples=25, deadline=None)  # the tutorial's loader is slow, and machines differ
@given(count=sizes, batch_size=sizes, last_batch=st.sampled_from(get_args(LastBatch)), shuffle=st.booleans())
def test_last_batches_are_as_gluon_documents(
    kind: type[Loader], count: int, batch_size: int, last_batch: LastBatch, shuffle: bool
) -> None:
    loader = make(kind, count, batch_size, last_batch=last_batch, shuffle=shuffle)
    found = []
    for _ in range(4):
        announced = len(loader)
        found.append(epoch(loader))
        assert announced == len(found[-1])
    assert [[len(b) for b in e] for e in found] == expected_sizes([count] * 4, batch_size, last_batch)


@kinds
@settings(max_examples=25, deadline=None)
@given(count=sizes, batch_size=sizes)
def test_each_epoch_is_a_permutation(kind: type[Loader], count: int, batch_size: int) -> None:
    loader = make(kind, count, batch_size, last_batch="keep")
    for _ in range(2):
        assert sorted(flat(epoch(loader))) == list(range(count))


@kinds
@settings(max_examples=25, deadline=None)
@given(count=sizes, batch_size=sizes)
def test_rollover_loses_and_repeats_nothing(kind: type[Loader], count: int, batch_size: int) -> None:
    """Over epochs every image comes as often as epochs went by; those still waiting are told."""
    loader = make(kind, count, batch_size, last_batch="rollover")
    seen: list[int] = []
    for passed in range(1, 4):
        before = loader.rolled_over
        batches = flat(epoch(loader))
        assert batches[: len(before)] == before[: len(batches)]
        seen += batches
        assert sorted(seen + loader.rolled_over) == sorted(list(range(count)) * passed)


@kinds
def test_without_shuffling_images_come_in_order(kind: type[Loader]) -> None:
    loader = make(kind, 300, 7, shuffle=False, last_batch="keep")
    assert flat(epoch(loader)) == list(range(300))


@kinds
@pytest.mark.parametrize("device", [mx.cpu(0), mx.cpu(1)])
def test_batches_have_the_stated_form(kind: type[Loader], device: Any) -> None:
    split = numbered(20)
    loader = kind(split, 8, device, shuffle=False, last_batch="discard")
    try:
        batches = list(loader)
    finally:
        loader.close()
    assert len(batches) == 2
    for start, batch in zip((0, 8), batches, strict=True):
        shape = (8, 784) if kind is FastLoader else (8, 1, 28, 28)
        assert [a.shape for a in (batch.images, batch.digits, batch.odd_even)] == [shape, (8,), (8,)]
        for array in (batch.images, batch.digits, batch.odd_even):
            assert (array.dtype, array.context) == (np.float32, device)
        pixels = split.images[start : start + 8].reshape(shape).astype(np.float32) / np.float32(255)
        np.testing.assert_array_max_ulp(batch.images.asnumpy(), pixels, maxulp=1)
        labels = split.labels[start : start + 8]
        assert batch.digits.asnumpy().tolist() == labels.tolist()
        assert batch.odd_even.asnumpy().tolist() == (labels % 2).tolist()


@kinds
def test_what_rolled_over_can_be_set(kind: type[Loader]) -> None:
    loader = make(kind, 10, 4, last_batch="rollover")
    loader.rolled_over = [7, 3]
    assert loader.rolled_over == [7, 3]
    assert flat(epoch(loader))[:2] == [7, 3]
    assert loader.rolled_over == []


def test_the_fast_loaders_order_follows_from_seed_and_epoch() -> None:
    first, second = (make(FastLoader, 200, 16, seed=5) for _ in range(2))
    epochs = [epoch(first) for _ in range(3)]
    assert isinstance(second, FastLoader)
    second.epoch = 2
    assert epoch(second) == epochs[2]
    assert epochs[0] != epochs[1]
    assert epoch(make(FastLoader, 200, 16, seed=6)) != epochs[0]


def test_numpys_seed_governs_the_tutorials_order() -> None:
    np.random.seed(3)
    first = epoch(make(TutorialLoader, 50, 8))
    np.random.seed(3)
    assert epoch(make(TutorialLoader, 50, 8)) == first


@contextmanager
def synchronisation_forbidden() -> Iterator[None]:
    """Every call that waits for MXNet raises."""
    refusal = mock.Mock(side_effect=AssertionError("synchronised"))
    with ExitStack() as stack:
        for owner, name in (
            (mx.nd.NDArray, "asnumpy"),
            (mx.nd.NDArray, "asscalar"),
            (mx.nd.NDArray, "wait_to_read"),
            (mx.nd, "waitall"),
        ):
            stack.enter_context(mock.patch.object(owner, name, refusal))
        yield


def test_the_fast_loader_does_not_synchronise() -> None:
    loader = make(FastLoader, 1000, 16)
    with synchronisation_forbidden():
        batches = list(loader)
    assert sorted(flat([numbers(batch) for batch in batches])) == list(range(1000))


def test_batches_stay_what_they_were_while_others_are_made() -> None:
    """They are cut from one array; more than one gathering must not overwrite the first."""
    loader = make(FastLoader, 10 * 3 * BATCHES_A_TAKE, 10, shuffle=False)
    batches = list(loader)
    assert flat([numbers(batch) for batch in batches]) == list(range(30 * BATCHES_A_TAKE))


@pytest.mark.parametrize(("count", "thread_pool"), [(50, False), (50, True), (48, False)])
def test_two_workers_give_what_one_process_gives(count: int, thread_pool: bool) -> None:
    np.random.seed(1)
    alone = make(TutorialLoader, count, 8)
    expected = [epoch(alone) for _ in range(3)]
    np.random.seed(1)
    loader = make(TutorialLoader, count, 8, workers=2, thread_pool=thread_pool)
    try:
        assert [epoch(loader) for _ in range(3)] == expected
    finally:
        loader.close()


@pytest.mark.parametrize("batches_taken", [0, 1, 7])
def test_no_worker_is_left_after_close(batches_taken: int) -> None:
    """Also when an epoch is abandoned with batches on their way."""
    before = set(multiprocessing.active_children())
    loader = make(TutorialLoader, 50, 8, workers=2, last_batch="keep")
    workers = [psutil.Process(p.pid) for p in set(multiprocessing.active_children()) - before]
    assert len(workers) == 2
    for _batch, _ in zip(loader, range(batches_taken), strict=False):
        pass
    loader.close()
    assert not any(worker.is_running() for worker in workers)
    loader.close()  # a second time is no error


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory shows as files on Linux alone")
def test_a_batch_that_was_never_handed_over_leaves_no_shared_memory() -> None:
    """A worker ended in between is played by a file of its name; what this process has mapped stays."""
    loader = TutorialLoader(numbered(64), 16, CPU, shuffle=False, workers=1)
    (worker,) = {process.pid for process in loader.loader._worker_pool._pool}
    left, mapped = (Path(f"/dev/shm/mx_{worker:x}_{name}") for name in ("1a", "2b"))
    others = Path(f"/dev/shm/mx_{worker + 2**30:x}_3c")  # beyond every process number
    made = (left, mapped, others, Path(f"/dev/shm/mx_{worker:x}_other"))
    try:
        for path in made:
            path.write_bytes(b"x" * mmap.PAGESIZE)
        with mapped.open("r+b") as file, mmap.mmap(file.fileno(), 0):
            loader.close()
            assert [path.exists() for path in made] == [False, True, True, True]
        forget_segments({worker})
        assert not mapped.exists()
    finally:
        for path in made:
            path.unlink(missing_ok=True)


def test_a_worker_that_died_is_noticed_at_once_and_the_end_does_not_wait_for_it() -> None:
    """The only worker waits for work with the lock of its queue, which nobody else gets then."""
    loader = TutorialLoader(numbered(64), 16, CPU, shuffle=False, workers=1)
    (process,) = loader.loader._worker_pool._pool
    loader.loader._worker_pool._inqueue._rlock.acquire(block=False)  # where the worker has not come so far
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with pytest.raises(UserError, match="a DataLoader worker was ended by SIGKILL"):
        epoch(loader)
    loader.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("codes", "ending"),
    [
        ([None, None], None),
        ([None, 3], "ended with exit code 3"),
        ([None, -signal.SIGBUS], "was ended by SIGBUS (most likely /dev/shm is full)"),
        ([-signal.SIGTERM], "was ended by SIGTERM"),
    ],
)
def test_how_a_worker_ended_is_told_with_what_it_means(codes: list[int | None], ending: str | None) -> None:
    assert died([mock.Mock(exitcode=code) for code in codes]) == ending


def test_workers_that_lack_shared_memory_are_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "sizes", lambda: (2 << 20, 1 << 20))
    with pytest.raises(UserError, match="5 DataLoader workers with batches") as no:
        TutorialLoader(numbered(256), 128, CPU, shuffle=False, workers=5)
    assert str(no.value).startswith("/dev/shm has 1.0 MiB free of 2.0, and ")
    assert "batches of 128 need 3.9 MiB: take fewer workers" in str(no.value)
    assert "\n" not in str(no.value)
    assert not multiprocessing.active_children()
    TutorialLoader(numbered(256), 128, CPU, shuffle=False, workers=0).close()
    TutorialLoader(numbered(256), 128, CPU, shuffle=False, workers=5, thread_pool=True).close()
    TutorialLoader(numbered(4), 128, CPU, shuffle=False, workers=1).close()  # no more than there is


def test_a_system_without_shared_memory_in_files_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "SEGMENTS", Path("/no/such/folder"))
    assert shared_memory.sizes() is None
    assert shared_memory.shortage(10**9, (4,), 64) is None


LEAVES = """
import sys
from pathlib import Path
from mtl_core.platform.mxnet import mx
from mtl_core.data.loaders import TutorialLoader
from tests.test_loaders import numbered
loader = TutorialLoader(numbered(64), 16, mx.cpu(), shuffle=False, workers=1)
(worker,) = {process.pid for process in loader.loader._worker_pool._pool}
left = Path(f"/dev/shm/mx_{worker:x}_4d")
left.write_bytes(b"x")
print(left, flush=True)
raise SystemExit(7)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory shows as files on Linux alone")
def test_a_process_that_ends_without_closing_leaves_no_shared_memory_either() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVES], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (7, "")
    left = Path(done.stdout.strip())
    assert left.parent == Path("/dev/shm") and not left.exists()


def test_a_pool_that_does_not_end_by_itself_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was terminated may have held the lock that the pool's thread waits for."""
    monkeypatch.setattr("mtl_core.data.watching.LONGEST_END_S", 0.1)
    monkeypatch.setattr("multiprocessing.pool.Pool.terminate", lambda pool: threading.Event().wait())
    before = set(multiprocessing.active_children())
    loader = make(TutorialLoader, 50, 8, workers=2, last_batch="keep")
    workers = [psutil.Process(p.pid) for p in set(multiprocessing.active_children()) - before]
    next(iter(loader))
    loader.close()
    assert not any(worker.is_running() for worker in workers)


def test_a_pool_whose_workers_die_while_it_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a signal to the whole group does, one of whose workers held the lock that the pool waits for."""

    def terminate(pool: Any) -> None:
        for process in pool._pool:
            process.kill()
        threading.Event().wait()

    monkeypatch.setattr("mtl_core.data.watching.LONGEST_END_S", math.inf)
    monkeypatch.setattr("multiprocessing.pool.Pool.terminate", terminate)
    loader = make(TutorialLoader, 50, 8, workers=2, last_batch="keep")
    next(iter(loader))
    pool = loader.loader._worker_pool
    loader.close()
    assert pool.abandoned


class Ended:
    """A worker's process that is gone once it was looked at so often, by the signal given."""

    def __init__(self, looks: int, by: int) -> None:
        self.looks, self.by = looks, by

    @property
    def exitcode(self) -> int | None:
        self.looks -= 1
        return -self.by if self.looks < 0 else None

    def kill(self) -> None:
        self.looks, self.by = 0, signal.SIGKILL

    def join(self) -> None: ...


class Handing:
    """Gluon's DataLoader where a batch cannot be fetched: it ends its pool, then lets the error out."""

    def __init__(self, processes: list[Ended], error: Exception) -> None:
        self.error = error
        self._worker_pool = mock.MagicMock(_state="RUN", _pool=[])
        self._worker_pool.terminate = lambda: [process.kill() for process in processes]
        watch(self._worker_pool, processes)

    def __iter__(self) -> Iterator[int]:
        yield 1
        try:
            raise self.error
        except Exception:
            self._worker_pool.terminate()
            raise


def test_a_worker_that_dies_while_it_hands_a_batch_over_is_told_by_its_own_end() -> None:
    """Its socket is closed some time before it is gone, and the others are ended after it."""
    processes = [Ended(10**9, signal.SIGTERM), Ended(5, signal.SIGBUS)]
    taken = handed_over(Handing(processes, ConnectionResetError(104, "Connection reset by peer")))
    assert next(taken) == 1
    with pytest.raises(UserError, match=r"a DataLoader worker was ended by SIGBUS \(most likely .* is full"):
        next(taken)


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "Too many open files"), ValueError("theirs")])
def test_what_else_fails_as_a_batch_is_taken_is_no_workers_death(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        list(handed_over(Handing([Ended(10**9, signal.SIGTERM)], error)))
    assert raised.value is error
