"""The general step: equal to the tutorial's where it is the tutorial, and right where it is not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import numpy as np
import pytest

from mtl_core.config import HEADS, MODES, Head, Mode, NetworkConfig, StepConfig
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.program.tutorial_task import task as tutorial
from mtl_core.step import TrainingStep
from mtl_core.task import Task
from mtl_core.task_step import TaskStep, on_device

gluon = mx.gluon
nn = gluon.nn


def arrays(step: Any) -> list[Any]:
    mx.nd.waitall()
    return [a.asnumpy() for a in step.parameter_arrays() + step.state_arrays()]


def batches(step: TaskStep, count: int = 4) -> list[Any]:
    rng = np.random.default_rng(0)
    drawn = [batch for _ in range(count) for batch in step.draw(rng)]
    return [on_device(batch, step.device) for batch in drawn]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("heads", [None, ["digits"], ["odd_even"]])
def test_the_tutorial_declared_as_a_task_is_the_tutorial(mode: Mode, heads: list[Head] | None) -> None:
    step = TaskStep(lambda: tutorial(heads), size=32, mode=mode)
    theirs = TrainingStep(NetworkConfig(heads=tuple(heads or HEADS)), StepConfig(mode=mode))
    for batch in islice(cycle(batches(step)), 10):
        step(batch)
        theirs(*batch.flat)
    for mine, other in zip(arrays(step), arrays(theirs), strict=True):
        assert np.array_equal(mine, other)


class TwoInputs(gluon.HybridBlock):  # type: ignore[misc]
    """An image and a caption: BatchNorm, dropout, an LSTM, a shared layer, no shape given in advance."""

    def __init__(self) -> None:
        super().__init__()
        with self.name_scope():
            self.see = nn.HybridSequential()
            self.see.add(
                nn.Conv2D(8, 3), nn.BatchNorm(), nn.Activation("relu"), nn.GlobalAvgPool2D(), nn.Flatten()
            )
            self.shared = nn.Dense(8, flatten=False)
            self.words = nn.Embedding(11, 8)
            self.read = gluon.rnn.LSTM(8, layout="NTC")
            self.drop = nn.Dropout(0.3)
            self.kind = nn.Dense(3)
            self.next_word = nn.Dense(11, flatten=False)

    def hybrid_forward(self, F: Any, image: Any, caption: Any) -> tuple[Any, ...]:
        seen = self.shared(self.see(image))  # (B, 8)
        read = self.shared(self.read(self.words(caption)))  # (B, T, 8)
        read = self.drop(F.broadcast_add(read, seen.expand_dims(1)))
        return self.kind(seen), self.next_word(read)


def _captioned(size: int, rng: np.random.Generator, length: int = 5) -> Any:
    words = rng.integers(0, 11, (size, length + 1))
    image = rng.random((size, 3, 8, 8))
    return (image, words[:, :-1]), {"kind": rng.integers(0, 3, size), "caption": words[:, 1:]}


def captioner(optimizer: Any = ("adam", {"learning_rate": 1e-2}), **changed: Any) -> Task:
    losses = {"kind": gluon.loss.SoftmaxCELoss(), "caption": gluon.loss.SoftmaxCELoss()}
    fields = {"network": TwoInputs(), "losses": losses, "batch": _captioned, "optimizer": optimizer}
    return Task(**{**fields, "weights": {"kind": 0.5, "caption": 2.0}, **changed})


@pytest.mark.parametrize("mode", MODES)
def test_a_captioner_learns_in_every_mode(mode: Mode) -> None:
    step = TaskStep(captioner, size=6, mode=mode)
    batch = batches(step)[0]
    losses = [step(batch).total.mean().asscalar() for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0]


OPTIMIZERS: list[Callable[[], Any]] = [
    lambda: "sgd",
    lambda: ("sgd", {"momentum": 0.9, "clip_gradient": 1.0}),
    lambda: ("adam", {"learning_rate": 1e-2}),
    lambda: ("nadam", {}),
    lambda: ("ftrl", {}),
    lambda: ("rmsprop", {"centered": True}),
    lambda: ("lamb", {}),
    lambda: mx.optimizer.Adam(lr_scheduler=mx.lr_scheduler.FactorScheduler(step=3, factor=0.5)),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=[str(n) for n in range(len(OPTIMIZERS))])
def test_a_restored_step_does_again_what_it_did(optimizer: Callable[[], Any]) -> None:
    """Parameters, the optimizer's state and counts, its schedule, running statistics and dropout."""
    step = TaskStep(lambda: captioner(optimizer()), size=6)
    held = batches(step)
    for batch in held[:2]:
        step(batch)
    snapshot = step.snapshot()
    step.restore(snapshot)
    runs = []
    for _ in range(2):
        for batch in held * 2:
            step(batch)
        runs.append(arrays(step))
        step.restore(snapshot)
    assert all(np.array_equal(one, other) for one, other in zip(*runs, strict=True))
    assert any(not np.array_equal(now, then) for now, then in zip(arrays(step), runs[0], strict=True))


