"""What the machine can do at best, measured in a process of its own: ``python -m bench.machine.ceilings``."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from mtl_core.platform.mxnet import mx

REPEATS = 7
SIDE = 1024  # of the matrices
COPIED = 1 << 26  # bytes; beyond the caches of today's machines
LOOPS = 200_000
PACKAGE_FOLDERS = ("site-packages", "dist-packages")


def durations_s(act: Callable[[], Any]) -> list[float]:
    """Durations of repeated calls, after one to warm up."""
    act()
    spent = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        act()
        spent.append(time.perf_counter() - start)
    return spent


def _loop() -> int:
    total = 0
    for number in range(LOOPS):
        total += number
    return total


def library(loaded: Mapping[str, Any]) -> dict[str, Any]:
    """What threadpoolctl tells of a library, as ``bench.records.run.Library`` has it."""
    path = Path(loaded["filepath"])
    # A wheel has its libraries in its package or beside it: mxnet/, numpy.libs/ or, on macOS, numpy/.dylibs/.
    owners = [after for folder, after in pairwise(path.parts) if folder in PACKAGE_FOLDERS]
    openmp = loaded["user_api"] == "openmp"
    return {
        "owner": owners[-1].removesuffix(".libs") if owners else "system",
        "api": loaded["user_api"],
        "name": loaded["prefix"] if openmp else loaded["internal_api"],  # libgomp, libomp or libiomp
        "file": path.name,
        "threads": loaded["num_threads"],
        "version": loaded.get("version"),
        "threading": loaded.get("threading_layer"),
        "kernels": loaded.get("architecture"),
    }


def measure() -> dict[str, Any]:
    """All ceilings and the build, as ``bench.records.run.Ceilings`` has them."""
    ours = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32)
    theirs = mx.nd.array(ours)
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    flop = 2 * SIDE**3 / 1e9
    loaded = threadpool_info()
    libraries = {f"{i['internal_api']} {i.get('version') or ''}".strip() for i in loaded}
    done = {
        "mxnet_gflop_per_s": (flop, lambda: mx.nd.dot(theirs, theirs).wait_to_read()),
        "numpy_gflop_per_s": (flop, lambda: ours @ ours),
        "memory_gb_per_s": (2 * COPIED / 1e9, lambda: np.copyto(target, source)),
        "python_loops_per_s": (LOOPS, _loop),
    }
    rates = {name: [work / spent for spent in durations_s(act)] for name, (work, act) in done.items()}
    return {
        **{name: statistics.median(values) for name, values in rates.items()},
        "ranges": {name: [min(values), max(values)] for name, values in rates.items()},
        "mxnet": mx.__version__,
        "numpy": np.__version__,
        "features": sorted(n for n, f in mx.runtime.Features().items() if f.enabled),
        "libraries": sorted(libraries),
        "loaded": sorted((library(one) for one in loaded), key=lambda one: (one["owner"], one["file"])),
    }


def main() -> None:
    """Print them as JSON."""
    print(json.dumps(measure()))


if __name__ == "__main__":
    main()
