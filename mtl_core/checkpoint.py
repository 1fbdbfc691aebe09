"""A training run on disk: parameters, Adam's state, the epochs reached and the settings; never unpickled."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core._mxnet import mx
from mtl_core.errors import UserError
from mtl_core.step import Snapshot, TrainingStep

FORMAT = 1


def save(path: Path, step: TrainingStep, about: dict[str, Any]) -> None:
    """Write the file whole or not at all; ``about`` is what JSON can hold of the run."""
    snapshot = step.snapshot()
    about = {**about, "format": FORMAT, "updates": snapshot.updates}
    arrays = {f"parameter_{i}": a.asnumpy() for i, a in enumerate(snapshot.parameters)}
    arrays |= {f"state_{i}": a.asnumpy() for i, a in enumerate(snapshot.state)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise UserError(
            f"--checkpoint {path} cannot be written ({error.strerror}); choose another place"
        ) from None
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Path) -> tuple[dict[str, Any], Snapshot]:
    """What :func:`save` wrote. Raises UserError for a missing, damaged or foreign file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            arrays = {name: file[name] for name in file.files if name != "about"}
    except FileNotFoundError:
        raise UserError(f"{path} is not there; expected a checkpoint written by train --checkpoint") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no whole checkpoint ({error}); train again with --checkpoint") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise UserError(f"{path} is a checkpoint of another format; expected {FORMAT}; train again")
    return about, Snapshot(_series(arrays, "parameter"), _series(arrays, "state"), about["updates"])


def _series(arrays: dict[str, Any], kind: str) -> tuple[Any, ...]:
    count = sum(name.startswith(f"{kind}_") for name in arrays)
    return tuple(mx.nd.array(arrays[f"{kind}_{i}"]) for i in range(count))


def differing(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The settings that keep a run from going on, in words. The number of epochs may grow."""
    names = sorted((then.keys() | now.keys()) - {"epochs"})
    return [f"{n} was {then.get(n)!r}, is {now.get(n)!r}" for n in names if then.get(n) != now.get(n)]
