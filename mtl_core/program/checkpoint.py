"""A training run on disk: parameters, Adam's state, the epochs reached and the settings; never unpickled.

The file is NumPy's .npz: ``parameter_0`` ... and ``state_0`` ... are float32 arrays in the order of the
network, ``about`` is the UTF-8 of a JSON object (:class:`_About`).
"""

from __future__ import annotations

import io
import itertools
import json
import math
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.platform.on_disk import (
    DAMAGED_ARCHIVE,
    LARGEST_INT,
    ForeignError,
    content,
    json_object,
    unpacked,
)
from mtl_core.program.files import write_whole
from mtl_core.program.training import EpochResult
from mtl_core.step import Snapshot, TrainingStep

FORMAT = 1
LARGEST_FILE = 16 * 2**20  # bytes; the tutorial's network takes 1.4 MB
LARGEST_CONTENT = 32 * 2**20  # bytes unpacked, all arrays together
MOST_ARRAYS = 500  # the tutorial's network has 30 and the object
LONGEST_HEADER = 1000  # bytes of an array's header; ours have 128
MOST_IMAGES = 60_000  # that may wait for the next epoch
EXPECTED = "expected a checkpoint written by train --checkpoint"
Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INT)]
Place = Annotated[int, msgspec.Meta(ge=0, lt=MOST_IMAGES)]  # of an image among those of an epoch
_DAMAGE = (*DAMAGED_ARCHIVE, msgspec.MsgspecError)


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
    rolled_over: Annotated[list[Place], msgspec.Meta(max_length=MOST_IMAGES)]


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
    archive = io.BytesIO()  # zipfile complains of a file that cannot be written once more as it is collected
    np.savez(archive, **arrays)
    write_whole(path, lambda file: file.write(archive.getvalue()), "--checkpoint")


def load(path: Path) -> Checkpoint:
    """What :func:`save` wrote. Raises UserError for a missing, damaged or foreign file, or one with a NaN."""
    raw = content(path, LARGEST_FILE, EXPECTED)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, of headers as Python 2 wrote them
            about, arrays = _read(raw)
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


def _read(raw: bytes) -> tuple[_About | None, dict[str, NDArray[Any]]]:
    """The JSON object, None for one of another format, and the arrays."""
    members = unpacked(raw, MOST_ARRAYS, LARGEST_CONTENT)
    arrays = {name: _array(member) for name, member in members.items()}
    about = json_object(arrays.pop("about").tobytes(), endless=True)  # the loss of a run that diverged
    if about["format"] != FORMAT:
        return None, arrays
    if any(array.dtype != np.float32 for array in arrays.values()):
        raise ForeignError("arrays of another type")
    if sum(_count(arrays, kind) for kind in ("parameter", "state")) != len(arrays):
        raise ForeignError("an array that belongs to no series")
    return msgspec.convert(about, _About), arrays


def _array(raw: bytes) -> NDArray[Any]:
    """An array in NumPy's format, if its header tells just as many bytes as there are."""
    file = io.BytesIO(raw)
    if npy.read_magic(file) != (1, 0):  # type: ignore[no-untyped-call]  # NumPy has no types for these two
        raise ForeignError("an array in another version of NumPy's format")
    header = npy.read_array_header_1_0(file, max_header_size=LONGEST_HEADER)  # type: ignore
    shape, by_columns, kind = header
    if kind not in (np.float32, np.uint8) or by_columns or not all(0 <= n <= LARGEST_CONTENT for n in shape):
        raise ForeignError("an array of another type or shape")
    if math.prod(shape) * kind.itemsize != len(raw) - file.tell():
        raise ForeignError("an array of another length than its header tells")
    return np.frombuffer(raw, kind, offset=file.tell()).reshape(shape)


def _series(arrays: dict[str, Any], kind: str) -> tuple[Any, ...]:
    """``kind_0``, ``kind_1`` ..."""
    return tuple(mx.nd.array(arrays[f"{kind}_{number}"]) for number in range(_count(arrays, kind)))


def _count(arrays: dict[str, Any], kind: str) -> int:
    """How far ``kind_0``, ``kind_1`` ... go."""
    return next(number for number in itertools.count() if f"{kind}_{number}" not in arrays)


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
