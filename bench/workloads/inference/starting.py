"""A runtime from nothing, in a process of its own: imported, loaded, called once; what each took.

``python -m bench.workloads.inference.starting`` reads a JSON object: ``runtime``, ``network``, ``folder``,
``threads``.
What was written for the runtime is in the folder, and the batch of its first call as ``batch.npz``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

BATCH = "batch.npz"
LIMIT_S = 100.0  # for a start; a worker that says nothing for longer is taken to hang


def start(runtime: str, network: str | None, folder: Path, threads: int) -> dict[str, float]:
    """Seconds to import, to load and of the first call, and the bytes of memory that all of it took.

    NumPy, which both runtimes need, is there before; SciPy, which MXNet reads for quantization alone where
    it finds it, is not.
    """
    with np.load(folder / BATCH) as file:
        arrays = [file[name] for name in file.files]
    sys.modules.setdefault("scipy", None)  # type: ignore[arg-type]  # how Python marks what cannot be imported
    before = psutil.Process().memory_info().rss
    times = [time.perf_counter()]
    _import(runtime)
    times.append(time.perf_counter())
    loaded = _load(runtime, network, folder, threads, len(arrays[0]))
    times.append(time.perf_counter())
    loaded.call(loaded.own(arrays))
    times.append(time.perf_counter())
    names = ("import_s", "load_s", "first_call_s")
    spent = {name: end - begin for name, begin, end in zip(names, times, times[1:], strict=False)}
    return {**spent, "memory_bytes": float(psutil.Process().memory_info().rss - before)}


def _import(runtime: str) -> None:
    """The library alone."""
    if runtime == "onnx_runtime":
        import onnxruntime  # noqa: F401
    else:
        from mtl_core.platform.mxnet import mx  # noqa: F401


def _load(runtime: str, network: str | None, folder: Path, threads: int, batch_size: int) -> Any:
    """From the files written before; the modes of MXNet from the network's own code, as its users do."""
    if runtime == "onnx_runtime":  # without a module that would import MXNet
        from bench.workloads.inference.onnx_network import OnnxNetwork

        return OnnxNetwork(folder / "network.onnx", threads)
    from bench.workloads.inference.runtimes import Source, load

    code = None if runtime == "exported" else Source(network=network, batch_size=batch_size).block()
    return load(runtime, code, folder, threads)  # type: ignore[arg-type]


def started(
    runtime: str, network: str | None, folder: Path, threads: int, batch: Sequence[Any]
) -> dict[str, float]:
    """The same of a new process. Raises RuntimeError with what it said where it failed."""
    np.savez(folder / BATCH, *batch)
    asked = {"runtime": runtime, "network": network, "folder": str(folder), "threads": threads}
    done = subprocess.run(
        [sys.executable, "-m", "bench.workloads.inference.starting"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    if done.returncode:
        raise RuntimeError(f"{runtime} does not start in a process of its own:\n{done.stderr}")
    facts: dict[str, float] = json.loads(done.stdout)
    return facts


def main() -> None:
    """Answer on standard output, which whatever is imported does not reach."""
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)
        asked = json.loads(sys.stdin.read())
        json.dump(start(**{**asked, "folder": Path(asked["folder"])}), answer)


if __name__ == "__main__":
    main()
