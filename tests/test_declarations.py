"""Declarations that are wrong in all the ways one can think of: each costs one clear line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.workloads.task_check import TaskCheck

HEAD = """
import numpy as np
import mxnet as mx
from mxnet import gluon
from mxnet.gluon import nn
from mtl_core.task import Task

class Net(gluon.HybridBlock):
    def __init__(self, *units):
        super().__init__()
        for n, u in enumerate(units):
            setattr(self, f"layer{n}", nn.Dense(u))
        self.count = len(units)

    def hybrid_forward(self, F, x):
        return tuple(getattr(self, f"layer{n}")(x) for n in range(self.count))

def drawn(size, rng):
    return rng.random((size, 3)), {"a": rng.random((size, 1)), "b": rng.integers(0, 4, size)}

def made(**changed):
    fields = dict(
        network=Net(1, 4), losses={"a": gluon.loss.L2Loss(), "b": gluon.loss.SoftmaxCELoss()},
        weights={"a": 1.0, "b": 0.5}, batch=drawn, optimizer="sgd",
    )
    return Task(**{**fields, **changed})

def changed(**by_name):
    def batch(size, rng):
        inputs, labels = drawn(size, rng)
        inputs = by_name.get("inputs", inputs)
        return inputs, {**labels, **{n: v for n, v in by_name.items() if n != "inputs"}}
    return batch

