"""MXNet's graphs as ONNX: what its exporter needs of today's onnx, and what it has no operator for.

MXNet 1.9.1 reads ``onnx.mapping``, which onnx dropped in 1.19. The module is supplied for the time of
the call and taken away again, as :mod:`mtl_core.platform.mxnet` does with NumPy's names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx

from bench.workloads.inference.exporting import Input
from bench.workloads.inference.input_names import in_order
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx

ATTRIBUTE = "mapping"
MAPPING = f"onnx.{ATTRIBUTE}"
TYPES = ("bool", "float16", "float32", "float64", "int8", "int32", "int64", "uint8")  # that MXNet has
BATCH = "batch"  # the name of the dimension that may have any size
# The sets of ONNX's operators that MXNet's exporter writes. It would say of its file that it has the newest
# that onnx knows, in which some mean something else: from 18 on Split has to be told its number of outputs.
OLDEST_OPERATORS, NEWEST_OPERATORS = 12, 13
NO_NODE = "null"  # what a symbol calls its inputs and parameters


@contextmanager
def names_onnx_dropped() -> Iterator[None]:
    """Supply ``onnx.mapping`` while the block runs, where onnx has none of its own."""
    if hasattr(onnx, ATTRIBUTE):  # as old as the exporter expects
        yield
        return
    numbers = {np.dtype(name): onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in TYPES}
    mapping: Any = ModuleType(MAPPING)
    mapping.NP_TYPE_TO_TENSOR_TYPE = numbers
    mapping.TENSOR_TYPE_TO_NP_TYPE = {number: name for name, number in numbers.items()}
    sys.modules[MAPPING] = mapping
    setattr(onnx, ATTRIBUTE, mapping)
    try:
        yield
    finally:
        del sys.modules[MAPPING]
        delattr(onnx, ATTRIBUTE)


@contextmanager
def operators_of_mxnet() -> Iterator[None]:
    """Have onnx take those operators that MXNet writes for its newest while the block runs."""
    newest, context = onnx.defs.onnx_opset_version, onnx.checker.DEFAULT_CONTEXT
    checked = context.opset_imports
    onnx.defs.onnx_opset_version = lambda: NEWEST_OPERATORS
    context.opset_imports = {"": NEWEST_OPERATORS}
    try:
        yield
    finally:
        onnx.defs.onnx_opset_version, context.opset_imports = newest, checked


def without_counterpart(symbol: Any) -> list[str]:
    """The operators of a symbol that MXNet's exporter cannot write, sorted."""
    by_version = mx.onnx.mx2onnx._export_onnx.MXNetGraph.registry_
    counterparts = {
        name
        for version, names in by_version.items()
        if OLDEST_OPERATORS <= version <= NEWEST_OPERATORS
        for name in names
    }
    used = {node["op"] for node in json.loads(symbol.tojson())["nodes"]}
    return sorted(used - counterparts - {NO_NODE})


def write_onnx(symbol: Any, parameters: dict[str, Any], inputs: Sequence[Input], path: Path) -> None:
    """Write a symbol with its parameters as ONNX for batches of any size.

    ``inputs`` stand in the order of the network's call. Raises UserError naming every operator without a
    counterpart, and where MXNet's exporter fails.
    """
    lost = without_counterpart(symbol)
    if lost:
        raise UserError(
            f"ONNX has no counterpart that MXNet could write for {', '.join(lost)}: "
            "build these parts of the network of other operators"
        )
    there = [name for name in symbol.list_inputs() if name not in parameters]
    if len(there) != len(inputs):
        raise UserError(f"the network reads {len(there)} of its {len(inputs)} inputs; leave out the others")
    by_name = dict(zip(in_order(there), inputs, strict=True))
    ordered = [by_name[name] for name in there]
    with names_onnx_dropped(), operators_of_mxnet():
        try:
            mx.onnx.export_model(
                symbol,
                parameters,
                [(1, *each.shape) for each in ordered],
                [np.dtype(each.dtype) for each in ordered],
                str(path),
                dynamic=True,
                dynamic_input_shapes=[(BATCH, *each.shape) for each in ordered],
            )
        except Exception as error:  # its converters raise whatever a graph that they do not expect makes them
            said = f"{type(error).__name__}: {one_line(error)}"
            raise UserError(f"MXNet's ONNX exporter cannot write this network ({said})") from error
    model = onnx.load(path)
    _make_constants(model)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise UserError(f"what MXNet's exporter wrote is no ONNX model: {one_line(error)}") from error
    onnx.save(model, path)


def one_line(error: Exception) -> str:
    """The last line of what an error says."""
    return (str(error).strip().splitlines() or [""])[-1]


def _make_constants(model: Any) -> None:
    """Take the parameters out of the inputs: a runtime folds and plans only what cannot be overridden."""
    parameters = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in parameters]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
