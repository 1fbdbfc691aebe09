"""A trained network leaves MXNet: as ONNX and as safetensors, each held against MXNet before it is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.workloads.inference.exported_files import PARAMETERS, SYMBOL, parameters_beside
from bench.workloads.state_dict import fixed_scales, not_carried, state_dict
from mtl_core.config import NetworkConfig, StepConfig
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.program.files import NotWrittenError, write_whole
from mtl_core.program.predict import load_network
from mtl_core.reference import ReferenceStep

Array = NDArray[Any]
Network = Callable[..., list[Array]]  # of one NumPy array an input, (B, ...)
BATCHES = 100  # that an exported network is checked on
SIZES = (1, 2, 3, 7, 8, 32, 33, 128)  # images of a batch, in turn
WITHIN = 1e-5  # of the largest output, or of 1 where all are smaller


class Input(NamedTuple):
    """One input of a network: a sample's shape and the type of its numbers."""

    shape: tuple[int, ...]
    dtype: Any = np.float32


@dataclass(frozen=True)
class Traced:
    """A network as MXNet's graph: what both formats are made from."""

    symbol: Any
    parameters: dict[str, Any]  # MXNet's arrays by "arg:NAME" and "aux:NAME"
    names: dict[str, str]  # a parameter's place in the network, by its name, where that is known
    inputs: tuple[Input, ...]  # in the order of the network's call
    network: Network  # MXNet itself, what all else is held against
    batches: Callable[[], Iterable[tuple[Array, ...]]]  # of several sizes, one array an input
    tutorial: bool = False  # the network of mtl_core, of which there is a reference in NumPy


def as_arrays(outputs: Any) -> list[Array]:
    """One output or several as NumPy arrays; waits for them."""
    several = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return [output.asnumpy() for output in several]


def trace(network: Any, inputs: Sequence[Input], prefix: Path | None = None) -> tuple[Any, dict[str, Any]]:
    """The symbol and the parameters of a hybrid block; it stays hybridized.

    ``prefix`` is what Gluon's two files begin with, where they are to stay.
    """
    network.hybridize()
    network(*(mx.nd.zeros((1, *each.shape), dtype=each.dtype) for each in inputs))
    with tempfile.TemporaryDirectory() as folder:
        prefix = prefix or Path(folder, "network")
        network.export(str(prefix))
        return mx.sym.load(f"{prefix}{SYMBOL}"), _loaded(Path(f"{prefix}{PARAMETERS}"))


def traced(
    network: Any, inputs: Sequence[Input], batches: Callable[[], Iterable[tuple[Array, ...]]], tutorial: bool
) -> Traced:
    """An initialised hybrid block, whoever wrote it."""
    symbol, parameters = trace(network, inputs)
    names = {parameter.name: place for place, parameter in network._collect_params_with_prefix().items()}

    def mxnet(*arrays: Array) -> list[Array]:
        return as_arrays(network(*(mx.nd.array(array, dtype=array.dtype) for array in arrays)))

    return Traced(symbol, parameters, names, tuple(inputs), mxnet, batches, tutorial)


def traced_block(network: Any, image: tuple[int, ...], tutorial: bool = False) -> Traced:
    """An initialised hybrid block that reads images, float32 (B, *image)."""
    return traced(network, [Input(image)], lambda: drawn(image), tutorial)


def traced_task(network: str) -> Traced:
    """The network that a declared task's factory returns, checked on batches that the task draws.

    Raises UserError for a network that is no HybridBlock, and for batches that are not all alike.
    """
    from bench.workloads.declared import told_as
    from bench.workloads.task import step_of
    from mtl_core.task import batches_of

    step = step_of(network, None, size=SIZES[-1], mode="imperative")
    block, task = step.task.network, step.task
    if not isinstance(block, mx.gluon.HybridBlock):
        raise UserError(
            f"{network}: the network is a {type(block).__name__}, a Block and no HybridBlock; "
            "MXNet has no graph of it to write"
        )

    def of_task() -> Iterator[tuple[Array, ...]]:
        rng = np.random.default_rng(0)
        for size in islice(cycle(SIZES), BATCHES):
            first = batches_of(task.batch(size, rng), task.heads)[0]
            shapes = [array.shape for array in first.inputs]
            if shapes != [(size, *each.shape) for each in inputs]:
                raise UserError(
                    f"a batch of {size} has inputs of {shapes}; expected samples along the first axis, all "
                    "of one shape"
                )
            yield first.inputs

    with told_as(network):
        one = batches_of(task.batch(1, np.random.default_rng(0)), task.heads)[0]
        inputs = [Input(array.shape[1:], array.dtype) for array in one.inputs]
        return traced(block, inputs, of_task, tutorial=False)


def traced_file(path: Path, image: tuple[int, ...]) -> Traced:
    """What Gluon's ``export`` wrote: ``NAME-symbol.json`` with ``NAME-0000.params``, or another epoch's."""
    beside = _parameters_of(path)
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
    return Traced(symbol, parameters, {}, (Input(image),), network, lambda: drawn(image))


