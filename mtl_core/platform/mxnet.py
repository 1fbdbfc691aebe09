"""The only place that imports MXNet, and what makes its last wheel work on today's NumPy and Python.

MXNet 1.9.1 (2022) reads names at import that NumPy has removed since (``np.bool`` in 1.24, some
thirty more in 2.0), and ``distutils``, which Python 3.12 removed. The names are supplied for the
time of the import and taken away again, so that ``numpy`` is left as it was found.
"""

from __future__ import annotations

import importlib
import importlib.util
import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mtl_core.errors import UserError, lacks_memory
from mtl_core.platform.cuda_libraries import load_cuda_libraries

# What MXNet 1.9.1 reads from numpy at import, and what it stood for when MXNet was written.
# None: a function that NumPy dropped; MXNet only takes a reference to it, for its own mx.np.
_REMOVED_FROM_NUMPY: dict[str, object] = {
    "bool": bool,
    "PZERO": 0.0,
    "NZERO": -0.0,
    "PINF": float("inf"),
    "NINF": float("-inf"),
    "NaN": float("nan"),
    "NAN": float("nan"),
    "Inf": float("inf"),
    **dict.fromkeys(
        (
            "alltrue",
            "in1d",
            "mirr",
            "msort",
            "npv",
            "pmt",
            "ppmt",
            "product",
            "pv",
            "rate",
            "round_",
            "sometrue",
            "trapz",
        )
    ),
}


def _dropped(name: str) -> Callable[..., Any]:
    """A stand-in for the function ``name`` that NumPy dropped: it says so when it is called."""

    def call(*_args: object, **_kwargs: object) -> None:
        raise NotImplementedError(f"numpy.{name} was removed from NumPy {np.__version__}")

    return call


@contextmanager
def _names_numpy_removed() -> Iterator[None]:
    """Supply the removed names to ``numpy`` while the block runs, then remove exactly those."""
    missing = [name for name in _REMOVED_FROM_NUMPY if name not in np.__dict__]
    for name in missing:
        value = _REMOVED_FROM_NUMPY[name]
        setattr(np, name, _dropped(name) if value is None else value)
    try:
        yield
    finally:
        for name in missing:
            delattr(np, name)


HALF_LOADED = (
    'from mtl_core.platform.mxnet import mx, which supplies what NumPy removed, in place of "import mxnet"'
)


def _half_loaded() -> bool:
    """Whether an earlier import of MXNet failed and left its parts behind."""
    return "mxnet" not in sys.modules and any(name.startswith("mxnet.") for name in sys.modules)


def _remedy(error: BaseException, half_loaded: bool = False) -> str:
    """Which version of what stands in the way of the import, and the command that mends it."""
    reason = " ".join(str(error).split())  # one line, whatever the error's own
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.platform(terse=True)}"
    if importlib.util.find_spec("mxnet") is None:
        return (
            f"MXNet is not installed for this Python ({versions}). Install it with "
            '"pip install \'mtl-bench[cpu]\'" or run through "uvx nox -s bench"; wheels exist for '
            "Linux x86-64 and aarch64 and macOS x86-64."
        )
    if isinstance(error, ModuleNotFoundError) and error.name == "distutils":
        return (
            f"MXNet needs distutils, which Python {platform.python_version()} no longer has: "
            'install it with "pip install setuptools".'
        )
    if half_loaded:
        return (
            f"mxnet was imported before by something else, which failed and left half of it behind "
            f"({type(error).__name__}: {reason}; {versions}): there, such as in a conftest.py, write from "
            'mtl_core.platform.mxnet import mx, which supplies what NumPy removed, in place of "import mxnet"'
        )
    if lacks_memory(error):
        return (
            f"there is not enough memory to load MXNet ({reason}): raise the limit on this process, such as "
            "with ulimit -v unlimited, or give the container more"
        )
    if isinstance(error, OSError):
        return (
            f"MXNet's library does not load ({reason}; {versions}). For the GPU build install its CUDA "
            "libraries with \"pip install 'mtl-bench[gpu]'\"; for the CPU build reinstall it with "
            '"pip install --force-reinstall mxnet==1.9.1".'
        )
    return (
        f"MXNet 1.9.1 does not import here ({type(error).__name__}: {reason}; {versions}). "
        'This combination is untried; "uvx nox -s bench" installs one that works.'
    )


def _import_mxnet() -> Any:
    load_cuda_libraries()
    if sys.version_info >= (3, 12) and importlib.util.find_spec("setuptools") is not None:
        importlib.import_module("setuptools")  # brings distutils back
    half_loaded = _half_loaded()
    with _names_numpy_removed(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MXNet's own; nobody will mend them
        try:
            return importlib.import_module("mxnet")
        except (ImportError, AttributeError, OSError, RuntimeError, MemoryError) as error:
            raise UserError(_remedy(error, half_loaded)) from error


mx: Any = _import_mxnet()
