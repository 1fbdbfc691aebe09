"""MNIST from its four IDX gzip files: found on disk or downloaded, and never trusted unchecked.

Format and data: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import math
import os
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mtl_core.data.dataset import Bytes, Dataset, Split
from mtl_core.errors import UserError
from mtl_core.platform.on_disk import content, reason_of, replace_whole

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
LARGEST_FILE = 12 * 2**20  # bytes; the largest of the four has 9.9 million
LARGEST_CONTENT = 64 * 2**20  # bytes unpacked; the largest has 47 million
TIMEOUT_S = 30.0

Progress = Callable[[str, int, int], None]  # file, bytes so far, bytes in all (0: unknown)


def parse_idx(raw: bytes, name: str, dimensions: int) -> Bytes:
    """The array of unsigned bytes in an IDX file with that many dimensions.

    Raises UserError naming the file when header, type or size is not what it should be.
    """
    header = 4 + 4 * dimensions
    if len(raw) < header:
        raise UserError(f"{name}: {len(raw)} bytes; expected an IDX header of {header}: fetch the file again")
    if raw[:4] != bytes((0, 0, 8, dimensions)):
        raise UserError(
            f"{name}: begins with {raw[:4].hex()}; expected {bytes((0, 0, 8, dimensions)).hex()} "
            f"(IDX, unsigned bytes, {dimensions} dimensions): it is another file"
        )
    shape = tuple(int.from_bytes(raw[i : i + 4], "big") for i in range(4, header, 4))
    expected = math.prod(shape)
    if expected == 0:
        raise UserError(f"{name}: its header {shape} has no element; expected an array: fetch the file again")
    if len(raw) - header != expected:
        raise UserError(
            f"{name}: {len(raw) - header} bytes of data; its header {shape} needs {expected}: fetch it again"
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def _unpack(compressed: bytes, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(compressed)) as file:
            raw = file.read(LARGEST_CONTENT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{name}: no whole gzip file ({error}); fetch it again") from None
    if len(raw) > LARGEST_CONTENT:
        raise UserError(f"{name}: unpacks to over {LARGEST_CONTENT} bytes; it is another file")
    return raw


def _mismatch(compressed: bytes, name: str) -> str | None:
    """What differs from the file that ``name`` stands for; None for the file itself."""
    digest = hashlib.sha256(compressed).hexdigest()
    if digest == SHA256[name]:
        return None
    return f"SHA-256 {digest[:16]}... of {len(compressed)} bytes, expected {SHA256[name][:16]}..."


def gluon_cache() -> Path:
    """Where Gluon keeps its MNIST: ``$MXNET_HOME/datasets/mnist``."""
    home = os.environ.get("MXNET_HOME") or "~/.mxnet"
    return Path(os.path.expanduser(home), "datasets", "mnist")  # noqa: PTH111  # as it is where no home is


def _folder(data_dir: Path | None) -> tuple[Path, bool]:
    """Where to look, and whether the user named it."""
    if data_dir is not None:
        return data_dir, True
    if os.environ.get("MTL_DATA_DIR"):
        return Path(os.environ["MTL_DATA_DIR"]), True
    return gluon_cache(), False


def _read_local(path: Path) -> bytes:
    """The file's bytes, checked; UserError naming it."""
    compressed = content(path, LARGEST_FILE, "expected MNIST's four .gz files in that folder")
    problem = _mismatch(compressed, path.name)
    if problem:
        raise UserError(
            f"{path}: {problem}; the file is truncated or altered: "
            "put MNIST's own there, or delete it to have Gluon's cache folder filled again"
        )
    return compressed


def _fetch(name: str, progress: Progress | None) -> bytes:
    """The file from the first mirror that gives it whole; UserError with each mirror's reason."""
    reasons = []
    for mirror in MIRRORS:
        compressed, problem = _try_mirror(mirror, name, progress)
        if not problem:
            return compressed
        reasons.append(f"{mirror}: {' '.join(problem.split())}")
    raise UserError(
        f"{name} could not be downloaded ({'; '.join(reasons)}); put MNIST's four files into a folder and "
        "name it with --data-dir, or use --data synthetic"
    )


def _try_mirror(mirror: str, name: str, progress: Progress | None) -> tuple[bytes, str | None]:
    """The bytes a mirror gave, and why they are not the file (None: they are)."""
    try:
        compressed = _download(mirror + name, name, progress)
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a malformed header
        return b"", str(error) or type(error).__name__
    return compressed, _mismatch(compressed, name)


def _download(url: str, name: str, progress: Progress | None) -> bytes:
    """What the server gives, cut just over the largest size that could be right."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        size = int(answer.headers.get("Content-Length") or 0)
        data = bytearray()
        while len(data) <= LARGEST_FILE:
            piece = answer.read(1 << 16)
            if not piece:
                break
            data += piece
            if progress:
                progress(name, len(data), size)
    return bytes(data)


def _file(
    folder: Path, named: bool, name: str, download: bool, progress: Progress | None, lost: list[str]
) -> Bytes:
    """The array of one file; the reason why a download could not be kept goes to ``lost``."""
    path = folder / name
    if named or os.path.exists(path):  # noqa: PTH110  # no error for a name that is too long
        compressed = _read_local(path)
    elif download:
        compressed = _fetch(name, progress)
        try:
            replace_whole(path, lambda file: file.write(compressed))
        except OSError as error:  # the bytes are good all the same
            lost.append(reason_of(error))
    else:
        raise UserError(f"{path} is not there; name a folder with --data-dir or $MTL_DATA_DIR")
    return parse_idx(_unpack(compressed, str(path)), str(path), 3 if "images" in name else 1)


def load_mnist(
    data_dir: Path | None = None, *, download: bool = True, progress: Progress | None = None
) -> Dataset:
    """MNIST from ``data_dir``, ``$MTL_DATA_DIR``, Gluon's cache folder, or the mirrors.

    A folder that the user names must have the four files; only Gluon's cache is filled by download. Where
    it cannot be written the data are used as they came, and a note says so.
    Raises UserError naming the file, what was expected and what to do.
    """
    folder, named = _folder(data_dir)
    lost: list[str] = []
    files = [_file(folder, named, name, download, progress, lost) for name in SHA256]
    note = (
        f"MNIST was downloaded but not kept: {folder} cannot be written ({lost[0]}); name a folder that can "
        "be with $MXNET_HOME"
        if lost
        else None
    )
    return Dataset("mnist", Split(files[0], files[1]), Split(files[2], files[3]), note)


def is_here() -> bool:
    """Whether the four files are where :func:`load_mnist` looks first; they are not checked."""
    folder, _ = _folder(None)
    return all(os.path.isfile(folder / name) for name in SHA256)  # noqa: PTH113  # False for any odd name
