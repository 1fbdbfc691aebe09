"""The loaders: every epoch a permutation, stated shapes, rollover as Gluon's documentation has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core._mxnet import mx
from mtl_core.dataset import Split
from mtl_core.loaders import FastLoader, LastBatch, TutorialLoader


def numbered(count: int) -> Split:
    """Images that carry their own number in two pixels, so that each can be told apart."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.arange(count) % 256, np.arange(count) // 256
    return Split(images=images, labels=(np.arange(count) % 10).astype(np.uint8))


def numbers(batch: Any) -> list[int]:
    pixels = np.rint(batch.images.asnumpy().reshape(len(batch.digits), -1) * 255).astype(int)
    return (pixels[:, 0] + 256 * pixels[:, 1]).tolist()


def make(kind: str, count: int, size: int, last: LastBatch, workers: int = 0, shuffle: bool = True) -> Any:
    if kind == "fast":
        return FastLoader(numbered(count), size, mx.cpu(), shuffle=shuffle, last_batch=last)
    return TutorialLoader(numbered(count), size, mx.cpu(), shuffle=shuffle, workers=workers, last_batch=last)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["fast", "tutorial"]), st.integers(1, 40), st.integers(1, 17))
def test_an_epoch_is_a_permutation(kind: str, count: int, size: int) -> None:
    loader = make(kind, count, size, "keep")
    for _ in range(2):
        assert sorted(n for batch in loader for n in numbers(batch)) == list(range(count))


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["fast", "tutorial"]), st.integers(1, 40), st.integers(1, 17))
def test_rollover_keeps_what_does_not_fill_a_batch_for_the_next_epoch(
    kind: str, count: int, size: int
) -> None:
    """Over three epochs full batches only, nothing lost: what is missing waits in ``rolled_over``."""
    loader = make(kind, count, size, "rollover")
    seen: list[int] = []
    for epoch in range(1, 4):
        length = len(loader)
        batches = [numbers(batch) for batch in loader]
        assert len(batches) == length
        assert all(len(batch) == size for batch in batches)
        seen += [n for batch in batches for n in batch]
        assert sorted(seen + loader.rolled_over) == sorted(list(range(count)) * epoch)


@pytest.mark.parametrize("kind", ["fast", "tutorial"])
def test_discard_drops_what_does_not_fill_a_batch(kind: str) -> None:
    assert [len(numbers(batch)) for batch in make(kind, 10, 4, "discard")] == [4, 4]


@pytest.mark.parametrize(("kind", "shape"), [("fast", (4, 784)), ("tutorial", (4, 1, 28, 28))])
def test_batches_have_the_stated_shapes_and_types(kind: str, shape: tuple[int, ...]) -> None:
    batch = next(iter(make(kind, 8, 4, "keep", shuffle=False)))
    assert batch.images.shape == shape
    assert batch.digits.shape == batch.odd_even.shape == (4,)
    assert {a.dtype for a in (batch.images, batch.digits, batch.odd_even)} == {np.float32}
    assert batch.digits.asnumpy().tolist() == [0, 1, 2, 3]
    assert batch.odd_even.asnumpy().tolist() == [0, 1, 0, 1]
    assert 0 <= batch.images.min().asscalar() <= batch.images.max().asscalar() <= 1


def test_worker_processes_give_the_same_batches_and_end() -> None:
    loader = make("tutorial", 20, 8, "rollover", workers=2)
    children = psutil.Process().children(recursive=True)
    try:
        np.random.seed(3)
        with_workers = [numbers(batch) for batch in loader]
    finally:
        loader.close()
    np.random.seed(3)
    assert with_workers == [numbers(batch) for batch in make("tutorial", 20, 8, "rollover")]
    assert children
    assert not any(child.is_running() for child in children if child in psutil.Process().children())


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    first, second = make("fast", 30, 7, "keep"), make("fast", 30, 7, "keep")
    list(first)
    second.epoch = 1
    assert [numbers(b) for b in first] == [numbers(b) for b in second]
    assert [numbers(b) for b in first] != [
        numbers(b) for b in second.__class__(numbered(30), 7, mx.cpu(), shuffle=True, seed=1)
    ]
