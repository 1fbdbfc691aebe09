"""A trained network leaves MXNet: as ONNX and as safetensors, each held against MXNet before it is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.workloads.state_dict import fixed_scales, not_carried, state_dict
from mtl_core.config import NetworkConfig, StepConfig
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.program.files import write_whole
from mtl_core.program.predict import load_network
from mtl_core.reference import ReferenceStep

Array = NDArray[Any]
Network = Callable[[Array], list[Array]]
BATCHES = 100  # that an exported network is checked on
SIZES = (1, 2, 3, 7, 8, 32, 33, 128)  # images of a batch, in turn
WITHIN = 1e-5  # of the largest output, or of 1 where all are smaller
SYMBOL, PARAMETERS = "-symbol.json", "-0000.params"  # what Gluon's export writes


@dataclass(frozen=True)
class Traced:
    """A network as MXNet's graph: what both formats are made from."""

    symbol: Any
    parameters: dict[str, Any]  # MXNet's arrays by "arg:NAME" and "aux:NAME"
    names: dict[str, str]  # a parameter's place in the network, by its name, where that is known
    image: tuple[int, ...]  # an image's shape
    network: Network  # MXNet itself, what all else is held against
    tutorial: bool  # the network of mtl_core, of which there is a reference in NumPy


def as_arrays(outputs: Any) -> list[Array]:
    """One output or several as NumPy arrays; waits for them."""
    several = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return [output.asnumpy() for output in several]


def trace(network: Any, image: tuple[int, ...]) -> tuple[Any, dict[str, Any]]:
    """The symbol and the parameters of a hybrid block; it stays hybridized."""
    network.hybridize()
    network(mx.nd.zeros((1, *image)))
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder, "network")
        network.export(str(prefix))
        return mx.sym.load(f"{prefix}{SYMBOL}"), _loaded(Path(f"{prefix}{PARAMETERS}"))


def traced_block(network: Any, image: tuple[int, ...], tutorial: bool = False) -> Traced:
    """An initialised hybrid block, whoever wrote it."""
    symbol, parameters = trace(network, image)
    names = {parameter.name: place for place, parameter in network._collect_params_with_prefix().items()}
    return Traced(
        symbol, parameters, names, image, lambda images: as_arrays(network(mx.nd.array(images))), tutorial
    )


def traced_file(path: Path, image: tuple[int, ...]) -> Traced:
    """What Gluon's ``export`` wrote: ``NAME-symbol.json`` with ``NAME-0000.params`` beside it."""
    beside = path.with_name(path.name.removesuffix(SYMBOL) + PARAMETERS)
    for file in (path, beside):
        if not file.is_file():
            raise UserError(f"{file} is not there; expected both files that a network's export() writes")
    try:
        symbol, parameters = mx.sym.load(str(path)), _loaded(beside)
    except mx.base.MXNetError:
        raise UserError(f"{path} or {beside.name} is no whole export of a network; export it again") from None
    own = {name.partition(":")[2] for name in parameters}
    inputs = [name for name in symbol.list_inputs() if name not in own]
    if len(inputs) != 1:
        raise UserError(f"{path} reads {', '.join(inputs) or 'nothing'}; expected a network with one input")
    block = mx.gluon.SymbolBlock.imports(str(path), inputs, str(beside))

    def network(images: Array) -> list[Array]:
        try:
            return as_arrays(block(mx.nd.array(images)))
        except mx.base.MXNetError as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(
                f"{path} does not take batches of {image}: {reason}; give another --input-shape"
            ) from None

    network(np.zeros((1, *image), np.float32))
    return Traced(symbol, parameters, {}, image, network, False)


def _loaded(path: Path) -> dict[str, Any]:
    """Gluon writes the file even for a network without parameters, and MXNet reads that as a list."""
    arrays = mx.nd.load(str(path))
    return dict(arrays) if arrays else {}


def source(path: Path, image: tuple[int, ...] | None) -> Traced:
    """A checkpoint of ``train``, or a network that was exported by Gluon. Raises UserError for others."""
    if path.name.endswith(SYMBOL):
        if image is None:
            raise UserError(f"{path} does not tell an image's shape; give --input-shape, such as 3,32,32")
        return traced_file(path, image)
    step = load_network(path)
    return traced_block(step.network, (step.network.config.inputs,), tutorial=True)