def test_running_statistics_are_moved_by_a_step_and_restored() -> None:
    step = TaskStep(captioner, size=6)
    snapshot = step.snapshot()
    statistics = [n for n, p in enumerate(step.parameters) if "running_mean" in p.name]
    before = arrays(step)[statistics[0]]
    step(batches(step)[0])
    assert not np.array_equal(arrays(step)[statistics[0]], before)
    step.restore(snapshot)
    assert np.array_equal(arrays(step)[statistics[0]], before)


class Scale(gluon.HybridBlock):  # type: ignore[misc]
    """Of 16-bit numbers; the CPU has no Dense layer of them."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = self.params.get("factor", shape=(1, 3), dtype="float16", init=mx.init.One())

    def hybrid_forward(self, F: Any, x: Any, factor: Any) -> Any:
        return F.broadcast_mul(x, factor)


def _halves(rng: np.random.Generator, size: int) -> Any:
    return rng.random((size, 3)).astype(np.float16)


def test_a_half_precision_network_is_stepped_in_many() -> None:
    def make() -> Task:
        return Task(
            network=Scale(),
            losses={"y": gluon.loss.L2Loss()},
            batch=lambda size, rng: (_halves(rng, size), {"y": _halves(rng, size)}),
            optimizer=("sgd", {"multi_precision": True, "momentum": 0.9}),
        )

    step = TaskStep(make, size=4)
    batch = batches(step)[0]
    snapshot = step.snapshot()
    assert {array.dtype for array in step.state_arrays()} == {np.float32}  # the momentum, and the weights
    step(batch)
    moved = arrays(step)
    step.restore(snapshot)
    step(batch)
    assert all(np.array_equal(one, other) for one, other in zip(arrays(step), moved, strict=True))


def test_batches_of_varying_length_come_in_a_list() -> None:
    lengths = (3, 5, 9)
    step = TaskStep(
        lambda: captioner(batch=lambda size, rng: [_captioned(size, rng, n) for n in lengths]), size=4
    )
    assert [batch.inputs[1].shape for batch in batches(step, 1)] == [(4, n) for n in lengths]
    for batch in batches(step, 1):
        step(batch).total.wait_to_read()


class Plain(gluon.Block):  # type: ignore[misc]
    """No HybridBlock: it decides in Python."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Dense(1)

    def forward(self, x: Any) -> Any:
        return self.layer(x) if x.shape[0] > 0 else x


def plain() -> Task:
    return Task(
        network=Plain(),
        losses={"y": gluon.loss.L2Loss()},
        batch=lambda size, rng: (rng.random((size, 3)), {"y": rng.random(size)}),
        optimizer="sgd",
    )


def test_what_cannot_be_hybridized_is_stepped_as_it_is_and_refused_otherwise() -> None:
    step = TaskStep(plain, size=4, mode="imperative")
    step(batches(step)[0]).total.wait_to_read()
    with pytest.raises(UserError, match="hybridized is not possible: the network is a Plain"):
        TaskStep(plain, size=4)


def test_a_loss_of_plain_python_leaves_the_losses_out_of_the_graph() -> None:
    def make() -> Task:
        losses = {
            "kind": lambda output, label: -output.log_softmax().pick(label),
            "caption": gluon.loss.SoftmaxCELoss(),
        }
        return captioner(losses=losses)

    step = TaskStep(make, size=4, mode="static")
    step(batches(step)[0]).total.wait_to_read()
    with pytest.raises(UserError, match="whole_graph is not possible: the loss of 'kind'"):
        TaskStep(make, size=4, mode="whole_graph")