def _parameters_of(path: Path) -> Path:
    """The one file of parameters beside a network's. Raises UserError where there is none, or several are."""
    there = parameters_beside(path)
    if not path.is_file() or not there:
        usual = path.with_name(path.name.removesuffix(SYMBOL) + PARAMETERS)
        lacking = usual if path.is_file() else path
        raise UserError(f"{lacking} is not there; expected both files that a network's export() writes")
    if len(there) > 1:
        names = ", ".join(file.name for file in there)
        raise UserError(
            f"{path} has the parameters of several epochs beside it: {names}; copy it with the one to write "
            "into a folder of their own"
        )
    return there[0]


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


def drawn(image: tuple[int, ...], count: int = BATCHES) -> Iterator[tuple[Array, ...]]:
    """Batches of several sizes, float32, drawn from one seed."""
    rng = np.random.default_rng(0)
    for size in islice(cycle(SIZES), count):
        yield (rng.standard_normal((size, *image), dtype=np.float32),)


def departure(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """The most that outputs differ, over the largest of ours or 1; endless where one is no number."""
    largest = 0.0
    for one, two in zip(ours, theirs, strict=True):
        off = float(np.max(np.abs(one - two), initial=0.0) / max(1.0, np.max(np.abs(one), initial=0.0)))
        largest = max(largest, off if np.isfinite(off) else np.inf)
    return largest


def shapes(arrays: Sequence[Array]) -> list[tuple[int, ...]]:
    """The shape of each."""
    return [array.shape for array in arrays]


def largest_difference(
    network: Network, other: Network, batches: Iterable[tuple[Array, ...]], name: str
) -> float:
    """The most that two networks' outputs differ over all batches, relative to the largest output.

    Raises UserError where it is more than WITHIN, or where shapes differ.
    """
    largest = 0.0
    for batch in batches:
        ours, theirs = network(*batch), other(*batch)
        if shapes(ours) != shapes(theirs):
            raise UserError(
                f"{name}: outputs of {shapes(theirs)} where MXNet has {shapes(ours)}: not exported"
            )
        off = departure(ours, theirs)
        if off > WITHIN:
            raise UserError(
                f"{name}: outputs for {len(batch[0])} images depart from MXNet's by {off:.1e}; "
                f"expected {WITHIN:g} at most: not exported"
            )
        largest = max(largest, off)
    return largest


def for_onnx(symbol: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters by their names alone, as MXNet's exporter has to read them to write what MXNet computes."""
    by_name = {name.partition(":")[2]: array for name, array in parameters.items()}
    for name in fixed_scales(symbol):  # the exporter would write the number that MXNet ignores
        by_name[name] = mx.nd.ones_like(by_name[name])
    return by_name


def to_onnx(traced: Traced, path: Path) -> dict[str, Any]:
    """Write the ONNX file once its outputs are MXNet's; how much they differ."""
    from bench.workloads.inference import onnx_export
    from bench.workloads.inference.onnx_network import OnnxNetwork

    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "network.onnx")
        parameters = for_onnx(traced.symbol, traced.parameters)
        onnx_export.write_onnx(traced.symbol, parameters, traced.inputs, draft)
        difference = largest_difference(traced.network, OnnxNetwork(draft), traced.batches(), "ONNX Runtime")
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
        name = "the file's weights in NumPy"
        difference = largest_difference(traced.network, reference, traced.batches(), name)
    write_whole(path, lambda file: file.write(content), "--safetensors")
    by_hand = not_carried(traced.symbol)
    return {"names": [list(row) for row in rows], "by_hand": by_hand, "largest_difference": difference}


def _reference(parameters: list[Array]) -> Network:
    step = ReferenceStep(NetworkConfig(), StepConfig(), parameters)

    def network(images: Array) -> list[Array]:
        labels = np.zeros(len(images), np.float32)  # a forward pass tells losses too
        return list(step.forward(images, labels, labels).outputs)

    return network


def export(
    path: str | None,
    image: list[int] | None,
    onnx: str | None,
    safetensors: str | None,
    network: str | None = None,
    alive: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Write what was asked for, checked; of a file, or of a declared ``network``.

    ``alive`` is called before each batch that it is checked on: a large network takes its time.
    Raises UserError for what cannot be read, written or kept.
    """
    if network is not None:
        original = traced_task(network)
    else:
        original = source(Path(str(path)), None if image is None else tuple(image))

    def watched() -> Iterator[tuple[Array, ...]]:
        for batch in original.batches():
            alive("checked")
            yield batch

    traced = replace(original, batches=watched)
    report: dict[str, Any] = {}
    lost = []
    for kind, place, write in (("onnx", onnx, to_onnx), ("safetensors", safetensors, to_safetensors)):
        try:
            if place is not None:
                report[kind] = write(traced, Path(place))
        except NotWrittenError as error:  # the other may have room
            lost.append(str(error))
    if lost:
        raise UserError("; ".join(lost))
    return report
