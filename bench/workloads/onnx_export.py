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

from bench.workloads.exporting import Input
from bench.workloads.input_names import in_order
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx

ATTRIBUTE = "mapping"
MAPPING = f"onnx.{ATTRIBUTE}"
TYPES = ("bool", "float16", "float32", "float64", "int8", "int32", "int64", "uint8")  # that MXNet has
BATCH = "batch"  # the name of the dimension that may have any size
OLDEST_OPERATORS = 12  # the first set of ONNX's operators that MXNet's exporter writes
NO_NODE = "null"  # what a symbol calls its inputs and parameters


@contextmanager
def names_onnx_dropped() -> Iterator[None]:
    """Supply ``onnx.mapping`` while the block runs, where onnx has none of its own."""
    if hasattr(onnx, ATTRIBUTE):
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


def without_counterpart(symbol: Any) -> list[str]:
    """The operators of a symbol that MXNet's exporter cannot write, sorted."""
    by_version = mx.onnx.mx2onnx._export_onnx.MXNetGraph.registry_
    newest = onnx.defs.onnx_opset_version()
    counterparts = {
        name
        for version, names in by_version.items()
        if OLDEST_OPERATORS <= version <= newest
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
    with names_onnx_dropped():
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
            said = (str(error).strip().splitlines() or [""])[-1]
            raise UserError(
                f"MXNet's ONNX exporter cannot write this network ({type(error).__name__}: {said})"
            ) from error
    model = onnx.load(path)
    _make_constants(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _make_constants(model: Any) -> None:
    """Take the parameters out of the inputs: a runtime folds and plans only what cannot be overridden."""
    parameters = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in parameters]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
