"""A network declared by its user: what it learns, from what, and how. Loads no MXNet.

A factory ``task(heads=None)`` in the user's own module returns a :class:`Task`; everything that the suite
asks of a network, it asks of what the factory returns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.errors import UserError

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A network with one output a head, and all that a training step of it needs.

    ``network`` is a Gluon Block; called with the inputs it returns a tuple with one output a head, in the
    order of ``losses`` (one head alone may return its output itself). A network that was not initialised
    is initialised by Xavier. ``losses`` maps a head's name to what is called with its output and its label
    and returns one number a sample, (B,), as Gluon's losses do. ``weights`` are what each loss counts in
    the sum that is minimised; 1 each where there are none. ``batch(size, rng)`` returns ``(inputs,
    labels)`` in NumPy: inputs one array or a tuple of them, labels an array (or a tuple) a head by its
    name; or a list of such batches, used in turn. ``rng`` is a ``numpy.random.Generator``. ``optimizer`` is
    Gluon's name of one, a pair of that and its arguments, or an instance made for this network alone.
    ``dataset`` is a Gluon Dataset whose samples are the inputs followed by one label a head.

    Raises UserError where a field cannot be what it should be.
    """

    network: Any
    losses: Mapping[str, Callable[..., Any]]
    batch: Callable[[int, np.random.Generator], Any]
    optimizer: Any
    weights: Mapping[str, float] | None = None
    dataset: Any = None

    def __post_init__(self) -> None:
        if not callable(self.network) or isinstance(self.network, type):
            raise UserError(
                f"network is {shown(self.network)}; expected a Gluon Block, made and not its class"
            )
        _check_losses(self.losses)
        _check_weights(self.weights, self.losses)
        if not callable(self.batch):
            raise UserError(f"batch is {shown(self.batch)}; expected a function of (size, rng), see Task")
        _check_optimizer(self.optimizer)
        if self.dataset is not None and not (hasattr(self.dataset, "__getitem__") and sized(self.dataset)):
            raise UserError(
                f"dataset is {shown(self.dataset)}; expected a Gluon Dataset with samples, or None"
            )

    @property
    def heads(self) -> tuple[str, ...]:
        """The names, in the order of the network's outputs."""
        return tuple(self.losses)

    def weight(self, head: str) -> float:
        """What the head's loss counts in the sum."""
        return 1.0 if self.weights is None else float(self.weights[head])

    def of(self, heads: Sequence[str] | None) -> Task:
        """The same task with the losses of these heads only, in the order that the task has them."""
        if heads is None:
            return self
        unheard = [head for head in heads if head not in self.losses]
        if unheard:
            raise UserError(f"losses have no head {unheard[0]!r}; they are for {', '.join(self.losses)}")
        weights = self.weights
        return Task(
            network=self.network,
            losses={head: loss for head, loss in self.losses.items() if head in heads},
            weights=weights and {head: weight for head, weight in weights.items() if head in heads},
            batch=self.batch,
            optimizer=self.optimizer,
            dataset=self.dataset,
        )


@dataclass(frozen=True)
class Batch:
    """One batch as arrays: what the network reads, and what each loss reads beside its output."""

    inputs: tuple[Array, ...]
    labels: tuple[tuple[Array, ...], ...]  # by head, in the order of the losses

    @property
    def arrays(self) -> Iterator[Array]:
        """All of them, inputs first."""
        yield from self.inputs
        for labels in self.labels:
            yield from labels

    @property
    def bytes(self) -> int:
        """What the batch takes in memory."""
        return sum(array.nbytes for array in self.arrays)


def batches_of(drawn: object, heads: Sequence[str]) -> list[Batch]:
    """What ``batch(size, rng)`` returned, checked, for these heads; a list of batches or one.

    Raises UserError naming what is wrong.
    """
    if isinstance(drawn, list):
        if not drawn:
            raise UserError("batch returned an empty list; expected at least one (inputs, labels)")
        return [_batch(one, heads, f"batch {number} of {len(drawn)}") for number, one in enumerate(drawn, 1)]
    return [_batch(drawn, heads, "batch")]


def shown(thing: object) -> str:
    """The thing for a line of text, short."""
    text = f"the class {thing.__name__}" if isinstance(thing, type) else repr(thing)
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def sized(thing: Any) -> bool:
    """Whether it has a length above zero."""
    return hasattr(thing, "__len__") and len(thing) > 0


