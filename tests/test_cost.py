"""The formulas of the cost against operations counted in MXNet's own graph and in NumPy's own products."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.config import HEADS, NetworkConfig, StepConfig
from mtl_core.cost import cost
from mtl_core.network import MultiTaskNetwork
from mtl_core.platform.mxnet import mx
from mtl_core.reference import ReferenceStep
from mtl_core.step import TrainingStep

NETWORKS = st.builds(
    NetworkConfig,
    inputs=st.integers(1, 40),
    trunk=st.lists(st.integers(1, 30), max_size=4).map(tuple),
    heads=st.sampled_from([HEADS, HEADS[::-1], ("digits",), ("odd_even",)]),
)


def counted_forward(config: NetworkConfig, batch: int) -> int:
    """FLOP of the FullyConnected operators in MXNet's graph, its shapes inferred by MXNet."""
    scores = mx.sym.Group(list(MultiTaskNetwork(config)(mx.sym.var("data"))))
    internals = scores.get_internals()
    shapes = dict(
        zip(internals.list_outputs(), internals.infer_shape(data=(batch, config.inputs))[1], strict=True)
    )
    nodes = json.loads(scores.tojson())["nodes"]
    flop = 0
    for node in nodes:
        if node["op"] == "FullyConnected":
            rows, units = shapes[f"{node['name']}_output"]
            _, weight, bias = (nodes[source[0]]["name"] for source in node["inputs"])
            assert shapes[bias] == (units,)
            flop += rows * units * 2 * shapes[weight][1] + rows * units
    return flop


class Counting(np.ndarray):
    """An array that counts the FLOP of the products and column sums taken with it."""

    flop = 0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        plain = [np.asarray(array) for array in inputs]
        if ufunc is np.matmul:
            (rows, inner), columns = plain[0].shape, plain[1].shape[1]
            Counting.flop += 2 * rows * inner * columns
        elif ufunc is np.add and method == "reduce" and kwargs.get("axis") == 0 and plain[0].ndim == 2:
            Counting.flop += plain[0].size
        if out is not None:
            kwargs["out"] = tuple(np.asarray(array) for array in out)
        result = getattr(ufunc, method)(*plain, **kwargs)
        return result.view(Counting) if isinstance(result, np.ndarray) else result


def counted_backward(config: NetworkConfig, batch: int) -> int:
    """FLOP of the reference's products and bias sums in forward and backward, less those of forward."""
    draw = np.random.default_rng(0)
    shapes = [s for i, u in shapes_of(config) for s in ((u, i), (u,))]
    start = [draw.standard_normal(shape).astype(np.float32) for shape in shapes]
    reference = ReferenceStep(config, StepConfig(), start)
    reference.parameters = [array.view(Counting) for array in reference.parameters]
    images = draw.random((batch, config.inputs), dtype=np.float32).view(Counting)
    labels = [np.zeros(batch, dtype=np.float32) for _ in config.heads]
    counts = []
    for run in (reference.forward, reference.forward_backward):
        Counting.flop = 0
        run(images, *labels)
        counts.append(Counting.flop)
    assert counts[0] > 0
    return counts[1] - counts[0]


def shapes_of(config: NetworkConfig) -> list[tuple[int, int]]:
    """(inputs, units) of each layer, read off MXNet's parameters."""
    weights = TrainingStep(config, StepConfig()).parameter_arrays()[::2]
    return [(weight.shape[1], weight.shape[0]) for weight in weights]


@settings(deadline=None, max_examples=40)
@given(config=NETWORKS, batch=st.integers(1, 5))
def test_the_formulas_are_what_is_counted(config: NetworkConfig, batch: int) -> None:
    forward, backward = counted_forward(config, batch), counted_backward(config, batch)
    assert cost(config).forward_flop * batch == forward
    assert cost(config).training_flop * batch == forward + backward


@settings(deadline=None, max_examples=40)
@given(config=NETWORKS)
def test_the_sizes_are_those_of_the_arrays(config: NetworkConfig) -> None:
    step, told = TrainingStep(config, StepConfig()), cost(config)
    assert told.parameters == sum(array.size for array in step.parameter_arrays())
    for size, arrays in (
        (told.parameter_bytes, step.parameter_arrays()),
        (told.gradient_bytes, step.gradient_arrays()),
        (told.optimizer_bytes, step.state_arrays()),
    ):
        assert size == sum(array.asnumpy().nbytes for array in arrays)


def test_the_tutorials_network_by_hand() -> None:
    """784-128-64-10 and heads of 10 and 1."""
    weights = 784 * 128 + 128 * 64 + 64 * 10 + 10 * 10 + 10 * 1
    biases = 128 + 64 + 10 + 10 + 1
    told = cost(NetworkConfig())
    assert told.parameters == weights + biases
    assert told.forward_flop == 2 * weights + biases
    assert told.training_flop == 3 * 2 * weights + 2 * biases - 2 * 784 * 128


def test_the_count_sees_a_layer_more() -> None:
    one, two = NetworkConfig(inputs=5, trunk=(4,)), NetworkConfig(inputs=5, trunk=(4, 4))
    assert counted_forward(two, 1) - counted_forward(one, 1) == 2 * 16 + 4
    assert counted_backward(two, 1) - counted_backward(one, 1) == 4 * 16 + 4


@pytest.mark.parametrize("head", HEADS)
def test_the_second_head_costs_its_own_layer_only(head: str) -> None:
    one, both = cost(NetworkConfig(heads=(head,))), cost(NetworkConfig())  # type: ignore[arg-type]
    units = 11 - {"digits": 10, "odd_even": 1}[head]
    assert both.forward_flop - one.forward_flop == 2 * 10 * units + units
