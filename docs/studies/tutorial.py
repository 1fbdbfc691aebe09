"""Trains the tutorial over ten seeds, denormals kept and flushed in turn, and times both loaders.

Run ``python docs/studies/tutorial.py RESULT.json`` with MNIST in ``$MTL_DATA_DIR``; it prints the
tables of docs/tutorial.md. Each training is a process of its own.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scipy import stats

SEEDS = range(42, 52)
WORKERS = (0, 1, 2, 5)
EPOCHS = 5


def train(*options: str) -> dict[str, Any]:
    """What ``python -m mtl_core train --json`` told."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        command = [
            sys.executable,
            "-m",
            "mtl_core",
            "train",
            "--data",
            "mnist",
            "--json",
            str(file),
            *options,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        told: dict[str, Any] = json.loads(file.read_text())
    return told


def spread(values: list[float], digits: int = 4) -> str:
    """Mean, standard deviation and range."""
    return (
        f"{statistics.mean(values):.{digits}f} +- {statistics.stdev(values):.{digits}f} "
        f"({min(values):.{digits}f} to {max(values):.{digits}f})"
    )


def main(target: Path) -> None:
    """Run everything, print the tables, keep the raw numbers."""
    runs: dict[str, list[dict[str, Any]]] = {"keep": [], "flush": []}
    for seed in SEEDS:
        for choice, done in runs.items():
            done.append(train("--seed", str(seed), "--denormals", choice, "--epochs", str(EPOCHS)))
    tables(runs)
    speeds = race()
    target.write_text(json.dumps({"runs": runs, "speeds": speeds}))


def tables(runs: dict[str, list[dict[str, Any]]]) -> None:
    """Accuracies after the last epoch; milliseconds a step per epoch, and what keeping denormals costs."""
    for choice, done in runs.items():
        for task in ("digits", "odd_even"):
            name = f"{task}_accuracy"
            print(choice, "train", task, spread([run["epochs"][-1][name] for run in done]))
            print(choice, "test", task, spread([run["test"][name] for run in done]))
        for epoch in range(EPOCHS):
            rows = [run["epochs"][epoch] for run in done]
            step_ms = statistics.median(1e3 * row["duration_s"] / (row["images"] / 128) for row in rows)
            share = statistics.median(row["denormal_share"] for row in rows)
            print(f"{choice} epoch {epoch}: {step_ms:.2f} ms a step, denormal share {share:.1%}")
    for epoch in range(EPOCHS):
        pairs = zip(runs["keep"], runs["flush"], strict=True)
        ratios = [math.log(keep[epoch] / flush[epoch]) for keep, flush in (map(durations, p) for p in pairs)]
        print(f"keep / flush epoch {epoch}: {geometric_mean(ratios)}")


def durations(run: dict[str, Any]) -> list[float]:
    """Seconds of each epoch."""
    return [epoch["duration_s"] for epoch in run["epochs"]]


def geometric_mean(logarithms: list[float]) -> str:
    """With its 95 % interval, Student's t over the seeds."""
    mean, error = statistics.mean(logarithms), statistics.stdev(logarithms) / math.sqrt(len(logarithms))
    half = stats.t.ppf(0.975, len(logarithms) - 1) * error
    return "{:.2f} ({:.2f} to {:.2f})".format(*map(math.exp, (mean, mean - half, mean + half)))


def race() -> dict[str, list[float]]:
    """Seconds of all epochs with each loader; ``fast`` first and last, lest a drifting machine favour it."""
    loaders: dict[str, tuple[str, ...]] = {
        "fast": (),
        **{f"tutorial, {n} workers": ("--loader", "tutorial", "--workers", str(n)) for n in WORKERS},
    }
    speeds: dict[str, list[float]] = {name: [] for name in loaders}
    for name in (*loaders, "fast"):
        told = train(*loaders[name], "--epochs", str(EPOCHS))
        speeds[name].append(sum(durations(told)))
    for name, seconds in speeds.items():
        print(f"{name}: {EPOCHS} epochs in {', '.join(f'{s:.2f}' for s in seconds)} s")
    best = min(seconds[0] for name, seconds in speeds.items() if name != "fast")
    print(f"fast is {best / statistics.mean(speeds['fast']):.1f} times as fast as tutorial at its best")
    return speeds


if __name__ == "__main__":
    main(Path(sys.argv[1]))
