"""What a training run came to, as JSON."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.platform.mxnet import mx
from mtl_core.program.files import NotWrittenError, write_whole
from mtl_core.program.training import EpochResult, TestResult


def written(
    path: Path,
    settings: dict[str, Any],
    history: list[EpochResult],
    test: TestResult | None,
    notes: list[str],
) -> list[str]:
    """Everything printed, settings, versions and seeds; ``test`` is None for a run that was stopped.

    Returns what to say where the file could not be written.
    """
    try:
        _write(path, settings, history, test, notes)
    except NotWrittenError as error:
        return [str(error)]
    return []


def _write(
    path: Path,
    settings: dict[str, Any],
    history: list[EpochResult],
    test: TestResult | None,
    notes: list[str],
) -> None:
    content = {
        "schema": 1,
        "settings": settings,
        "seeds": {
            "mxnet, numpy, random": settings["seed"],
            "synthetic digits": 0 if settings["data"] == "synthetic" else None,
        },
        "versions": {"python": platform.python_version(), "mxnet": mx.__version__, "numpy": np.__version__},
        "platform": platform.platform(),
        "notes": notes,
        "epochs": [_finite(asdict(epoch)) for epoch in history],
        "test": test and _finite(asdict(test)),
    }
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode()), "--json")


def _finite(numbers: dict[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: the loss of a run that diverged becomes null."""
    return {name: number if math.isfinite(number) else None for name, number in numbers.items()}
