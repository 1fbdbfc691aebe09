"""A declared task built and tried before anything is measured: what can be asked of it, and what is wrong."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from bench.records.declared import Declared, Difference
from bench.workloads.declared import factory, in_words, project, takes_heads, told_as
from bench.workloads.task import facts_of, loaded, parameters, step_of
from mtl_core.config import MODES, Mode
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.symbol_cost import symbol_cost
from mtl_core.task import Array, Batch, shown
from mtl_core.task_step import SEED, DeviceBatch, TaskStep, on_device, outputs_of, seed_everything

TOLERANCE = 1e-3  # of the largest magnitude of an array: sums of many 32-bit numbers in another order
DROPPING = (mx.gluon.nn.Dropout, mx.gluon.rnn.rnn_layer._RNNLayer)


def _trial(step: TaskStep, batch: DeviceBatch) -> dict[str, Array]:
    """Outputs and gradients of one forward and backward pass, by what they are."""
    seed_everything()
    forward = step.forward_backward(batch)
    heads = step.task.heads
    results = {f"the output of {head!r}": forward.outputs[n] for n, head in enumerate(heads)}
    results |= {f"the loss of {head!r}": forward.losses[n] for n, head in enumerate(heads)}
    results |= {f"the gradient of parameter {n}": parameter.grad() for n, parameter in step.learned()}
    return {what: array.asnumpy() for what, array in results.items()}


def _without_dropout(block: Any) -> None:
    """Compared are numbers, and what is dropped is drawn by each mode for itself."""
    if isinstance(block, DROPPING):
        for name in ("_rate", "_dropout"):
            if hasattr(block, name):
                setattr(block, name, 0.0)


def difference(one: dict[str, Array], other: dict[str, Array]) -> Difference | None:
    """Where two trials depart most; None where no array departs by more than the tolerance."""
    worst = Difference(where="", share=0.0)
    for what, expected in one.items():
        actual, scale = other[what], float(np.max(np.abs(expected), initial=0.0)) or 1.0
        if actual.shape != expected.shape:
            return Difference(where=what, share=float("inf"))
        apart = np.max(np.abs(actual.astype(np.float64) - expected), initial=0.0) / scale
        share = float(apart) if np.isfinite(apart) else float("inf")
        if share > worst.share:
            worst = Difference(where=what, share=share)
    return worst if worst.share > TOLERANCE else None


def _check_losses(step: TaskStep, batch: DeviceBatch) -> None:
    """One finite number a sample from each loss, and gradients that can be used."""
    with mx.autograd.record():
        outputs = outputs_of(step.task.network(*batch.inputs), step.task.heads)
    for head, output, labels in zip(step.task.heads, outputs, batch.labels, strict=True):
        read = " and ".join(f"{label.shape} of {np.dtype(label.dtype).name}" for label in labels)
        with told_as(f"the loss of {head!r} (output {output.shape}, label {read})"), mx.autograd.record():
            loss = step.task.losses[head](output, *labels)
            mx.nd.waitall()
        shape = loss.shape if isinstance(loss, mx.nd.NDArray) else shown(loss)
        if shape != (step.size,):
            raise UserError(
                f"the loss of {head!r} returns {shape}; expected shape ({step.size},): one number a sample, "
                "as Gluon's losses return"
            )
        if not np.isfinite(loss.asnumpy()).all():
            raise UserError(f"the loss of {head!r} is not finite on the first batch; look at its labels")
    step.forward_backward(batch)
    for _, parameter in step.learned():
        if not np.isfinite(parameter.grad().asnumpy()).all():
            raise UserError(f"the gradient of {parameter.name} is not finite on the first batch")


def _check_step(step: TaskStep, batch: DeviceBatch) -> None:
    try:
        step(batch)
        mx.nd.waitall()
    except UserWarning as warning:  # how Gluon's Trainer says that a gradient is stale
        name = str(warning).partition("`")[2].partition("`")[0]
        raise UserError(
            f"the parameter {name} gets no gradient from these losses; leave its layer out, or set its "
            "grad_req to 'null'"
        ) from None
    for parameter in step.parameters:
        if not np.isfinite(parameter.data().asnumpy()).all():
            raise UserError(f"{parameter.name} is not finite after one step; the optimizer may go too far")


def _check_dataset(step: TaskStep) -> None:
    """Two samples of it make a batch that the network can be stepped on."""
    with told_as("dataset"):
        loader = mx.gluon.data.DataLoader(step.task.dataset, batch_size=2, last_batch="keep")
        batch = loaded(step, next(iter(loader)))
        step(batch, samples=len(batch.inputs[0]))
        mx.nd.waitall()


class TaskCheck:
    """Builds and tries a task; ``answer`` holds a :class:`Declared` ("declared") or a line ("trouble")."""

    def __init__(self, *, network: str, batch_size: int) -> None:
        self.network, self.batch_size = network, batch_size
        try:
            with told_as(network):
                self.answer: dict[str, Any] = {"declared": asdict(self._declared())}
        except UserError as error:
            self.answer = {"trouble": str(error)}

    def _declared(self) -> Declared:
        step = self._step("imperative")
        drawn = step.draw(np.random.default_rng(SEED))
        first = on_device(drawn[0], step.device)
        _check_losses(step, first)
        for batch in drawn:
            _check_step(step, on_device(batch, step.device))
        if step.task.dataset is not None:
            _check_dataset(step)
        by_heads = takes_heads(factory(self.network))
        dataset = step.task.dataset
        declared = Declared(
            network=self.network,
            heads=list(step.task.heads),
            batch_size=self.batch_size,
            takes_heads=by_heads,
            samples=0 if dataset is None else len(dataset),
            parameters=parameters(step),
            shapes=len({tuple(array.shape for array in batch.arrays) for batch in drawn}),
        )
        impossible, differs = self._modes(drawn[0])
        declared = replace(
            declared,
            impossible=impossible,
            differs=differs,
            **_cost(step, drawn[0]),
        )
        choices = self._choices(declared) if by_heads else {}
        return replace(declared, heads_impossible=choices)

    def _step(self, mode: Mode, heads: list[str] | None = None) -> TaskStep:
        return step_of(self.network, heads, size=self.batch_size, mode=mode)

    def _modes(self, batch: Batch) -> tuple[dict[str, str], dict[str, Difference]]:
        """Which modes cannot be had, and which compute something else."""
        impossible: dict[str, str] = {}
        differs: dict[str, Difference] = {}
        reference = self._tried("imperative", batch)
        for mode in MODES[1:]:
            try:
                apart = difference(reference, self._tried(mode, batch))
            except (Exception, SystemExit) as error:
                reason = in_words(error, project()).removeprefix(f"{self.network}: ")
                impossible[mode] = reason.removeprefix(f"{mode} is not possible: ")
                continue
            if apart:
                differs[mode] = apart
        return impossible, differs

    def _tried(self, mode: Mode, batch: Batch) -> dict[str, Array]:
        step = self._step(mode)
        step.model.apply(_without_dropout)
        return _trial(step, on_device(batch, step.device))

    def _choices(self, declared: Declared) -> dict[str, str]:
        """Which choices of heads the factory cannot build, tried in the mode that they are measured in."""
        wrong: dict[str, str] = {}
        for choice, heads in declared.choices().items():
            try:
                step = self._step(declared.best_mode, heads)
                _check_step(step, on_device(step.draw(np.random.default_rng(SEED))[0], step.device))
                facts_of([step])
            except (Exception, SystemExit) as error:
                wrong[choice] = in_words(error, project()).removeprefix(f"{self.network}: ")
        return wrong


def _cost(step: TaskStep, batch: Batch) -> dict[str, Any]:
    if not isinstance(step.task.network, mx.gluon.HybridBlock):
        return {}
    try:
        counted = symbol_cost(step.task.network, [(a.shape, a.dtype) for a in batch.inputs], step.size)
    except Exception:  # a network that MXNet cannot trace has no symbol
        return {}
    if counted is None:
        return {}
    return {"training_flop": counted.training_flop, "uncounted": list(counted.uncounted)}
