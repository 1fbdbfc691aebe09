"""The network's shape follows from its config, and every mode computes the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.config import HEAD_UNITS, HEADS, MODES, Head, Mode, NetworkConfig, StepConfig
from mtl_core.network import MultiTaskNetwork
from mtl_core.platform.mxnet import mx
from mtl_core.step import TrainingStep

ALL_HEADS: list[tuple[Head, ...]] = [HEADS, HEADS[::-1], ("digits",), ("odd_even",)]


def images(batch: int, inputs: int = 784) -> Any:
    return mx.nd.array(np.random.default_rng(0).random((batch, inputs), dtype=np.float32))


@settings(deadline=None, max_examples=30)
@given(
    inputs=st.integers(1, 40),
    trunk=st.lists(st.integers(1, 30), max_size=12).map(tuple),
    heads=st.sampled_from(ALL_HEADS),
    batch=st.integers(1, 6),
)
def test_sizes_and_heads_come_from_the_config(
    inputs: int, trunk: tuple[int, ...], heads: tuple[Head, ...], batch: int
) -> None:
    step = TrainingStep(NetworkConfig(inputs=inputs, trunk=trunk, heads=heads), StepConfig())
    sizes = [inputs, *trunk]
    layers = [*zip(sizes[1:], sizes, strict=False), *((HEAD_UNITS[head], sizes[-1]) for head in heads)]
    assert [array.shape for array in step.parameter_arrays()[::2]] == layers
    assert [array.shape for array in step.parameter_arrays()[1::2]] == [(units,) for units, _ in layers]
    outputs = step.network(images(batch, inputs))
    assert [output.shape for output in outputs] == [(batch, HEAD_UNITS[head]) for head in heads]


@pytest.mark.parametrize("head", HEADS)
def test_a_single_task_network_is_the_same_class_with_one_head(head: Head) -> None:
    network = TrainingStep(NetworkConfig(heads=(head,)), StepConfig()).network
    assert type(network) is MultiTaskNetwork
    assert [output.shape for output in network(images(3))] == [(3, HEAD_UNITS[head])]


def test_images_may_keep_their_two_dimensions() -> None:
    network = TrainingStep(NetworkConfig(), StepConfig()).network
    flat = images(4)
    for ours, theirs in zip(network(flat), network(flat.reshape((4, 1, 28, 28))), strict=True):
        np.testing.assert_array_equal(ours.asnumpy(), theirs.asnumpy())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("heads", ALL_HEADS)
def test_all_modes_give_the_same_numbers(mode: Mode, heads: tuple[Head, ...]) -> None:
    """Outputs, losses and gradients. The operators are the same; only their fusion may round otherwise."""
    network, draw = NetworkConfig(heads=heads), np.random.default_rng(1)
    digits = draw.integers(10, size=16)
    labels = [mx.nd.array({"digits": digits, "odd_even": digits % 2}[head]) for head in heads]
    seen = []
    for each in (mode, "imperative"):
        step = TrainingStep(network, StepConfig(mode=each))
        forward = step.forward_backward(images(16), *labels)
        arrays = [*forward.outputs, *forward.losses, forward.total, *step.gradient_arrays()]
        seen.append([array.asnumpy() for array in arrays])
    for ours, theirs in zip(*seen, strict=True):
        # Sums of up to 784 terms in float32: 1e-5 of the largest value is some hundred roundings.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def parameters(seed: int, mode: Mode = "hybridized") -> list[bytes]:
    step = TrainingStep(NetworkConfig(), StepConfig(seed=seed, mode=mode))
    return [array.asnumpy().tobytes() for array in step.parameter_arrays()]


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_identical_parameters_in_every_mode(mode: Mode) -> None:
    assert parameters(3, mode) == parameters(3)


def test_another_seed_gives_other_parameters() -> None:
    assert parameters(3) != parameters(4)


def test_weights_are_xavier_and_biases_zero() -> None:
    """Gluon's Xavier: uniform within sqrt(3 / mean of inputs and units), after Glorot & Bengio (2010)."""
    for array in TrainingStep(NetworkConfig(), StepConfig()).parameter_arrays():
        values = array.asnumpy()
        if values.ndim == 1:
            assert not values.any()
        else:
            bound = np.sqrt(3 / np.mean(values.shape))
            assert np.abs(values).max() <= bound
            assert values.std() > 0
