"""A training run on disk: parameters, Adam's state, the epochs reached and the settings; never unpickled.

The file is NumPy's .npz: ``parameter_0`` ... and ``state_0`` ... are float32 arrays in the order of the
network, ``about`` is the UTF-8 of a JSON object (:class:`_About`).
"""

from __future__ import annotations

import json
import struct
import tokenize
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
import numpy as np

from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.program.files import write_whole
from mtl_core.program.training import EpochResult
from mtl_core.step import Snapshot, TrainingStep

FORMAT = 1
Count = Annotated[int, msgspec.Meta(ge=0)]
# What NumPy and zipfile raise for a damaged file; which one depends on the byte.
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,  # a single array is no archive
    EOFError,
    SyntaxError,
    MemoryError,  # a header that claims a huge array
    RuntimeError,  # also NotImplementedError: a flag that says encrypted or otherwise compressed
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    msgspec.MsgspecError,
)


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on as if it had never stopped."""

    settings: dict[str, Any]  # by name, what JSON can hold; a run goes on only with the same
    history: tuple[EpochResult, ...]
    rolled_over: tuple[int, ...]  # images that wait for the next epoch
    snapshot: Snapshot


class _About(msgspec.Struct):
    """The JSON object of the file, as far as it is checked; the rest is ``format``."""

    updates: Count  # steps that Adam has taken
    settings: dict[str, Any]
    history: list[EpochResult]
    rolled_over: list[Count]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file whole or not at all. Raises UserError when it cannot be written."""
    snapshot = checkpoint.snapshot
    about = {
        "format": FORMAT,
        "updates": snapshot.updates,
        "settings": checkpoint.settings,
        "history": [asdict(epoch) for epoch in checkpoint.history],
        "rolled_over": list(checkpoint.rolled_over),
    }
    arrays = {f"parameter_{i}": a.asnumpy() for i, a in enumerate(snapshot.parameters)}
    arrays |= {f"state_{i}": a.asnumpy() for i, a in enumerate(snapshot.state)}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    write_whole(path, lambda file: np.savez(file, **arrays), "--checkpoint")


def load(path: Path) -> Checkpoint:
    """What :func:`save` wrote. Raises UserError for a missing, damaged or foreign file, or one with a NaN."""
    try:
        with path.open("rb") as file:
            about, arrays = _read(file)
    except FileNotFoundError:
        raise UserError(f"{path} is not there; expected a checkpoint written by train --checkpoint") from None
    except (IsADirectoryError, PermissionError) as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); expected a checkpoint written by train --checkpoint"
        ) from None
    except _DAMAGE:  # no word of NumPy's, which recommends unpickling
        raise UserError(
            f"{path} is no whole checkpoint; expected a file written by train --checkpoint"
        ) from None
    if about is None:
        raise UserError(f"{path} is a checkpoint of another format; expected {FORMAT}; train again")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise UserError(
            f"{path} holds weights that are no numbers: its training diverged; "
            "train again with a smaller --learning-rate"
        )
    snapshot = Snapshot(_series(arrays, "parameter"), _series(arrays, "state"), about.updates)
    return Checkpoint(about.settings, tuple(about.history), tuple(about.rolled_over), snapshot)


def _read(file: BinaryIO) -> tuple[_About | None, dict[str, Any]]:
    """The JSON object, None for one of another format, and the arrays."""
    with np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    about = json.loads(arrays.pop("about").tobytes())
    if about["format"] != FORMAT:
        return None, arrays
    if any(array.dtype != np.float32 for array in arrays.values()):
        raise ValueError("arrays of another type")
    return msgspec.convert(about, _About), arrays


def _series(arrays: dict[str, Any], kind: str) -> tuple[Any, ...]:
    """``kind_0``, ``kind_1`` ... as far as they go."""
    found: list[Any] = []
    while f"{kind}_{len(found)}" in arrays:
        found.append(mx.nd.array(arrays[f"{kind}_{len(found)}"]))
    return tuple(found)


def check_network(path: Path, snapshot: Snapshot, step: TrainingStep) -> None:
    """Raises UserError when the checkpoint's arrays are not shaped as the step's."""
    for ours, theirs in (
        (step.parameter_arrays(), snapshot.parameters),
        (step.state_arrays(), snapshot.state),
    ):
        if [array.shape for array in ours] != [array.shape for array in theirs]:
            raise UserError(
                f"{path} holds another network; expected the tutorial's 128-64-10 with both heads"
            )


def differing(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The settings that keep a run from going on, in words. The number of epochs may grow."""
    names = sorted((then.keys() | now.keys()) - {"epochs"})
    return [f"{n} was {then.get(n)!r}, is {now.get(n)!r}" for n in names if then.get(n) != now.get(n)]
