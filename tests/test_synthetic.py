"""Synthetic digits: the same bits everywhere, in MNIST's form, and worth learning."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_core.data import synthetic
from mtl_core.data.dataset import Split
from mtl_core.data.synthetic import draw_digits, load_synthetic

# Of 3,000 images and labels of seed 0, over a chunk's border; the same on every Python, NumPy and machine.
SHA256 = "4e9aad0ae077dcec087ee07767b38c4a82f7eafbfb6682497f4fa68e2a5eaa23"


def digest(split: Split) -> str:
    return hashlib.sha256(split.images.tobytes() + split.labels.tobytes()).hexdigest()


def same(left: Split, right: Split) -> bool:
    return np.array_equal(left.images, right.images) and np.array_equal(left.labels, right.labels)


def test_the_digits_are_the_same_everywhere() -> None:
    assert digest(draw_digits(3000)) == SHA256


@given(st.integers(0, 300), st.integers(0, 2**31 - 1), st.integers(0, 10**9))
def test_an_image_depends_on_seed_and_number_alone(count: int, seed: int, first: int) -> None:
    cut = count // 3
    parts = [draw_digits(cut, seed, first), draw_digits(count - cut, seed, first + cut)]
    joined = Split(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("images", "labels")))
    assert same(draw_digits(count, seed, first), joined)


def test_the_size_of_a_chunk_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draw_digits(500, seed=3)
    monkeypatch.setattr(synthetic, "CHUNK", 77)
    assert same(draw_digits(500, seed=3), whole)


@pytest.mark.parametrize("count", [0, 1, 2047, 2048, 2049])
def test_any_length_has_mnists_form(count: int) -> None:
    split = draw_digits(count)
    assert (split.images.shape, split.labels.shape) == ((count, 28, 28), (count,))
    assert split.images.dtype == split.labels.dtype == np.dtype(np.uint8)


def test_every_digit_comes_about_equally_often() -> None:
    """1,000 of each expected; six standard deviations of a binomial are 180."""
    counts = np.bincount(draw_digits(10_000, seed=1).labels, minlength=10)
    assert len(counts) == 10
    assert np.abs(counts - 1000).max() < 180


def test_images_differ_from_each_other_and_from_seed_to_seed() -> None:
    images = draw_digits(2000).images
    assert len(np.unique(images.reshape(2000, -1), axis=0)) == 2000
    assert not np.array_equal(images, draw_digits(2000, seed=1).images)


def test_digits_are_light_on_a_black_ground_and_as_bright_as_mnists() -> None:
    """MNIST's training images have a mean of 0.131 and 19 % of their pixels lit; the corners are black."""
    images = draw_digits(5000).images
    assert 0.10 < images.mean() / 255 < 0.16
    assert 0.15 < np.mean(images > 0) < 0.24
    assert images[:, [0, 0, -1, -1], [0, -1, 0, -1]].max() == 0


def test_the_test_images_are_none_of_the_training_images() -> None:
    dataset = load_synthetic(train=300, test=100, seed=5)
    assert dataset.name == "synthetic"
    assert same(dataset.train, draw_digits(300, seed=5))
    assert same(dataset.test, draw_digits(100, seed=5, first=300))
    everything = np.concatenate([dataset.train.images, dataset.test.images]).reshape(400, -1)
    assert len(np.unique(everything, axis=0)) == 400


def test_the_network_learns_them() -> None:
    """20,000 images thrice, a fifth of the tutorial's training, already hold the bar of the whole: 0.97.

    Guessing gives 0.1. The lowest of twelve seeds had 0.9865 on these test images, this one 0.9995.
    """
    from mtl_core.config import NetworkConfig, StepConfig
    from mtl_core.data.loaders import FastLoader
    from mtl_core.platform.mxnet import mx
    from mtl_core.step import TrainingStep

    dataset = load_synthetic(train=20_000, test=2_000)
    step = TrainingStep(NetworkConfig(), StepConfig(mode="whole_graph"), mx.cpu())
    loader = FastLoader(dataset.train, 128, mx.cpu(), shuffle=True, seed=0)
    for _ in range(3):
        for batch in loader:
            step(batch.images, batch.digits, batch.odd_even)
        mx.nd.waitall()
    (batch,) = FastLoader(dataset.test, 2_000, mx.cpu(), shuffle=False)
    scores = step.forward(batch.images, batch.digits, batch.odd_even).outputs[0].asnumpy()
    assert np.mean(scores.argmax(axis=1) == dataset.test.labels) >= 0.97
