"""A training step of any declared task: what :mod:`mtl_core.step` is for the tutorial's network.

A step returns before it is done, since MXNet is asynchronous; it never synchronises by itself.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtl_core.config import MODES, Mode
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.symbol_cost import symbol_cost
from mtl_core.task import Batch, Task, batches_of, shown

SEED = 42


@dataclass(frozen=True)
class TaskSnapshot:
    """Copies of all that a step changes: every parameter (running statistics too) and the optimizer."""

    parameters: tuple[Any, ...]
    state: tuple[Any, ...]
    optimizer: dict[str, Any]  # its counts and numbers, by attribute
    schedule: dict[str, Any]  # its learning rate scheduler's


@dataclass(frozen=True)
class TaskForward:
    """What one forward pass gave; arrays still being computed, by head in the order of the losses."""

    outputs: tuple[Any, ...]
    losses: tuple[Any, ...]  # (B,) each
    total: Any  # (B,): what backward starts from


@dataclass(frozen=True)
class DeviceBatch:
    """A batch on a device."""

    inputs: tuple[Any, ...]
    labels: tuple[tuple[Any, ...], ...]  # by head

    @property
    def flat(self) -> tuple[Any, ...]:
        """Inputs, then every head's labels."""
        return self.inputs + tuple(array for labels in self.labels for array in labels)

    def to(self, device: Any) -> DeviceBatch:
        """The same on another device."""
        return DeviceBatch(
            tuple(array.as_in_context(device) for array in self.inputs),
            tuple(tuple(array.as_in_context(device) for array in labels) for labels in self.labels),
        )


def on_device(batch: Batch, device: Any) -> DeviceBatch:
    """The batch as MXNet's arrays, each with the type that it has in NumPy."""

    def there(array: Any) -> Any:
        return mx.nd.array(array, ctx=device, dtype=array.dtype)

    return DeviceBatch(
        tuple(there(array) for array in batch.inputs),
        tuple(tuple(there(array) for array in labels) for labels in batch.labels),
    )


def seed_everything(seed: int = SEED) -> None:
    """MXNet, NumPy and random, from which a network's own code may draw."""
    mx.random.seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def outputs_of(given: Any, heads: Sequence[str]) -> tuple[Any, ...]:
    """One output a head; one head alone may return it bare."""
    outputs = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    if len(outputs) != len(heads):
        raise UserError(
            f"the network returns {len(outputs)} output{'s' * (len(outputs) != 1)} for {len(heads)} "
            f"head{'s' * (len(heads) != 1)} ({', '.join(heads)}); expected one each, in this order"
        )
    for head, output in zip(heads, outputs, strict=True):
        if not isinstance(output, (mx.nd.NDArray, mx.sym.Symbol)):
            raise UserError(f"the network's output for {head!r} is {shown(output)}; expected an array")
    return outputs


def _outputs_and_losses(model: Any, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], list[Any]]:
    """By head, from inputs and labels as one flat sequence."""
    inputs, at = arrays[: model.counts[0]], model.counts[0]
    outputs = outputs_of(model.network(*inputs), model.heads)
    losses = []
    for head, output, count in zip(model.heads, outputs, model.counts[1:], strict=True):
        losses.append(model.losses[head](output, *arrays[at : at + count]))
        at += count
    return outputs, losses


