"""``python -m bench export``: a trained network as ONNX and under PyTorch's names, checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.commands.network import NetworkOption, network_of
from bench.harness.pool import WorkerFailedError, WorkerProcess
from bench.machine.libraries import why_missing
from bench.workloads.inference.exported_files import SYMBOL, parameters_beside
from mtl_core.errors import UserError, visible
from mtl_core.platform.on_disk import check_file
from mtl_core.program.files import check_place

NEEDS = {"--onnx": ("onnx", "onnxruntime"), "--safetensors": ("safetensors",)}


def export(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="A checkpoint of train --checkpoint, or NAME-symbol.json of a Gluon network's export()."
        ),
    ] = None,
    onnx: Annotated[Path | None, typer.Option(help="ONNX file to write; any batch size.")] = None,
    safetensors: Annotated[
        Path | None, typer.Option(help="File of parameters to write, by PyTorch's names.")
    ] = None,
    input_shape: Annotated[
        str | None, typer.Option(help="An image's shape without the batch, such as 3,32,32.")
    ] = None,
    network: NetworkOption = None,
) -> None:
    """Take a network out of MXNet; what is written was held against MXNet on 100 batches of several sizes.

    Examples:

      python -m bench export run.npz --onnx run.onnx

      python -m bench export run.npz --safetensors run.safetensors

      python -m bench export net-symbol.json --input-shape 3,32,32 --onnx net.onnx

      python -m bench export --network acme.bench:task --onnx acme.onnx
    """
    targets = {
        option: path
        for option, path in (("--onnx", onnx), ("--safetensors", safetensors))
        if path is not None
    }
    if not targets:
        raise UserError("nothing to write; give --onnx FILE, --safetensors FILE or both")
    shape = _shape(input_shape)
    declared = _declared(source, network, shape)
    if source is not None:
        check_file(source, "expected a checkpoint, or NAME-symbol.json of a network's export()")
        if shape is not None and not _is_graph(source):
            raise UserError(f"--input-shape is for NAME-symbol.json; {source} tells its own")
    _check_apart(source, targets)
    for option, path in targets.items():
        missing = why_missing(*NEEDS[option])
        if missing:
            raise UserError(f"{option}: {missing}")
        check_place(path, option)
    report = _in_a_worker(
        **({"path": str(source.absolute()), "image": shape} if source else {"network": declared}),
        **{option.removeprefix("--"): str(path.absolute()) for option, path in targets.items()},
    )
    for line in told_of(report, targets):
        typer.echo(visible(line) if line.strip() == line else line)


def _declared(source: Path | None, option: str | None, shape: list[int] | None) -> str | None:
    """The declared network to write; None where a file is. Raises UserError where it is not one of both."""
    if source is not None:
        if option is not None:
            raise UserError(f"{source} and --network {option}: give one of them")
        return None
    network = network_of(option, None)
    if network is None:
        raise UserError("nothing to export; give a checkpoint, NAME-symbol.json, or --network MODULE:FACTORY")
    if shape is not None:
        raise UserError("--input-shape is for NAME-symbol.json; a declared network draws its own batches")
    return network.name


def _check_apart(source: Path | None, targets: dict[str, Path]) -> None:
    """Raise UserError where a file would be written over another one of them, or over what is read."""
    read = () if source is None else (source, *(parameters_beside(source) if _is_graph(source) else ()))
    taken = {os.path.realpath(path): "what is read" for path in read}
    for option, path in targets.items():
        place = os.path.realpath(path)
        if place in taken:
            raise UserError(f"{option} {path} is {taken[place]}; give another file")
        taken[place] = f"{option}'s file too"


def _is_graph(source: Path) -> bool:
    """Whether it is one of the two files of a network's export, and no checkpoint."""
    return source.name.endswith(SYMBOL)


def _shape(given: str | None) -> list[int] | None:
    """``3,32,32`` as numbers."""
    if given is None:
        return None
    try:
        sizes = [int(size) for size in given.split(",")]
    except ValueError:
        sizes = [0]
    if any(size < 1 for size in sizes):
        raise UserError(f"--input-shape is {given!r}; expected whole numbers above 0 such as 784 or 3,32,32")
    return sizes


def _in_a_worker(**asked: Any) -> dict[str, Any]:
    """MXNet runs there: nothing of it is loaded here."""
    worker = WorkerProcess({})
    try:
        answer = worker.ask("export", **asked)
    except WorkerFailedError as failure:
        raise RuntimeError("\n".join([failure.reason, *failure.last_lines])) from None
    finally:
        worker.end()
    if "trouble" in answer:
        raise UserError(answer["trouble"])
    return answer


def told_of(report: dict[str, Any], targets: dict[str, Path]) -> list[str]:
    """What was written and how it was checked; the table of names."""
    lines = []
    if "onnx" in report:
        onnx = report["onnx"]
        sizes = ", ".join(str(size) for size in onnx["sizes"])
        lines.append(
            f"{targets['--onnx']}: in ONNX Runtime as in MXNet, over {onnx['batches']} batches of {sizes} "
            f"images no output differs by more than {onnx['largest_difference']:.1e}"
        )
    if "safetensors" in report:
        lines += _names(report["safetensors"], targets["--safetensors"])
    return lines


def _names(report: dict[str, Any], path: Path) -> list[str]:
    lines = [f"{path}: {len(report['names'])} parameters by PyTorch's names, read back as they were written"]
    if report["largest_difference"] is not None:
        lines.append(
            "computed from the file in NumPy no output differs from MXNet's by more than "
            f"{report['largest_difference']:.1e}"
        )
    rows = [("MXNet", "PyTorch", "shape")]
    rows += [
        (visible(ours), visible(torch), "x".join(map(str, shape))) for ours, torch, shape in report["names"]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines += [f"  {ours:{widths[0]}}  {torch:{widths[1]}}  {shape}" for ours, torch, shape in rows]
    if report["by_hand"]:
        lines.append("to be set by hand in PyTorch, since parameters do not carry it:")
        lines += [f"  {visible(line)}" for line in report["by_hand"]]
    return lines