def _check_losses(losses: object) -> None:
    if not isinstance(losses, Mapping) or not losses:
        raise UserError(f"losses are {shown(losses)}; expected a dict of one loss a head, by the head's name")
    for head, loss in losses.items():
        if not isinstance(head, str) or not head.strip():
            raise UserError(f"losses name the head {shown(head)}; expected a name such as 'class'")
        if "/" in head or head != head.strip() or not head.isprintable():
            raise UserError(f"losses name the head {head!r}; expected a name without / and outer spaces")
        if not callable(loss) or isinstance(loss, type):
            raise UserError(
                f"the loss of {head!r} is {shown(loss)}; expected one that can be called with an output "
                "and a label, such as gluon.loss.L2Loss()"
            )


def _check_weights(weights: object, losses: Mapping[str, object]) -> None:
    if weights is None:
        return
    if not isinstance(weights, Mapping):
        raise UserError(f"weights are {shown(weights)}; expected a dict of one number a head, or None")
    for head in losses:
        if head not in weights:
            raise UserError(
                f"weights have none for the head {head!r}; expected one for each of {_all(losses)}"
            )
    for head, weight in weights.items():
        if head not in losses:
            raise UserError(f"weights name {shown(head)}, which has no loss; the heads are {_all(losses)}")
        number = isinstance(weight, (int, float, np.number)) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or weight < 0:
            raise UserError(f"the weight of {head!r} is {shown(weight)}; expected a number of at least 0")
    if not any(weights.values()):
        raise UserError("every weight is 0, so that nothing is learned; expected one above 0")


def _check_optimizer(optimizer: object) -> None:
    """Its form; whether Gluon knows it is known where MXNet is."""
    if isinstance(optimizer, tuple):
        well = len(optimizer) == 2 and isinstance(optimizer[0], str) and isinstance(optimizer[1], Mapping)
    else:
        well = isinstance(optimizer, str) or hasattr(optimizer, "create_state")
    if not well or isinstance(optimizer, type):
        raise UserError(
            f"optimizer is {shown(optimizer)}; expected a name, a pair such as "
            "('adam', {'learning_rate': 1e-3}), or an instance"
        )


def _all(names: Mapping[str, object]) -> str:
    return ", ".join(repr(name) for name in names)


def _batch(drawn: object, heads: Sequence[str], which: str) -> Batch:
    if not isinstance(drawn, tuple) or len(drawn) != 2:
        raise UserError(f"{which} is {_form(drawn)}; expected a pair (inputs, labels), labels a dict by head")
    inputs, labels = drawn
    if not isinstance(labels, Mapping):
        raise UserError(f"{which}: labels are {_form(labels)}; expected a dict with one array a head")
    for head in heads:
        if head not in labels:
            raise UserError(
                f"{which}: labels have none for the head {head!r}; they have {_all(labels) or 'none'}"
            )
    arrays = _arrays(inputs, f"{which}: the input")
    if not arrays:
        raise UserError(f"{which} has no input; expected an array or a tuple of arrays")
    return Batch(arrays, tuple(_arrays(labels[head], f"{which}: the label of {head!r}") for head in heads))


def _arrays(given: object, what: str) -> tuple[Array, ...]:
    several = given if isinstance(given, tuple) else (given,)
    numbered = [f"{what} {n}" for n in range(1, len(several) + 1)] if len(several) > 1 else [what]
    return tuple(_array(one, name) for one, name in zip(several, numbered, strict=False))


def _array(given: Any, what: str) -> Array:
    """As MXNet takes it: in one piece, 64-bit floats as its own 32-bit ones, all else as it is."""
    if hasattr(given, "asnumpy"):
        given = given.asnumpy()
    if not isinstance(given, np.ndarray):
        raise UserError(f"{what} is {_form(given)}; expected a NumPy array")
    if given.dtype.kind not in "fiub":
        raise UserError(f"{what} holds {given.dtype}; expected numbers")
    if given.ndim == 0 or given.size == 0:
        raise UserError(f"{what} has shape {given.shape}; expected at least one number a sample")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise UserError(f"{what} holds NaN or infinities; expected finite numbers")
    wide = given.dtype == np.float64
    narrow = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64, "int16": np.int32}  # MXNet has none
    return np.ascontiguousarray(given, np.float32 if wide else narrow.get(given.dtype.name, given.dtype))


def _form(given: object) -> str:
    if isinstance(given, np.ndarray):
        return f"an array of shape {given.shape}"
    if isinstance(given, tuple):
        return f"a tuple of {len(given)}"
    return "None" if given is None else f"of type {type(given).__name__} ({shown(given)})"
