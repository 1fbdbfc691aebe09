"""What any hybridizable network costs, counted from MXNet's own symbol of it.

Counted are the products of dense, convolutional and recurrent layers and of ``dot`` and ``batch_dot`` (a
multiplication and an addition each) and their bias additions, as :mod:`mtl_core.cost` does by formula for
the tutorial's network; not activations, normalisation, losses and the optimizer, whose work is small.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtl_core.platform.mxnet import mx

Shape = tuple[int, ...]
GATES = {"rnn_relu": 1, "rnn_tanh": 1, "gru": 3, "lstm": 4}
PRODUCTS = re.compile(
    r"matmul|einsum|tensordot|linalg|_dot$|Correlation|DeformableConv"
)  # that are not counted


@dataclass(frozen=True)
class SymbolCost:
    """Floating-point operations of one sample, and the operators whose products are not in them."""

    forward_flop: float
    training_flop: float  # forward and backward
    uncounted: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Node:
    """An operator of the symbol: its attributes, and the shapes of its inputs and first output."""

    name: str
    attributes: dict[str, str]
    inputs: list[Shape]
    output: Shape

    @property
    def has_bias(self) -> bool:
        return self.attributes.get("no_bias", "False") not in ("True", "1")


def symbol_cost(network: Any, inputs: Sequence[tuple[Shape, Any]], batch_size: int) -> SymbolCost | None:
    """The cost of a sample for inputs of these shapes and types; None where the symbol does not tell."""
    names = [f"counted{number}" for number in range(len(inputs))]
    variables = [mx.sym.Variable(name, dtype=kind) for name, (_, kind) in zip(names, inputs, strict=True)]
    outputs = network(*variables)
    symbol = mx.sym.Group(list(outputs)) if isinstance(outputs, (tuple, list)) else outputs
    frozen = {p.name for p in network.collect_params().values() if p.grad_req == "null"}
    shapes = _shapes(symbol, dict(zip(names, (shape for shape, _ in inputs), strict=True)))
    return None if shapes is None else _counted(symbol, shapes, {*names, *frozen}, batch_size)


def _shapes(symbol: Any, given: dict[str, Shape]) -> list[list[Shape]] | None:
    """Shapes of every node's visible outputs, in the order of the nodes."""
    internals = symbol.get_internals()
    names = internals.list_outputs()
    read = set(symbol.list_arguments())  # an input that these outputs do not need is none of it
    _, shapes, _ = internals.infer_shape_partial(**{n: shape for n, shape in given.items() if n in read})
    by_node: list[list[Shape]] = []
    place = 0
    for node in json.loads(symbol.tojson())["nodes"]:
        end = place + 1
        while (
            node["op"] != "null" and end < len(names) and _continues(node["name"], names[place], names[end])
        ):
            end += 1
        by_node.append([tuple(shape) for shape in shapes[place:end]])
        place = end
    return by_node if place == len(names) else None


def _continues(node: str, first: str, name: str) -> bool:
    """Whether an output's name is one more of the node whose first output is told."""
    if not name.startswith(f"{node}_") or name == first:
        return False
    numbered = re.fullmatch(r".*_output(\d+)", name)
    return bool(numbered and int(numbered[1]) > 0) or bool(
        re.fullmatch(r"_(mean|var|std|state|statecell)(_output)?", name[len(node) :])
    )


def _counted(
    symbol: Any, shapes: list[list[Shape]], constant: set[str], batch_size: int
) -> SymbolCost | None:
    forward = backward = 0.0
    learns: list[bool] = []  # whether what a node gives depends on something learned
    uncounted: set[str] = set()
    for node in json.loads(symbol.tojson())["nodes"]:
        sources = [source[0] for source in node["inputs"]]
        if node["op"] == "null":
            learns.append(node["name"] not in constant)
            continue
        learns.append(any(learns[source] for source in sources))
        if node["op"] not in COUNTED and PRODUCTS.search(node["op"]):
            uncounted.add(node["op"])
        count = COUNTED.get(node["op"])
        if count is None:
            continue
        read = [shapes[number][which] for number, which, *_ in node["inputs"]]
        if not all(math.prod(shape) for shape in [*read[:2], shapes[len(learns) - 1][0]]):
            return None  # a shape that MXNet does not know before it runs
        one = _Node(node["op"], node.get("attrs", {}), read, shapes[len(learns) - 1][0])
        product, bias = count(one)
        forward += product + bias
        backward += sum(product for source in sources[:2] if learns[source])
        if node["op"] == "RNN":  # through time it goes back whether or not what was read learns
            backward += bias + (0.0 if learns[sources[0]] else product - _from_input(one))
        elif len(sources) > 2 and learns[sources[2]]:
            backward += bias
    return SymbolCost(forward / batch_size, (forward + backward) / batch_size, tuple(sorted(uncounted)))


def _dense(node: _Node) -> tuple[float, float]:
    units, inputs = node.inputs[1][0], math.prod(node.inputs[1][1:])
    rows = math.prod(node.output) // units
    return 2.0 * rows * units * inputs, float(rows * units) if node.has_bias else 0.0


def _convolution(node: _Node) -> tuple[float, float]:
    outputs = math.prod(node.output)
    return 2.0 * outputs * math.prod(node.inputs[1][1:]), float(outputs) if node.has_bias else 0.0


def _deconvolution(node: _Node) -> tuple[float, float]:
    product = 2.0 * math.prod(node.inputs[0]) * math.prod(node.inputs[1][1:])
    return product, float(math.prod(node.output)) if node.has_bias else 0.0


def _recurrent(node: _Node) -> tuple[float, float]:
    """Data (T, B, inputs); the state is multiplied in every step, and each gate has two biases."""
    steps, batch, inputs = node.inputs[0]
    attributes = node.attributes
    state, gates = int(attributes["state_size"]), GATES[attributes["mode"]]
    directions = 2 if attributes.get("bidirectional", "False") in ("True", "1") else 1
    product = bias = 0.0
    for _ in range(int(attributes.get("num_layers", 1))):
        product += directions * 2.0 * gates * state * (inputs + state)
        bias += directions * 2.0 * gates * state
        inputs = directions * state
    return steps * batch * product, steps * batch * bias


def _from_input(node: _Node) -> float:
    """The products of the lowest layer with what is read."""
    steps, batch, inputs = node.inputs[0]
    directions = 2 if node.attributes.get("bidirectional", "False") in ("True", "1") else 1
    return (
        2.0
        * steps
        * batch
        * directions
        * GATES[node.attributes["mode"]]
        * inputs
        * int(node.attributes["state_size"])
    )


def _dot(node: _Node) -> tuple[float, float]:
    left = node.inputs[0]
    turned = node.attributes.get("transpose_a", "False") in ("True", "1")
    batched = node.name == "batch_dot"
    inner = (left[-2] if batched else left[0]) if turned else left[-1]
    return 2.0 * math.prod(node.output) * inner, 0.0


COUNTED = {
    "FullyConnected": _dense,
    "Convolution": _convolution,
    "Deconvolution": _deconvolution,
    "RNN": _recurrent,
    "dot": _dot,
    "batch_dot": _dot,
}