def _evaluate(model: Any, arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Outputs, losses and the weighted sum as one flat tuple."""
    outputs, losses = _outputs_and_losses(model, arrays)
    weighted = zip(losses, model.weights, strict=True)
    terms = [loss if weight == 1.0 else loss * weight for loss, weight in weighted]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return (*outputs, *losses, total)


class _Parts:
    """What both kinds of model hold. ``counts`` are the inputs, then the labels of each head."""

    def hold(self, task: Task, counts: Sequence[int]) -> None:
        self.heads = task.heads
        self.counts = list(counts)
        self.losses = dict(task.losses)
        self.weights = [task.weight(head) for head in task.heads]
        self.network = task.network
        for head, loss in task.losses.items():
            if isinstance(loss, mx.gluon.Block):
                setattr(self, f"{head}_loss", loss)  # so that its parameters, where it has any, are found


class Graphable(_Parts, mx.gluon.HybridBlock):  # type: ignore[misc]  # MXNet has no types
    """Network and losses where MXNet can trace all of them."""

    def __init__(self, task: Task, counts: Sequence[int]) -> None:
        super().__init__()
        self.hold(task, counts)

    def hybrid_forward(self, F: Any, *arrays: Any) -> tuple[Any, ...]:
        return _evaluate(self, arrays)


class Ungraphable(_Parts, mx.gluon.Block):  # type: ignore[misc]
    """Network and losses of which some are plain Python."""

    def __init__(self, task: Task, counts: Sequence[int]) -> None:
        super().__init__()
        self.hold(task, counts)

    def forward(self, *arrays: Any) -> tuple[Any, ...]:
        return _evaluate(self, arrays)


def why_not(task: Task, mode: Mode) -> str | None:
    """Why a task cannot run in a mode, before it is tried; None where nothing is known against it."""
    if mode != "imperative" and not isinstance(task.network, mx.gluon.HybridBlock):
        return f"the network is a {type(task.network).__name__}, a Block and no HybridBlock"
    plain = [head for head, loss in task.losses.items() if not isinstance(loss, mx.gluon.HybridBlock)]
    if mode == "whole_graph" and plain:
        return f"the loss of {plain[0]!r} is no HybridBlock"
    return None


def _flat(state: Any) -> Iterator[Any]:
    """The arrays of an optimizer's state, which is None, an array, or these nested."""
    if isinstance(state, (tuple, list)):
        for part in state:
            yield from _flat(part)
    elif state is not None:
        yield state


class TaskStep:
    """A declared task on one device, ready to be stepped.

    ``make`` builds the task anew; MXNet, NumPy and random are seeded before. ``draw`` seeds what
    ``task.batch`` draws from; ``size`` is how many samples it is asked for. The modes are those of
    :class:`mtl_core.step.TrainingStep`. Raises UserError for what the declaration gets wrong.
    """

    def __init__(
        self,
        make: Callable[[], Task],
        *,
        size: int,
        mode: Mode = "hybridized",
        device: Any = None,
        seed: int = SEED,
    ) -> None:
        if mode not in MODES:
            raise UserError(f"mode is {mode!r}; expected one of {', '.join(MODES)}")
        self.device, self.size, self.seed, self.mode = device or mx.cpu(), size, seed, mode
        seed_everything(seed)
        self.task = make()
        if not isinstance(self.task.network, mx.gluon.Block):
            raise UserError(f"network is {shown(self.task.network)}; expected a Gluon Block or HybridBlock")
        first = self.draw(np.random.default_rng(seed))
        why = why_not(self.task, mode)
        if why:
            raise UserError(f"{mode} is not possible: {why}")
        counts = (len(first[0].inputs), *(len(labels) for labels in first[0].labels))
        self.model = (Graphable if why_not(self.task, "whole_graph") is None else Ungraphable)(
            self.task, counts
        )
        self.parameters = self._initialised(on_device(first[0], self.device))
        self._hybridize(mode)
        self.trainer = self._trainer()

    def draw(self, rng: np.random.Generator) -> list[Batch]:
        """Batches as the task gives them, checked."""
        return batches_of(self.task.batch(self.size, rng), self.task.heads)

    def _initialised(self, batch: DeviceBatch) -> list[Any]:
        """Every parameter once, in the network's order, with its shape known."""
        collected = list(self.model.collect_params().values())
        new = [p for p in collected if p._data is None and not p._deferred_init]
        for parameter in new:
            parameter.initialize(default_init=mx.init.Xavier(), ctx=self.device)
        for parameter in collected:
            if parameter not in new:
                parameter.reset_ctx(self.device)
        if any(parameter._deferred_init for parameter in collected):
            self.task.network(*batch.inputs)  # outside training: running statistics stay as they are
        unknown = [parameter.name for parameter in collected if parameter._data is None]
        if unknown:
            raise UserError(
                f"the parameter {unknown[0]} is never used, so that its shape is not known; "
                "give its layer in_units or leave it out"
            )
        if all(parameter.grad_req == "null" for parameter in collected):
            raise UserError("the network has no parameters to learn; register its layers as attributes")
        return collected

    def _hybridize(self, mode: Mode) -> None:
        static = {"static_alloc": True, "static_shape": True}
        if mode == "whole_graph":
            self.model.hybridize(**static)
        elif mode == "static":
            self.task.network.hybridize(**static)
        elif mode == "hybridized":
            self.task.network.hybridize()
        elif isinstance(self.task.network, mx.gluon.HybridBlock):
            self.task.network.hybridize(False)  # a factory may have hybridized it already

    def _trainer(self) -> Any:
        chosen = self.task.optimizer
        name, arguments = chosen if isinstance(chosen, tuple) else (chosen, None)
        try:
            return mx.gluon.Trainer(self.parameters, name, dict(arguments) if arguments else None)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            raise UserError(f"optimizer {shown(chosen)} cannot be made: {reason}") from error

    def forward(self, batch: DeviceBatch) -> TaskForward:
        """Outputs and losses; record the call to differentiate it."""
        results = self.model(*batch.flat)
        heads = len(self.task.heads)
        return TaskForward(results[:heads], results[heads : 2 * heads], results[-1])

    def forward_backward(self, batch: DeviceBatch) -> TaskForward:
        """Forward in training, then the gradients of the summed loss, left in the parameters' ``grad``."""
        with mx.autograd.record():
            forward = self.forward(batch)
        forward.total.backward()
        return forward

    def __call__(self, batch: DeviceBatch, samples: int | None = None) -> TaskForward:
        """One whole step; ``samples`` where the batch has another number of them than others."""
        forward = self.forward_backward(batch)
        self.trainer.step(samples or self.size)
        return forward

    def grouped(self, arrays: Sequence[Any]) -> DeviceBatch:
        """A sample's or a batch's arrays, inputs first, as the network and its losses take them."""
        counts = self.model.counts
        if len(arrays) != sum(counts):
            raise UserError(
                f"a sample of the dataset has {len(arrays)} parts; expected {sum(counts)}: {counts[0]} for "
                f"the network, then the labels of {', '.join(self.task.heads)}"
            )
        labels: list[tuple[Any, ...]] = []
        at = counts[0]
        for count in counts[1:]:
            labels.append(tuple(arrays[at : at + count]))
            at += count
        return DeviceBatch(tuple(arrays[: counts[0]]), tuple(labels))

    def training_flop(self) -> float:
        """Of a sample, by the symbol of the network; 0 where it has none or that does not tell."""
        if not isinstance(self.task.network, mx.gluon.HybridBlock):
            return 0.0
        first = self.draw(np.random.default_rng(self.seed))[0]
        counted = symbol_cost(self.task.network, [(a.shape, a.dtype) for a in first.inputs], self.size)
        return counted.training_flop if counted else 0.0

    def learned(self) -> list[tuple[int, Any]]:
        """The parameters that a gradient moves, with their place among all."""
        return [(n, parameter) for n, parameter in enumerate(self.parameters) if parameter.grad_req != "null"]

    def parameter_arrays(self) -> list[Any]:
        """Every parameter's own array, running statistics too."""
        return [parameter.data() for parameter in self.parameters]

    def gradient_arrays(self) -> list[Any]:
        """The gradients' own arrays, of what is learned."""
        return [parameter.grad() for _, parameter in self.learned()]

    def state_arrays(self) -> list[Any]:
        """The optimizer's own arrays; made here, as MXNet makes them, where no step was taken."""
        updater, optimizer = self.trainer._updaters[0], self.trainer.optimizer
        for index, parameter in self.learned():
            if index not in updater.states:
                updater.states[index] = optimizer.create_state_multi_precision(index, parameter.data())
                updater.states_synced[index] = True
        return [array for index, _ in self.learned() for array in _flat(updater.states[index])]

    def snapshot(self) -> TaskSnapshot:
        """What :meth:`restore` returns to; before any step too."""
        optimizer = self.trainer.optimizer
        optimizer._set_current_context(self.device.device_id)  # it counts by device
        counts = {"_index_update_count": dict(optimizer._index_update_count)}
        numbers = {n: v for n, v in vars(optimizer).items() if isinstance(v, (int, float))}
        scheduler = getattr(optimizer, "lr_scheduler", None)
        return TaskSnapshot(
            tuple(array.copy() for array in self.parameter_arrays()),
            tuple(array.copy() for array in self.state_arrays()),
            {**numbers, **counts},
            copy.deepcopy(vars(scheduler)) if scheduler is not None else {},
        )

    def restore(self, snapshot: TaskSnapshot) -> None:
        """Return to the snapshot in place, so that every array keeps its address; dropout is seeded anew."""
        targets = self.parameter_arrays() + self.state_arrays()
        sources = snapshot.parameters + snapshot.state
        shapes = [[array.shape for array in arrays] for arrays in (targets, sources)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"a snapshot of another network: arrays {shapes[1]}; expected {shapes[0]}")
        for target, source in zip(targets, sources, strict=True):
            source.copyto(target)
        optimizer = self.trainer.optimizer
        optimizer._set_current_context(self.device.device_id)  # it counts by device
        for name, value in snapshot.optimizer.items():
            if name != "_index_update_count":
                setattr(optimizer, name, value)
        optimizer._index_update_count.clear()
        optimizer._index_update_count.update(snapshot.optimizer["_index_update_count"])
        scheduler = getattr(optimizer, "lr_scheduler", None)
        if scheduler is not None:
            vars(scheduler).update(copy.deepcopy(snapshot.schedule))
        seed_everything(self.seed)