"""
RETURNS = "def task(heads=None):\n    return "
# What the factory returns, or the module holds; and what the line must say.
FACTORIES = {
    "made(network=None)": "network is None; expected a Gluon Block",
    "made(network=Net)": "network is the class Net; expected a Gluon Block, made and not its class",
    "made(network=lambda x: x)": "network is <function",
    "made(network=nn.HybridSequential())": "the network has no parameters to learn",
    "made(network=Net(1))": "returns 1 output for 2 heads (a, b); expected one each",
    "made(network=Net(1, 4, 2))": "returns 3 outputs for 2 heads",
    "made(network=Net(2, 4))": "the loss of 'a' (output (4, 2), label (4, 1) of float32): ",
    "made(network=Net(1, 4), losses=None)": "losses are None; expected a dict",
    "made(losses={})": "losses are {}; expected a dict",
    "made(losses=[gluon.loss.L2Loss()])": "losses are [",
    "made(losses={'a': 3, 'b': gluon.loss.L2Loss()})": "the loss of 'a' is 3; expected one that can be called",
    "made(losses={'a': gluon.loss.L2Loss, 'b': gluon.loss.L2Loss()})": "the loss of 'a' is the class L2Loss",
    "made(losses={1: gluon.loss.L2Loss()})": "losses name the head 1; expected a name",
    "made(losses={'': gluon.loss.L2Loss()})": "losses name the head ''",
    "made(losses={'a/b': gluon.loss.L2Loss()})": "losses name the head 'a/b'; expected a name without /",
    "made(losses={'a': lambda o, l: (o - l).sum(), 'b': gluon.loss.SoftmaxCELoss()})": "the loss of 'a' returns (1,); "
    "expected shape (4,)",
    "made(losses={'a': lambda o, l: 1.0, 'b': gluon.loss.SoftmaxCELoss()})": "the loss of 'a' returns 1.0; expected",
    "made(losses={'a': lambda o, l: None, 'b': gluon.loss.SoftmaxCELoss()})": "the loss of 'a' returns None",
    "made(losses={'a': lambda o: o, 'b': gluon.loss.SoftmaxCELoss()})": "the loss of 'a' (output",
    "made(losses={'a': lambda o, l: (o[:, 0] - 9).log(), 'b': gluon.loss.SoftmaxCELoss()})": "the loss of 'a' is not "
    "finite on the first batch",
    "made(weights={})": "weights have none for the head 'a'",
    "made(weights={'a': 1.0})": "weights have none for the head 'b'; expected one for each of 'a', 'b'",
    "made(weights={'a': 1.0, 'b': 1.0, 'c': 1.0})": "weights name 'c', which has no loss",
    "made(weights={'a': -1.0, 'b': 1.0})": "the weight of 'a' is -1.0; expected a number of at least 0",
    "made(weights={'a': float('nan'), 'b': 1.0})": "the weight of 'a' is nan",
    "made(weights={'a': '1', 'b': 1.0})": "the weight of 'a' is '1'",
    "made(weights={'a': 0, 'b': 0.0})": "every weight is 0, so that nothing is learned",
    "made(weights=[1.0, 0.5])": "weights are [1.0, 0.5]; expected a dict",
    "made(batch=None)": "batch is None; expected a function of (size, rng)",
    "made(batch=lambda size: drawn(size, None))": "takes 1 positional argument but 2 were given",
    "made(batch=lambda size, rng: None)": "batch is None; expected a pair (inputs, labels)",
    "made(batch=lambda size, rng: [])": "batch returned an empty list",
    "made(batch=lambda size, rng: np.zeros((size, 3)))": "batch is an array of shape (4, 3); expected a pair",
    "made(batch=lambda size, rng: (np.zeros((size, 3)), np.zeros(size)))": "labels are an array of shape (4,); expected a dict",
    "made(batch=lambda size, rng: (np.zeros((size, 3)), {'a': np.zeros((size, 1))}))": "labels have none for the head 'b'",
    "made(batch=changed(a=None))": "the label of 'a' is None; expected a NumPy array",
    "made(batch=changed(a=np.array(['x', 'y'])))": "the label of 'a' holds <U1; expected numbers",
    "made(batch=changed(a=np.float32(1) * np.ones(())))": "the label of 'a' ",
    "made(batch=changed(a=np.zeros((0, 1))))": "the label of 'a' has shape (0, 1)",
    "made(batch=changed(a=np.full((4, 1), np.nan)))": "the label of 'a' holds NaN or infinities",
    "made(batch=changed(a=np.zeros((4, 7))))": "the loss of 'a' (output (4, 1), label (4, 7) of float32): ",
    "made(batch=changed(inputs=()))": "batch has no input",
    "made(batch=changed(inputs=[1, 2]))": "the input is of type list ([1, 2]); expected a NumPy array",
    "made(batch=changed(inputs=(np.zeros((4, 3)), np.zeros((4, 3)))))": "hybrid_forward() takes 3 positional",
    "made(batch=changed(inputs=np.zeros((2, 3))))": "the loss of 'a' (output (2, 1), label (4, 1)",
    "made(optimizer='adamm')": "optimizer 'adamm' cannot be made: Cannot find optimizer adamm",
    "made(optimizer=None)": "optimizer is None; expected a name",
    "made(optimizer=('adam', 0.1))": "optimizer is ('adam', 0.1); expected a name, a pair",
    "made(optimizer=('adam', {'learning_rat': 0.1}))": "optimizer ('adam', {'learning_rat': 0.1}) cannot be made",
    "made(optimizer=mx.optimizer.Adam)": "optimizer is the class Adam",
    "made(optimizer=('sgd', {'learning_rate': 3e38, 'rescale_grad': 1e6}))": "is not finite after one step",
    "made(dataset=7)": "dataset is 7; expected a Gluon Dataset",
    "made(dataset=gluon.data.ArrayDataset(np.zeros((9, 3), 'float32')))": "dataset: a sample of the dataset has 1 parts; "
    "expected 3",
    "made(optimizer='groupadagrad')": "AssertionError: assert len(weight.shape) == 2",
    "None": "returned None; expected a mtl_core.task.Task",
    "(Net(1, 4), {})": "returned (Net(",
    "1 / 0": "acme_0/bench.py:36: ZeroDivisionError: division by zero",
    "Task(network=Net(1))": "missing",
    "exit(3)": "acme_0/bench.py:36: SystemExit: 3",
}
MODULES = {
    "task = 3": "task is 3; expected a function that returns a Task",
    "task = made()": "task is a Task; expected a function that returns one",
    "other = 3": "has no 'task'; expected a function that returns a Task",
    "def task(:\n": "bench.py:35: SyntaxError",
    "import nowhere_at_all": "bench.py:35: ModuleNotFoundError: No module named 'nowhere_at_all'",
    "from bench.utils import x": "ModuleNotFoundError: No module named 'bench.utils'",
    "raise ValueError('first\\nsecond: last')": "bench.py:35: ValueError: second: last",
    "def task(heads):\n    return made()": "missing 1 required positional argument: 'heads'",
}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Writes a module of a package of its own, and forgets it afterwards."""
    monkeypatch.setenv("BENCH_PROJECT", str(tmp_path))
    before, modules = list(sys.path), set(sys.modules)

    def make(text: str) -> str:
        package = tmp_path / "acme_0"
        package.mkdir()
        (package / "bench.py").write_text(text, encoding="utf-8")
        return "acme_0.bench:task"

    yield make
    sys.path[:] = before
    for name in set(sys.modules) - modules:
        if name.startswith("acme_0"):
            del sys.modules[name]