def batches(image: tuple[int, ...], count: int = BATCHES) -> Iterator[Array]:
    """Batches of several sizes, float32, drawn from one seed."""
    rng = np.random.default_rng(0)
    for size in islice(cycle(SIZES), count):
        yield rng.standard_normal((size, *image), dtype=np.float32)


def largest_difference(network: Network, other: Network, image: tuple[int, ...], name: str) -> float:
    """The most that two networks' outputs differ over all batches, relative to the largest output.

    Raises UserError where it is more than WITHIN, or where shapes differ.
    """
    largest = 0.0
    for images in batches(image):
        ours, theirs = network(images), other(images)
        shapes = [[array.shape for array in arrays] for arrays in (ours, theirs)]
        if shapes[0] != shapes[1]:
            raise UserError(f"{name}: outputs of {shapes[1]} where MXNet has {shapes[0]}: not exported")
        for one, two in zip(ours, theirs, strict=True):
            off = float(np.max(np.abs(one - two), initial=0.0) / max(1.0, np.max(np.abs(one), initial=0.0)))
            if not off <= WITHIN:  # also where it is no number
                raise UserError(
                    f"{name}: outputs for {len(images)} images depart from MXNet's by {off:.1e}; "
                    f"expected {WITHIN:g} at most: not exported"
                )
            largest = max(largest, off)
    return largest


def to_onnx(traced: Traced, path: Path) -> dict[str, Any]:
    """Write the ONNX file once its outputs are MXNet's; how much they differ."""
    from bench.workloads.onnx_export import OnnxNetwork, write_onnx

    parameters = {name.partition(":")[2]: array for name, array in traced.parameters.items()}
    for name in fixed_scales(traced.symbol):  # MXNet's exporter would write the number that MXNet ignores
        parameters[name] = mx.nd.ones_like(parameters[name])
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "network.onnx")
        write_onnx(traced.symbol, parameters, traced.image, draft)
        difference = largest_difference(traced.network, OnnxNetwork(draft), traced.image, "ONNX Runtime")
        write_whole(path, lambda file: file.write(draft.read_bytes()), "--onnx")
    return {"largest_difference": difference, "batches": BATCHES, "sizes": sorted(set(SIZES))}


def to_safetensors(traced: Traced, path: Path) -> dict[str, Any]:
    """Write the parameters under PyTorch's names, read them back and compare; the table of names."""
    from safetensors.numpy import load, save

    arrays = {name.partition(":")[2]: array.asnumpy() for name, array in traced.parameters.items()}
    tensors, rows = state_dict(arrays, traced.names, fixed_scales(traced.symbol))
    content = save(tensors, metadata={"format": "pt"})
    kept = load(content)
    if any(not np.array_equal(kept[name], tensor) for name, tensor in tensors.items()):
        raise RuntimeError("safetensors gave back other numbers than it was given")
    difference = None
    if traced.tutorial:  # its formulas, on nothing but what the file holds
        reference = _reference([kept[row.torch] for row in rows])
        difference = largest_difference(
            traced.network, reference, traced.image, "the file's weights in NumPy"
        )
    write_whole(path, lambda file: file.write(content), "--safetensors")
    by_hand = not_carried(traced.symbol)
    return {"names": [list(row) for row in rows], "by_hand": by_hand, "largest_difference": difference}


def _reference(parameters: list[Array]) -> Network:
    step = ReferenceStep(NetworkConfig(), StepConfig(), parameters)

    def network(images: Array) -> list[Array]:
        labels = np.zeros(len(images), np.float32)  # a forward pass tells losses too
        return list(step.forward(images, labels, labels).outputs)

    return network


def export(path: str, image: list[int] | None, onnx: str | None, safetensors: str | None) -> dict[str, Any]:
    """Write what was asked for, checked. Raises UserError for what cannot be read, written or kept."""
    traced = source(Path(path), None if image is None else tuple(image))
    report: dict[str, Any] = {}
    if onnx is not None:
        report["onnx"] = to_onnx(traced, Path(onnx))
    if safetensors is not None:
        report["safetensors"] = to_safetensors(traced, Path(safetensors))
    return report
