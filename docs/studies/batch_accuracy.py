"""Trains with batches of 128 and of 512 on as many images, and prints the test accuracies as a table.

Run ``python docs/studies/batch_accuracy.py``; the synthetic digits need no download. It prints the table of
docs/tutorial.md. Accuracies do not depend on how busy the machine is.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SEEDS = (42, 43, 44)
SIZES = (128, 512)  # those that may be recommended
EPOCHS = (1,)


def accuracies(size: int, epochs: int, seed: int) -> dict[str, Any]:
    """What ``python -m mtl_core train`` reached on the test images."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        options = ["--data", "synthetic", "--loader", "fast", "--mode", "whole_graph", "--json", str(file)]
        options += ["--batch-size", str(size), "--epochs", str(epochs), "--seed", str(seed)]
        command = [sys.executable, "-m", "mtl_core", "train", *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        trained: dict[str, Any] = json.loads(file.read_text())
    return dict(trained["test"])


def row(size: int, epochs: int, reached: list[dict[str, Any]], names: list[str]) -> str:
    """``| 128 | 1 | .9912 (.9900 to .9921) | ...``: mean and range over the seeds."""
    cells = [str(size), str(epochs)]
    for name in names:
        values = [float(one[name]) for one in reached]
        cells.append(f"{statistics.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """A line for each number of epochs and size of batch."""
    for epochs in EPOCHS:
        for size in SIZES:
            reached = [accuracies(size, epochs, seed) for seed in SEEDS]
            names = [name for name, value in reached[0].items() if isinstance(value, float)]
            if (epochs, size) == (EPOCHS[0], SIZES[0]):
                print(f"| batch size | epochs | {' | '.join(names)} |")
            print(row(size, epochs, reached, names), flush=True)


if __name__ == "__main__":
    main()