def trouble(network: str) -> str:
    answer = TaskCheck(network=network, batch_size=4).answer
    assert "trouble" in answer, answer
    line: str = answer["trouble"]
    assert "\n" not in line
    assert line.startswith("acme_0.bench")
    assert len(line) < 400
    assert line.count("acme_0.bench:task") <= 2
    return line


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("returned", FACTORIES)
def test_a_wrong_declaration_costs_one_clear_line(returned: str, write: object) -> None:
    network = write(HEAD + RETURNS + returned + "\n")  # type: ignore[operator]
    assert FACTORIES[returned] in trouble(network)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", MODULES)
def test_a_wrong_module_costs_one_clear_line(text: str, write: object) -> None:
    network = write(HEAD + text + "\n")  # type: ignore[operator]
    assert MODULES[text] in trouble(network)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("acme_0.nothing:task", "there is no module 'acme_0.nothing'"),
        ("acme_9.bench:task", "there is no module 'acme_9'"),
        ("acme_0.bench", "expected module:factory"),
        ("acme_0 bench:task", "expected module:factory"),
    ],
)
def test_a_name_of_nothing_costs_one_clear_line(network: str, said: str, write: object) -> None:
    write(HEAD + "def task():\n    return made()\n")  # type: ignore[operator]
    assert said in TaskCheck(network=network, batch_size=4).answer["trouble"]


def test_what_is_well_declared_is_told_as_it_is(write: object) -> None:
    network = write(HEAD + RETURNS + "made()\n")  # type: ignore[operator]
    declared = TaskCheck(network=network, batch_size=4).answer["declared"]
    assert declared["heads"] == ["a", "b"]
    assert declared["parameters"] == 3 * 5 + 5
    assert declared["takes_heads"] and not declared["impossible"] and not declared["differs"]
    assert set(declared["heads_impossible"]) == {"a alone", "b alone"}  # the factory ignores heads


DIFFERS = """
class Differs(gluon.HybridBlock):
    def __init__(self):
        super().__init__()
        self.layer = nn.Dense(1)

    def hybrid_forward(self, F, x):
        y = self.layer(x)
        return y * (2 if F is mx.sym else 1)

def task():
    return made(network=Differs(), losses={"a": gluon.loss.L2Loss()}, weights=None)
"""
UNTRACEABLE = DIFFERS.replace("y * (2 if F is mx.sym else 1)", "y if y.shape[0] else x")


def test_a_mode_that_computes_something_else_is_told_with_how_much(write: object) -> None:
    network = write(HEAD + DIFFERS)  # type: ignore[operator]
    declared = TaskCheck(network=network, batch_size=4).answer["declared"]
    assert set(declared["differs"]) == {"hybridized", "static", "whole_graph"}
    assert declared["differs"]["static"]["share"] >= 1.0


def test_a_network_that_cannot_be_traced_is_measured_as_it_is(write: object) -> None:
    network = write(HEAD + UNTRACEABLE)  # type: ignore[operator]
    declared = TaskCheck(network=network, batch_size=4).answer["declared"]
    assert set(declared["impossible"]) == {"hybridized", "static", "whole_graph"}
    assert "bench.py:" in declared["impossible"]["hybridized"]
    assert declared["training_flop"] is None
