"""Where the spread between set-ups comes from: identical steps compared under different conditions.

Run ``python docs/studies/spread.py SECONDS RESULT.json``. Each condition is an environment given to a pair
of workers that do the same; all pairs are set up and interleaved in one block, so that the machine's
moods reach all alike. Printed are, for each condition, the time of a step; the standard deviation of a
round's log ratio, and of a set-up's by the number of rounds kept; what remains of it when the noise of
the rounds is taken away (the between-set-up component of a one-way analysis of variance); and how the first
half of a set-up's rounds correlates with the second, which is 0 when a set-up has nothing of its own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from bench.harness.rounds import LEAD_IN, Harness
from bench.questions.plan import Plan
from bench.questions.question import Question, Variant
from bench.records.run import Block

CONDITIONS = {
    "plain": {},
    "one OpenMP thread": {"OMP_NUM_THREADS": "1"},
    "one engine thread": {"MXNET_CPU_WORKER_NTHREADS": "1", "OMP_NUM_THREADS": "1"},
    "naive engine": {"MXNET_ENGINE_TYPE": "NaiveEngine"},
    "threads bound": {"OMP_PROC_BIND": "true"},
    "huge pages": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    "no mmap": {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TOP_PAD_": "67108864"},
}
ROUNDS = 16
BLOCKS_AN_INVOCATION = 12

QUESTION = Question(
    name="spread",
    asks="Where does the spread between set-ups come from?",
    workload="bench.workloads.steps:StepWorkload",
    variants={
        f"{name} {which}": Variant(environment=environment)
        for name, environment in CONDITIONS.items()
        for which in "ab"
    },
    baseline="plain a",
    fixed={"mode": "hybridized", "batch_size": 128},
    answer=lambda results: [],
    control=False,
    plan=Plan(rounds=ROUNDS),
)


def record(seconds: float) -> list[Block]:
    """Blocks of all pairs until the time is over, in fresh processes now and then."""
    (group,) = QUESTION.groups()
    harness, blocks, end = Harness(0, lead_in=LEAD_IN), [], time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            blocks.append(harness.measure(group))
            if len(blocks) % BLOCKS_AN_INVOCATION == 0:
                harness.next_invocation()
    finally:
        harness.close()
    return blocks


def logs(blocks: list[Block], name: str) -> np.ndarray:
    """(blocks, rounds) of log(time of a / time of b)."""
    pairs = [(block.set_ups[f"{name} a"].rounds, block.set_ups[f"{name} b"].rounds) for block in blocks]
    return np.array([[np.log(x.iteration_s / y.iteration_s) for x, y in zip(*p, strict=True)] for p in pairs])


def main(seconds: float, target: Path) -> None:
    """Record, then one line a condition."""
    blocks = record(seconds)
    print(f"{len(blocks)} blocks in {seconds:.0f} s; s.d. of the log ratio over set-ups by rounds kept")
    print(
        f"{'condition':20} {'step':>8} {'of round':>9} {'2':>6} {'4':>6} {'8':>6} {'16':>6} {'own':>7} "
        f"{'halves':>7}"
    )
    kept = {}
    for name in CONDITIONS:
        values = logs(blocks, name)
        kept[name] = values.tolist()
        step_ms = 1e3 * np.median([r.iteration_s for b in blocks for r in b.set_ups[f"{name} a"].rounds])
        spreads = [np.std(np.median(values[:, :count], axis=1), ddof=1) for count in (2, 4, 8, 16)]
        within = float(np.mean(np.var(values, axis=1, ddof=1)))
        between = max(0.0, float(np.var(values.mean(axis=1), ddof=1)) - within / values.shape[1])
        cells = [np.sqrt(within), *spreads, np.sqrt(between)]
        halves = [np.median(half, axis=1) for half in np.split(values, 2, axis=1)]
        told = " ".join(f"{cell:7.2%}" for cell in cells)
        print(f"{name:20} {step_ms:5.2f} ms {told} {np.corrcoef(*halves)[0, 1]:+7.2f}")
    target.write_text(json.dumps(kept))


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]))
