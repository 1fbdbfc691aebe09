"""One network in each way to run it at inference: MXNet's modes, exported and loaded again, ONNX Runtime.

A runtime has ``own(arrays)``, which puts a batch of NumPy arrays where it computes from, ``call(batch)``,
which returns when its outputs are computed, and is itself called with NumPy arrays for a list of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from threadpoolctl import threadpool_info

from bench.questions.workload import NotPossibleError
from bench.workloads.inference.exported_files import PARAMETERS, SYMBOL
from bench.workloads.inference.exporting import Array, Input, as_arrays, for_onnx, trace
from bench.workloads.inference.input_names import in_order
from bench.workloads.steps import BATCHES, training_split
from bench.workloads.task import rotating, step_of
from mtl_core.config import NetworkConfig, StepConfig
from mtl_core.platform.mxnet import mx
from mtl_core.step import TrainingStep

Name = Literal["imperative", "hybridized", "static", "exported", "onnx_runtime"]
NAMES: tuple[Name, ...] = get_args(Name)
FILE = "network"  # of an exported network, without what follows the name
MOST_IMAGES = 16_384  # in the batches that rotate


class Runtime(Protocol):
    """See the module."""

    def own(self, arrays: Sequence[Array]) -> Any: ...

    def call(self, batch: Any) -> Any: ...

    def __call__(self, *arrays: Array) -> list[Array]: ...


class MXNetRuntime:
    """A Gluon block; a batch lies in MXNet's arrays on the CPU before the call."""

    def __init__(self, block: Any) -> None:
        self.block = block

    def own(self, arrays: Sequence[Array]) -> list[Any]:
        return [mx.nd.array(array, dtype=array.dtype) for array in arrays]

    def call(self, batch: Sequence[Any]) -> Any:
        outputs = self.block(*batch)
        for output in outputs if isinstance(outputs, (tuple, list)) else (outputs,):
            output.wait_to_read()
        return outputs

    def __call__(self, *arrays: Array) -> list[Array]:
        return as_arrays(self.call(self.own(arrays)))


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a network comes from: ``module:factory`` of a declared task, or the tutorial's own."""

    network: str | None = None
    batch_size: int = 1
    data: str = "synthetic"

    def block(self) -> Any:
        """The network, initialised with the same numbers each time and not hybridized."""
        if self.network is None:
            return TrainingStep(NetworkConfig(), StepConfig(mode="imperative")).network
        return step_of(self.network, None, size=self.batch_size, mode="imperative").task.network

    def batches(self) -> list[tuple[Array, ...]]:
        """What the network reads, in batches that rotate: one array an input, (B, ...)."""
        if self.network is not None:
            step = step_of(self.network, None, size=self.batch_size, mode="imperative")
            return [batch.inputs for batch in rotating(step)]
        count = max(2, min(BATCHES, MOST_IMAGES // self.batch_size))
        images = training_split(count * self.batch_size, self.data).images.reshape(count, -1, 784)
        return [(batch.astype(np.float32) / 255.0,) for batch in images]


def threads_of_mxnet() -> int:
    """Threads that MXNet computes an operator on: those of its OpenMP, as set or as it chose."""
    counts = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"]
    return max(counts, default=1)


def write(name: Name, block: Any, batch: Sequence[Array], folder: Path) -> None:
    """The files that a runtime loads, into a folder; none of those that run the network's own code.

    Raises NotPossibleError for a Block that MXNet cannot trace, UserError for what ONNX cannot say.
    """
    if name == "imperative":
        return
    if not isinstance(block, mx.gluon.HybridBlock):
        raise NotPossibleError(f"the network is a {type(block).__name__}, a Block and no HybridBlock")
    if name in ("exported", "onnx_runtime"):
        inputs = tuple(Input(array.shape[1:], array.dtype) for array in batch)
        symbol, parameters = trace(block, inputs, folder / FILE)
        if name == "onnx_runtime":
            from bench.workloads.inference.onnx_export import write_onnx

            write_onnx(symbol, for_onnx(symbol, parameters), inputs, folder / f"{FILE}.onnx")


def load(name: Name, block: Any, folder: Path, threads: int) -> Runtime:
    """A runtime ready for its first call, from the network itself or from the files written before."""
    if name == "onnx_runtime":
        from bench.workloads.inference.onnx_network import OnnxNetwork

        return OnnxNetwork(folder / f"{FILE}.onnx", threads)
    if name == "exported":
        files = [folder / f"{FILE}{ending}" for ending in (SYMBOL, PARAMETERS)]
        return MXNetRuntime(imported(*files))
    if isinstance(block, mx.gluon.HybridBlock):
        static = {"static_alloc": True, "static_shape": True} if name == "static" else {}
        block.hybridize(name != "imperative", **static)
    return MXNetRuntime(block)


def imported(symbol: Path, parameters: Path) -> Any:
    """What ``export`` wrote, loaded as Gluon documents it."""
    own = set(mx.nd.load(str(parameters)) or {})
    names = mx.sym.load(str(symbol)).list_inputs()
    inputs = in_order(name for name in names if not {f"arg:{name}", f"aux:{name}"} & own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it cannot tell the type of an input before a call
        return mx.gluon.SymbolBlock.imports(str(symbol), inputs, str(parameters))
