"""What a network costs by MXNet's symbol, against the tutorial's formulas and against layers done by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtl_core.config import HEADS, NetworkConfig
from mtl_core.cost import cost
from mtl_core.network import MultiTaskNetwork
from mtl_core.platform.mxnet import mx
from mtl_core.symbol_cost import symbol_cost

nn = mx.gluon.nn


def built(network: Any) -> Any:
    network.initialize(force_reinit=True)
    return network


@pytest.mark.parametrize("heads", [HEADS, HEADS[:1], HEADS[1:]])
@pytest.mark.parametrize("trunk", [(128, 64, 10), (7,), ()])
def test_the_tutorials_network_costs_what_its_formulas_say(heads: Any, trunk: tuple[int, ...]) -> None:
    config = NetworkConfig(heads=heads, trunk=trunk)
    counted = symbol_cost(built(MultiTaskNetwork(config)), [((16, 784), np.float32)], 16)
    expected = cost(config)
    assert counted is not None
    assert (counted.forward_flop, counted.training_flop) == (expected.forward_flop, expected.training_flop)
    assert counted.uncounted == ()


def flop(network: Any, shape: tuple[int, ...]) -> tuple[float, float]:
    counted = symbol_cost(built(network), [(shape, np.float32)], shape[0])
    assert counted is not None
    return counted.forward_flop, counted.training_flop


def test_convolutions_are_counted_by_hand() -> None:
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(4, 3, in_channels=3),
        nn.BatchNorm(),
        nn.Conv2D(8, 3, groups=2, use_bias=False, in_channels=4),
    )
    first, second = 2 * 6 * 6 * 4 * 27, 2 * 4 * 4 * 8 * 18
    bias = 6 * 6 * 4
    assert flop(net, (2, 3, 8, 8)) == (first + bias + second, 2 * first + 2 * bias + 3 * second)


def test_a_layer_that_is_shared_counts_as_often_as_it_is_used() -> None:
    class Shared(mx.gluon.HybridBlock):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Dense(5, in_units=5, use_bias=False, flatten=False)

        def hybrid_forward(self, F: Any, x: Any) -> Any:
            return self.layer(F.concat(self.layer(x), x, dim=0))

    assert flop(Shared(), (1, 5)) == (3 * 50, 3 * 50 + 50 + 2 * 100)


def test_an_lstm_is_counted_by_hand() -> None:
    net = mx.gluon.rnn.LSTM(6, num_layers=2, layout="NTC", input_size=3)
    product, bias = 5 * 2 * 4 * 6 * ((3 + 6) + (6 + 6)), 5 * 2 * 2 * 4 * 6
    assert flop(net, (2, 5, 3))[0] == product + bias
    read = 5 * 2 * 4 * 6 * 3  # whose gradient nobody needs, since nothing below learns
    assert flop(net, (2, 5, 3))[1] == 2 * (product + bias) + product - read


def test_what_multiplies_otherwise_is_told() -> None:
    class Attends(mx.gluon.HybridBlock):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Dense(4, in_units=4, flatten=False)

        def hybrid_forward(self, F: Any, x: Any) -> Any:
            y = self.layer(x)
            return F.batch_dot(F.linalg.gemm2(y, y, transpose_b=True), y)

    counted = symbol_cost(built(Attends()), [((2, 3, 4), np.float32)], 2)
    assert counted is not None and counted.uncounted == ("_linalg_gemm2",)
    assert counted.forward_flop == 3 * (2 * 16 + 4) + 2 * 3 * 4 * 3


def test_an_input_that_no_output_needs_costs_nothing() -> None:
    class OfOne(mx.gluon.HybridBlock):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Dense(4, in_units=3, use_bias=False)

        def hybrid_forward(self, F: Any, x: Any, unread: Any) -> Any:
            return self.layer(x)

    counted = symbol_cost(built(OfOne()), [((2, 3), np.float32), ((2, 9), np.float32)], 2)
    assert counted is not None and counted.forward_flop == 2 * 3 * 4
