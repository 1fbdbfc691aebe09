"""Synthetic digits: the same bits everywhere, in MNIST's shape, and learnable."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core._mxnet import mx
from mtl_core.config import NetworkConfig, StepConfig
from mtl_core.loaders import FastLoader
from mtl_core.step import TrainingStep
from mtl_core.synthetic import draw_digits, load_synthetic
from mtl_core.training import evaluate

# Of 20,000 images and labels; equal on Python 3.11 with NumPy 2.4 and Python 3.13 with NumPy 2.5.
SHA256 = "a6a670326324b2ba479b01a10cb43aa989896aadfeb5132fc26c38b523cf53f9"


def test_the_bits_are_the_same_everywhere() -> None:
    split = draw_digits(20_000)
    assert hashlib.sha256(split.images.tobytes() + split.labels.tobytes()).hexdigest() == SHA256


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 5000), st.integers(0, 50), st.integers(0, 2**31))
def test_an_image_does_not_depend_on_those_drawn_with_it(first: int, count: int, seed: int) -> None:
    alone, among = draw_digits(count, seed, first), draw_digits(count + 7, seed, max(0, first - 7))
    assert np.array_equal(alone.images, among.images[min(7, first) :][:count])
    assert np.array_equal(alone.labels, among.labels[min(7, first) :][:count])


def test_shape_type_and_background_are_mnists() -> None:
    split = draw_digits(500)
    assert (split.images.shape, split.images.dtype) == ((500, 28, 28), np.uint8)
    assert set(split.labels) == set(range(10))
    assert (split.images == 0).mean() > 0.5
    assert split.images.max() > 200


def test_training_and_test_images_are_different() -> None:
    data = load_synthetic(300, 200)
    assert not {i.tobytes() for i in data.train.images} & {i.tobytes() for i in data.test.images}


def test_they_can_be_learned() -> None:
    """Two epochs of 8,000 images: far from the full training's 5 of 60,000, and 97 % already."""
    data = load_synthetic(8_000, 2_000)
    step = TrainingStep(NetworkConfig(), StepConfig())
    loader = FastLoader(data.train, 128, mx.cpu(), shuffle=True)
    for _ in range(2):
        for batch in loader:
            step(batch.images, batch.digits, batch.odd_even)
    result = evaluate(step, data.test)
    assert result.digits_accuracy >= 0.97
    assert result.odd_even_accuracy >= 0.97
