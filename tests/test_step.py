"""The training step: never synchronises, repeats bit for bit, and returns to where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import pytest

from mtl_core.config import HEADS, MODES, Mode, NetworkConfig, StepConfig
from mtl_core.platform.mxnet import mx
from mtl_core.step import SMALLEST_NORMAL, TrainingStep, denormal_share

SMALL = NetworkConfig(inputs=20, trunk=(12, 8))
Batch = tuple[Any, ...]


def batches(count: int, network: NetworkConfig = SMALL, size: int = 16, seed: int = 0) -> list[Batch]:
    """Images (B, inputs) and a label array (B,) a head, random."""
    draw = np.random.default_rng(seed)
    labels = {"digits": 10, "odd_even": 2}
    return [
        (
            mx.nd.array(draw.random((size, network.inputs), dtype=np.float32)),
            *(mx.nd.array(draw.integers(labels[head], size=size)) for head in network.heads),
        )
        for _ in range(count)
    ]


def losses_of(step: TrainingStep, training: list[Batch]) -> list[bytes]:
    return [step(*batch).total.asnumpy().tobytes() for batch in training]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("steps_before", [0, 1, 7])
def test_a_restored_step_repeats_its_training_bit_for_bit(mode: Mode, steps_before: int) -> None:
    step = TrainingStep(SMALL, StepConfig(mode=mode))
    losses_of(step, batches(steps_before, seed=1))
    start = step.snapshot()
    first = losses_of(step, batches(30))
    step.restore(start)
    assert losses_of(step, batches(30)) == first


def test_without_restoring_the_same_batches_give_other_losses() -> None:
    step = TrainingStep(SMALL, StepConfig())
    first = losses_of(step, batches(30))
    assert losses_of(step, batches(30)) != first


def test_a_snapshot_carries_the_training_into_a_new_step() -> None:
    step = TrainingStep(SMALL, StepConfig())
    losses_of(step, batches(5))
    start = step.snapshot()
    other = TrainingStep(SMALL, StepConfig(seed=1))
    other.restore(start)
    assert losses_of(other, batches(10, seed=1)) == losses_of(step, batches(10, seed=1))
    assert other.snapshot().updates == 15


def test_a_snapshot_is_a_copy_and_restoring_keeps_every_array_where_it_is() -> None:
    step = TrainingStep(SMALL, StepConfig())
    losses_of(step, batches(2))
    start = step.snapshot()
    kept = [array.asnumpy() for array in start.parameters + start.state]
    arrays = step.parameter_arrays() + step.state_arrays()
    losses_of(step, batches(3))
    for before, now in zip(kept, start.parameters + start.state, strict=True):
        np.testing.assert_array_equal(before, now.asnumpy())
    step.restore(start)
    after = step.parameter_arrays() + step.state_arrays()
    assert [array.handle.value for array in arrays] == [array.handle.value for array in after]
    for before, now in zip(kept, arrays, strict=True):
        np.testing.assert_array_equal(before, now.asnumpy())


def test_a_snapshot_of_another_network_is_refused_and_changes_nothing() -> None:
    step = TrainingStep(SMALL, StepConfig())
    before = [array.asnumpy() for array in step.parameter_arrays()]
    other = TrainingStep(NetworkConfig(inputs=20, trunk=(12, 9)), StepConfig(seed=1)).snapshot()
    with pytest.raises(ValueError, match="another network"):
        step.restore(other)
    for then, now in zip(before, step.parameter_arrays(), strict=True):
        np.testing.assert_array_equal(then, now.asnumpy())


def test_state_arrays_are_a_mean_and_a_variance_a_parameter_in_the_networks_order() -> None:
    step = TrainingStep(SMALL, StepConfig())
    shapes = [array.shape for array in step.parameter_arrays()]
    assert shapes == [(12, 20), (12,), (8, 12), (8,), (10, 8), (10,), (1, 8), (1,)]
    assert [array.shape for array in step.state_arrays()] == [s for shape in shapes for s in (shape, shape)]
    assert [array.shape for array in step.gradient_arrays()] == shapes


def test_gradients_of_the_first_step_are_in_the_mean() -> None:
    """Adam's mean after one step is 0.1 of the gradient over the batch size: it belongs to its parameter."""
    step = TrainingStep(SMALL, StepConfig())
    step(*batches(1)[0])
    for gradient, mean in zip(step.gradient_arrays(), step.state_arrays()[::2], strict=True):
        np.testing.assert_allclose(mean.asnumpy(), 0.1 * gradient.asnumpy() / 16, rtol=1e-5, atol=1e-12)


