"""What guards a repository: the benchmarks that ``python -m bench regress`` holds two revisions against.

Each side's worker answers with its own checkout's declarations, so that a revision is measured as it
defines itself. Nothing here loads MXNet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.records.shared import Setting

PROTOCOL = 1  # between the coordinator and a worker; raised when a command changes its meaning


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One benchmark of the gate: what an iteration is, and how often it is repeated at each level."""

    name: str
    asks: str  # what an iteration is, for the reader
    workload: str  # "module:factory", imported by the worker
    settings: dict[str, Setting] = field(default_factory=dict)
    rounds: int = 40  # a set-up
    set_ups: int = 1  # an invocation: what shares a process is not independent
    warm_ups: int = 8  # rounds at most, until two agree
    in_runs: bool = True  # whether a full ``bench run`` measures the same work


# As the questions have it, so that a stored run has the same cases (bench/gate/stored.py).
_BATCHES: dict[str, Setting] = {"batch_size": 128, "data": "synthetic"}
_STEP: dict[str, Setting] = {**_BATCHES, "mode": "hybridized"}
# The last two take a tenth of a second, not milliseconds: with more set-ups a minute would hardly hold the
# five invocations of a first look.
GATE = (
    Benchmark(
        name="step",
        asks="one training step",
        workload="bench.workloads.steps:StepWorkload",
        settings={**_STEP, "part": "step"},
    ),
    Benchmark(
        name="forward",
        asks="one forward pass with both losses",
        workload="bench.workloads.steps:StepWorkload",
        settings={**_STEP, "part": "forward"},
    ),
    Benchmark(
        name="first_call",
        asks="building a network and its first step, in a process where MXNet runs already",
        workload="bench.workloads.first_call:FirstCall",
        settings=_STEP,
        rounds=24,
        in_runs=False,  # a run's first call is that of each set-up, in a process that had others
    ),
    Benchmark(
        name="loader",
        asks="one pass of the tutorial's DataLoader over 1,280 images",
        workload="bench.workloads.loading:LoadingWorkload",
        settings={**_BATCHES, "images": 1280, "workers": 2},
        rounds=12,
        set_ups=1,
        warm_ups=2,
    ),
    Benchmark(
        name="epoch",
        asks="one epoch of the tutorial over 2,560 images",
        workload="bench.workloads.loading:EpochWorkload",
        settings={**_BATCHES, "images": 2560, "way": "tutorial", "workers": 5, "split": False},
        rounds=8,
        set_ups=1,
        warm_ups=2,
    ),
)