# Every way to wait ends in one of these functions of MXNet's C interface.
BLOCKING = [
    "MXNDArraySyncCopyToCPU",
    "MXNDArraySyncCopyFromCPU",
    "MXNDArrayWaitToRead",
    "MXNDArrayWaitToWrite",
    "MXNDArrayWaitAll",
]
WAYS_TO_WAIT: dict[str, Callable[[Any], object]] = {
    "asnumpy": lambda array: array.asnumpy(),
    "asscalar": lambda array: array.asscalar(),
    "wait_to_read": lambda array: array.wait_to_read(),
    "waitall": lambda _: mx.nd.waitall(),
    "metric": lambda array: mx.metric.Loss().update(None, array),
}


@contextmanager
def blocking_calls() -> Iterator[list[str]]:
    """The names of the blocking functions called in the block, one entry a call."""
    called: list[str] = []
    library = mx.base._LIB

    def counting(name: str, original: Any) -> Any:
        def call(*args: Any) -> Any:
            called.append(name)
            return original(*args)

        return call

    with ExitStack() as stack:
        for name in BLOCKING:
            stack.enter_context(mock.patch.object(library, name, counting(name, getattr(library, name))))
        yield called


@pytest.mark.parametrize("mode", MODES)
def test_a_step_never_synchronises_by_itself(mode: Mode) -> None:
    step = TrainingStep(SMALL, StepConfig(mode=mode))
    training = batches(3)
    with blocking_calls() as called:
        for batch in training:
            step(*batch)
    assert called == []


@pytest.mark.parametrize("way", WAYS_TO_WAIT)
def test_the_count_of_blocking_calls_sees_each_way_to_wait(way: str) -> None:
    array = mx.nd.ones(1)
    with blocking_calls() as called:
        WAYS_TO_WAIT[way](array)
    assert called


def test_the_count_sees_a_synchronisation_that_slips_into_a_step() -> None:
    step = TrainingStep(SMALL, StepConfig())
    batch = batches(1)[0]
    with blocking_calls() as called:
        float(step(*batch).total.sum().asscalar())
    assert called == ["MXNDArraySyncCopyToCPU"]


def test_one_heads_loss_is_its_own_whatever_alpha() -> None:
    network = NetworkConfig(inputs=20, trunk=(12,), heads=("odd_even",))
    for alpha in (0.0, 0.3, 1.0):
        forward = TrainingStep(network, StepConfig(alpha=alpha)).forward(*batches(1, network)[0])
        np.testing.assert_array_equal(forward.total.asnumpy(), forward.losses[0].asnumpy())


@pytest.mark.parametrize("heads", [HEADS, HEADS[::-1]])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_the_losses_are_blended_by_alpha_in_any_order_of_the_heads(heads: Any, alpha: float) -> None:
    network = NetworkConfig(inputs=20, trunk=(12,), heads=heads)
    forward = TrainingStep(network, StepConfig(alpha=alpha)).forward(*batches(1, network)[0])
    by_head = dict(zip(heads, (loss.asnumpy() for loss in forward.losses), strict=True))
    blend = (1 - alpha) * by_head["digits"] + alpha * by_head["odd_even"]
    np.testing.assert_allclose(forward.total.asnumpy(), blend, rtol=1e-6)


def test_forward_and_backward_leave_the_parameters_alone() -> None:
    step = TrainingStep(SMALL, StepConfig())
    before = [array.asnumpy() for array in step.parameter_arrays()]
    step.forward_backward(*batches(1)[0])
    for then, now in zip(before, step.parameter_arrays(), strict=True):
        np.testing.assert_array_equal(then, now.asnumpy())


def test_the_denormal_share_counts_values_below_the_smallest_normal_but_not_zero() -> None:
    step = TrainingStep(NetworkConfig(inputs=4, trunk=(), heads=("odd_even",)), StepConfig())
    assert denormal_share(step) == 0.0  # all zero
    values = np.array([[1e-39, -1e-45, SMALLEST_NORMAL, 0.0]], dtype=np.float32)
    mx.nd.array(values).copyto(step.state_arrays()[0])  # 10 values in all: (1, 4) and (1,), twice
    assert denormal_share(step) == pytest.approx(0.2)
